// SPDX-License-Identifier: Apache-2.0
// A person connects an account: sessions, the way to the provider and back, forms.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { back, basic, begin, form, providers, session, stateOf, world } from "./lib/auth.mjs";
import { until } from "./lib/nangod.mjs";

const app = { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret", scopes: "read,write" };

async function ready(t, options) {
  const w = await world(t, options);
  await w.integrate("code", app);
  w.provider.reply("POST /token", { json: { access_token: "at-1", refresh_token: "rt-1", expires_in: 3600, scope: "read" } });
  const { token } = await session(w.nangod);
  const params = `&params[server]=${encodeURIComponent(w.provider.url)}`;
  return { ...w, token, params };
}

test("authorization code: to the provider with PKCE and state, back with a code, and the connection is there", async (t) => {
  const { nangod, provider, tokens, token, params } = await ready(t);
  const first = await begin(nangod, "code", token, params);
  assert.equal(first.status, 302, first.text);
  const url = new URL(first.headers.get("location"));
  assert.equal(url.origin + url.pathname, `${provider.url}/authorize`);
  const query = Object.fromEntries(url.searchParams);
  const { state, code_challenge, ...rest } = query;
  assert.deepEqual(rest, { response_type: "code", client_id: "app-id", redirect_uri: `${nangod.url}/oauth/callback`, scope: "read write", code_challenge_method: "S256" });
  assert.match(state, /^[0-9a-f-]{36}$/);

  const done = await back(nangod, { state, code: "the-code" });
  assert.equal(done.status, 200, done.text);
  assert.match(done.text, /nango_oauth_callback_success/);
  const { code_verifier, ...asked } = form(tokens()[0]);
  assert.deepEqual(asked, { grant_type: "authorization_code", code: "the-code", redirect_uri: `${nangod.url}/oauth/callback`, client_id: "app-id", client_secret: "app-s3cret" });
  assert.equal(createHash("sha256").update(code_verifier).digest("base64url"), code_challenge);

  const { connections } = await nangod.ok("GET", "/connections");
  assert.equal(connections.length, 1);
  assert.deepEqual(connections[0].tags, { end_user_id: "user-1", end_user_email: "a@example.com" });
  const shown = await nangod.ok("GET", `/connections/${connections[0].connection_id}?provider_config_key=code`);
  assert.equal(shown.credentials.access_token, "at-1");
  assert.equal(shown.credentials.refresh_token, undefined);
  assert.equal(shown.credentials.raw.refresh_token, undefined);
  assert.ok(Math.abs(Date.parse(shown.credentials.expires_at) - Date.now() - 3_600_000) < 60_000);
  assert.equal(shown.connection_config.server, provider.url);
  const full = await nangod.ok("GET", `/connections/${connections[0].connection_id}?provider_config_key=code&refresh_token=true`);
  assert.equal(full.credentials.refresh_token, "rt-1");
});

test("a state works once, and only one of ours does", async (t) => {
  const { nangod, token, params } = await ready(t);
  const state = stateOf(await begin(nangod, "code", token, params));
  assert.equal((await back(nangod, { state, code: "c" })).status, 200);
  const again = await back(nangod, { state, code: "c" });
  assert.equal(again.status, 400);
  assert.match(again.text, /finished already/);
  assert.equal((await back(nangod, { state: "x", code: "c" })).status, 400);
  assert.equal((await back(nangod, { code: "c" })).status, 400);
  assert.equal((await nangod.ok("GET", "/connections")).connections.length, 1);
});

test("a refusal of the provider is shown as text and never as markup, and the app is told", async (t) => {
  const { nangod, provider, token, params } = await ready(t);
  provider.reply("POST /hook", { json: {} });
  await nangod.ok("PATCH", "/environment/webhooks", { body: { primary_url: `${provider.url}/hook` } });
  const state = stateOf(await begin(nangod, "code", token, params));
  const evil = "</script><script>alert(1)</script>";
  const done = await back(nangod, { state, error: "access_denied", error_description: evil });
  assert.equal(done.status, 400);
  assert.ok(!done.text.includes(evil) && !done.text.includes("<script>alert"));
  assert.match(done.text, /access_denied/);
  assert.deepEqual((await nangod.ok("GET", "/connections")).connections, []);
  const told = JSON.parse((await until(() => provider.requests.find((r) => r.path === "/hook"), "the app was not told")).body);
  assert.deepEqual([told.type, told.operation, told.success, told.error.type], ["auth", "creation", false, "provider_refused"]);
  assert.match(told.error.description, /access_denied/);
});

test("the template's options shape the way there", async (t) => {
  const entry = {
    display_name: "Shaped", docs: "https://example.com", auth_mode: "OAUTH2", proxy: { base_url: "https://api.example.com" },
    authorization_url: "${connectionConfig.server}/authorize?tenant=1", token_url: "${connectionConfig.server}/token", scope_separator: "+",
    authorization_params: { prompt: "consent", access_type: "offline", empty: "" }, authorization_url_skip_encode: ["scopes"],
    authorization_url_skip_empty: true, authorization_url_replacements: { "client_id=": "appKey=" }, disable_pkce: true,
    authorization_code_param_in_callback: "auth_code", redirect_uri_metadata: ["shop"], token_response_metadata: ["team.id", "is_admin"],
    token_params: { audience: "https://api.example.com" }, authorization_method: "header",
  };
  const w = await world(t, { more: { shaped: entry } });
  await w.integrate("shaped", { ...app, client_id: "id:1", client_secret: "s e+cret" });
  w.provider.reply("POST /token", { json: { access_token: "at", "team": { id: "T1" }, is_admin: true } });
  const { token } = await session(w.nangod, {
    integrations_config_defaults: { shaped: { user_scopes: "a:b,c", authorization_params: { prompt: "none" }, connection_config: { server: w.provider.url } } },
  });
  const first = await begin(w.nangod, "shaped", token, "&params[server]=http://evil.example.com&authorization_params[prompt]=login&authorization_params[access_type]=undefined");
  const { origin, search } = new URL(first.headers.get("location"));
  assert.equal(origin, w.provider.url);
  const state = /state=([0-9a-f-]{36})/.exec(search)[1];
  assert.equal(search, `?tenant=1&response_type=code&appKey=id%3A1&redirect_uri=${encodeURIComponent(`${w.nangod.url}/oauth/callback`)}&scope=a:b+c&state=${state}&prompt=none`);
  const done = await back(w.nangod, { customField: state, auth_code: "c", shop: "acme-shop", other: "x" });
  assert.equal(done.status, 200, done.text);
  const asked = w.tokens()[0];
  assert.equal(asked.headers.authorization, basic("id%3A1", "s%20e%2Bcret"));
  assert.deepEqual(form(asked), { audience: "https://api.example.com", grant_type: "authorization_code", code: "c", redirect_uri: `${w.nangod.url}/oauth/callback` });
  const [{ connection_id }] = (await w.nangod.ok("GET", "/connections")).connections;
  const { connection_config } = await w.nangod.ok("GET", `/connections/${connection_id}?provider_config_key=shaped`);
  assert.deepEqual(connection_config, { server: w.provider.url, shop: "acme-shop", "team.id": "T1", is_admin: true });
});

test("sessions: what they allow, how long they live, and what makes a connection anew", async (t) => {
  const { nangod, provider, params, pass, integrate } = await ready(t);
  await integrate("cc");
  const only = await session(nangod, { allowed_integrations: ["cc"] });
  assert.match(only.token, /^nango_connect_session_[0-9a-f]{64}$/);
  assert.match((await begin(nangod, "code", only.token, params)).text, /does not allow/);
  const shown = await nangod.call("GET", "/connect/session", { key: only.token });
  assert.deepEqual(shown.body.data, { endUser: { id: "user-1", email: "a@example.com" }, allowed_integrations: ["cc"], isReconnecting: false });

  const made = await session(nangod);
  const state = stateOf(await begin(nangod, "code", made.token, params));
  await back(nangod, { state, code: "c" });
  const [{ connection_id, id }] = (await nangod.ok("GET", "/connections")).connections;
  provider.reply("POST /token", { json: { access_token: "at-2" } });
  const again = (await nangod.ok("POST", "/connect/sessions/reconnect", { body: { connection_id, integration_id: "code" } })).data;
  const second = stateOf(await begin(nangod, "code", again.token, params));
  assert.equal((await back(nangod, { state: second, code: "c" })).status, 200);
  const after = (await nangod.ok("GET", "/connections")).connections;
  assert.deepEqual(after.map((c) => [c.connection_id, c.id]), [[connection_id, id]]);
  assert.equal((await nangod.ok("GET", `/connections/${connection_id}?provider_config_key=code`)).credentials.access_token, "at-2");

  assert.equal((await nangod.call("DELETE", "/connect/session", { key: made.token })).status, 204);
  const gone = await nangod.call("GET", "/connect/session", { key: made.token });
  assert.deepEqual([gone.status, gone.body.error.code], [401, "unknown_connect_session_token"]);
  await pass("31 minutes");
  assert.equal((await nangod.call("GET", "/connect/session", { key: only.token })).status, 401);
  for (const body of [{}, { end_user: {} }, { end_user: { id: "u" }, allowed_integrations: ["nope"] }, { end_user: { id: "u" }, integrations_config_defaults: { nope: {} } }])
    assert.equal((await nangod.call("POST", "/connect/sessions", { body })).status, 400, JSON.stringify(body));
});

test("forms: each mode at its path, and the mode of another is refused", async (t) => {
  const { nangod, provider, integrate } = await world(t);
  provider.reply("POST /token", { json: { access_token: "cc-1", expires_in: 60 } });
  await integrate("cc");
  await nangod.ok("POST", "/integrations", { body: { provider: "private-api-bearer", unique_key: "key" } });
  const { token } = await session(nangod);
  const post = (path, body) => nangod.call("POST", `${path}?connect_session_token=${token}&params[server]=${encodeURIComponent(provider.url)}&params[baseUrl]=${encodeURIComponent(provider.url)}`, { key: null, body });
  const made = await post("/oauth2/auth/cc", { client_id: "i", client_secret: "s" });
  assert.deepEqual([made.status, made.body.providerConfigKey], [200, "cc"], made.text);
  const key = await post("/api-auth/api-key/key", { apiKey: "k-s3cret" });
  assert.equal(key.status, 200, key.text);
  const wrong = await post("/api-auth/basic/key", { username: "u", password: "p" });
  assert.deepEqual([wrong.status, wrong.body.error.code], [400, "invalid_auth_mode"]);
  const nobody = await nangod.call("POST", "/api-auth/api-key/key", { key: null, body: { apiKey: "k-s3cret" } });
  assert.equal(nobody.status, 401);
  provider.reply("POST /token", { status: 401, json: { error: "invalid_client", error_description: "no client with s3cret-value" } });
  const refused = await post("/oauth2/auth/cc", { client_id: "i", client_secret: "s3cret-value" });
  assert.deepEqual([refused.status, refused.body.error.code], [424, "provider_refused"]);
  assert.match(refused.body.error.message, /invalid_client/);
  assert.ok(!refused.text.includes("s3cret-value"));
});

test("a form's credentials are tried before they are kept", async (t) => {
  const entry = {
    display_name: "Tried", docs: "https://example.com", auth_mode: "API_KEY", credentials: { apiKey: { type: "string", title: "Key", description: "Key", pattern: "^k-" } },
    proxy: { base_url: "${connectionConfig.server}/v1/", headers: { "x-key": "${apiKey}" }, query: { v: "2" }, verification: { method: "POST", endpoints: ["/old/me", "me"], headers: { "x-key": "${apiKey}", "x-check": "1" }, data: { ping: true } } },
  };
  const { nangod, provider, integrate } = await world(t, { more: { tried: entry } });
  await integrate("tried");
  const { token } = await session(nangod);
  provider.reply("POST /v1/me", ({ headers, query, body }) => ({ status: headers["x-key"] === "k-right-s3cret" && headers["x-check"] === "1" && query.get("v") === "2" && body === '{"ping":true}' ? 200 : 403, json: {} }));
  const post = (apiKey) => nangod.call("POST", `/api-auth/api-key/tried?connect_session_token=${token}&params[server]=${encodeURIComponent(provider.url)}`, { key: null, body: { apiKey } });
  const wrong = await post("k-wrong-s3cret");
  assert.deepEqual([wrong.status, wrong.body.error.code], [400, "connection_test_failed"], wrong.text);
  assert.match(wrong.body.error.message, /answered 403 to POST me/);
  const odd = await post("right");
  assert.deepEqual([odd.status, odd.body.error.code, odd.body.error.errors[0].path], [400, "invalid_body", ["credentials", "apiKey"]]);
  assert.deepEqual((await nangod.ok("GET", "/connections")).connections, []);
  assert.equal((await post("k-right-s3cret")).status, 200);
  assert.deepEqual(provider.requests.map((r) => r.path), ["/v1/old/me", "/v1/me", "/v1/old/me", "/v1/me"]);
});

test("after signing in: settings that only the provider knows", async (t) => {
  const entry = (steps, more) => ({ ...providers.code, display_name: "After", x: { source: "https://example.com", post_connect: steps }, ...more });
  const at = "${connectionConfig.server}";
  const jwt = ["{}", JSON.stringify({ tid: "T-1" })].map((part) => Buffer.from(part).toString("base64url")).join(".") + ".x";
  const w = await world(t, {
    more: {
      chosen: entry([
        { request: { url: `${at}/sites`, headers: { "x-v": "1" } }, at: "sites", where: { path: "name", equals: "${connectionConfig.site}" }, set: { siteId: "id", host: "links.host" } },
        { request: { url: "${connectionConfig.host}/me", body: { site: "${connectionConfig.siteId}" } }, set: { user: "user.id" } },
        { source: "claims", set: { tenant: "tid" } },
        { source: "response", set: { team: "team.id" } },
        { request: { url: `${at}/absent` }, set: { nothing: "x" }, optional: true },
      ]),
      failing: entry([{ request: { url: `${at}/sites` }, at: "none", set: { x: "y" } }]),
    },
  });
  w.provider.reply("POST /token", { json: { access_token: jwt, team: { id: 12 } } });
  w.provider.reply("GET /sites", { json: { sites: [{ id: 1, name: "a", links: { host: "http://a" } }, { id: 2, name: "b", links: { host: w.provider.url } }] } });
  w.provider.reply("POST /me", ({ body }) => ({ json: { user: { id: `u${JSON.parse(body).site}` } } }));
  for (const name of ["chosen", "failing"]) await w.integrate(name, app);
  const { token } = await session(w.nangod);
  const connect = async (name) => back(w.nangod, { state: stateOf(await begin(w.nangod, name, token, `&params[server]=${encodeURIComponent(w.provider.url)}&params[site]=b&params[team]=mine`)), code: "c" });
  const done = await connect("chosen");
  assert.equal(done.status, 200, done.text);
  const asked = w.provider.requests.find((r) => r.path === "/sites");
  assert.deepEqual([asked.headers.authorization, asked.headers["x-v"]], [`Bearer ${jwt}`, "1"]);
  const [{ connection_id }] = (await w.nangod.ok("GET", "/connections")).connections;
  const { connection_config } = await w.nangod.ok("GET", `/connections/${connection_id}?provider_config_key=chosen`);
  assert.deepEqual(connection_config, { server: w.provider.url, site: "b", team: "mine", siteId: "2", host: w.provider.url, user: "u2", tenant: "T-1" });
  const failed = await connect("failing");
  assert.equal(failed.status, 400);
  assert.match(failed.text, /after signing in: .*no y/);
  assert.equal((await w.nangod.ok("GET", "/connections")).connections.length, 1);
});
