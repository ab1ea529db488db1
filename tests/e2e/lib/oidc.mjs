// SPDX-License-Identifier: Apache-2.0
// oidc-provider from npm, on loopback: a strict authorization server. PKCE is required, refresh tokens are
// used once, and one that is used twice ends its grant.
import { createServer } from "node:http";

/** redirectUri: where it may send people back to; jwks: of a client that signs. */
export async function oidcServer(t, { redirectUri, jwks }) {
  process.env.NODE_ENV = "test"; // it says much otherwise
  const { Provider } = await import("oidc-provider");
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  const oidc = new Provider(url, {
    clients: [
      { client_id: "app-id", client_secret: "app-s3cret-value", grant_types: ["authorization_code", "refresh_token"], redirect_uris: [redirectUri], token_endpoint_auth_method: "client_secret_post" },
      { client_id: "app:basic", client_secret: "s3cret+/value", grant_types: ["authorization_code", "refresh_token"], redirect_uris: [redirectUri], token_endpoint_auth_method: "client_secret_basic" },
      { client_id: "machine", client_secret: "machine-s3cret", grant_types: ["client_credentials"], redirect_uris: [], response_types: [], token_endpoint_auth_method: "client_secret_basic" },
      ...(jwks ? [{ client_id: "signer", grant_types: ["client_credentials"], redirect_uris: [], response_types: [], token_endpoint_auth_method: "private_key_jwt", jwks }] : []),
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: true }, registration: { enabled: true },
      resourceIndicators: { enabled: true, useGrantedResource: () => true, getResourceServerInfo: (ctx, resource) => ({ scope: "openid offline_access", audience: resource, accessTokenTTL: 3600, accessTokenFormat: "opaque" }) } },
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    ttl: { AccessToken: 3600, ClientCredentials: 3600, RefreshToken: 86400, Grant: 86400, Interaction: 600, Session: 3600 },
    cookies: { keys: ["a key of this test"] },
    clientBasedCORS: () => false,
  });
  const grants = [];
  oidc.on("grant.success", (ctx) => grants.push(ctx.oidc.params.grant_type));
  oidc.on("grant.error", (ctx, error) => grants.push(`${ctx.oidc.params?.grant_type}: ${error.message}`));
  server.on("request", oidc.callback());
  return { url, grants, signIn: (to) => signIn(to, url) };
}

/** A browser that signs in and agrees; gives back the URL of another site that it is sent to. */
async function signIn(to, own) {
  const jar = new Map();
  let request = { url: to };
  for (let step = 0; step < 20; step++) {
    if (!request.url.startsWith(own)) return request.url;
    const response = await fetch(request.url, {
      method: request.form ? "POST" : "GET",
      redirect: "manual",
      body: request.form && new URLSearchParams(request.form),
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair] = cookie.split(";");
      jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const text = await response.text();
    if (response.status >= 300 && response.status < 400) {
      request = { url: new URL(response.headers.get("location"), request.url).href };
      continue;
    }
    const action = /action="([^"]+)"/.exec(text)?.[1];
    if (!action) throw new Error(`${request.url}: ${response.status} ${text.replace(/<[^>]+>/g, " ").slice(0, 500)}`);
    const prompt = /name="prompt" value="([^"]+)"/.exec(text)[1];
    request = { url: new URL(action, request.url).href, form: prompt === "login" ? { prompt, login: "ada", password: "any" } : { prompt } };
  }
  throw new Error("the sign-in went round in circles");
}
