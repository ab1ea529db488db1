// SPDX-License-Identifier: Apache-2.0
// The main job: a deployed plugin, schedules, page commits, cursors, crashes.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildPlugin, psql, start, serve, scratch, until, children, isAlive, top, zygotes } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("plugins/items", import.meta.url));
const key = "unauthenticated";

/** A provider whose /items?page=N is pages[N-1]; hold(n) makes the next request for page n wait for release(). */
async function itemsProvider(t, pages) {
  const provider = await fakeProvider(t);
  const held = new Map();
  provider.pages = pages;
  provider.hold = (page) => {
    const gate = Promise.withResolvers();
    held.set(String(page), gate);
    return {
      get asked() {
        return until(() => gate.wasAsked, `page ${page} was not asked for`);
      },
      release: gate.resolve,
    };
  };
  provider.asked = () => provider.requests.filter((r) => r.path === "/items").map((r) => Number(r.query.get("page")));
  provider.reply("GET /items", async ({ query }) => {
    const page = query.get("page");
    const gate = held.get(page);
    if (gate) {
      held.delete(page);
      gate.wasAsked = true;
      await gate.promise;
    }
    return { json: provider.pages[Number(page) - 1] ?? [] };
  });
  provider.reply("GET /teapot", { status: 418, json: { message: "short and stout" } });
  return provider;
}

const item = (n, more) => ({ id: String(n), title: `Item ${n}`, ...more });

async function deployed(t, { pages, env, dataDir } = {}) {
  const provider = await itemsProvider(t, pages ?? []);
  const nangod = await start(t, { env, dataDir });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  const file = await buildPlugin(t, source, "unauthenticated");
  await nangod.deploy(file, key);
  const connect = (more) => nangod.connect(key, { baseUrl: provider.url, credentials: { type: "NONE" }, ...more });
  const trigger = (more) =>
    nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme", ...more } });
  return { nangod, provider, connect, trigger, file };
}

test("the first run is at once; a second one saves only what changed", async (t) => {
  const { nangod, provider, connect, trigger } = await deployed(t, { pages: [[item(1), item(2)], [item(3)]] });
  await connect();
  const first = await nangod.settled(key, "acme", "items");
  assert.equal(first.status, "SUCCESS", JSON.stringify(first));
  assert.deepEqual(first.latestResult, { Item: { added: 3, updated: 0, deleted: 0 } });
  assert.equal(first.frequency, "every 1h");
  assert.ok(Date.parse(first.nextScheduledSyncAt) > Date.now());
  assert.ok(Date.parse(first.nextScheduledSyncAt) < Date.now() + 3_600_000 + 5000, "within one interval");

  provider.pages = [[item(1), item(2, { title: "new" })], [item(3), item(4)]];
  await trigger();
  const second = await nangod.settled(key, "acme", "items");
  assert.deepEqual(second.latestResult, { Item: { added: 1, updated: 1, deleted: 0 } });
  const updated = await nangod.records(key, "acme", "Item", "&filter=updated");
  assert.deepEqual(updated.records.map((r) => [r.id, r.title]), [["2", "new"]]);
  assert.doesNotMatch(nangod.log(), / warn | error /, "a first hour without a complaint");
});

test("schedules fire by themselves, spread out, and what was missed is one run", async (t) => {
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)]] });
  const ids = ["a", "b", "c", "d", "e", "f"];
  for (const id of ids) await connect({ id });
  const due = [];
  for (const id of ids) due.push(Date.parse((await nangod.settled(key, id, "items")).nextScheduledSyncAt));
  const distinct = new Set(due.map((ms) => Math.round(ms / 1000)));
  assert.ok(distinct.size >= 5, `six connections made together fall on ${distinct.size} different seconds`);
  assert.ok(due.every((ms) => ms > Date.now() - 5000 && ms < Date.now() + 3_605_000));

  const runs = (id) => psql(nangod, `SELECT count(*) FROM nango.run r JOIN nango.connection c ON c.id = r.connection_id WHERE c.connection_id = '${id}'`);
  assert.equal(await runs("a"), "1");
  provider.pages = [[item(1, { title: "an hour later" })]];
  await psql(nangod, "UPDATE nango.clock SET offset_by = '5 hours 1 second'"); // five slots are missed
  await until(async () => (await runs("a")) === "2" && (await nangod.status(key, "a", "items")).status === "SUCCESS", "the schedule did not fire");
  const later = await nangod.settled(key, "a", "items");
  assert.deepEqual(later.latestResult, { Item: { added: 0, updated: 1, deleted: 0 } });
  const next = Date.parse(later.nextScheduledSyncAt);
  assert.equal((next - due[0]) % 3_600_000, 0, "it keeps to its slots");
  assert.ok(next > Date.now() + 5 * 3_600_000, "the next slot lies ahead");
  assert.equal(await runs("a"), "2", "five missed slots were one run");
});

