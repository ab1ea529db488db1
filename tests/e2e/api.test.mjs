// SPDX-License-Identifier: Apache-2.0
// The REST API: access, one error shape, integrations, connections, metadata.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test, before, after } from "node:test";
import { start, top } from "./lib/nangod.mjs";

let nangod;
const cleanups = [];
before(async () => {
  nangod = await start({ after: (fn) => cleanups.push(fn) });
});
after(async () => {
  for (const fn of cleanups.reverse()) await fn();
});

const error = async (status, code, promise) => {
  const answer = await promise;
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.error.code, code, answer.text);
  assert.ok(answer.body.error.message.length > 5, "a message for a person");
  return answer.body.error;
};

test("keys: missing, malformed, no UUID v4, unknown", async () => {
  await error(401, "missing_auth_header", nangod.call("GET", "/connections", { key: null }));
  await error(401, "malformed_auth_header", nangod.call("GET", "/connections", { key: null, headers: { authorization: "Basic x" } }));
  await error(401, "invalid_secret_key_format", nangod.call("GET", "/connections", { key: "nope" }));
  await error(401, "unknown_account", nangod.call("GET", "/connections", { key: "00000000-0000-4000-8000-000000000000" }));
});

test("one error shape for unknown routes, methods, bad JSON and content types", async () => {
  await error(404, "not_found", nangod.call("GET", "/nowhere"));
  await error(405, "method_not_allowed", nangod.call("PUT", "/integrations"));
  const bad = await error(400, "invalid_json", nangod.call("POST", "/integrations", { body: '{"a": 01}' }));
  assert.match(bad.message, /line 1, column/);
  for (const body of ["{'a':1}", '{"a":NaN}', '{"a":1,}', "[1", '{"a":"\\ud800"}', "{} {}"])
    await error(400, "invalid_json", nangod.call("POST", "/integrations", { body }));
  await error(415, "invalid_content_type", nangod.call("POST", "/integrations", { body: "a=1", headers: { "content-type": "application/x-www-form-urlencoded" } }));
  await error(400, "invalid_body", nangod.call("POST", "/integrations", { body: "[]" }));
});

test("a body's faults are named with their path", async () => {
  const rows = [
    [{}, "provider"],
    [{ provider: "github" }, "unique_key"],
    [{ provider: "github", unique_key: "a", colour: 1 }, "colour"],
    [{ provider: "github", unique_key: "a/b" }, "unique_key"],
    [{ provider: "github", unique_key: "x".repeat(256) }, "unique_key"],
    [{ provider: "nope", unique_key: "a" }, "provider"],
    [{ provider: 1, unique_key: "a" }, "provider"],
    [{ provider: "github", unique_key: "a", credentials: { client_id: "x" } }, "credentials.client_id"],
  ];
  for (const [body, path] of rows) {
    const found = await error(400, "invalid_body", nangod.call("POST", "/integrations", { body }));
    assert.deepEqual(found.errors[0].path, path.split("."), JSON.stringify(body));
  }
});

test("integrations: create, list, show, change, rename, delete", async () => {
  const made = (await nangod.ok("POST", "/integrations", { body: { provider: "github", unique_key: "gh" } })).data;
  assert.equal(made.display_name, "GitHub");
  assert.equal(made.forward_webhooks, true);
  await error(400, "invalid_body", nangod.call("POST", "/integrations", { body: { provider: "github", unique_key: "gh" } }));
  assert.ok((await nangod.ok("GET", "/integrations")).data.some((i) => i.unique_key === "gh"));
  const changed = (await nangod.ok("PATCH", "/integrations/gh", { body: { display_name: "Code", forward_webhooks: false, unique_key: "gh2" } })).data;
  assert.deepEqual([changed.unique_key, changed.display_name, changed.forward_webhooks], ["gh2", "Code", false]);
  await nangod.connect("github", { key: "gh2", credentials: { type: "API_KEY", apiKey: "k-s3cret" } });
  const refused = await error(400, "invalid_body", nangod.call("PATCH", "/integrations/gh2", { body: { unique_key: "gh3" } }));
  assert.match(refused.message, /active connections/);
  assert.deepEqual(await nangod.ok("DELETE", "/integrations/gh2"), { success: true });
  await error(404, "not_found", nangod.call("GET", "/integrations/gh2"));
  assert.deepEqual((await nangod.ok("GET", "/connections?integrationId=gh2")).connections, []);
  await nangod.ok("POST", "/integrations", { body: { provider: "github", unique_key: "gh2" } });
  await nangod.ok("DELETE", "/integrations/gh2");
});

