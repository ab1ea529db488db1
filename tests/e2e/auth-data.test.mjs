// SPDX-License-Identifier: Apache-2.0
// What providers do in ways of their own, as templates say it under x: requests and answers of other
// shapes, further tokens, tokens whose end is asked for, what happens before a connection goes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { back, basic, begin, form, providers, session, stateOf, world } from "./lib/auth.mjs";

const app = { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" };
const server = "${connectionConfig.server}";
const own = (x, more) => ({ ...providers.code, display_name: "Own", ...more, x: { source: "https://example.com", ...x } });

async function signedIn(t, x, { token = { access_token: "at-1" }, more, replies = {} } = {}) {
  const w = await world(t, { more: { own: own(x, more) } });
  for (const [route, answer] of Object.entries({ "POST /token": { json: token }, ...replies })) w.provider.reply(route, answer);
  await w.integrate("own", app);
  const connect = async () => {
    const made = await session(w.nangod);
    const state = stateOf(await begin(w.nangod, "own", made.token, `&params[server]=${encodeURIComponent(w.provider.url)}`));
    const done = await back(w.nangod, { state, code: "the-code" });
    const { connections } = await w.nangod.ok("GET", "/connections");
    const id = connections.at(0)?.connection_id;
    const get = async (query = "") => (await w.nangod.ok("GET", `/connections/${id}?provider_config_key=own&refresh_token=true${query}`)).credentials;
    return { done, id, get };
  };
  const at = (path) => w.provider.requests.filter((r) => r.path === path);
  return { ...w, connect, at, ...(await connect()) };
}

test("token_request and refresh_request: method, URL, client, format, parameters, headers", async (t) => {
  const w = await signedIn(t, {
    token_request: {
      url: `${server}/v2/token`, method: "PUT", client: "none", body_format: "json", omit: ["redirect_uri", "code_verifier"],
      body: { client_key: "${clientId}", secret: "${clientSecret}", nested: { list: [1, true] } }, query: { v: "a b" }, headers: { "x-version": "7" },
    },
    refresh_request: { client: "basic_secret", body: { grant_type: "swap" }, omit: ["refresh_token"] },
  }, { replies: { "PUT /v2/token": { json: { access_token: "at-1", refresh_token: "rt-1" } }, "POST /token": { json: { access_token: "at-2" } } } });
  assert.equal(w.done.status, 200, w.done.text);
  const [first] = w.at("/v2/token");
  assert.deepEqual([first.query.get("v"), first.headers["content-type"], first.headers["x-version"], first.headers.authorization], ["a b", "application/json", "7", undefined]);
  assert.deepEqual(JSON.parse(first.body), { grant_type: "authorization_code", code: "the-code", client_key: "app-id", secret: "app-s3cret", nested: { list: [1, true] } });
  assert.equal((await w.get("&force_refresh=true")).access_token, "at-2");
  const [renewal] = w.at("/token");
  assert.equal(renewal.headers.authorization, basic("app-s3cret", ""));
  assert.deepEqual(form(renewal), { grant_type: "swap" });
});

test("every way in which a client says who it is", async (t) => {
  const ways = { none: [], id: ["client_id"], body: ["client_id", "client_secret"], basic: [], basic_form: [], basic_secret: [], login: ["password", "username"] };
  const headers = { basic: basic("app-id", "app-s3cret"), basic_form: basic("app-id", "app-s3cret"), basic_secret: basic("app-s3cret", "") };
  const more = Object.fromEntries(Object.keys(ways).map((client) => [client, own({ token_request: { client, omit: ["grant_type", "code", "redirect_uri", "code_verifier"] } }, { display_name: client })]));
  const w = await world(t, { more });
  w.provider.reply("POST /token", { json: { access_token: "at" } });
  const { token } = await session(w.nangod);
  for (const [client, params] of Object.entries(ways)) {
    await w.integrate(client, app);
    const done = await back(w.nangod, { state: stateOf(await begin(w.nangod, client, token, `&params[server]=${encodeURIComponent(w.provider.url)}`)), code: "c" });
    assert.equal(done.status, 200, done.text);
    const asked = w.tokens().at(-1);
    assert.deepEqual([Object.keys(form(asked)).sort(), asked.headers.authorization], [params, headers[client]], client);
  }
});

test("token_response: where things are, and a refusal with status 200", async (t) => {
  const x = { token_response: { ok: { path: "ok", equals: "true" }, error: "problem.text", access_token: "data.tokens.0.key", refresh_token: "data.again", expires_at: "data.until" } };
  const until = Math.floor(Date.now() / 1000) + 7200;
  const good = { ok: true, access_token: "decoy", data: { tokens: [{ key: "at-1" }], again: "rt-1", until } };
  const w = await signedIn(t, x, { token: good });
  assert.equal(w.done.status, 200, w.done.text);
  const { access_token, refresh_token, expires_at } = await w.get();
  assert.deepEqual([access_token, refresh_token, Date.parse(expires_at)], ["at-1", "rt-1", until * 1000]);
  const bad = { ...good, ok: false, problem: { text: "app-s3cret is of another app" } };
  w.provider.reply("POST /token", { json: bad });
  const refused = await w.nangod.call("GET", `/connections/${w.id}?provider_config_key=own&force_refresh=true`);
  assert.equal(refused.status, 424, refused.text);
  assert.match(refused.text, /Own refused: \*+ is of another app/);
  assert.equal((await w.get()).access_token, "at-1", "nothing of the refusal was stored");
  const { done } = await w.connect();
  assert.equal(done.status, 400);
  assert.match(done.text, /is of another app/);
});

test("an error member alone makes a refusal, too", async (t) => {
  const w = await signedIn(t, { token_response: { error: "error" } }, { token: { error: "bad_verification_code", access_token: "no" } });
  assert.equal(w.done.status, 400);
  assert.match(w.done.text, /Own refused: bad_verification_code/);
  assert.equal(w.id, undefined);
});

test("then: short tokens are traded for others, each request with what those before answered", async (t) => {
  const w = await signedIn(t, {
    token_request: { then: [
      { url: `${server}/login`, method: "POST", body: { token: "${accessToken}" } },
      { url: `${server}/long?id=\${credentials.raw.session}`, client: "body", body_format: "form" },
    ] },
  }, { token: { access_token: "short", refresh_token: "rt-1" }, replies: {
    "POST /login": { json: { session: "s1", url: "https://x" } },
    "POST /long": { json: { access_token: "long", expires_in: 5_000_000 } },
  } });
  assert.equal(w.done.status, 200, w.done.text);
  assert.deepEqual([w.at("/login")[0].headers.authorization, JSON.parse(w.at("/login")[0].body)], ["Bearer short", { token: "short" }]);
  assert.deepEqual([w.at("/long")[0].query.get("id"), form(w.at("/long")[0]), w.at("/long")[0].headers.authorization], ["s1", { client_id: "app-id", client_secret: "app-s3cret" }, undefined]);
  const { access_token, refresh_token, raw } = await w.get();
  assert.deepEqual([access_token, refresh_token, raw.url], ["long", "rt-1", "https://x"]);
  for (const json of [[{ a: 1 }], "text", null]) {
    w.provider.reply("POST /login", { json });
    assert.match((await w.connect()).done.text, /Own answered with something else than an object/, JSON.stringify(json));
  }
  w.provider.reply("POST /login", { status: 403, json: { error: "no" } });
  assert.match((await w.connect()).done.text, /request 1 after the token: .*403/);
});

test("without_refresh_token: the token itself is traded for a newer one", async (t) => {
  let n = 0;
  const w = await signedIn(t, {
    refresh_request: { url: `${server}/swap`, method: "GET", without_refresh_token: true, omit: ["code_verifier"], body: { grant_type: "swap", old: "${accessToken}" } },
  }, { token: { access_token: "at-0", expires_in: 3600 }, replies: { "GET /swap": () => ({ json: { access_token: `at-${++n}`, expires_in: 3600 } }) } });
  await w.pass("50 minutes");
  assert.equal((await w.get()).access_token, "at-1");
  const query = w.at("/swap")[0].query;
  assert.deepEqual([query.get("grant_type"), query.get("old"), query.has("refresh_token")], ["swap", "at-0", false]);
});

test("extra_tokens: of the same answer, of a request of its own, renewed with the first", async (t) => {
  let users = 0, files = 0;
  const w = await signedIn(t, {
    extra_tokens: {
      user: { at: "authed_user", refresh: { url: `${server}/user`, body: { refresh_token: "${credentials.extra.user.refresh_token}" } } },
      files: { request: { url: `${server}/files`, client: "body", body_format: "form", body: { from: "${refresh_token}" } } },
      none: { at: "nothing", optional: true },
    },
  }, { token: { access_token: "bot-0", refresh_token: "rt-0", expires_in: 40_000, authed_user: { access_token: "user-0", refresh_token: "ur-0", expires_in: 3600 } }, replies: {
    "POST /user": () => ({ json: { access_token: `user-${++users}`, refresh_token: `ur-${users}`, expires_in: 3600 } }),
    "POST /files": () => ({ json: { access_token: `files-${++files}` } }),
  } });
  assert.equal(w.done.status, 200, w.done.text);
  const first = await w.get();
  assert.deepEqual([first.access_token, first.extra.user.access_token, first.extra.files.access_token, Object.keys(first.extra)], ["bot-0", "user-0", "files-1", ["user", "files"]]);
  assert.equal(form(w.at("/files")[0]).from, "rt-0");
  w.provider.reply("POST /token", { json: { access_token: "bot-1", expires_in: 40_000 } });
  await w.pass("50 minutes"); // the user's token is the first to expire
  const second = await w.get();
  assert.deepEqual([second.access_token, second.extra.user.access_token, second.extra.user.refresh_token, second.extra.files.access_token], ["bot-1", "user-1", "ur-1", "files-2"]);
  assert.deepEqual(JSON.parse(w.at("/user")[0].body), { refresh_token: "ur-0" });
  w.provider.reply("POST /files", { status: 400, json: { error: "no" } });
  const refused = await w.nangod.call("GET", `/connections/${w.id}?provider_config_key=own&force_refresh=true`);
  assert.match(refused.text, /the token \\"files\\": .*400/);
});

test("introspection: a token whose end only the provider knows is renewed in time; a failed question changes nothing", async (t) => {
  let n = 0;
  const exp = () => Math.floor(Date.now() / 1000) + 3600;
  const w = await signedIn(t, {
    introspection: { request: { url: `${server}/introspect`, client: "body", body_format: "form", body: { token: "${accessToken}" } } },
  }, { replies: { "POST /token": () => ({ json: { access_token: `at-${++n}`, refresh_token: "rt" } }), "POST /introspect": () => ({ json: { active: true, exp: exp() } }) } });
  assert.equal(w.done.status, 200, w.done.text);
  assert.deepEqual(form(w.at("/introspect")[0]), { token: "at-1", client_id: "app-id", client_secret: "app-s3cret" });
  assert.ok(Math.abs(Date.parse((await w.get()).expires_at) - Date.now() - 3_600_000) < 60_000);
  await w.pass("50 minutes");
  w.provider.reply("POST /introspect", { status: 500, json: {} });
  const second = await w.get();
  assert.deepEqual([second.access_token, second.expires_at], ["at-2", undefined]);
  w.provider.reply("POST /introspect", { json: { active: false } });
  const refused = await w.nangod.call("GET", `/connections/${w.id}?provider_config_key=own&force_refresh=true`);
  assert.match(refused.text, /inactive/);
});

test("pre_delete: the provider hears of it first, and a provider that refuses keeps no connection alive", async (t) => {
  const w = await signedIn(t, {
    pre_delete: [
      { request: { url: `${server}/tokens/\${credentials.refresh_token}`, method: "DELETE" }, unless: "${metadata.keep}" },
      { request: { url: `${server}/revoke`, client: "basic", body_format: "form", body: { token: "${accessToken}" } } },
    ],
  }, { token: { access_token: "at-1", refresh_token: "rt-s3cret/1" }, replies: { "DELETE /tokens/rt-s3cret%2F1": { status: 404, json: { message: "no rt-s3cret/1" } }, "POST /revoke": { status: 200, text: "<p>done</p>" } } });
  await w.nangod.ok("DELETE", `/connections/${w.id}?provider_config_key=own`);
  assert.equal((await w.nangod.call("GET", `/connections/${w.id}?provider_config_key=own`)).status, 404);
  const [revoked] = w.at("/revoke");
  assert.deepEqual([w.at("/tokens/rt-s3cret%2F1").length, form(revoked).token, revoked.headers.authorization], [1, "at-1", basic("app-id", "app-s3cret")]);
  assert.match(w.nangod.log(), /is deleted, but its provider says: .*\/tokens\/\*+ answered 404: /);

  const { id } = await w.connect();
  await w.nangod.ok("PATCH", "/connections/metadata", { body: { connection_id: id, provider_config_key: "own", metadata: { keep: true } } });
  await w.nangod.ok("DELETE", `/connections/${id}?provider_config_key=own`);
  assert.deepEqual([w.at("/tokens/rt-s3cret%2F1").length, w.at("/revoke").length], [1, 2]);
});

test("verification: a form, and what an answer must and must not say", async (t) => {
  const entry = (verification) => ({
    display_name: "Form", docs: "https://example.com", auth_mode: "API_KEY", credentials: { apiKey: { type: "string", title: "Key", description: "k" } },
    proxy: { base_url: `${server}/v1`, headers: { "x-key": "${apiKey}" }, verification: { method: "POST", endpoints: ["/me"] } },
    x: { source: "https://example.com", verification },
  });
  const cases = {
    exact: [{ status: ["200", "4xx"] }, { status: 203, json: {} }, /answered 203 to POST/, { status: 400, json: {} }],
    there: [{ at: "data.user" }, { json: { data: null } }, /200 without data\.user/, { json: { data: { user: 1 } } }],
    equal: [{ at: "in", equals: "true" }, { json: { in: false } }, /200 with another in/, { json: { in: true } }],
    json: [{ at: "in" }, { text: "<html>" }, /200 without JSON/, { json: { in: 1 } }],
    has: [{ contains: "<code>105</code>" }, { text: "<code>9</code>" }, /200 without /, { text: "<code>105</code>" }],
    lacks: [{ lacks: "<Error>" }, { text: "<Error>x</Error>" }, /200 with /, { text: "<ok/>" }],
    form: [{ form: { key: "${apiKey}", a: "b c" }, lacks: "no" }, { text: "no" }, /200 with /, { text: "yes" }],
  };
  const w = await world(t, { more: Object.fromEntries(Object.entries(cases).map(([name, [rules]]) => [name, entry(rules)])) });
  const { token } = await session(w.nangod);
  const post = (name) => w.nangod.call("POST", `/api-auth/api-key/${name}?params[server]=${encodeURIComponent(w.provider.url)}`, { key: token, body: { apiKey: "k-s3cret-1" } });
  for (const [name, [, bad, says, good]] of Object.entries(cases)) {
    await w.integrate(name);
    w.provider.reply("POST /v1/me", bad);
    const refused = await post(name);
    assert.equal(refused.status, 400, `${name}: ${refused.text}`);
    assert.match(refused.text, says, name);
    w.provider.reply("POST /v1/me", good);
    assert.equal((await post(name)).status, 200, name);
  }
  assert.equal(w.provider.requests.at(-1).body, "key=k-s3cret-1&a=b%20c");
  assert.equal(w.provider.requests.at(-1).headers["content-type"], "application/x-www-form-urlencoded");
});
