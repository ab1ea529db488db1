// SPDX-License-Identifier: Apache-2.0
// Leases: heartbeats that come late, that find a claim gone, and that wait for no page.
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { deployItems, item, key } from "./lib/items.mjs";
import { psql, socketDir, until } from "./lib/nangod.mjs";

/** Body while a transaction holds the locks that text takes; a node that is held here would not end. */
async function whileLocked(nangod, text, body) {
  const client = new pg.Client({ host: socketDir(nangod), user: "nango", database: "postgres" });
  await client.connect();
  try {
    await client.query(`BEGIN; ${text}`);
    return await body();
  } finally {
    await client.end();
  }
}

/** Statements of the node that wait for a lock. */
const waiting = (nangod, like) => psql(nangod, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'nangod' AND query LIKE '%${like}%'`).then(Number);
const BEAT = "set_config(''synchronous_commit''%m(run_id, token)";
/** Asks all nodes for their leases, long before it is time. */
const beat = (nangod) => psql(nangod, "NOTIFY nango, 'gone test'");

/** Every request for page 1 waits; open(n) answers the n-th, counted from 0. */
function gated(provider) {
  const gates = [];
  provider.reply("GET /items", ({ query }) => (query.get("page") === "1" ? new Promise((done) => gates.push(() => done({ json: [item(1)] }))) : { json: [] }));
  return gates;
}

const due = (nangod, where) => psql(nangod, `UPDATE nango.queue SET due_at = nango.clock_now() WHERE ${where}; NOTIFY nango, 'due test'`);
const gone = (nangod) => nangod.log().match(/run \d+ \(items of [^)]*\): the lease is gone \(lost lease\), nothing more is written/g) ?? [];

test("a heartbeat that comes late does not end the run's next attempt", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_LEASE_MS: "600000" } });
  const gates = gated(provider);
  await connect();
  await until(() => gates.length === 1, () => nangod.log());
  const run = await psql(nangod, "SELECT run_id FROM nango.queue");
  // The beat, which asks for the first attempt, holds still: it reads the history.
  await whileLocked(nangod, "LOCK TABLE nango.run IN ACCESS EXCLUSIVE MODE", async () => {
    await beat(nangod);
    await until(async () => (await waiting(nangod, BEAT)) === 1, "no heartbeat came");
    await due(nangod, "true");
    await until(() => gates.length === 2, () => nangod.log());
  });
  await until(() => gone(nangod).length > 0, () => nangod.log());
  gates[1]();
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.run")) === "1", () => nangod.log());
  assert.equal(await psql(nangod, `SELECT attempts || state FROM nango.run WHERE id = ${run}`), "2success");
  assert.equal(gone(nangod).length, 1, "the first attempt, and only that, lost its lease");
});

/** Two runs under way, the second ones of acme and other; their leases of ten minutes end in one. */
async function twoRuns(t) {
  const it = await deployItems(t, { env: { NANGO_LEASE_MS: "600000" } });
  for (const id of ["acme", "other"]) {
    await it.connect({ id });
    await it.nangod.settled(key, id, "items");
  }
  const gates = gated(it.provider);
  for (const [at, id] of ["acme", "other"].entries()) {
    await it.trigger({ connection_id: id });
    await until(() => gates.length === at + 1, () => it.nangod.log());
  }
  const run = async (id) => psql(it.nangod, `SELECT run_id FROM nango.queue q JOIN nango.connection c ON c.id = q.connection_id WHERE c.connection_id = '${id}'`);
  await psql(it.nangod, "UPDATE nango.queue SET due_at = nango.clock_now() + interval '1 minute'");
  const renewed = (id) => psql(it.nangod, `SELECT count(*) FROM nango.queue WHERE run_id = ${id} AND due_at > nango.clock_now() + interval '9 minutes'`).then(Number);
  return { ...it, gates, acme: await run("acme"), other: await run("other"), run, renewed };
}

test("a run whose row somebody holds is neither renewed nor lost, and costs no other its lease", async (t) => {
  const { nangod, gates, acme, other, renewed } = await twoRuns(t);
  await whileLocked(nangod, `SELECT FROM nango.queue WHERE run_id = ${acme} FOR UPDATE`, async () => {
    await beat(nangod);
    await until(async () => (await renewed(other)) === 1, "the other lease was not renewed");
    assert.equal(await renewed(acme), 0);
  });
  await beat(nangod);
  await until(async () => (await renewed(acme)) === 1, "the next beat did not renew it");
  for (const open of gates) open();
  for (const id of ["acme", "other"]) assert.equal((await nangod.settled(key, id, "items")).status, "SUCCESS");
  assert.equal(await psql(nangod, "SELECT string_agg(attempts || state, ' ') FROM nango.run"), "1success 1success 1success 1success");
  assert.deepEqual(gone(nangod), []);
});

test("a reset that waits keeps no lease from being renewed and no run from ending", async (t) => {
  const { nangod, trigger, gates, acme, other, run, renewed } = await twoRuns(t);
  let reset;
  await whileLocked(nangod, "SELECT FROM nango_data.checkpoint WHERE connection_id = (SELECT id FROM nango.connection WHERE connection_id = 'acme') FOR UPDATE", async () => {
    reset = trigger({ opts: { reset: true, emptyCache: true } });
    await until(async () => (await waiting(nangod, "")) === 1, "the reset does not wait");
    await beat(nangod);
    await until(async () => (await renewed(other)) === 1, "the other lease was not renewed");
    assert.equal(await renewed(acme), 1, "it is acme's until it is ended");
    // What the run used whose fence is closed is added, and the other one ends.
    gates[0]();
    await until(async () => (await psql(nangod, `SELECT requests FROM nango.queue WHERE run_id = ${acme}`)) !== "", () => nangod.log());
    gates[1]();
    await until(async () => (await run("other")) === "", "the other run did not leave the queue");
    // Whoever claims what is left of it only writes it off, and says why it ended.
    await due(nangod, `run_id = ${acme}`);
    await until(async () => (await psql(nangod, `SELECT state || cause || message FROM nango.run WHERE id = ${acme}`)) === "cancelledcancelledthe sync was reset", () => nangod.log());
    assert.equal(gates.length, 2, "it was not begun again");
    assert.equal(await run("acme"), "", "and no new run comes before the old records are gone");
  });
  await reset;
  await until(() => gates.length === 3, () => nangod.log());
  gates[2]();
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.equal(await psql(nangod, `SELECT string_agg(attempts || state, ' ' ORDER BY id) FROM nango.run WHERE id >= ${acme}`), "2cancelled 1success 1success");
});

test("what a run used whose row somebody holds is added later; others end meanwhile", async (t) => {
  const { nangod, gates, acme, run } = await twoRuns(t);
  await psql(nangod, `UPDATE nango_data.fence SET state = 'cancelled' WHERE run_id = ${acme}`);
  await whileLocked(nangod, `SELECT FROM nango.queue WHERE run_id = ${acme} FOR UPDATE`, async () => {
    gates[0]();
    await until(async () => (await waiting(nangod, "UPDATE nango.queue q SET requests")) === 1, () => nangod.log());
    gates[1]();
    await until(async () => (await run("other")) === "", "the other run did not leave the queue");
  });
  await until(async () => Number(await psql(nangod, `SELECT requests FROM nango.queue WHERE run_id = ${acme}`)) > 0, () => nangod.log());
});

/** Beats until one was sent, answered and heeded that began after this call. */
async function beatHeeded(nangod) {
  for (let i = 0; i < 2; i++) {
    const since = await psql(nangod, "SELECT clock_timestamp()");
    await until(async () => {
      await beat(nangod);
      return (await psql(nangod, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nangod' AND query LIKE '%${BEAT}%' AND query_start > '${since}'`)) !== "0";
    }, "no heartbeat came");
  }
}

