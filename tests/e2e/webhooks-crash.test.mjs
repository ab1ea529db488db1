// SPDX-License-Identifier: Apache-2.0
// Webhooks under kill -9, and from three nodes: none lost, none invented, none sent twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { psql, scratch, serve, start, until } from "./lib/nangod.mjs";
import { provider as httpServer } from "./lib/provider.mjs";

const facts = JSON.stringify({ connectionId: "acme", providerConfigKey: "x", syncName: "items", syncVariant: "base", syncType: "INCREMENTAL" });

/** n events of runs, as ingest and the ends of runs write them; half as many of connections. */
async function write(nangod, n) {
  const env = "(SELECT id FROM nango.environment WHERE name = 'dev')";
  await psql(nangod, `
    INSERT INTO nango_data.outbox (connection_id, run_id, kind, model, environment_id, state, added, facts, created_at, ready_at, due_at)
    SELECT g % 10, g, 'sync', 'Item', ${env}, 'due', 1, '${facts}', nango_data.clock_now(), nango_data.clock_now(), nango_data.clock_now()
    FROM generate_series(1, ${n}) g`);
  await psql(nangod, `
    INSERT INTO nango.outbox (connection_id, environment_id, kind, facts)
    SELECT 0, ${env}, 'auth_creation', '{"operation":"creation"}' FROM generate_series(1, ${n / 2})`);
  const ids = await psql(nangod, "SELECT event_id FROM nango_data.outbox UNION ALL SELECT event_id FROM nango.outbox");
  return ids.split("\n");
}

/** told: webhook-id → how often; full: it was told so much that the next requests wait. */
async function app(t, answer = () => ({ json: {} })) {
  const server = await httpServer(t);
  const told = new Map();
  server.reply("POST /hook", (request) => {
    const id = request.headers["webhook-id"];
    told.set(id, (told.get(id) ?? 0) + 1);
    return answer(id, told);
  });
  return { url: `${server.url}/hook`, told, server };
}

test("kill -9 in the middle of 1,000 deliveries: none lost, none invented", async (t) => {
  const dataDir = scratch(t);
  const first = await start(t, { dataDir });
  const middle = Promise.withResolvers();
  const answered = new Set();
  const { url, told } = await app(t, async (id, all) => {
    if (all.size >= 400) middle.resolve();
    if (middle.isOver !== true && all.size >= 400) await middle.killed; // in flight when it dies
    answered.add(id);
    return { json: {} };
  });
  let killed;
  middle.killed = new Promise((done) => (killed = done));
  await first.ok("PATCH", "/environment/webhooks", { body: { primary_url: url } });
  const written = await write(first, 668);
  assert.equal(written.length, 1002);
  await middle.promise;
  await first.kill("SIGKILL");
  middle.isOver = true;
  killed();
  const before = new Map(told);
  assert.ok(before.size < written.length, "it was killed in the middle");

  const again = await start(t, { dataDir });
  // The leases of the dead node run out.
  await psql(again, "UPDATE nango.clock SET offset_by = '2 minutes'");
  await psql(again, "UPDATE nango_data.clock SET offset_by = '2 minutes'");
  const open = "SELECT count(*) FROM (SELECT state FROM nango_data.outbox UNION ALL SELECT state FROM nango.outbox) o WHERE state <> 'delivered'";
  await until(async () => (await psql(again, open)) === "0", async () => `${await psql(again, open)} are open; ${told.size} were told of`, 60);
  assert.deepEqual([...told.keys()].sort(), [...written].sort(), "what was told is what was written");
  const twice = [...told].filter(([, n]) => n > 1);
  assert.ok(twice.every(([id, n]) => n === 2 && before.has(id)), "only what had been sent to the app already is repeated, once");
  assert.ok(twice.length < 400, `${twice.length} repeats`);
});

test("three nodes deliver together, and no event is sent twice", async (t) => {
  const first = await start(t);
  const gate = Promise.withResolvers();
  const { url, told } = await app(t, async (id, all) => {
    // A node has 24 in flight to one destination: 60 at once are the work of three.
    if (all.size >= 60) gate.resolve();
    await gate.promise;
    return { json: {} };
  });
  await serve(t, first);
  await serve(t, first);
  await first.ok("PATCH", "/environment/webhooks", { body: { primary_url: url } });
  const written = await write(first, 400);
  const open = "SELECT count(*) FROM (SELECT state FROM nango_data.outbox UNION ALL SELECT state FROM nango.outbox) o WHERE state <> 'delivered'";
  await until(async () => (await psql(first, open)) === "0", async () => `${await psql(first, open)} are open`, 60);
  assert.deepEqual([...told.keys()].sort(), [...written].sort());
  assert.ok([...told.values()].every((n) => n === 1), "each once");
});
