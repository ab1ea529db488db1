// SPDX-License-Identifier: Apache-2.0
// kill -9 of nangod, of a run, of its zygote and of Postgres, at every statement and frame of a
// run's pages and of its end. What is there afterwards is what an undisturbed run leaves: no
// change twice, none missing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Faults } from "./lib/faults.mjs";
import { buildPlugin, children, isAlive, until, zygotes } from "./lib/nangod.mjs";
import { Cluster, serveOn } from "./lib/postgres.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

const key = "unauthenticated";
const source = fileURLToPath(new URL("plugins/ledger", import.meta.url));

/** Fewer points than these and the hook lies somewhere else than it did. */
const LEAST_POINTS = 92;
/** At so many of them the run's process is there; it ends with its last frame, while nangod still writes. */
const LEAST_RUNS = 45;
/** So many are left where those between which nothing happens are one. */
const LEAST_OTHERS = 60;

/** The clock is set on to its end; a busy machine must not lose one. */
const LEASE_MS = 4000;

const save = (id, v) => ({ save: { id, v } });
const before = [{ ops: ["1", "2", "3", "4", "5", "6", "7", "8"].map((id) => save(id, "old")), is_last: true }];
/** 1 and 7 unchanged, 2, 5 and 6 changed, 9, 10 and 11 new, 3 updated, 4 deleted, 8 not seen: deleted by the window. */
const after = [
  { ops: [save("1", "old"), save("2", "new"), save("9", "new")], is_last: false },
  { ops: [save("1", "old"), save("7", "old")], is_last: false },
  { ops: [save("5", "new"), save("11", "new")], is_last: false },
  { ops: [{ update: { id: "3", w: "new" } }, { delete: { id: "4" } }, save("6", "new"), save("10", "new")], is_last: true },
];

class World {
  #connections = 0;
  failures = 0; // that the receiver was told of

  static async start(t) {
    const world = new World();
    world.t = t;
    world.faults = await Faults.listen(t);
    world.cluster = await Cluster.start(t);
    world.provider = await fakeProvider(t);
    world.provider.reply("GET /ledger", ({ query }) => ({ json: world.pages[Number(query.get("page")) - 1] }));
    world.received = new Map();
    world.provider.reply("POST /webhooks", ({ headers, body }) => {
      world.received.set(headers["webhook-id"], JSON.parse(body));
      return { json: {} };
    });
    await world.serve();
    await world.nangod.ok("PATCH", "/environment/webhooks", { body: { primary_url: `${world.provider.url}/webhooks` } });
    await world.nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
    await world.nangod.deploy(await buildPlugin(t, source, key), key);
    return world;
  }

  /** No tick and no heartbeat comes between: only hints move this node on. */
  async serve() {
    this.nangod = await serveOn(this.t, this.cluster, {
      NANGO_FAULT: this.faults.path,
      NANGO_TICK_MS: "200",
      NANGO_LEASE_MS: String(LEASE_MS),
    });
  }

  /** So many connections, with what the pages of `before` leave. */
  async connect(count) {
    this.pages = before;
    const connections = await Promise.all(Array.from({ length: count }, async () => {
      const id = `c${++this.#connections}`;
      await this.nangod.connect(key, { id, baseUrl: this.provider.url, credentials: { type: "NONE" } });
      const connection = { id, row: await this.cluster.sql(`SELECT id FROM nango.connection WHERE connection_id = '${id}'`) };
      await this.trigger(connection);
      return connection;
    }));
    for (const connection of connections) await this.settled(connection);
    for (const connection of connections) await this.delivered(connection);
    this.pages = after;
    return connections;
  }

  trigger({ id }) {
    return this.nangod.ok("POST", "/sync/trigger", { body: { syncs: ["ledger"], provider_config_key: key, connection_id: id } });
  }

  /** Until the queue is empty; a run whose process was killed is a failure, and triggered again. */
  async settled(connection) {
    for (let attempt = 0; ; attempt++) {
      await this.none(`nango.queue WHERE connection_id = ${connection.row}`);
      const [state, cause] = (await this.cluster.sql(`SELECT state, cause FROM nango.run WHERE connection_id = ${connection.row} ORDER BY id DESC LIMIT 1`)).split("|");
      if (state === "success") return;
      assert.ok(attempt < 3, `${state}: ${cause}\n${this.nangod.log().slice(-4000)}`);
      await this.trigger(connection);
    }
  }

  delivered({ row }) {
    return this.none(`nango_data.outbox WHERE connection_id = ${row} AND state <> 'delivered'`);
  }