test("a run that is cancelled while it is prepared does not start", async (t) => {
  const { nangod, provider, connect, trigger } = await deployItems(t, { env: { NANGO_LEASE_MS: "600000" } });
  await connect();
  await nangod.settled(key, "acme", "items");
  const before = provider.requests.length;
  let cancelled;
  await whileLocked(nangod, "LOCK TABLE nango_data.checkpoint IN ACCESS EXCLUSIVE MODE", async () => {
    await trigger();
    await until(async () => (await waiting(nangod, "nango_data.checkpoint")) === 1, "it is not being prepared");
    const id = await psql(nangod, "SELECT run_id FROM nango.queue");
    cancelled = await nangod.ok("POST", `/runs/${id}/cancel`);
    await beatHeeded(nangod);
  });
  assert.equal(cancelled.state, "cancelled");
  await until(() => /the lease is gone \(cancelled\), nothing more is written/.test(nangod.log()), () => nangod.log());
  assert.equal(provider.requests.length, before, "it asked the provider for nothing");
});

test("a heartbeat waits for no page", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_LEASE_MS: "600000", NANGO_WORKER_THREADS: "2" } });
  const gates = gated(provider);
  for (const id of ["a", "b", "c"]) await connect({ id });
  await until(() => gates.length === 3, () => nangod.log());
  // Every thread that commits pages has one in hand, and a third page is queued behind them.
  await whileLocked(nangod, "SELECT FROM nango_data.fence FOR UPDATE", async () => {
    for (const open of gates) open();
    await until(async () => (await waiting(nangod, "")) === 2, () => nangod.log());
    await psql(nangod, "UPDATE nango.queue SET due_at = nango.clock_now() + interval '1 minute'");
    await beat(nangod);
    const renewed = () => psql(nangod, "SELECT count(*) FROM nango.queue WHERE due_at > nango.clock_now() + interval '9 minutes'").then(Number);
    await until(async () => (await renewed()) === 3, "the leases were not renewed");
    assert.equal(await waiting(nangod, ""), 2, "and the pages wait still");
  });
  for (const id of ["a", "b", "c"]) assert.equal((await nangod.settled(key, id, "items")).status, "SUCCESS");
});

