// SPDX-License-Identifier: Apache-2.0
// The feed beside what moves it: emptied datasets, crashes, a manifest without room, new models.
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildPlugin, psql, scratch, start, until } from "./lib/nangod.mjs";
import { Cluster, serveOn } from "./lib/postgres.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

const key = "unauthenticated";
const folder = (name) => fileURLToPath(new URL(`plugins/${name}`, import.meta.url));
const EMPTIED = 8;
const save = (id, more) => ({ save: { id, ...more } });
const zero = { added: 0, updated: 0, deleted: 0 };

/** What a client puts together from the feed alone, by the rules of its cursor. */
class Reader {
  constructor(model, id = "acme") {
    Object.assign(this, { model, id, state: new Map(), history: new Map(), cursor: "", reads: 0, restarts: 0 });
  }

  /** One page; false when there was nothing new. An error is the caller's, but not that of a cursor. */
  async read(nangod) {
    const query = `&limit=20${this.cursor ? `&cursor=${encodeURIComponent(this.cursor)}` : ""}`;
    const answer = await nangod.call("GET", `/records?model=${this.model}${query}`, { headers: { "provider-config-key": key, "connection-id": this.id } });
    if (["invalid_cursor", "stale_cursor"].includes(answer.body?.error?.code)) {
      this.state.clear();
      this.cursor = "";
      this.restarts++;
      return true;
    }
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    for (const { _nango_metadata: meta, ...record } of answer.body.records) {
      const version = JSON.stringify([record, meta.last_action, meta.deleted_at, meta.last_modified_at]);
      assert.equal(this.history.get(meta.cursor) ?? version, version, `${meta.cursor} is one change`);
      this.history.set(meta.cursor, version);
      this.state.set(record.id, { ...record, cursor: meta.cursor, action: meta.last_action });
      this.cursor = meta.cursor;
    }
    this.reads++;
    return answer.body.records.length > 0;
  }

  async drain(nangod) {
    while (await this.read(nangod));
  }
}

/** The same from the database; sql(text) runs a statement. */
async function stored(sql, model) {
  const rows = JSON.parse(await sql(`SELECT coalesce(json_agg(json_build_array(external_id, convert_from(payload, 'UTF8'), d.id, d.epoch, r.seq, action)), '[]')
    FROM nango_data.record r JOIN nango_data.dataset d ON d.connection_id = r.connection_id AND d.id = r.dataset_id WHERE d.model = '${model}'`));
  const actions = { 1: "ADDED", 2: "UPDATED", 3: "DELETED" };
  return rows.map(([id, payload, dataset, epoch, seq, action]) => [id, { ...JSON.parse(payload), cursor: Buffer.from(`1:${dataset}:${epoch}:${seq}`).toString("base64"), action: actions[action] }]);
}

const sorted = (entries) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));

async function assertHead(sql, model) {
  const [live, rows, twice] = JSON.parse(await sql(`SELECT json_build_array(
      (SELECT live FROM nango_data.dataset WHERE model = '${model}'),
      (SELECT count(*) FROM nango_data.record r JOIN nango_data.dataset d ON d.connection_id = r.connection_id AND d.id = r.dataset_id WHERE d.model = '${model}' AND action <> 3),
      (SELECT count(*) - count(DISTINCT r.seq) FROM nango_data.record r JOIN nango_data.dataset d ON d.connection_id = r.connection_id AND d.id = r.dataset_id WHERE d.model = '${model}'))`));
  assert.deepEqual([live, twice], [rows, 0], "the head counts the live rows; no sequence number is there twice");
}

/** One page of operations for each of `pages`. */
function ledgerOf(provider, pages) {
  provider.reply("GET /ledger", ({ query }) => {
    const page = Number(query.get("page"));
    return { json: { ops: pages[page - 1], is_last: page >= pages.length } };
  });
}

async function deployed(t, plugin, { env, connection } = {}) {
  const provider = await fakeProvider(t);
  const nangod = await start(t, { env });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildPlugin(t, folder(plugin), key), key);
  await nangod.connect(key, { baseUrl: provider.url, credentials: { type: "NONE" }, ...connection });
  const trigger = (sync, opts) => nangod.ok("POST", "/sync/trigger", { body: { syncs: [sync], provider_config_key: key, connection_id: "acme", ...(opts ? { opts } : {}) } });
  const ledger = async (pages, opts) => {
    ledgerOf(provider, pages);
    await trigger("ledger", opts);
    return nangod.settled(key, "acme", "ledger");
  };
  return { nangod, provider, trigger, ledger };
}

