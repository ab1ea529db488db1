// SPDX-License-Identifier: Apache-2.0
// A provider's limit is kept by all nodes together, used to its end, and a refusal stops them all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { key } from "./lib/items.mjs";
import { declare, limitedProvider, load } from "./lib/limited.mjs";
import { psql, until } from "./lib/nangod.mjs";

const RATE = 10;
const perClient = [{ per: "client", requests: RATE, seconds: 1, burst: 10 }];
const pause = (ms) => new Promise((done) => setTimeout(done, ms)); // of measured time, not for an event

test("three nodes keep to 10 requests a second, and use them; a refusal stops all; a dead node takes its slice only", async (t) => {
  const provider = await limitedProvider(t, { rate: RATE, burst: 10 });
  const env = { NANGO_PROVIDERS: declare(t, perClient), NANGO_RUNS_MAX: "4", NANGO_CONNECTION_RUNS_MAX: "0", NANGO_LOG: "info" };
  const nodes = await load(t, provider, { nodes: 3, connections: 12, env });
  const { since, state } = provider;

  await until(() => state.calls.length >= 30, "the load never came");
  const from = performance.now();
  await pause(8000);
  const calls = since(from, from + 8000);
  assert.deepEqual(calls.filter((c) => c.status !== 200), [], "no call is refused");
  assert.ok(calls.length >= 0.95 * RATE * 8, `${calls.length} of ${RATE * 8} were used`);
  const shares = Array.from({ length: 12 }, (_, i) => calls.filter((c) => c.who === `c${i + 1}`).length);
  t.diagnostic(`${calls.length} of ${RATE * 8} in 8 s; by connection ${shares}`);
  assert.ok(Math.min(...shares) >= 3, `every connection has its turn: ${shares}`);
  assert.equal(await psql(nodes[0], "SELECT count(*) FROM nango.budget"), "1");

  // One refusal, on whatever node it is.
  provider.refuseNext({ "retry-after": "2" });
  const refused = await until(() => state.calls.find((c) => c.status === 429), "nothing was refused");
  await until(() => since(refused.at + 2000).length >= 5, "it does not go on", 10);
  const meanwhile = since(refused.at + 250, refused.at + 1990);
  assert.deepEqual(meanwhile, [], "no call while the provider is to be left alone");

  // A node dies with what it has leased.
  await until(() => since(refused.at + 3000).length > 0, "it does not go on");
  const died = performance.now();
  await nodes[2].kill("SIGKILL");
  await pause(4000);
  const after = since(died, died + 4000);
  assert.deepEqual(after.filter((c) => c.status !== 200), []);
  t.diagnostic(`${after.length} of ${RATE * 4} in the 4 s after a node died`);
  assert.ok(after.length >= RATE * 4 - 5, `${after.length} of ${RATE * 4} after a node died`);
  provider.end();
});

test("a refusal parks the runs of its whole scope, whatever node and connection", async (t) => {
  const provider = await limitedProvider(t, { rate: 1000, burst: 1000 });
  const env = { NANGO_PROVIDERS: declare(t, [{ per: "client", requests: 100, seconds: 1, burst: 50 }]), NANGO_RUNS_MAX: "3", NANGO_PARK_MS: "5000" };
  const nodes = await load(t, provider, { nodes: 2, connections: 4, env });
  await until(() => provider.state.calls.length >= 50, "the load never came");
  provider.refuseNext({ "retry-after": "300" });
  const parked = () => psql(nodes[0], "SELECT count(*) FROM nango.queue WHERE is_parked").then(Number);
  await until(async () => (await parked()) === 4, async () => `${await parked()} parked\n${nodes.map((n) => n.log()).join("\n")}`);
  assert.match(nodes.map((n) => n.log()).join("\n"), /is parked for (29|30)\d{4} ms: GET \/items waits (29\d|300) s for its turn in the provider's limit/);

  provider.end();
  const before = provider.state.calls.length;
  await psql(nodes[0], "UPDATE nango.clock SET offset_by = '6 minutes'");
  for (let i = 1; i <= 4; i++) assert.equal((await nodes[0].settled(key, `c${i}`, "items")).status, "SUCCESS");
  assert.ok(provider.state.calls.length >= before + 4);
});

test("without a declared limit a refusal blocks its connection on all nodes, and no other", async (t) => {
  const provider = await limitedProvider(t, { rate: 1000, burst: 1000 });
  const env = { NANGO_PROVIDERS: declare(t, null), NANGO_PARK_MS: "5000", NANGO_CONNECTION_RUNS_MAX: "0" };
  const nodes = await load(t, provider, { nodes: 2, connections: 2, env });
  provider.reply("GET /c1/items", { status: 429, headers: { "retry-after": "60" }, json: {} });
  await until(async () => (await psql(nodes[0], "SELECT key FROM nango.budget WHERE blocked_us > nango.clock_us()")).startsWith("connection/"), () => nodes[0].log());
  const from = performance.now();
  await until(() => provider.since(from).filter((c) => c.who === "c2").length >= 20, "the other connection waits, too");
  assert.equal(await psql(nodes[0], "SELECT count(*) FROM nango.budget"), "1");
  provider.end();
});

test("apps' calls through /proxy of three nodes keep to the same limit, together with runs", async (t) => {
  const provider = await limitedProvider(t, { rate: RATE, burst: 10 });
  const env = { NANGO_PROVIDERS: declare(t, perClient), NANGO_RUNS_MAX: "1", NANGO_CONNECTION_RUNS_MAX: "0", NANGO_LOG: "info" };
  const nodes = await load(t, provider, { nodes: 3, connections: 3, env });
  let over = false;
  const statuses = [];
  const app = async (node, id) => {
    while (!over) statuses.push((await node.call("GET", "/proxy/items?page=1", { headers: { "provider-config-key": key, "connection-id": id } })).status);
  };
  const apps = nodes.flatMap((node) => ["c1", "c2", "c3"].map((id) => app(node, id)));
  await until(() => statuses.length >= 20, "no app is served");
  const from = performance.now();
  const served = statuses.length;
  await pause(8000);
  const calls = provider.since(from, from + 8000);
  over = true;
  assert.deepEqual(calls.filter((c) => c.status !== 200), [], "no call is refused");
  assert.ok(calls.length >= 0.95 * RATE * 8, `${calls.length} of ${RATE * 8} were used`);
  t.diagnostic(`${calls.length} of ${RATE * 8} in 8 s, ${statuses.length - served} of them apps'`);
  assert.ok(statuses.length - served >= 20, "apps have turns beside runs");
  assert.ok(statuses.every((status) => status === 200), `${statuses}`);
  provider.end();
  await Promise.all(apps);
});
