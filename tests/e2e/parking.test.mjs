// SPDX-License-Identifier: Apache-2.0
// A run that its provider makes wait for long gives its process back, and goes on later.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deployItems, item, key } from "./lib/items.mjs";
import { children, psql, scratch, until, zygotes } from "./lib/nangod.mjs";

/** Pages as a list; the first request for page 2 is answered 429. */
function limited(provider, retryAfter) {
  const asked = [];
  const pages = [[item(1)], [item(2)]];
  provider.reply("GET /items", ({ query }) => {
    const page = Number(query.get("page"));
    asked.push(page);
    if (page === 2 && asked.filter((n) => n === 2).length === 1)
      return { status: 429, headers: { "retry-after": String(retryAfter) }, json: {} };
    return { json: pages[page - 1] ?? [] };
  });
  return asked;
}

test("a long Retry-After parks the run; it goes on behind its last page", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_PARK_MS: "5000" } });
  const asked = limited(provider, 3600);
  await connect();
  const row = "SELECT is_parked, is_claimed, attempts, round(extract(epoch FROM due_at - nango.clock_now()) / 60) FROM nango.queue";
  await until(async () => (await psql(nangod, row)) === "t|f|0|60", async () => `${await psql(nangod, row)}\n${nangod.log()}`);
  assert.deepEqual(asked, [1, 2]);
  await until(() => zygotes(nangod).every((zygote) => children(zygote).length === 0), "its process is still there");
  assert.equal((await nangod.status(key, "acme", "items")).status, "RUNNING");
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records.map((r) => r.id), ["1"], "page 1 is stored");
  assert.match(nangod.log(), /is parked for 3[56]\d{5} ms: GET \/items answered 429 and asks for a wait of 3600 s/);

  await psql(nangod, "UPDATE nango.clock SET offset_by = '61 minutes'");
  const status = await nangod.settled(key, "acme", "items");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  assert.deepEqual(status.latestResult, { Item: { added: 2, updated: 0, deleted: 0 } });
  assert.deepEqual(asked, [1, 2, 2, 3], "page 1 is not asked for again");
  assert.equal(await psql(nangod, "SELECT attempts FROM nango.run"), "1", "a parking is no failed attempt");
  assert.equal(await psql(nangod, "SELECT requests FROM nango.run"), "4", "what was asked for before the parking is counted, too");
});

test("a time in the body of a refusal parks the run, too", async (t) => {
  const file = join(scratch(t), "providers.yaml");
  const retry = { in_body: { path: "error.message", value: "Retry after (\\S+)" } };
  writeFileSync(file, JSON.stringify({ [key]: { display_name: key, docs: "https://example.com", auth_mode: "NONE", proxy: { base_url: "${connectionConfig.baseUrl}", retry } } }));
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_PARK_MS: "5000", NANGO_PROVIDERS: file } });
  provider.reply("GET /items", () => ({ status: 429, json: { error: { message: `Limit reached. Retry after ${new Date(Date.now() + 3_600_000).toISOString()}` } } }));
  await connect();
  const row = "SELECT is_parked, round(extract(epoch FROM due_at - nango.clock_now()) / 60) FROM nango.queue";
  await until(async () => (await psql(nangod, row)) === "t|60", async () => `${await psql(nangod, row)}\n${nangod.log()}`);
  assert.equal(provider.requests.length, 1);
});

test("a short wait keeps the process", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_PARK_MS: "5000" } });
  const asked = limited(provider, 1);
  await connect();
  const status = await nangod.settled(key, "acme", "items");
  assert.equal(status.status, "SUCCESS");
  assert.deepEqual(asked, [1, 2, 2, 3]);
  assert.doesNotMatch(nangod.log(), /parked/);
});

test("a parked run can be paused, and is not begun again for ever", async (t) => {
  const { nangod, provider, connect, trigger } = await deployItems(t, { env: { NANGO_PARK_MS: "5000", NANGO_SYNC_DEADLINE_MS: "7200000" } });
  provider.reply("GET /items", { status: 429, headers: { "retry-after": "3600" }, json: {} });
  await connect();
  const parked = () => until(async () => (await psql(nangod, "SELECT count(*) FROM nango.queue WHERE is_parked")) === "1", () => nangod.log());
  await parked();
  await nangod.ok("POST", "/sync/pause", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme" } });
  assert.equal(await psql(nangod, "SELECT count(*) FROM nango.queue"), "0");
  await trigger();
  await parked();
  const asked = provider.requests.length;
  await psql(nangod, "UPDATE nango.clock SET offset_by = '61 minutes'");
  await until(() => provider.requests.length > asked, "it was not begun again");
  await parked();
  await psql(nangod, "UPDATE nango.clock SET offset_by = '3 hours'");
  const status = await nangod.settled(key, "acme", "items");
  assert.equal(status.latestError.cause, "expired", JSON.stringify(status));
});

test("the deadline is the run's, not the attempt's: after a parking what is left of it counts", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_PARK_MS: "5000", NANGO_SYNC_DEADLINE_MS: "7200000" } });
  provider.reply("GET /items", () => (provider.requests.length === 1 ? { status: 429, headers: { "retry-after": "3600" }, json: {} } : new Promise(() => {})));
  await connect();
  await until(async () => (await psql(nangod, "SELECT is_parked FROM nango.queue")) === "t", () => nangod.log());
  await psql(nangod, "DELETE FROM nango.budget; UPDATE nango.queue SET due_at = nango.clock_now(), started_at = nango.clock_now() - interval '2 hours' + interval '5 seconds'; NOTIFY nango, 'due test'");
  const { latestError } = await nangod.settled(key, "acme", "items");
  assert.equal(latestError.cause, "deadline");
  assert.ok(Number(/its limit: (\d+) ms/.exec(latestError.message)[1]) <= 5000, latestError.message);
});