test("emptied again and again beside writers: a reader ends with what is stored", { timeout: 120_000 }, async (t) => {
  const { nangod, trigger } = await deployed(t, "writers", {
    env: { NANGO_LOG: "warn", NANGO_TICK_MS: "20", NANGO_WORKER_THREADS: "4" },
    connection: { metadata: { rounds: 20 } },
  });
  const reader = new Reader("Row");
  const idle = (sync) => until(async () => (await nangod.status(key, "acme", sync)).status !== "RUNNING", `${sync} does not end`, 60);
  let isOver = false;
  const whileNotOver = async (step) => {
    while (!isOver) await step();
  };
  const write = (sync) => whileNotOver(async () => {
    await trigger(sync);
    await idle(sync);
  });
  async function empty() {
    for (let i = 0; i < EMPTIED; i++) {
      const restarts = reader.restarts;
      await until(() => reader.cursor, "the reader sees nothing", 60);
      await trigger("third", { reset: true, emptyCache: true });
      await until(() => reader.restarts > restarts, "the reader was not told", 60);
    }
    isOver = true;
  }
  await Promise.all([empty().finally(() => (isOver = true)), whileNotOver(() => reader.read(nangod)), ...["first", "second", "touch"].map(write)]);
  for (const sync of ["first", "second", "third", "touch"]) assert.equal((await nangod.settled(key, "acme", sync, 60)).latestExecutionStatus, "SUCCESS", sync);
  await reader.drain(nangod);
  const sql = (text) => psql(nangod, text);
  t.diagnostic(`${reader.history.size} changes, ${reader.reads} reads, ${reader.restarts} restarts, ${reader.state.size} records`);
  assert.deepEqual(sorted(reader.state), sorted(await stored(sql, "Row")));
  await assertHead(sql, "Row");
  assert.ok(reader.restarts >= EMPTIED && reader.history.size > 500, "there was a race at all");
});

test("a manifest whose budget is used up in the middle of a run changes nothing but its speed", { timeout: 60_000 }, async (t) => {
  const list = (from, to, v) => Array.from({ length: to - from }, (_, i) => save(String(from + i), { v }));
  // The first run's own manifest grows from 1024 slots (32 KiB) beyond what there is; what it had no
  // room for is deleted (saved again, it would meet itself in the table, and all be asked for).
  const walks = [
    [list(0, 700, 1), list(700, 1400, 1).concat([save("gone", { v: 1 })]), list(1400, 2000, 1).concat([{ delete: { id: "gone" } }])],
    [list(0, 700, 1), list(700, 900, 2).concat([{ update: { id: "3", w: 1 } }, { delete: { id: "4" } }]), list(950, 2100, 1)],
    [list(0, 700, 1), list(700, 2100, 2)],
  ];
  async function outcome(bytes) {
    const { nangod, ledger } = await deployed(t, "ledger", { env: { NANGO_MANIFEST_BYTES: bytes } });
    const results = [];
    for (const pages of walks) results.push((await ledger(pages)).latestResult.Entry);
    const sql = (text) => psql(nangod, text);
    await assertHead(sql, "Entry");
    const feed = (await stored(sql, "Entry")).map(([id, { cursor, ...record }]) => [id, Buffer.from(cursor, "base64").toString().split(":").at(-1), record]);
    return { results, feed: sorted(feed) };
  }
  const [large, small, none] = [await outcome("536870912"), await outcome("40000"), await outcome("0")];
  assert.deepEqual(large.results[0], { ...zero, added: 2001, deleted: 1 });
  assert.deepEqual(large.results[1], { added: 100, updated: 201, deleted: 51 });
  assert.deepEqual(small, large);
  assert.deepEqual(none, large);
});

/** Polls until stop(); a server that is away is asked again, a broken promise is an end. */
function polling(reader, nangod) {
  let isOver = false;
  const done = (async () => {
    while (!isOver)
      await reader.read(nangod()).catch((err) => {
        if (err instanceof assert.AssertionError) throw err;
        reader.failures = (reader.failures ?? 0) + 1;
        return new Promise((next) => setImmediate(next));
      });
  })();
  return () => {
    isOver = true;
    return done;
  };
}

test("what forbids a plan is not compiled for the cost of that: an operator's Postgres has jit on", async (t) => {
  const cluster = await Cluster.start(t);
  await serveOn(t, cluster);
  const set = "SELECT coalesce(string_agg(oid::regproc::text, ' '), '') FROM pg_proc WHERE pronamespace::regnamespace::text LIKE 'nango%' AND proconfig::text LIKE '%enable\\_%'";
  assert.match(await cluster.sql(set), /write_page/);
  assert.equal(await cluster.sql(`${set} AND NOT 'jit=off' = ANY (proconfig)`), "");
});