  none(rows) {
    return until(async () => (await this.cluster.sql(`SELECT count(*) FROM ${rows}`)) === "0", () => `${rows}\n${this.nangod.log().slice(-4000)}`, 40);
  }

  /** All that a consumer could ever see, and what the next run goes on from. A run that was killed behind its
   * last page is made again, and a whole walk writes the checkpoint once a page. */
  async picture({ id, row }) {
    const text = await this.cluster.sql(`SELECT json_build_object(
      'records', (SELECT json_agg(json_build_array(external_id, seq, action, convert_from(payload, 'UTF8')) ORDER BY seq)
        FROM nango_data.record WHERE connection_id = ${row}),
      'head', (SELECT json_agg(json_build_array(model, variant, epoch, seq, live, window_id, quarantined)) FROM nango_data.dataset WHERE connection_id = ${row}),
      'marks', (SELECT count(*) FROM nango_data.seen WHERE connection_id = ${row}),
      'checkpoint', (SELECT json_agg(json_build_array(version % ${after.length}, body)) FROM nango_data.checkpoint WHERE connection_id = ${row}),
      'counts', (SELECT json_build_array(sum(added), sum(updated), sum(deleted)) FROM nango.run WHERE connection_id = ${row}))`);
    await this.delivered({ row });
    await this.assertFailuresTold({ id, row });
    return { ...JSON.parse(text), announced: this.announced(id) };
  }

  /** Each run that failed was told of, once, and no other. */
  async assertFailuresTold({ id, row }) {
    const failed = await this.cluster.sql(`SELECT coalesce(nullif(code, ''), cause) FROM nango.run WHERE connection_id = ${row} AND state = 'failed'`);
    const told = [...this.received.values()].filter((event) => event.type === "sync" && event.connectionId === id && !event.success);
    assert.deepEqual(told.map((event) => event.error.type).sort(), failed === "" ? [] : failed.split("\n").sort(), `failures of ${id}`);
    this.failures += told.length;
  }

  /** Counts by event, all that were delivered: each once, however often it came. */
  announced(id) {
    const sum = { added: 0, updated: 0, deleted: 0 };
    for (const event of this.received.values())
      if (event.type === "sync" && event.connectionId === id && event.success) for (const name of Object.keys(sum)) sum[name] += event.responseResults[name];
    return sum;
  }
}

const kill = (pid) => {
  process.kill(pid, "SIGKILL");
  return until(() => !isAlive(pid), `${pid} does not die`);
};

const runs = (nangod) => zygotes(nangod).flatMap(children);

/** Whom to kill; false when there is nobody at this point. */
const victims = {
  async run(world) {
    const [pid] = runs(world.nangod);
    if (pid) await kill(pid);
    return pid !== undefined;
  },
  async zygote(world) {
    const [pid] = zygotes(world.nangod);
    if (pid) await kill(pid);
    return pid !== undefined;
  },
  async nangod(world) {
    const left = [...zygotes(world.nangod), ...runs(world.nangod)];
    await world.nangod.kill("SIGKILL");
    await until(() => left.every((pid) => !isAlive(pid)), "a process outlives its nangod");
    return true;
  },
  async postgres(world) {
    await world.cluster.kill();
    return true;
  },
};

/** Statements of the run and frames; not those of ticks, leases and deliveries beside it. */
const isOwn = ({ label }) =>
  /^(takes|sends) |^(before|after) (BEGIN|COMMIT|COPY )|write_page|complete_runs|SELECT id, epoch, seq, live|SELECT nango_data\.clock_now\(\)$|WITH held AS/.test(label) ||
  (/nango_data\.(record|dataset|fence|checkpoint|seen|quarantine)/.test(label) && !/WITH picked/.test(label));

/** The points of an undisturbed run, each with how often its label came before, whether the run's process
 * has ended by then: nobody could be killed there; and whether nobody did anything since the point before:
 * behind one statement and before the next, every victim leaves the same. */
async function pointsOf(world, connection) {
  const counts = new Map();
  const all = [];
  world.faults.watch((label) => {
    const nth = (counts.get(label) ?? 0) + 1;
    counts.set(label, nth);
    const isSame = label.startsWith("before ") && all.at(-1)?.label.startsWith("after ");
    all.push({ label, nth, isSame, isOver: runs(world.nangod).length === 0 });
  });
  await world.trigger(connection);
  const last = () => all.findIndex(({ label }) => label.startsWith("after") && label.includes("complete_runs"));
  await until(() => last() > 0, () => all.map(({ label }) => label).join("\n"), 40);
  world.faults.watch(undefined);
  await world.settled(connection);
  return all.slice(0, last() + 1).filter(isOwn);
}

