// SPDX-License-Identifier: Apache-2.0
// The queue: limits, shares, leases, attempts, waiting too long, notices between nodes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deployItems, item, key } from "./lib/items.mjs";
import { deployed } from "./lib/ledger.mjs";
import { children, psql, serve, start, until } from "./lib/nangod.mjs";

/** A claim as a node makes it: connections of the claimed runs. */
const claim = (nangod, { room = 100, lease = 30_000, environment = 0, provider = 0, connection = 0 } = {}) =>
  psql(nangod, `SELECT connection_id FROM nango.claim_runs(${room}, ${lease}, ${environment}, ${provider}, ${connection}) WHERE run_id IS NOT NULL ORDER BY 1`).then((out) => (out === "" ? [] : out.split("\n").map(Number)));
/** Runs by [environment, integration, connection, how many]. */
const fill = (nangod, rows) =>
  psql(nangod, rows.map(([e, i, c, n]) => `INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, kind, due_at) SELECT 1, ${e}, ${i}, ${c}, 1, nango.clock_now() - interval '1 second' FROM generate_series(1, ${n})`).join(";"));

const count = (list) => Object.fromEntries([...new Set(list)].map((c) => [c, list.filter((x) => x === c).length]));
/** Integrations 1 and 2 of one provider and 3 of another, in environment 1. */
const integrations = (nangod) =>
  psql(nangod, ["github", "github", "wordpress"].map((provider, i) => `INSERT INTO nango.integration (account_id, environment_id, unique_key, provider) VALUES (1, 1, 'i${i + 1}', '${provider}')`).join(";"));

test("a claim keeps to the limits of environment, provider and connection, in all nodes together", async (t) => {
  const nangod = await start(t, { env: { NANGO_ROLES: "api" } });
  await integrations(nangod);
  const cases = [
    ["no limit", [[1, 1, 1, 5]], {}, { 1: 5 }, {}],
    ["the room", [[1, 1, 1, 5]], { room: 2 }, { 1: 2 }, { 1: 2 }],
    ["a connection's limit holds over claims", [[1, 1, 1, 5], [1, 1, 2, 1]], { connection: 2 }, { 1: 2, 2: 1 }, {}],
    ["a provider's, summed over its integrations", [[1, 1, 1, 3], [1, 2, 2, 3], [1, 3, 3, 3]], { provider: 4 }, { 1: 3, 2: 1, 3: 3 }, {}],
    ["a full provider does not hide the others", [[1, 1, 1, 100], [1, 2, 2, 2000], [1, 3, 3, 1]], { provider: 3, room: 10 }, { 1: 3 }, { 3: 1 }],
    ["a provider's and a connection's together", [[1, 1, 1, 5], [1, 2, 2, 5], [1, 3, 3, 5]], { provider: 3, connection: 2 }, { 1: 2, 2: 1, 3: 2 }, {}],
    ["an environment's", [[1, 1, 1, 9]], { environment: 4 }, { 1: 4 }, {}],
    ["a full connection does not hide the others, however much it has queued", [[1, 1, 1, 2000], [1, 1, 2, 1]], { connection: 3, room: 10 }, { 1: 3 }, { 2: 1 }],
    ["an environment at its limit leaves the turn to the other", [[1, 1, 1, 4], [2, 2, 2, 2]], { environment: 2, room: 4 }, { 1: 2 }, { 2: 2 }],
  ];
  for (const [why, rows, limits, first, second] of cases) {
    await psql(nangod, "TRUNCATE nango.queue, nango.turn; SELECT setval('nango.turn_at', 0)");
    await fill(nangod, rows);
    assert.deepEqual([count(await claim(nangod, limits)), count(await claim(nangod, limits))], [first, second], why);
  }
});

test("each environment gets its share of the room; a lease that ran out is due again and counts no more", async (t) => {
  const nangod = await start(t, { env: { NANGO_ROLES: "api" } });
  await psql(nangod, "INSERT INTO nango.environment (account_id, name, record_key) VALUES (1, 'third', '')");
  await fill(nangod, [[1, 1, 1, 50], [2, 2, 2, 50], [3, 3, 3, 50]]);
  const turns = [];
  for (let i = 0; i < 6; i++) turns.push(await claim(nangod, { room: 9 }));
  assert.deepEqual(turns.map((list) => list.length), [3, 3, 3, 3, 3, 3]);
  for (const at of [0, 1, 2, 3]) assert.equal(new Set(turns.slice(at, at + 3).map((list) => list[0])).size, 3, "any three turns serve all three");

  await psql(nangod, "TRUNCATE nango.queue");
  await fill(nangod, [[1, 1, 1, 1]]);
  assert.deepEqual(await claim(nangod, { environment: 1 }), [1]);
  assert.deepEqual(await claim(nangod, { environment: 1 }), []);
  const before = await psql(nangod, "SELECT token FROM nango.queue");
  await psql(nangod, "UPDATE nango.clock SET offset_by = '31 seconds'");
  assert.deepEqual(await claim(nangod, { environment: 1 }), [1]);
  assert.ok(Number(await psql(nangod, "SELECT token FROM nango.queue")) > Number(before));
  assert.equal(await psql(nangod, "SELECT attempts FROM nango.queue"), "2");
});