test("a polling reader across kill -9 of nangod and of Postgres in the middle of runs", { timeout: 90_000 }, async (t) => {
  const cluster = await Cluster.start(t);
  const provider = await fakeProvider(t);
  const serve = () => serveOn(t, cluster, { NANGO_TICK_MS: "50", NANGO_LEASE_MS: "1000" });
  let nangod = await serve();
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildPlugin(t, folder("ledger"), key), key);
  await nangod.connect(key, { baseUrl: provider.url, credentials: { type: "NONE" } });
  const reader = new Reader("Entry");
  const stop = polling(reader, () => nangod);
  const victims = {
    async nangod() {
      await nangod.kill("SIGKILL");
      await cluster.sql("UPDATE nango.clock SET offset_by = offset_by + interval '1 second'"); // its lease is over
      nangod = await serve();
    },
    async postgres() {
      await cluster.kill();
      await cluster.up();
    },
  };
  let round = 0;
  for (const victim of ["nangod", "postgres"])
    for (const killedAt of [1, 2, 4]) {
      round++;
      // Each page has some of all pages, some of its own, and what went on in the round before.
      const pages = [1, 2, 3, 4].map((page) => [
        ...Array.from({ length: 15 }, (_, i) => save(`${page}-${i}`, { v: i % 3 ? 0 : round })),
        ...Array.from({ length: 5 }, (_, i) => save(`shared-${i}`, { v: round * 10 + page })),
        { delete: { id: `shared-${page}` } },
        save(`round-${round}-${page}`, { v: 0 }),
      ]);
      let isPending = true;
      const asked = Promise.withResolvers();
      const gate = Promise.withResolvers();
      provider.reply("GET /ledger", async ({ query }) => {
        const page = Number(query.get("page"));
        if (isPending && page === killedAt) {
          isPending = false;
          asked.resolve();
          await gate.promise;
        }
        return { json: { ops: pages[page - 1], is_last: page === 4 } };
      });
      await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["ledger"], provider_config_key: key, connection_id: "acme" } });
      await asked.promise;
      gate.resolve(); // the page's commit and the kill race
      await victims[victim]();
      const ended = `SELECT (SELECT count(*) FROM nango.queue) = 0 AND (SELECT state FROM nango.run ORDER BY id DESC LIMIT 1) = 'success'`;
      await until(async () => (await cluster.sql(ended)) === "t", () => nangod.log().slice(-3000), 40);
    }
  await stop();
  await reader.drain(nangod);
  const sql = (text) => cluster.sql(text);
  t.diagnostic(`${reader.history.size} changes, ${reader.reads} reads, ${reader.failures} failed`);
  assert.deepEqual(sorted(reader.state), sorted(await stored(sql, "Entry")));
  await assertHead(sql, "Entry");
  assert.equal(reader.restarts, 0, "no cursor was ever refused");
  assert.ok(reader.failures > 0 && reader.history.size > 200, "it read across the crashes");
});

test("a stricter model: what is stored is checked once more, and stays in quarantine while it is bad", { timeout: 60_000 }, async (t) => {
  const { nangod, provider, trigger, ledger } = await deployed(t, "ledger");
  const page = [save("good", { v: 1 }), save("bad", { v: "text" })];
  await ledger([page]);
  const stricter = scratch(t);
  cpSync(folder("ledger"), stricter, { recursive: true });
  writeFileSync(join(stricter, "plugin.yaml"), readFileSync(join(stricter, "plugin.yaml"), "utf8").replace("    $extra: keep", '    v: "integer?"\n    $extra: keep'));
  await nangod.deploy(await buildPlugin(t, stricter, key), key);
  const quarantine = async () =>
    (await nangod.ok("GET", "/records/quarantine?model=Entry", { headers: { "provider-config-key": key, "connection-id": "acme" } })).records.map(({ id, path }) => [id, path]);
  const { records } = await nangod.records(key, "acme", "Entry");

  // A part of a walk: the second page fails, and nothing says that all was looked at.
  provider.reply("GET /ledger", ({ query }) => (query.get("page") === "1" ? { json: { ops: page, is_last: false } } : { status: 400, json: {} }));
  await trigger("ledger");
  assert.equal((await nangod.settled(key, "acme", "ledger")).latestExecutionStatus, "ERROR");
  assert.deepEqual(await quarantine(), [["bad", "v"]], "unchanged, but not allowed any more");
  assert.deepEqual((await nangod.records(key, "acme", "Entry")).records, records, "what is stored stays as it is");

  assert.deepEqual((await ledger([[], page])).latestResult.Entry, { ...zero, quarantined: 1 });
  assert.deepEqual(await quarantine(), [["bad", "v"]], "after the rest of the walk");
  await ledger([page]);
  assert.deepEqual(await quarantine(), [["bad", "v"]], "a whole walk later it is no better");
  await ledger([[page[0], save("bad", { v: 2 })]]);
  assert.deepEqual(await quarantine(), [], "a good one came");
});
