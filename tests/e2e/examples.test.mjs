// SPDX-License-Identifier: Apache-2.0
// The SDK's examples: without a warning on both compilers, and run.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { buildPlugin, program, run, scratch, start, top } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

const examples = (name) => join(top, "sdk/examples", name);
const strict = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror";

for (const name of ["hello", "issues", "live", "deletes"])
  for (const compiler of ["gcc", "clang-14"])
    test(`${name} compiles with ${compiler} ${strict}`, async (t) => {
      const made = await run(program("nango-plugin"), ["build", examples(name), "-o", scratch(t)], {
        env: { CC: compiler, CFLAGS: strict },
      });
      assert.equal(made.code, 0, made.stdout + made.stderr);
    });

test("hello saves its greetings", async (t) => {
  const provider = await fakeProvider(t);
  provider.reply("GET /greetings", { json: { greetings: [{ id: 1, text: "hello" }, { id: 2, text: "Grüß Gott" }] } });
  const nangod = await start(t);
  await nangod.ok("POST", "/integrations", { body: { provider: "unauthenticated", unique_key: "hello" } });
  await nangod.deploy(await buildPlugin(t, examples("hello"), "unauthenticated"), "hello");
  await nangod.connect("unauthenticated", { key: "hello", baseUrl: provider.url, credentials: { type: "NONE" } });
  const status = await nangod.settled("hello", "acme", "greetings");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  const { records } = await nangod.records("hello", "acme", "Greeting");
  assert.deepEqual(records.map((r) => [r.id, r.text]), [[1, "hello"], [2, "Grüß Gott"]]);
});

test("issues: absent, null and value are three things, pages are linked, the token is sent", async (t) => {
  const provider = await fakeProvider(t);
  const issue = (n, more) => ({ id: n, number: n, title: `Issue ${n}`, state: "open", closed_at: null, updated_at: `2026-01-0${n}T00:00:00Z`, labels: [], ...more });
  provider.reply("GET /repos/acme/rocket/issues", ({ query }) =>
    query.get("page") === "2"
      ? { json: [issue(3, { labels: [{ name: "bug", color: "red" }, { name: "plain" }], extra: { kept: [1.50, null] } })] }
      : {
          headers: { link: `<${provider.url}/repos/acme/rocket/issues?page=2>; rel="next"` },
          json: [issue(1, { body: "text" }), issue(2, { pull_request: {} }), issue(4, { closed_at: "2026-01-05T00:00:00Z", state: "closed" })],
        },
  );
  const nangod = await start(t);
  await nangod.ok("POST", "/integrations", { body: { provider: "github", unique_key: "github" } });
  await nangod.deploy(await buildPlugin(t, examples("issues"), "github"), "github");
  await nangod.connect("github", { baseUrl: provider.url, credentials: { type: "API_KEY", apiKey: "token-1" }, metadata: { repo: "acme/rocket" } });
  const status = await nangod.settled("github", "acme", "issues");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  assert.deepEqual(status.checkpoint, { updated_at: "2026-01-03T00:00:00Z" });
  assert.equal(provider.requests[0].headers.authorization, "Bearer token-1");
  assert.equal(provider.requests[0].query.get("since"), null, "a NULL value leaves the pair out");
  const { records } = await nangod.records("github", "acme", "Issue");
  const byId = Object.fromEntries(records.map(({ _nango_metadata, ...r }) => [r.id, r]));
  assert.deepEqual(Object.keys(byId), ["1", "3", "4"]);
  assert.equal(byId[1].body, "text");
  assert.ok(!("body" in byId[3]), "absent stays absent");
  assert.equal(byId[1].closed_at, null, "null stays null");
  assert.deepEqual(byId[3].labels, [{ color: "red", name: "bug" }, { name: "plain" }]);
  assert.deepEqual(byId[3].extra, { kept: [1.5, null] });
  assert.equal(byId[4].closed_at, "2026-01-05T00:00:00Z");
});

test("deletes: what a full list does not hold any more, and what the API says", async (t) => {
  const provider = await fakeProvider(t);
  const nangod = await start(t);
  const key = "unauthenticated";
  const live = async (model) => (await nangod.records(key, "acme", model)).records
    .filter((r) => r._nango_metadata.deleted_at === null)
    .map(({ _nango_metadata, ...r }) => r)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const run = async (sync) => {
    await nangod.ok("POST", "/sync/trigger", { body: { syncs: [sync], provider_config_key: key, connection_id: "acme" } });
    const status = await nangod.settled(key, "acme", sync);
    assert.equal(status.status, "SUCCESS", JSON.stringify(status));
    return status;
  };

  provider.reply("GET /contacts", { json: [{ id: 1, name: "Ada" }, { id: 2, name: "Ken" }, { id: 3, name: "Grace", seen_at: "2026-01-01" }] });
  provider.reply("GET /now", { json: { now: "2026-01-01T00:00:00Z" } });
  provider.reply("GET /orders", { json: [{ id: "7", total: "1.50", state: "open" }, { id: "8", total: "2", state: "paid" }] });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildPlugin(t, examples("deletes"), key), key);
  await nangod.connect(key, { baseUrl: provider.url, credentials: { type: "NONE" } });
  assert.equal((await nangod.settled(key, "acme", "contacts")).status, "SUCCESS");
  assert.equal((await nangod.settled(key, "acme", "orders")).status, "SUCCESS");

  // track_deletes: a complete run deletes what it did not save; seen_at alone is no change.
  provider.reply("GET /contacts", { json: [{ id: 1, name: "Ada" }, { id: 3, name: "Grace", seen_at: "2026-02-02" }] });
  const second = await run("contacts");
  assert.deepEqual(second.latestResult, { Contact: { added: 0, updated: 0, deleted: 1 } });
  assert.deepEqual((await live("Contact")).map((r) => r.id), ["1", "3"]);

  // A run that fails on its second page deletes nothing.
  provider.reply("GET /contacts", ({ query }) =>
    query.get("page") === "2" ? { status: 400 } : { headers: { link: `<${provider.url}/contacts?page=2>; rel="next"` }, json: [{ id: 1, name: "Ada" }] });
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["contacts"], provider_config_key: key, connection_id: "acme" } });
  assert.equal((await nangod.settled(key, "acme", "contacts")).status, "ERROR");
  assert.deepEqual((await live("Contact")).map((r) => r.id), ["1", "3"]);

  // Events: one is new, one is changed (merged, its other members stay), one is deleted.
  provider.reply("GET /events", ({ query }) => {
    assert.equal(query.get("since"), "2026-01-01T00:00:00Z");
    return {
      json: [
        { kind: "created", at: "2026-01-02T00:00:00Z", order_id: "9", order: { id: "9", total: "3", state: "open" } },
        { kind: "changed", at: "2026-01-03T00:00:00Z", order_id: "7" },
        { kind: "deleted", at: "2026-01-04T00:00:00Z", order_id: "8" },
        { kind: "changed", at: "2026-01-05T00:00:00Z", order_id: "nobody" },
      ],
    };
  });
  const events = await run("orders");
  assert.deepEqual(events.latestResult, { Order: { added: 1, updated: 1, deleted: 1 } });
  assert.deepEqual(events.checkpoint, { since: "2026-01-05T00:00:00Z" });
  assert.deepEqual(await live("Order"), [
    { id: "7", note: "changed by an event", state: "open", total: "1.50" },
    { id: "9", state: "open", total: "3" },
  ]);
});