test("environments do not see each other", async () => {
  const prod = nangod.environments.prod.secret_key;
  await nangod.connect("github", { key: "only-dev", credentials: { type: "API_KEY", apiKey: "k-s3cret" } });
  assert.deepEqual((await nangod.ok("GET", "/integrations", { key: prod })).data, []);
  assert.deepEqual((await nangod.ok("GET", "/connections", { key: prod })).connections, []);
  await error(404, "not_found", nangod.call("GET", "/integrations/only-dev", { key: prod }));
  await nangod.ok("DELETE", "/integrations/only-dev");
});

test("providers: list, search, one", async () => {
  const names = async (query) => (await nangod.ok("GET", `/providers${query}`)).data.map((p) => p.name);
  const ours = readdirSync(join(top, "templates")).filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -5));
  assert.deepEqual(await names(""), ours.sort());
  assert.deepEqual(await names("?search=WORD"), ["wordpress"]);
  const one = (await nangod.ok("GET", "/providers/wordpress")).data;
  assert.equal(one.auth_mode, "BASIC");
  assert.equal(one.x, undefined, "our own keys are not shown");
  await error(404, "not_found", nangod.call("GET", "/providers/nope"));
  await error(400, "invalid_query_params", nangod.call("GET", "/providers?nope=1"));
});

test("connections: each auth mode, and what does not fit", async () => {
  const api = await nangod.connect("github", { id: "a/b c", credentials: { type: "API_KEY", apiKey: "secret-key" }, tags: { Team: "x" } });
  assert.equal(api.connection_id, "a/b c");
  assert.deepEqual(api.credentials, { type: "API_KEY", apiKey: "secret-key" });
  assert.deepEqual(api.tags, { team: "x" });
  const basic = await nangod.connect("wordpress", { baseUrl: "https://example.com", credentials: { type: "BASIC", username: "u", password: "p" } });
  assert.deepEqual(basic.credentials, { type: "BASIC", username: "u", password: "p" });
  const none = await nangod.connect("unauthenticated", { credentials: { type: "NONE" } });
  assert.deepEqual(none.credentials, { type: "NONE" });
  assert.equal(none.end_user, null);

  const rows = [
    ["github", { type: "BASIC", username: "u", password: "p" }, undefined, "credentials.type"],
    ["github", { type: "API_KEY" }, undefined, "credentials.api_key"],
    ["github", { type: "API_KEY", apiKey: "" }, undefined, "credentials.apiKey"],
    ["github", { type: "API_KEY", apiKey: "x".repeat(1025) }, undefined, "credentials.apiKey"],
    ["github", { type: "API_KEY", apiKey: "a\r\nx-evil: 1" }, undefined, "credentials.apiKey"],
    ["github", { type: "API_KEY", apiKey: "k-s3cret" }, { baseUrl: "ftp://x" }, "connection_config.baseUrl"],
    ["wordpress", { type: "BASIC", username: "a:b", password: "" }, { baseUrl: "https://x" }, "credentials.username"],
    ["wordpress", { type: "BASIC", username: "a", password: "b" }, {}, "connection_config.baseUrl"],
  ];
  for (const [key, credentials, connection_config, path] of rows) {
    const body = { provider_config_key: key, connection_id: "bad", credentials, connection_config };
    const found = await error(400, "invalid_body", nangod.call("POST", "/connections", { body }));
    assert.deepEqual(found.errors[0].path, path.split("."), JSON.stringify(body));
  }
  await error(404, "not_found", nangod.call("POST", "/connections", { body: { provider_config_key: "nope", credentials: { type: "NONE" } } }));
});

test("connections: list filters, show, replace, delete, and the name is free again", async () => {
  await nangod.connect("github", { id: "one", credentials: { type: "API_KEY", apiKey: "1" }, tags: { plan: "pro", size: "s" } });
  await nangod.connect("github", { id: "two", credentials: { type: "API_KEY", apiKey: "2" }, end_user: { id: "u1", email: "a@b.c" } });
  const ids = async (query) => (await nangod.ok("GET", `/connections?${query}`)).connections.map((c) => c.connection_id);
  assert.deepEqual(await ids("connectionId=one"), ["one"]);
  assert.deepEqual(await ids("search=TW"), ["two"]);
  assert.deepEqual(await ids("tags[plan]=pro&tags%5Bsize%5D=s"), ["one"]);
  assert.deepEqual(await ids("tags[plan]=pro&tags[size]=l"), []);
  assert.deepEqual(await ids("endUserId=u1"), ["two"]);
  assert.deepEqual(await ids("integrationId=github&limit=1"), ["two"]);
  assert.deepEqual(await ids("integrationId=nope,github&limit=1&page=1"), ["one"]);
  await error(400, "invalid_query_params", nangod.call("GET", "/connections?limit=0"));
  await error(400, "invalid_query_params", nangod.call("GET", "/connections/one"));
  await error(400, "unknown_provider_config", nangod.call("GET", "/connections/one?provider_config_key=nope"));
  await error(404, "not_found", nangod.call("GET", "/connections/nope?provider_config_key=github"));
  const again = await nangod.connect("github", { id: "one", credentials: { type: "API_KEY", apiKey: "new" } });
  assert.equal(again.credentials.apiKey, "new");
  assert.deepEqual(again.tags, { plan: "pro", size: "s" }, "what was not given stays");
  assert.deepEqual(await nangod.ok("DELETE", "/connections/one?provider_config_key=github"), { success: true });
  await error(404, "not_found", nangod.call("GET", "/connections/one?provider_config_key=github"));
  const fresh = await nangod.connect("github", { id: "one", credentials: { type: "API_KEY", apiKey: "3" } });
  assert.notEqual(fresh.id, again.id, "an id is never used again");
});