test("records: metadata, order, limit, cursor, filter, ids, modified_after, and refusals", async (t) => {
  const { nangod, provider, connect, trigger } = await deployed(t, {
    pages: [[item(1, { rank: 7, price: "1.10", colour: { a: [1, null, 2.50] }, big: 1e400 })].concat([2, 3, 4, 5].map((n) => item(n)))],
  });
  await connect();
  await nangod.settled(key, "acme", "items");
  const all = await nangod.records(key, "acme", "Item");
  assert.deepEqual(all.records.map((r) => r.id), ["1", "2", "3", "4", "5"]);
  assert.equal(all.next_cursor, null);
  const meta = all.records[0]._nango_metadata;
  assert.deepEqual(Object.keys(meta).sort(), ["cursor", "deleted_at", "first_seen_at", "last_action", "last_modified_at", "pruned_at"]);
  assert.equal(meta.last_action, "ADDED");
  assert.match(meta.first_seen_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
  assert.deepEqual(all.records[0].colour, { a: [1, null, 2.5] }, "unknown members pass through");
  const text = (await nangod.call("GET", "/records?model=Item&limit=1", { headers: { "provider-config-key": key, "connection-id": "acme" }, raw: true })).text;
  assert.match(text, /"a":\[1,null,2\.5\]/, "numbers keep their text");

  const pageOne = await nangod.records(key, "acme", "Item", "&limit=2");
  assert.deepEqual(pageOne.records.map((r) => r.id), ["1", "2"]);
  assert.equal(pageOne.next_cursor, pageOne.records[1]._nango_metadata.cursor);
  const pageTwo = await nangod.records(key, "acme", "Item", `&limit=3&cursor=${encodeURIComponent(pageOne.next_cursor)}`);
  assert.deepEqual([pageTwo.records.map((r) => r.id), pageTwo.next_cursor], [["3", "4", "5"], null]);

  provider.pages = [[item(1), item(2, { title: "x" }), item(6)]];
  const middle = new Date().toISOString();
  await trigger();
  await nangod.settled(key, "acme", "items");
  const ids = async (query) => (await nangod.records(key, "acme", "Item", query)).records.map((r) => r.id);
  assert.deepEqual(await ids("&filter=added"), ["3", "4", "5", "6"]);
  assert.deepEqual(await ids("&filter=UPDATED"), ["1", "2"]);
  assert.deepEqual(await ids("&filter=added,updated"), ["3", "4", "5", "1", "2", "6"]);
  assert.deepEqual(await ids("&filter=deleted"), []);
  assert.deepEqual(await ids(`&modified_after=${middle}`), ["1", "2", "6"]);
  assert.deepEqual(await ids("&ids=2&ids=5&ids=nope"), ["5", "2"]);
  assert.deepEqual(await ids("&model=Item"), ["3", "4", "5", "1", "2", "6"]);

  const headers = { "provider-config-key": key, "connection-id": "acme" };
  const refused = async (path, status, code, more = headers) => {
    const answer = await nangod.call("GET", path, { headers: more });
    assert.equal(answer.status, status, path + answer.text);
    assert.equal(answer.body.error.code, code);
    return answer.body.error.message;
  };
  await refused("/records", 400, "invalid_query_params");
  await refused("/records?model=item", 400, "invalid_query_params");
  await refused("/records?model=Item&limit=10001", 400, "invalid_query_params");
  await refused("/records?model=Item&limit=0", 400, "invalid_query_params");
  await refused("/records?model=Item&modified_after=yesterday", 400, "invalid_query_params");
  const ago = (days) => new Date(Date.now() - days * 86_400_000).toISOString();
  assert.deepEqual(await ids(`&modified_after=${ago(365)}`), await ids(""));
  for (const name of ["modified_after", "delta"]) {
    const tooOld = await nangod.call("GET", `/records?model=Item&${name}=${ago(367)}`, { headers: { "provider-config-key": key, "connection-id": "acme" } });
    assert.deepEqual([tooOld.status, tooOld.body.error.code], [400, "invalid_query_params"]);
    assert.match(JSON.stringify(tooOld.body), /more than 12 months back/);
  }
  const many = (count) => Array.from({ length: count }, (_, i) => `&ids=${i}`).join("");
  await refused(`/records?model=Item${many(101)}`, 400, "invalid_query_params");
  await refused(`/records?model=Item&ids=${"x".repeat(257)}`, 400, "invalid_query_params");
  assert.deepEqual(await ids(many(100)), ["3", "4", "5", "1", "2", "6"]);
  await refused("/records?model=Item&filter=gone", 400, "invalid_query_params");
  await refused("/records?model=Item&cursor=nope", 400, "invalid_cursor");
  const [place, count] = [Buffer.from(meta.cursor, "base64").toString().split(":").slice(0, 3).join(":"), 999];
  assert.match(await refused(`/records?model=Item&cursor=${Buffer.from(`${place}:${count}`).toString("base64")}`, 400, "invalid_cursor"), /beyond the newest change/);
  await refused(`/records?model=Item&cursor=${Buffer.from("1:999:1:1").toString("base64")}`, 400, "invalid_cursor");
  await refused("/records?model=Item", 400, "invalid_headers", {});
  await refused("/records?model=Item", 400, "unknown_connection", { ...headers, "connection-id": "nope" });
  await refused("/records?model=Item", 400, "unknown_provider_config", { ...headers, "provider-config-key": "nope" });
  assert.deepEqual(await nangod.records(key, "acme", "Other"), { records: [], next_cursor: null });
});

test("reset forgets the checkpoint, emptyCache the records, and an old cursor says so", async (t) => {
  const { nangod, connect, trigger } = await deployed(t, { pages: [[item(1)]] });
  await connect();
  await nangod.settled(key, "acme", "items");
  const { records } = await nangod.records(key, "acme", "Item");
  await trigger({ opts: { reset: true, emptyCache: true } });
  await nangod.settled(key, "acme", "items");
  const again = await nangod.records(key, "acme", "Item");
  assert.equal(again.records[0]._nango_metadata.last_action, "ADDED");
  const stale = await nangod.call("GET", `/records?model=Item&cursor=${encodeURIComponent(records[0]._nango_metadata.cursor)}`, {
    headers: { "provider-config-key": key, "connection-id": "acme" },
  });
  assert.equal(stale.status, 409);
  assert.equal(stale.body.error.code, "stale_cursor");
});

test("kill -9 between pages: the next start resumes after the last committed page", async (t) => {
  const dataDir = scratch(t);
  const pages = [1, 2, 3, 4].map((p) => [item(p * 10), item(p * 10 + 1)]);
  const { nangod, provider, connect } = await deployed(t, { pages, dataDir, env: { NANGO_LEASE_MS: "1000" } });
  const gate = provider.hold(3);
  await connect();
  await gate.asked;
  assert.deepEqual(provider.asked(), [1, 2, 3]);
  await nangod.kill("SIGKILL");
  gate.release();
  const second = await start(t, { dataDir, env: { NANGO_LEASE_MS: "1000" } });
  const status = await second.settled(key, "acme", "items");
  assert.equal(status.status, "SUCCESS");
  assert.deepEqual(status.latestResult, { Item: { added: 8, updated: 0, deleted: 0 } }, "counts of both attempts");
  assert.deepEqual(provider.asked(), [1, 2, 3, 3, 4, 5], "pages 1 and 2 are not asked for again");
  const { records } = await second.records(key, "acme", "Item");
  assert.deepEqual(records.map((r) => r.id), ["10", "11", "20", "21", "30", "31", "40", "41"]);
});

test("a clean stop gives the run back, and the next start takes it up at once", async (t) => {
  const dataDir = scratch(t);
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)], [item(2)]], dataDir });
  const gate = provider.hold(2);
  await connect();
  await gate.asked;
  assert.equal(await nangod.stop(), 0);
  gate.release();
  const second = await start(t, { dataDir });
  const status = await second.settled(key, "acme", "items", 10);
  assert.deepEqual(status.latestResult, { Item: { added: 2, updated: 0, deleted: 0 } });
  assert.deepEqual(provider.asked().slice(0, 3), [1, 2, 2]);
});

