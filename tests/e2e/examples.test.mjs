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
