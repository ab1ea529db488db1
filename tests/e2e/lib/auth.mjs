// SPDX-License-Identifier: Apache-2.0
// Providers of tests' own, whose endpoints are where the connection's settings say.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { provider as fakeProvider } from "./provider.mjs";
import { psql, scratch, start } from "./nangod.mjs";

const server = "${connectionConfig.server}";
const proxy = { base_url: `${server}/api` };
const entry = (name, auth_mode, more) => ({ [name]: { display_name: name, docs: "https://example.com", auth_mode, proxy, ...more } });

export const providers = {
  ...entry("code", "OAUTH2", { authorization_url: `${server}/authorize`, token_url: `${server}/token`, default_scopes: ["read", "write"] }),
  ...entry("cc", "OAUTH2_CC", { token_url: `${server}/token` }),
};

/** A node that knows these providers (JSON is YAML, too), and a provider that answers. */
export async function world(t, { more = {}, env, dataDir } = {}) {
  const file = join(scratch(t), "providers.yaml");
  writeFileSync(file, JSON.stringify({ ...providers, ...more }));
  const provider = await fakeProvider(t);
  const nangod = await start(t, { dataDir, env: { NANGO_PROVIDERS: file, ...env } });
  const integrate = (name, credentials) =>
    nangod.ok("POST", "/integrations", { body: { provider: name, unique_key: name, ...(credentials && { credentials }) } });
  const connect = (name, credentials, more) =>
    nangod.call("POST", "/connections", {
      body: { provider_config_key: name, connection_id: "acme", credentials, connection_config: { server: provider.url }, ...more },
    });
  const show = (name, query = "", on = nangod) => on.call("GET", `/connections/acme?provider_config_key=${name}${query}`, { key: nangod.key });
  const pass = (time) => psql(nangod, `UPDATE nango.clock SET offset_by = offset_by + interval '${time}'`);
  const tokens = () => provider.requests.filter((r) => r.path === "/token");
  return { nangod, provider, integrate, connect, show, pass, tokens, env: { NANGO_PROVIDERS: file, ...env } };
}

export const form = (request) => Object.fromEntries(new URLSearchParams(request.body));
export const basic = (id, secret) => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;

/** A connect session: {token, connect_link, expires_at}. */
export async function session(nangod, more) {
  const { data } = await nangod.ok("POST", "/connect/sessions", { body: { end_user: { id: "user-1", email: "a@example.com" }, ...more } });
  return data;
}

/** Cookies of the browser, by state. */
const jar = new Map();
/** The first step, as a browser takes it. */
export async function begin(nangod, name, token, query = "") {
  const answer = await nangod.call("GET", `/oauth/connect/${name}?connect_session_token=${token}${query}`, { key: null, raw: true });
  const [, cookie, state] = /^(nango_oauth_([0-9a-f-]{36})=[0-9a-f]{32}); Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600(?:; Secure)?$/.exec(answer.headers.get("set-cookie")) ?? [];
  if (state) jar.set(state, cookie);
  return answer;
}
/** And the last. */
export const back = (nangod, query, path = "/oauth/callback", cookie = jar.get(query.state ?? query.payload ?? query.customField ?? query.get?.("state"))) =>
  nangod.call("GET", `${path}?${new URLSearchParams(query)}`, { key: null, raw: true, headers: { cookie: `theme=dark; ${cookie}` } });
/** The same, where the provider sent it. */
export const returned = (nangod, location) => back(nangod, new URL(location).searchParams, new URL(location).pathname);
export const stateOf = (answer) => new URL(answer.headers.get("location")).searchParams.get("state");