test("a turn is as long as the environment's weight, and goes on over claims; what is left is kept", async (t) => {
  const nangod = await start(t, { env: { NANGO_ROLES: "api" } });
  await fill(nangod, [[1, 1, 1, 50], [2, 2, 2, 50]]);
  await psql(nangod, "UPDATE nango.environment SET runs_weight = 3 WHERE id = 1");
  const turns = [];
  for (let i = 0; i < 12; i++) turns.push((await claim(nangod, { room: 1 }))[0]);
  assert.deepEqual(turns, [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2]);
  // 5 / 4 of the room are a turn: three quarters of a run and more are owed and paid later.
  await psql(nangod, "TRUNCATE nango.turn; SELECT setval('nango.turn_at', 2)");
  const sizes = [];
  for (let i = 0; i < 8; i++) sizes.push(count(await claim(nangod, { room: 5 })));
  assert.deepEqual(sizes, [{ 1: 3 }, { 2: 1 }, { 1: 4 }, { 2: 1 }, { 1: 4 }, { 2: 1 }, { 1: 4 }, { 2: 2 }]);
});

test("a claim looks at so many environments at most; the next one goes on behind them", async (t) => {
  const nangod = await start(t, { env: { NANGO_ROLES: "api" } });
  await fill(nangod, Array.from({ length: 100 }, (_, i) => [i + 1, 1, 1, 1]));
  await psql(nangod, "UPDATE nango.queue SET due_at = 'infinity' WHERE environment_id < 90");
  assert.deepEqual(await claim(nangod), [], "the first 64 have nothing that is due");
  assert.equal((await claim(nangod)).length > 0, true);
});

test("two nodes that claim at once keep to the limits exactly", async (t) => {
  const nangod = await start(t, { env: { NANGO_ROLES: "api" } });
  await integrations(nangod);
  const limits = { room: 7, environment: 40, provider: 25, connection: 3 };
  await fill(nangod, Array.from({ length: 60 }, (_, i) => [1, (i % 3) + 1, i + 1, 10]));
  const most = async (column, from = "") => Number(await psql(nangod, `SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM nango.queue q ${from} WHERE q.is_claimed GROUP BY ${column}) x`));
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 16 }, () => claim(nangod, limits)));
    assert.ok((await most("environment_id")) <= 40 && (await most("connection_id")) <= 3, "environment and connection");
    assert.ok((await most("i.provider", "JOIN nango.integration i ON i.id = q.integration_id")) <= 25, "provider");
  }
  assert.equal(await most("environment_id"), 40, "and what there is room for is claimed");
  await psql(nangod, "DELETE FROM nango.queue WHERE is_claimed AND run_id % 2 = 0");
  await Promise.all(Array.from({ length: 16 }, () => claim(nangod, limits)));
  assert.equal(await most("environment_id"), 40);
});

test("a token rises with each claim of a run, and is not one that a crash could give out again", async (t) => {
  const nangod = await start(t, { env: { NANGO_ROLES: "api" } });
  await fill(nangod, [[1, 1, 1, 1]]);
  const token = async () => BigInt(await psql(nangod, "SELECT token FROM nango.queue"));
  const again = async () => {
    await psql(nangod, "UPDATE nango.queue SET due_at = nango.clock_now()");
    assert.deepEqual(await claim(nangod), [1]);
    return token();
  };
  const first = await again();
  const second = await again();
  assert.ok(second > first);
  // As if the second claim had been lost: its token is not given out once more.
  await psql(nangod, `UPDATE nango.queue SET token = ${first}`);
  assert.ok((await again()) > second);
  await psql(nangod, "UPDATE nango.queue SET token = 9000000000000000000");
  assert.ok((await again()) > 9000000000000000000n, "whatever the clock says");
});

test("a run that waited too long, or was begun too often, is not started", async (t) => {
  const { nangod, provider, connect, trigger } = await deployItems(t, { env: { NANGO_SYNC_START_MS: "60000", NANGO_RUN_ATTEMPTS_MAX: "3" } });
  await connect();
  await nangod.settled(key, "acme", "items");
  const asked = provider.requests.length;
  const put = (columns, values) => psql(nangod, `INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at, ${columns})
    SELECT account_id, environment_id, integration_id, connection_id, id, 1, nango.clock_now(), ${values} FROM nango.sync WHERE name = 'items'`);
  const ended = async (message) => {
    await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.queue")) === "0");
    const status = await nangod.settled(key, "acme", "items");
    assert.deepEqual([status.latestError.cause, status.latestError.code], ["expired", "run_expired"]);
    assert.match(status.latestError.message, message);
  };
  await put("created_at", "nango.clock_now() - interval '2 minutes'");
  await ended(/waited for 12\d{4} ms; after 60000 ms/);
  await put("attempts", "3");
  await ended(/begun 3 times and never came to an end/);
  assert.equal(provider.requests.length, asked, "nothing was asked of the provider");
  await trigger();
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
});