test("whoever asks twice for the stop gets it in the middle of pages, and nothing is lost", async (t) => {
  const dataDir = scratch(t);
  const env = { NANGO_LEASE_MS: "1000" };
  const ids = ["one", "two", "three"];
  const count = 6000;
  let nangod = await start(t, { dataDir, env });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildPlugin(t, join(top, "tests/bench/plugins/made"), key), key);
  const credentials = { type: "NONE" };
  for (const id of ids) await nangod.connect(key, { id, credentials, baseUrl: "http://127.0.0.1:9", metadata: { count, page: 100, revision: 1, step: 0 } });
  for (const id of ids) await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["made"], provider_config_key: key, connection_id: id } });
  for (let round = 1; round <= 4; round++) {
    const stored = () => psql(nangod, "SELECT count(*) FROM nango_data.record");
    const before = Number(await stored());
    await until(async () => Number(await stored()) > before, () => `round ${round}: no page came\n${nangod.log()}`);
    const closed = nangod.kill("SIGTERM");
    await until(() => nangod.log().includes("stopping"));
    nangod.child.kill("SIGTERM");
    await closed;
    assert.deepEqual([nangod.child.exitCode, nangod.child.signalCode], [0, null], nangod.log());
    nangod = await start(t, { dataDir, env });
  }
  for (const id of ids) {
    await until(async () => (await nangod.ok("GET", `/runs?connection=${id}`)).runs[0].state === "success", () => nangod.log(), 60);
    const all = [];
    for (let cursor = ""; cursor !== null; ) {
      const page = await nangod.records(key, id, "Contact", `&limit=10000${cursor && `&cursor=${cursor}`}`);
      all.push(...page.records);
      cursor = page.next_cursor;
    }
    assert.equal(new Set(all.map((r) => r.id)).size, count);
    assert.equal(all.length, count);
    assert.ok(all.every((r) => r._nango_metadata.last_action === "ADDED"));
  }
});

