// SPDX-License-Identifier: Apache-2.0
// A page of new records is written before its turn, while the page before it is being stored. Nobody can tell, whatever
// ends in between.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { Faults } from "./lib/faults.mjs";
import { buildPlugin, children, isAlive, until, zygotes } from "./lib/nangod.mjs";
import { Cluster, serveOn } from "./lib/postgres.mjs";

const key = "unauthenticated";
const made = fileURLToPath(new URL("../bench/plugins/made", import.meta.url));
const PAGE = 200;
const PAGES = 12;
const COUNT = PAGE * PAGES;
const LEASE_MS = 4000;
const COPY = "COPY nango_data.record (connection_id, dataset_id, seq, first_seen_at, last_modified_at, hash, action, codec, external_id, payload) FROM STDIN (FORMAT binary)";

const COUNTED = "SELECT w.* FROM nango_data.write_page";

class World {
  static async start(t) {
    const world = new World();
    world.t = t;
    world.faults = await Faults.listen(t);
    world.cluster = await Cluster.start(t);
    await world.serve();
    await world.nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
    await world.nangod.deploy(await buildPlugin(t, made, key), key);
    return world;
  }

  async serve() {
    this.nangod = await serveOn(this.t, this.cluster, { NANGO_FAULT: this.faults.path, NANGO_TICK_MS: "200", NANGO_LEASE_MS: String(LEASE_MS) });
  }

  /** A connection, and a run that saves COUNT records of it, PAGE at a time. */
  async load(id) {
    this.id = id;
    await this.nangod.connect(key, { id, credentials: { type: "NONE" }, baseUrl: "http://127.0.0.1:1" });
    await this.nangod.ok("POST", "/connections/metadata", { body: { connection_id: id, provider_config_key: key, metadata: { count: COUNT, page: PAGE, revision: 0, step: 0 } } });
    this.row = await this.cluster.sql(`SELECT id FROM nango.connection WHERE connection_id = '${id}'`);
    await this.trigger();
  }

  trigger() {
    return this.nangod.ok("POST", "/sync/trigger", { body: { syncs: ["made"], provider_config_key: key, connection_id: this.id } });
  }

  /** A run whose process was killed is a failure, and triggered again. */
  async settled() {
    for (let attempt = 0; ; attempt++) {
      await until(async () => (await this.cluster.sql(`SELECT count(*) FROM nango.queue WHERE connection_id = ${this.row}`)) === "0", () => this.nangod.log().slice(-4000), 40);
      const state = await this.cluster.sql(`SELECT state, cause, message FROM nango.run WHERE connection_id = ${this.row} ORDER BY id DESC LIMIT 1`);
      if (state.startsWith("success")) return;
      assert.ok(attempt < 3, `${state}\n${this.nangod.log().slice(-4000)}`);
      await this.trigger();
    }
  }

  /** Each record is there once, and its place in the feed is its own. */
  async assertWhole(why) {
    const [rows, ids, first, last, added] = (await this.cluster.sql(`SELECT count(*), count(DISTINCT external_id), min(seq), max(seq),
        (SELECT sum(added) FROM nango.run WHERE connection_id = ${this.row}) FROM nango_data.record WHERE connection_id = ${this.row}`)).split("|").map(Number);
    assert.deepEqual([rows, ids, first, last, added], [COUNT, COUNT, 1, COUNT, COUNT], why);
    assert.equal(await this.cluster.sql(`SELECT seq || ' ' || live FROM nango_data.dataset WHERE connection_id = ${this.row}`), `${COUNT} ${COUNT}`, why);
    const order = await this.cluster.sql(`SELECT count(*) FROM (SELECT last_modified_at < lag(last_modified_at) OVER (ORDER BY seq) AS is_back
        FROM nango_data.record WHERE connection_id = ${this.row}) r WHERE is_back`);
    assert.equal(order, "0", `${why}: times go with the sequence`);
  }
}

/** Runs until one stands still at a point of a page while the next one is written; gives back what lets it go on.
 * On a busy machine a page may be looked at before the one before it has begun, and then waits for its turn. */