/** Limits of each kind in seconds, all different; what a run in time ends with. Nothing makes events and webhooks
 * of a plugin yet, so theirs find no function when they were begun. */
const kinds = [
  { kind: 1, name: "SYNC", start: 100, deadline: 1000, begun: "", path: "/sync" },
  { kind: 2, name: "ACTION", start: 200, deadline: 2000, begun: "", path: "/action" },
  { kind: 3, name: "EVENT", start: 300, deadline: 3000, begun: "load" },
  { kind: 4, name: "WEBHOOK", start: 400, deadline: 4000, begun: "load" },
];

test("each kind of run has a start limit and a deadline of its own", async (t) => {
  const env = Object.fromEntries(kinds.flatMap(({ name, start, deadline }) => [[`NANGO_${name}_START_MS`, start * 1000], [`NANGO_${name}_DEADLINE_MS`, deadline * 1000]]));
  const { nangod, provider } = await deployed(t, "kinds", { env });
  for (const path of ["/sync", "/action"]) provider.reply(`GET ${path}`, { json: {} });
  /** The end of a run that was queued, or begun, so many seconds ago. */
  const end = async (kind, column, seconds) => {
    const id = await psql(nangod, `INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at, ${column})
      SELECT account_id, environment_id, integration_id, connection_id, id, ${kind}, nango.clock_now(), nango.clock_now() - interval '${seconds} seconds' FROM nango.sync WHERE name = 'work' RETURNING run_id`);
    return until(async () => {
      const answer = await nangod.call("GET", `/runs/${id}`);
      return answer.status === 200 && answer.body.finished_at ? answer.body : undefined;
    }, () => nangod.log());
  };
  const asked = (path) => provider.requests.filter((request) => request.path === path).length;
  const MARGIN = 20; // seconds that a slow machine may take
  for (const { kind, name, start, deadline, begun, path } of kinds) {
    const before = asked(path);
    const late = await end(kind, "created_at", start + 1);
    assert.deepEqual([late.kind, late.state, late.cause, late.code], [name.toLowerCase(), "failed", "expired", "run_expired"], name);
    assert.match(late.message, new RegExp(`waited for \\d+ ms; after ${start}000 ms it is not started`));
    const over = await end(kind, "started_at", deadline + 1);
    assert.deepEqual([over.state, over.cause], ["failed", "expired"], name);
    assert.match(over.message, /begun \d+ s ago, parked and begun again/);
    assert.equal(asked(path), before, `${name}: neither was started`);
    assert.equal((await end(kind, "created_at", start - MARGIN)).cause, begun, `${name}: in time`);
    assert.equal((await end(kind, "started_at", deadline - MARGIN)).cause, begun, `${name}: in time`);
    if (path) assert.equal(asked(path), before + 2);
  }
  provider.reply("GET /action", () => new Promise(() => {}));
  const killed = await end(2, "started_at", 2000 - 5);
  assert.deepEqual([killed.state, killed.cause, killed.kind], ["failed", "deadline", "action"]);
  assert.match(killed.message, /limit: \d{1,4} ms from this start on/);
});

test("a run whose process was lost comes back after a pause that grows", async (t) => {
  const { nangod, provider, connect } = await deployItems(t);
  const gates = [];
  provider.reply("GET /items", () => new Promise((done) => gates.push(() => done({ json: [] }))));
  await connect();
  for (const attempt of [1, 2]) {
    await until(() => gates.length === attempt);
    process.kill(children(nangod.pid).at(-1), "SIGKILL");
    const row = await until(async () => (await psql(nangod, "SELECT attempts, extract(epoch FROM due_at - nango.clock_now()) FROM nango.queue WHERE NOT is_claimed")) || undefined, "it did not come back");
    const [attempts, wait] = row.split("|").map(Number);
    assert.equal(attempts, attempt);
    assert.ok(wait <= 0.5 * attempt && wait > 0.5 * attempt - 0.45, `${wait} s after attempt ${attempt}`);
  }
  await until(() => gates.length === 3);
  for (const open of gates) open();
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
});

test("work is noticed by another node at once, and without notices by the tick", async (t) => {
  const { nangod, connect, trigger } = await deployItems(t, { pages: [[item(1)]], env: { NANGO_ROLES: "api,scheduler" } });
  const worker = await serve(t, nangod, { NANGO_ROLES: "api,worker", NANGO_TICK_MS: "60000" });
  const runs = () => psql(nangod, "SELECT count(*) FROM nango.run").then(Number);
  await connect();
  await until(async () => (await runs()) === 1, () => worker.log());
  for (const n of [2, 3]) {
    await trigger();
    await until(async () => (await runs()) === n, () => worker.log(), 10); // far below its tick
  }
  await worker.stop();
  const deaf = await serve(t, nangod, { NANGO_ROLES: "api,worker", NANGO_DATABASE_DIRECT_URL: "host=/nowhere dbname=none" });
  await trigger();
  await until(async () => (await runs()) === 4, () => deaf.log());
  assert.match(deaf.log(), /no notices, work is found by the tick: cannot listen/);
});