test("a node that slept beyond its lease writes nothing when it wakes", async (t) => {
  // A long lease, so that no heartbeat tells the sleeper: the fence alone must stop it.
  const env = { NANGO_LEASE_MS: "600000" };
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)], [item(2)], [item(3)]], env });
  const gate = provider.hold(2);
  await connect();
  await gate.asked;
  nangod.child.kill("SIGSTOP");
  t.after(() => nangod.child.kill("SIGCONT"));
  await psql(nangod, "UPDATE nango.clock SET offset_by = '11 minutes'");
  const second = await serve(t, nangod, env);
  const status = await second.settled(key, "acme", "items");
  assert.equal(status.status, "SUCCESS");
  assert.deepEqual(status.latestResult, { Item: { added: 3, updated: 0, deleted: 0 } });
  assert.deepEqual(provider.asked(), [1, 2, 2, 3, 4]);
  const before = await second.records(key, "acme", "Item");

  provider.pages = [[], [item(2, { title: "written by the dead" })], []];
  nangod.child.kill("SIGCONT");
  gate.release();
  await until(() => /lost lease|lease is gone|taken over/.test(nangod.log()), () => nangod.log());
  assert.deepEqual(await second.records(key, "acme", "Item"), before, "not a byte was written");
  assert.equal((await second.status(key, "acme", "items")).status, "SUCCESS");
});

test("pause stops a run and its writes; start goes on", async (t) => {
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)], [item(2)]], env: { NANGO_LEASE_MS: "1000" } });
  const gate = provider.hold(2);
  await connect();
  await gate.asked;
  const body = { syncs: ["items"], provider_config_key: key, connection_id: "acme" };
  await nangod.ok("POST", "/sync/pause", { body });
  assert.equal((await nangod.status(key, "acme", "items")).status, "PAUSED");
  gate.release();
  await until(() => /lease is gone|taken over or cancelled|lost lease/.test(nangod.log()), () => nangod.log());
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records.map((r) => r.id), ["1"], "page 2 was fenced off");
  await nangod.ok("POST", "/sync/start", { body });
  const status = await nangod.settled(key, "acme", "items");
  assert.equal(status.status, "SUCCESS");
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records.map((r) => r.id), ["1", "2"]);
});

test("the cause of a run's end is named, and nothing is left behind", async (t) => {
  const { nangod, connect } = await deployed(t, { env: { NANGO_SYNC_DEADLINE_MS: "1500" } });
  const rows = [
    ["fail", "failed", /42/],
    ["crash", "signal 11", /./],
    ["connect", "sandbox: socket", /./],
    ["upstream", "upstream 418", /short and stout/],
    ["exit", "exit", /./],
    ["spin", "deadline", /./],
  ];
  for (const [how] of rows) {
    await connect({ id: how, metadata: { how } });
    await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["misbehave"], provider_config_key: key, connection_id: how } });
  }
  for (const [how, cause, message] of rows) {
    const status = await nangod.settled(key, how, "misbehave");
    assert.equal(status.latestExecutionStatus, "ERROR", how);
    assert.equal(status.latestError.cause, cause, how);
    assert.match(status.latestError.message, message, how);
    if (how === "fail") assert.equal(status.latestError.code, "no_way");
    const { connections } = await nangod.ok("GET", `/connections?connectionId=${how}`);
    assert.deepEqual(connections[0].errors.map((e) => e.type), ["sync"], "the list of connections shows it");
  }
  const forking = zygotes(nangod);
  await until(() => forking.every((pid) => children(pid).length === 0), "a run's process is left");
});

