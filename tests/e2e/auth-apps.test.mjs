// SPDX-License-Identifier: Apache-2.0
// Apps that are installed at a provider: with a key of their own, with a user who signs in, as a plugin.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { back, begin, form, session, stateOf, world } from "./lib/auth.mjs";

const { jwtVerify, importSPKI } = await import("jose");
const server = "${connectionConfig.server}";
const entry = (auth_mode, more) => ({ display_name: auth_mode, docs: "https://example.com", auth_mode, proxy: { base_url: `${server}/api` }, ...more });
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: { type: "pkcs1", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
const app = { app_id: "4711", app_link: "https://provider.example.com/apps/mine/installations/new", private_key: Buffer.from(privateKey).toString("base64") };

async function ready(t, name, template, credentials) {
  const w = await world(t, { more: { [name]: template } });
  await w.integrate(name, { type: template.auth_mode, ...credentials });
  const { token } = await session(w.nangod);
  const first = await begin(w.nangod, name, token, `&params[server]=${encodeURIComponent(w.provider.url)}`);
  assert.equal(first.status, 302, first.text);
  const only = async () => {
    const [{ connection_id }] = (await w.nangod.ok("GET", "/connections")).connections;
    return w.nangod.call("GET", `/connections/${connection_id}?provider_config_key=${name}`);
  };
  return { ...w, first, only };
}

/** The provider gives tokens of installation 99 to whoever shows the app's JWT. */
function installation(w) {
  let n = 0;
  w.provider.reply("POST /app/installations/99/access_tokens", async ({ headers }) => {
    const { payload } = await jwtVerify(headers.authorization.slice(7), await importSPKI(publicKey, "RS256"));
    assert.equal(payload.iss, "4711");
    assert.ok(payload.exp - payload.iat <= 600);
    return { status: 201, json: { token: `app-${++n}`, expires_at: new Date(Date.now() + 3_600_000).toISOString() } };
  });
}

test("APP: installed, and the token of the installation is renewed with the app's key", async (t) => {
  const w = await ready(t, "app", entry("APP", { token_url: `${server}/app/installations/\${connectionConfig.installation_id}/access_tokens` }), app);
  installation(w);
  assert.equal(new URL(w.first.headers.get("location")).origin, "https://provider.example.com");
  const state = stateOf(w.first);
  const done = await back(w.nangod, { state, installation_id: "99", setup_action: "install" }, "/app-auth/connect");
  assert.equal(done.status, 200, done.text);
  const made = (await w.only()).body;
  assert.deepEqual([made.credentials.type, made.credentials.access_token, made.connection_config.installation_id], ["APP", "app-1", "99"]);
  await w.pass("50 minutes");
  assert.equal((await w.only()).body.credentials.access_token, "app-2");
  const again = await back(w.nangod, { state, installation_id: "99" }, "/app-auth/connect");
  assert.equal(again.status, 400);
});

test("CUSTOM: an app with its user; without a code the app alone", async (t) => {
  const template = entry("CUSTOM", { token_url: { OAUTH2: `${server}/token`, APP: `${server}/app/installations/\${connectionConfig.installation_id}/access_tokens` } });
  const w = await ready(t, "both", template, { ...app, client_id: "id", client_secret: "s3cret-of-app" });
  installation(w);
  let n = 0;
  w.provider.reply("POST /token", () => ({ json: { access_token: `user-${++n}`, refresh_token: `r-${n}`, expires_in: 28800 } }));
  const done = await back(w.nangod, { state: stateOf(w.first), installation_id: "99", code: "c" });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(form(w.tokens()[0]), { grant_type: "authorization_code", code: "c", redirect_uri: `${w.nangod.url}/oauth/callback`, client_id: "id", client_secret: "s3cret-of-app" });
  const { credentials } = (await w.only()).body;
  assert.deepEqual([credentials.app.access_token, credentials.user.access_token], ["app-1", "user-1"]);
  assert.equal(credentials.expires_at, credentials.app.expires_at, "the earlier end");
  await w.pass("50 minutes");
  const fresh = (await w.only()).body.credentials;
  assert.deepEqual([fresh.app.access_token, fresh.user.access_token], ["app-2", "user-2"]);
  assert.equal(form(w.tokens()[1]).refresh_token, "r-1");

  const { token } = await session(w.nangod);
  const second = await begin(w.nangod, "both", token, `&params[server]=${encodeURIComponent(w.provider.url)}`);
  assert.equal((await back(w.nangod, { state: stateOf(second), installation_id: "99", setup_action: "update" })).status, 200);
  const alone = (await w.only()).body.credentials;
  assert.deepEqual([alone.app.access_token, alone.user, w.tokens().length], ["app-3", null, 2]);
});

test("INSTALL_PLUGIN: the way there carries the state as payload, and the integration's own name signs in", async (t) => {
  const w = await ready(t, "plugin", entry("INSTALL_PLUGIN", { redirect_uri_metadata: ["website_id"] }), { app_link: "https://market.example.com/p?x=1", username: "u", password: "p-word" });
  const url = new URL(w.first.headers.get("location"));
  assert.deepEqual([url.origin, url.searchParams.get("x")], ["https://market.example.com", "1"]);
  const done = await back(w.nangod, { payload: url.searchParams.get("payload"), website_id: "site-1" });
  assert.equal(done.status, 200, done.text);
  const made = (await w.only()).body;
  assert.deepEqual([made.credentials.username, made.connection_config.website_id], ["u", "site-1"]);
});