async function stopped(world, id, label, page) {
  for (let attempt = 0; attempt < 10; attempt++) {
    const stalled = world.faults.stall(label, page);
    const copied = world.faults.passed(`after ${COPY}`, page + 1).then(() => true);
    await world.load(`${id}-${attempt}`);
    const go = await stalled;
    if (await Promise.race([copied, passed(2000, false, { ref: false })])) return go;
    world.faults.forget();
    go();
    await world.settled();
  }
  throw new Error("no page was ever ahead");
}

test("a page is written before its turn", { timeout: 120_000 }, async (t) => {
  const world = await World.start(t);
  for (const page of [1, 2, PAGES - 1]) {
    const go = await stopped(world, `acme${page}`, `before ${COUNTED}`, page);
    assert.equal(await world.cluster.sql(`SELECT count(*) FROM nango_data.record WHERE connection_id = ${world.row}`), String((page - 1) * PAGE), "nobody sees what is not there");
    go();
    await world.settled();
    await world.assertWhole(`after page ${page}`);
  }
});

const victims = {
  async run(world) {
    const [pid] = zygotes(world.nangod).flatMap(children);
    if (!pid) return; // the last pages are on their way, and it is over
    process.kill(pid, "SIGKILL");
    await until(() => !isAlive(pid), "the run does not die");
  },
  async nangod(world) {
    const left = [...zygotes(world.nangod), ...zygotes(world.nangod).flatMap(children)];
    await world.nangod.kill("SIGKILL");
    await until(() => left.every((pid) => !isAlive(pid)), "a process outlives its nangod");
    await until(async () => (await world.cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nangod'")) === "0", "its connections stay");
    await world.cluster.sql(`UPDATE nango.clock SET offset_by = offset_by + interval '${LEASE_MS} milliseconds'`);
    await world.serve();
  },
  async postgres(world) {
    await world.cluster.kill();
    await world.cluster.up();
    await world.cluster.sql(`UPDATE nango.clock SET offset_by = offset_by + interval '${LEASE_MS} milliseconds'`);
  },
};

for (const victim of Object.keys(victims))
  test(`kill -9 of ${victim} while a page is ahead`, { timeout: 180_000 }, async (t) => {
    const world = await World.start(t);
    for (const [at, label] of [`before ${COUNTED}`, `after ${COUNTED}`].entries())
      for (const page of [1, 4]) {
        const id = `c${at}-${page}`;
        const go = await stopped(world, id, label, page);
        await victims[victim](world);
        go();
        await world.settled();
        await world.assertWhole(`${victim} at ${page} x ${label}`);
      }
  });

test("who has the head and waits for a record of a page that is ahead gets it", { timeout: 120_000 }, async (t) => {
  const world = await World.start(t);
  const go = await stopped(world, "acme", `before ${COUNTED}`, 1);
  const other = new pg.Client({ host: world.cluster.dir, user: "nango", database: "postgres" });
  const where = `connection_id = ${world.row}`;
  const id = 1_000_000 + PAGE; // of the second page
  await other.connect();
  await other.query(`BEGIN; SELECT FROM nango_data.dataset WHERE ${where} FOR UPDATE`);
  go();
  const begin = Date.now();
  await other.query(`INSERT INTO nango_data.record (connection_id, dataset_id, seq, first_seen_at, last_modified_at, hash, action, codec, external_id, payload)
      SELECT connection_id, id, seq + 1, now(), now(), gen_random_uuid(), 1, 0, '${id}', '{"id":"${id}"}' FROM nango_data.dataset WHERE ${where};
    UPDATE nango_data.dataset SET seq = seq + 1, live = live + 1 WHERE ${where}; COMMIT`);
  assert.ok(Date.now() - begin < 10_000, "it did not wait until somebody was thrown out");
  await other.end();
  await world.settled();
  const [rows, ids, updated] = (await world.cluster.sql(`SELECT count(*), count(DISTINCT external_id), (SELECT sum(updated) FROM nango.run WHERE ${where}) FROM nango_data.record WHERE ${where}`)).split("|").map(Number);
  assert.deepEqual([rows, ids, updated], [COUNT, COUNT, 1]);
  assert.equal(await world.cluster.sql(`SELECT seq - live FROM nango_data.dataset WHERE ${where}`), "1", "one change more than records");
});