test("deploying again changes schedules; a sync that is gone loses its own and its run writes nothing more", async (t) => {
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)], [item(2)]], env: { NANGO_LEASE_MS: "600000" } });
  const gate = provider.hold(2);
  await connect();
  await gate.asked;
  const list = async () => (await nangod.ok("GET", `/sync/status?syncs=*&provider_config_key=${key}`)).syncs.map((s) => `${s.name} ${s.frequency}`);
  assert.deepEqual(await list(), ["items every 1h", "misbehave every 1h"]);

  const next = scratch(t);
  const edit = (name, change) => writeFileSync(join(next, name), change(readFileSync(join(source, name), "utf8")));
  edit("plugin.yaml", (text) => text.replace(/ {2}items:[^]*?(?= {2}misbehave:)/, "").replace("runs: every 1h", "runs: every 2h"));
  edit("items.c", (text) => text.replace(/static bool\nsync_page[^]*?(?=static void\nmisbehave)/, "").replace(/NANGO_SYNC\(\.name = "items"[^]*?\),\s*/, ""));
  const plan = await nangod.deploy(await buildPlugin(t, next, "unauthenticated"), key);
  assert.deepEqual(plan.changes.syncs, { added: [], changed: ["misbehave"], removed: ["items"] });
  assert.deepEqual(await list(), ["misbehave every 2h"]);

  gate.release();
  await until(() => /lost lease|lease is gone/.test(nangod.log()), () => nangod.log());
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records.map((r) => r.id), ["1"], "page 2 was fenced off");
});

test("a run of a deleted connection writes nothing after the answer", async (t) => {
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)], [item(2)]], env: { NANGO_LEASE_MS: "600000" } });
  const gate = provider.hold(2);
  const { id } = await connect();
  await gate.asked;
  await nangod.ok("DELETE", `/connections/acme?provider_config_key=${key}`);
  assert.equal(await psql(nangod, `SELECT state FROM nango_data.fence WHERE connection_id = ${id}`), "cancelled");
  gate.release();
  await until(() => /lost lease|lease is gone/.test(nangod.log()), () => nangod.log());
  assert.equal(await psql(nangod, `SELECT count(*) FROM nango_data.record WHERE connection_id = ${id}`), "1");
});

test("a reset leaves no run that began before it, whatever is triggered beside it", async (t) => {
  const { nangod, connect, trigger } = await deployed(t, { pages: [[item(1)], [item(2)], [item(3)]] });
  const { id } = await connect();
  await nangod.settled(key, "acme", "items");
  // The checkpoint's row is held, so that the reset stands still between its steps.
  const held = psql(nangod, `BEGIN; SELECT key FROM nango_data.checkpoint WHERE connection_id = ${id} FOR UPDATE; SELECT pg_sleep(1); COMMIT;`);
  await until(async () => (await psql(nangod, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1)%' AND pid <> pg_backend_pid()")) !== "0");
  const reset = trigger({ opts: { reset: true, emptyCache: true } });
  await until(async () => (await psql(nangod, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE nango_data.checkpoint%' AND wait_event_type = 'Lock'")) !== "0");
  await Promise.all([reset, trigger(), held]);
  const status = await nangod.settled(key, "acme", "items");
  assert.equal(status.status, "SUCCESS");
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records.map((r) => r.id), ["1", "2", "3"], "every record is there again");
});

test("runs survive a killed zygote, and a killed Postgres in the middle", async (t) => {
  const { nangod, provider, connect } = await deployed(t, { pages: [[item(1)], [item(2)], [item(3)]], env: { NANGO_LEASE_MS: "1000" } });
  const second = provider.hold(2);
  const third = provider.hold(3); // before the kill: the second attempt begins at once
  await connect();
  await second.asked;
  const [postgres, zygote] = children(nangod.pid);
  process.kill(zygote, "SIGKILL");
  await until(() => !isAlive(zygote));
  second.release();
  await third.asked;
  process.kill(postgres, "SIGKILL");
  await until(() => !isAlive(postgres));
  third.release();
  const status = await until(async () => {
    const answer = await nangod.call("GET", `/sync/status?syncs=items&provider_config_key=${key}&connection_id=acme`);
    const sync = answer.body?.syncs?.[0];
    return sync?.latestExecutionStatus === "SUCCESS" ? sync : undefined;
  }, () => nangod.log(), 40);
  assert.deepEqual(status.recordCount, { Item: 3 });
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records.map((r) => r.id), ["1", "2", "3"]);
});