test("metadata: replaced, merged, for all or for none", async () => {
  await nangod.connect("github", { id: "m1", credentials: { type: "API_KEY", apiKey: "1" } });
  await nangod.connect("github", { id: "m2", credentials: { type: "API_KEY", apiKey: "1" } });
  const metadata = async (id) => (await nangod.ok("GET", `/connections/${id}?provider_config_key=github`)).metadata;
  const set = (method, connection_id, value) => nangod.call(method, "/connections/metadata", { body: { provider_config_key: "github", connection_id, metadata: value } });
  assert.equal((await set("POST", ["m1", "m2"], { a: { x: 1 }, b: 2 })).status, 201);
  assert.deepEqual(await metadata("m2"), { a: { x: 1 }, b: 2 });
  assert.equal((await set("PATCH", "m1", { a: { y: 1 }, c: 3 })).status, 200);
  assert.deepEqual(await metadata("m1"), { a: { y: 1 }, b: 2, c: 3 });
  await error(404, "not_found", set("POST", ["m1", "nope"], {}));
  assert.deepEqual(await metadata("m1"), { a: { y: 1 }, b: 2, c: 3 }, "nothing was changed");
  await error(400, "invalid_body", set("POST", [], {}));
});

test("what would be changed silently is refused: big integers, U+0000", async () => {
  const found = await error(400, "invalid_json", nangod.call("POST", "/connections/metadata", {
    body: '{"provider_config_key":"github","connection_id":"m1","metadata":{"n":12345678901234567890123}}',
  }));
  assert.match(found.message, /beyond 64 bits/);
  await error(400, "invalid_body", nangod.call("POST", "/connections", {
    body: { provider_config_key: "github", credentials: { type: "API_KEY", apiKey: "k-s3cret" }, tags: { k: "\u0000" } },
  }));
  const kept = '{"provider_config_key":"github","connection_id":"m1","metadata":{"a":9223372036854775807,"b":1.10,"c":1e400}}';
  assert.equal((await nangod.call("POST", "/connections/metadata", { body: kept })).status, 201);
  const { text } = await nangod.call("GET", "/connections/m1?provider_config_key=github", { raw: true });
  assert.match(text, /"a":9223372036854775807,"b":1.10,"c":1e400/);
});

test("a body without a key is refused before it is read", async () => {
  const { port } = new URL(nangod.url);
  const answer = await new Promise((done, fail) => {
    const req = request({ host: "127.0.0.1", port, path: "/connections", method: "POST", headers: { "content-length": 70_000_000 } }, (res) => done(res.statusCode));
    req.on("error", fail);
    req.flushHeaders();
  });
  assert.equal(answer, 401);
});

test("a logo's URL answers", async () => {
  const [provider] = (await nangod.ok("GET", "/providers?search=github")).data;
  const logo = await fetch(provider.logo_url);
  assert.deepEqual([logo.status, logo.headers.get("content-type")], [200, "image/svg+xml"]);
});

test("secrets are sealed: the database's files do not hold them", async () => {
  const { readFileSync, readdirSync, statSync } = await import("node:fs");
  const { join } = await import("node:path");
  const secret = "needle-in-the-haystack-4711";
  await nangod.connect("github", { id: "sealed", credentials: { type: "API_KEY", apiKey: secret } });
  const files = readdirSync(nangod.data_dir, { recursive: true }).map((name) => join(nangod.data_dir, name));
  const holding = (needle) => files.filter((f) => statSync(f, { throwIfNoEntry: false })?.isFile() && readFileSync(f).includes(needle));
  assert.ok(holding("sealed").length > 0, "the search itself works: the connection's id is found");
  assert.deepEqual(holding(secret), []);
  assert.deepEqual(holding(nangod.key), []);
  assert.ok(!nangod.log().includes(secret));
});
