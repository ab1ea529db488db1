// SPDX-License-Identifier: Apache-2.0
// A person connects an account: sessions, the way to the provider and back, forms.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { basic, form, world } from "./lib/auth.mjs";
import { psql } from "./lib/nangod.mjs";

const app = { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret", scopes: "read,write" };

async function session(nangod, more) {
  const { data } = await nangod.ok("POST", "/connect/sessions", { body: { end_user: { id: "user-1", email: "a@example.com" }, ...more } });
  return data;
}

/** The first step, as a browser takes it. */
const begin = (nangod, name, token, query = "") =>
  nangod.call("GET", `/oauth/connect/${name}?connect_session_token=${token}${query}`, { key: null, raw: true });
const back = (nangod, query) => nangod.call("GET", `/oauth/callback?${new URLSearchParams(query)}`, { key: null, raw: true });

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
  const state = new URL((await begin(nangod, "code", token, params)).headers.get("location")).searchParams.get("state");
  assert.equal((await back(nangod, { state, code: "c" })).status, 200);
  const again = await back(nangod, { state, code: "c" });
  assert.equal(again.status, 400);
  assert.match(again.text, /finished already/);
  assert.equal((await back(nangod, { state: "x", code: "c" })).status, 400);
  assert.equal((await back(nangod, { code: "c" })).status, 400);
  assert.equal((await nangod.ok("GET", "/connections")).connections.length, 1);
});

test("a refusal of the provider is shown as text and never as markup, and the app is told", async (t) => {
  const { nangod, token, params } = await ready(t);
  const state = new URL((await begin(nangod, "code", token, params)).headers.get("location")).searchParams.get("state");
  const evil = "</script><script>alert(1)</script>";
  const done = await back(nangod, { state, error: "access_denied", error_description: evil });
  assert.equal(done.status, 400);
  assert.ok(!done.text.includes(evil) && !done.text.includes("<script>alert"));
  assert.match(done.text, /access_denied/);
  assert.deepEqual((await nangod.ok("GET", "/connections")).connections, []);
  assert.match(await psql(nangod, "SELECT facts FROM nango.outbox"), /access_denied/);
});