/** A run that nobody disturbed, and its points: those of two runs are the same. What else a node did beside
 * one, a tick or a delivery, may begin and commit, too, and such a point would not be reached again. */
async function undisturbedRun(world) {
  const text = (points) => points.map(({ label, nth }) => `${nth} x ${label}`).join("\n");
  for (let last, attempt = 0; attempt < 10; attempt++) {
    const [connection] = await world.connect(1);
    const points = await pointsOf(world, connection);
    if (last === text(points)) return { connection, points };
    last = text(points);
  }
  throw new Error("no two runs have the same points");
}

/** Leases of the run that was given up, and of a webhook whose delivery could not be written down, are over. */
const leasesAreOver = `UPDATE nango.clock SET offset_by = offset_by + interval '${LEASE_MS} milliseconds';
  UPDATE nango_data.clock SET offset_by = offset_by + interval '61 seconds'`;

async function disturb(world, connection, point, victim) {
  const reached = world.faults.hold(point);
  // Not waited for: a node that is held answers nobody.
  const triggered = world.trigger(connection).catch((err) => err);
  const go = await Promise.race([reached, passed(20_000, null, { ref: false })]);
  if (!go) {
    world.faults.forget();
    return "missed";
  }
  const was = await victims[victim](world);
  go();
  await triggered;
  if (victim === "postgres") {
    await world.cluster.up();
    await world.cluster.sql(leasesAreOver);
  }
  if (victim === "nangod") {
    // What it had asked Postgres for is done, or not. Then the lease of its run is over.
    await world.none("pg_stat_activity WHERE application_name = 'nangod'");
    await world.cluster.sql(leasesAreOver);
    await world.serve();
  }
  await world.settled(connection);
  return was ? "killed" : "nobody";
}

/** All points, each with this one killed there, in a world of its own. */
async function killEverywhere(t, victim) {
  const world = await World.start(t);
  const { connection, points } = await undisturbedRun(world);
  const expected = await world.picture(connection);
  for (const part of ["write_page", "complete_runs", "nango_data.record", "outbox", "takes DONE", "takes WINDOW", "before SELECT nango_data.clock_now()"])
    assert.ok(points.some(({ label }) => label.includes(part)), `${part} is a point`);
  assert.ok(points.length >= LEAST_POINTS, `${points.length} points:\n${points.map((p) => p.label).join("\n")}`);
  assert.deepEqual(expected.records.map(([id, , action]) => [id, action]), [["1", 1], ["7", 1], ["2", 2], ["9", 1], ["5", 2], ["11", 1], ["3", 2], ["4", 3], ["6", 2], ["10", 1], ["8", 3]]);
  assert.deepEqual(expected.counts, [11, 4, 2]);
  assert.deepEqual(expected.announced, { added: 11, updated: 4, deleted: 2 });
  assert.equal(expected.marks, 0);

  // Where the run's process has ended there is nobody to kill, and the run that was not disturbed has shown it.
  const risky = points.filter(({ isOver, isSame }) => (victim === "run" ? !isOver : !isSame));
  const outcomes = { killed: 0, nobody: 0, missed: 0 };
  const connections = await world.connect(risky.length);
  for (const [at, point] of risky.entries()) {
    const outcome = await disturb(world, connections[at], point, victim);
    outcomes[outcome]++;
    if (outcome === "missed") t.diagnostic(`missed: ${point.nth} x ${point.label}`);
    else assert.deepEqual(await world.picture(connections[at]), expected, `${victim} killed at ${point.nth} x ${point.label}`);
  }
  t.diagnostic(`${victim}: ${points.length} points, ${risky.length} that differ for it, ${JSON.stringify(outcomes)}`);
  assert.equal(outcomes.missed, 0, "every point is reached");
  assert.ok(outcomes.killed >= (victim === "run" ? LEAST_RUNS : LEAST_OTHERS), JSON.stringify(outcomes));
  t.diagnostic(`${world.failures} failures were told of`);
  if (victim === "run") assert.ok(world.failures > 0, "a killed run is a failure");
}

// All worlds side by side: each mostly waits for a process to start or to end.
test("kill -9 of anything at every statement and frame of a run's pages and end", { timeout: 900_000, concurrency: 4 }, async (t) => {
  const only = process.env.CRASH_VICTIM?.split(",") ?? Object.keys(victims);
  await Promise.all(only.map((victim) => t.test(victim, (t) => killEverywhere(t, victim))));
});