test("a claim that another node took is lost: its run ends and writes nothing more", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_LEASE_MS: "600000" } });
  const gates = gated(provider);
  for (const [at, id] of ["acme", "other"].entries()) {
    await connect({ id });
    await until(() => gates.length === at + 1, () => nangod.log());
  }
  const [run] = (await psql(nangod, "SELECT run_id FROM nango.queue ORDER BY run_id")).split("\n");
  // As another node leaves it that found the lease run out.
  await psql(nangod, `UPDATE nango.queue SET token = nango.next_token(token), attempts = attempts + 1 WHERE run_id = ${run}`);
  const row = () => psql(nangod, `SELECT token, attempts, is_claimed, due_at, requests FROM nango.queue WHERE run_id = ${run}`);
  const taken = await row();
  await beat(nangod);
  await until(() => gone(nangod).length > 0, () => nangod.log());
  gates[0]();
  gates[1]();
  assert.equal((await nangod.settled(key, "other", "items")).status, "SUCCESS", "the others go on");
  assert.equal(gone(nangod).length, 1);
  const before = taken.split("|");
  const after = await until(async () => { const now = (await row()).split("|"); return now[4] !== "" && now; }, "what it used is not added");
  assert.deepEqual(after.slice(0, 4), before.slice(0, 4), "the claim is the other node's as it was");
  assert.deepEqual((await nangod.records(key, "acme", "Item")).records, [], "it stored nothing");
  // The other node fell silent, too.
  await due(nangod, `run_id = ${run}`);
  await until(() => gates.length === 3, () => nangod.log());
  gates[2]();
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.equal(await psql(nangod, `SELECT attempts FROM nango.run WHERE id = ${run}`), "3");
});
