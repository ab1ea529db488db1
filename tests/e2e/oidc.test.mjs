// SPDX-License-Identifier: Apache-2.0
// A real authorization server: sign-in with PKCE, one refresh for many readers on several nodes, both ways
// of client authentication.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { begin, returned, world } from "./lib/auth.mjs";
import { serve } from "./lib/nangod.mjs";
import { oidcServer } from "./lib/oidc.mjs";

const entry = (oidc, more) => ({
  display_name: "OIDC", docs: "https://example.com", auth_mode: "OAUTH2", proxy: { base_url: "${connectionConfig.server}" },
  authorization_url: "${connectionConfig.server}/auth", token_url: "${connectionConfig.server}/token", ...more,
});

/** A connection of ada's, made as a person would. */
async function connected(t, { more, client } = {}) {
  const w = await world(t, { more: { oidc: entry(null, more), machine: entry(null, { auth_mode: "OAUTH2_CC", token_request_auth_method: "basic" }) } });
  const oidc = await oidcServer(t, { redirectUri: `${w.nangod.url}/oauth/callback` });
  await w.integrate("oidc", client ?? { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret-value", scopes: "openid,offline_access" });
  const { token } = (await w.nangod.ok("POST", "/connect/sessions", { body: { end_user: { id: "ada" } } })).data;
  const first = await begin(w.nangod, "oidc", token, `&params[server]=${encodeURIComponent(oidc.url)}`);
  assert.equal(first.status, 302, first.text);
  const done = await returned(w.nangod, await oidc.signIn(first.headers.get("location")));
  assert.equal(done.status, 200, done.text);
  const [{ connection_id }] = (await w.nangod.ok("GET", "/connections")).connections;
  const show = (node, query = "") => node.call("GET", `/connections/${connection_id}?provider_config_key=oidc${query}`, { key: w.nangod.key });
  const me = async (access) => (await fetch(`${oidc.url}/me`, { headers: { authorization: `Bearer ${access}` } })).status;
  return { ...w, oidc, show, me };
}

test("64 readers on three nodes at the moment of expiry: one refresh, and the grant lives on", async (t) => {
  const { nangod, oidc, show, me, pass, env } = await connected(t);
  const nodes = [nangod, await serve(t, nangod, env), await serve(t, nangod, env)];
  const before = (await show(nangod)).body.credentials.access_token;
  assert.equal(await me(before), 200);
  for (let round = 1; round <= 3; round++) {
    await pass("50 minutes");
    const answers = await Promise.all(Array.from({ length: 64 }, (_, n) => show(nodes[n % 3])));
    const tokens = new Set(answers.map((a) => a.body.credentials?.access_token ?? a.text));
    assert.equal(tokens.size, 1, [...tokens].join("\n"));
    const [token] = tokens;
    assert.notEqual(token, before);
    assert.equal(await me(token), 200, "the grant lives");
    assert.deepEqual(oidc.grants.filter((g) => g !== "authorization_code"), Array(round).fill("refresh_token"));
  }
});

test("forced by many at once it is one refresh, too", async (t) => {
  const { nangod, oidc, show, env } = await connected(t);
  const nodes = [nangod, await serve(t, nangod, env)];
  const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => show(nodes[n % 2], "&force_refresh=true")));
  for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  const refreshes = oidc.grants.filter((g) => g === "refresh_token").length;
  assert.ok(refreshes >= 1 && refreshes <= 16);
  assert.ok(oidc.grants.every((g) => ["authorization_code", "refresh_token"].includes(g)), oidc.grants.join());
  assert.equal((await show(nangod, "&force_refresh=true")).status, 200);
});

test("a client that may say who it is in the header only, with characters that need encoding", async (t) => {
  const { nangod, show } = await connected(t, {
    more: { authorization_method: "header" },
    client: { type: "OAUTH2", client_id: "app:basic", client_secret: "s3cret+/value", scopes: "openid,offline_access" },
  });
  assert.equal((await show(nangod, "&force_refresh=true")).status, 200);
});

test("client credentials with a JWT in place of a secret (private_key_jwt), from a JWK and from a PEM", async (t) => {
  const w = await world(t, { more: { jwt: entry(null, { auth_mode: "OAUTH2_CC", token_request_auth_method: "private_key_jwt" }) } });
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwks = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", use: "sig", alg: "RS256" }] };
  const oidc = await oidcServer(t, { redirectUri: `${w.nangod.url}/oauth/callback`, jwks });
  await w.integrate("jwt");
  const keys = { jwk: JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid: "k1" }), pem: privateKey.export({ type: "pkcs8", format: "pem" }) };
  for (const [form, client_private_key] of Object.entries(keys)) {
    const made = await w.connect("jwt", { type: "OAUTH2_CC", client_id: "signer", client_private_key, key_id: "k1" }, { connection_id: form, connection_config: { server: oidc.url } });
    assert.equal(made.status, 200, `${form}: ${made.text} ${oidc.grants}`);
    assert.ok(made.body.credentials.token);
  }
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  const wrong = await w.connect("jwt", { type: "OAUTH2_CC", client_id: "signer", client_private_key: other }, { connection_config: { server: oidc.url } });
  assert.equal(wrong.status, 424, wrong.text);
});

test("client credentials of a strict server", async (t) => {
  const { nangod, oidc, integrate } = await connected(t);
  await integrate("machine");
  const made = await nangod.call("POST", "/connections", {
    body: { provider_config_key: "machine", credentials: { type: "OAUTH2_CC", client_id: "machine", client_secret: "machine-s3cret" }, connection_config: { server: oidc.url } },
  });
  assert.equal(made.status, 200, made.text);
  assert.ok(made.body.credentials.token);
  const wrong = await nangod.call("POST", "/connections", {
    body: { provider_config_key: "machine", credentials: { type: "OAUTH2_CC", client_id: "machine", client_secret: "wrong-s3cret" }, connection_config: { server: oidc.url } },
  });
  assert.deepEqual([wrong.status, wrong.body.error.code], [424, "provider_refused"]);
  assert.match(wrong.body.error.message, /401.*invalid_client/);
});
