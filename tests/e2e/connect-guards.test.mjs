// SPDX-License-Identifier: Apache-2.0
// What a browser, and who sends it, cannot do: change what the app and the integration have set, bring
// somebody else's sign-in home, or see what is not theirs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { back, begin, form, providers, session, stateOf, world } from "./lib/auth.mjs";
import { psql } from "./lib/nangod.mjs";

const app = { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" };
const server = "${connectionConfig.server}";
const at = (w, more = "") => `&params[server]=${encodeURIComponent(w.provider.url)}${more}`;

async function ready(t, entry, { integration, answer = { access_token: "at-1", refresh_token: "rt-1" } } = {}) {
  const w = await world(t, { more: { guarded: { ...providers.code, display_name: "Guarded", ...entry } } });
  w.provider.reply("POST /token", { json: answer });
  await w.nangod.ok("POST", "/integrations", { body: { provider: "guarded", unique_key: "guarded", credentials: app, ...(integration && { integration_config: integration(w) }) } });
  const only = async (query = "") => {
    const { connections } = await w.nangod.ok("GET", "/connections");
    assert.equal(connections.length, 1);
    return w.nangod.ok("GET", `/connections/${connections[0].connection_id}?provider_config_key=guarded${query}`);
  };
  return { ...w, only };
}

test("only the browser that was sent away can come back", async (t) => {
  const w = await ready(t, {});
  const { token } = await session(w.nangod);
  const flow = async () => stateOf(await begin(w.nangod, "guarded", token, at(w)));
  for (const cookie of ["", "nango_oauth_x=1", (state) => `nango_oauth_${state}=`, (state) => `nango_oauth_${state}=${"0".repeat(32)}`]) {
    const state = await flow();
    const refused = await back(w.nangod, { state, code: "c" }, undefined, typeof cookie === "function" ? cookie(state) : cookie);
    assert.equal(refused.status, 400);
    assert.match(refused.text, /another browser began/);
  }
  const [first, second] = [await flow(), await flow()]; // in two windows
  assert.equal((await back(w.nangod, { state: second, code: "c" })).status, 200);
  assert.equal((await back(w.nangod, { state: first, code: "c" })).status, 200);
  assert.equal(w.tokens().length, 2, "no code of a foreign sign-in was traded");
});

test("settings of the integration, and what the provider tells, are not a browser's to say", async (t) => {
  const field = { type: "string", title: "t", description: "d" };
  const entry = {
    token_url: "${connectionConfig.tokenUrl}", token_response_metadata: ["instance"], redirect_uri_metadata: ["realm", "asked"],
    integration_config: { tokenUrl: field }, connection_config: { asked: { ...field, optional: true }, made: { ...field, automated: true } },
  };
  const w = await ready(t, entry, { integration: ({ provider }) => ({ tokenUrl: `${provider.url}/token` }) });
  const { token } = await session(w.nangod);
  const evil = "http://127.0.0.1:1/evil";
  const more = ["tokenUrl", "instance", "realm", "made", "mcp_oauth", "installation_id", "webhook_url"].map((name) => `&params[${name}]=${evil}`).join("");
  const state = stateOf(await begin(w.nangod, "guarded", token, at(w, `${more}&params[asked]=mine&params[other]=x`)));
  const done = await back(w.nangod, { state, code: "c", realm: "R1", asked: "theirs", installation_id: "7" });
  assert.equal(done.status, 200, done.text);
  assert.equal(form(w.tokens()[0]).client_secret, "app-s3cret");
  assert.deepEqual((await w.only()).connection_config, { server: w.provider.url, asked: "mine", other: "x", realm: "R1" });
});

test("what a session presets holds: scopes, settings, and its own app, whose secret is none of a setting's", async (t) => {
  const w = await ready(t, { redirect_uri_metadata: ["realmId"] });
  const preset = { realmId: "tenant-A", oauth_client_id_override: "their-app", oauth_client_secret_override: "their-s3cret" };
  const { token } = await session(w.nangod, { integrations_config_defaults: { guarded: { user_scopes: "read", connection_config: { server: w.provider.url, ...preset } } } });
  const first = await begin(w.nangod, "guarded", token, "&authorization_params[scope]=admin&user_scope=admin&params[realmId]=tenant-C&credentials[oauth_client_id_override]=evil-app");
  const page = new URL(first.headers.get("location")).searchParams;
  assert.deepEqual([page.get("scope"), page.get("client_id")], ["read", "their-app"]);
  assert.equal((await back(w.nangod, { state: stateOf(first), code: "c", realmId: "tenant-B" })).status, 200);
  const { client_id, client_secret } = form(w.tokens()[0]);
  assert.deepEqual([client_id, client_secret], ["their-app", "their-s3cret"]);
  const { connection_config, credentials } = await w.only();
  assert.deepEqual(connection_config, { server: w.provider.url, realmId: "tenant-A" });
  assert.deepEqual(credentials.config_override, { client_id: "their-app", client_secret: "their-s3cret" });
});

test("refresh tokens are shown on demand only, wherever they are", async (t) => {
  const answer = { access_token: "at", refresh_token: "rt-1", list: [{ refresh_token: "rt-2" }], user: { deep: { refresh_token: "rt-3" } } };
  const w = await ready(t, { x: { source: "https://example.com", extra_tokens: { other: { at: "other" } } } }, { answer: { ...answer, other: { access_token: "o", refresh_token: "rt-4" } } });
  const { token } = await session(w.nangod);
  assert.equal((await back(w.nangod, { state: stateOf(await begin(w.nangod, "guarded", token, at(w))), code: "c" })).status, 200);
  const { credentials } = await w.only();
  assert.ok(!/refresh_token|rt-/.test(JSON.stringify(credentials)), JSON.stringify(credentials));
  for (const n of [1, 2, 3, 4]) assert.ok(JSON.stringify(await w.only("&refresh_token=true")).includes(`rt-${n}`));
});

test("lives without end, and ends that are none: nothing of a grant is lost", async (t) => {
  const w = await ready(t, {});
  const { token } = await session(w.nangod);
  const connect = async (answer) => {
    w.provider.reply("POST /token", { json: { access_token: "at", refresh_token: "rt", ...answer } });
    return back(w.nangod, { state: stateOf(await begin(w.nangod, "guarded", token, at(w))), code: "c" });
  };
  for (const answer of [{ expires_in: 99999999999999 }, { expires_in: "9223372036854775807" }, { expires_at: 99999999999999 }, { expires_at: "9223372036854775807" }, { expires_in: -5 }, { expires_at: {} }]) {
    const done = await connect(answer);
    assert.equal(done.status, 200, `${JSON.stringify(answer)}: ${done.text}`);
  }
  const [{ connection_id: id }] = (await w.nangod.ok("GET", "/connections")).connections;
  w.provider.reply("POST /token", { json: { access_token: "at-2", refresh_token: "rt-2", expires_in: 99999999999999 } });
  const renewed = await w.nangod.ok("GET", `/connections/${id}?provider_config_key=guarded&force_refresh=true`);
  assert.deepEqual([renewed.credentials.access_token, renewed.credentials.expires_at], ["at-2", "9999-12-31T23:59:59.000Z"]);
});

test("a fault of ours is shown to nobody's browser", async (t) => {
  const w = await ready(t, {});
  const { token } = await session(w.nangod);
  const state = stateOf(await begin(w.nangod, "guarded", token, at(w)));
  await psql(w.nangod, "ALTER TABLE nango.auth_flow RENAME TO away");
  const broken = await back(w.nangod, { state, code: "c" });
  assert.equal(broken.status, 500);
  assert.match(broken.text, /try again later/);
  assert.ok(!/auth_flow|relation/.test(broken.text), broken.text);
});
