// SPDX-License-Identifier: Apache-2.0
// One environment's ten thousand queued runs do not delay another's one, on three nodes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildItems, key } from "./lib/items.mjs";
import { addVariants, psql, serve, start, until } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

const SLOTS = 2; // of each node
const QUEUED = 10_000;

test("B's one run starts within (environments + 1) turnovers of a slot", async (t) => {
  const env = { NANGO_RUNS_MAX: String(SLOTS), NANGO_CONNECTION_RUNS_MAX: "0", NANGO_ENVIRONMENT_RUNS_MAX: "0", NANGO_LOG: "info" };
  const provider = await fakeProvider(t);
  const waiting = [];
  const seen = { A: 0, B: 0 };
  for (const name of ["A", "B"])
    provider.reply(`GET /${name}/items`, async () => {
      seen[name]++;
      await new Promise((done) => waiting.push(done));
      return { json: [] };
    });
  const first = await start(t, { env });
  const keys = { A: first.environments.dev.secret_key, B: first.environments.prod.secret_key };
  const file = await buildItems(t);
  for (const name of ["A", "B"]) {
    const own = { key: keys[name] };
    await first.ok("POST", "/integrations", { body: { provider: key, unique_key: name }, ...own });
    first.key = keys[name];
    await first.deploy(file, name);
    await first.ok("POST", "/connections", { body: { provider_config_key: name, connection_id: "acme", credentials: { type: "NONE" }, connection_config: { baseUrl: `${provider.url}/${name}` } }, ...own });
  }
  const release = () => waiting.shift()();
  const total = () => seen.A + seen.B;
  const settle = async (count) => until(() => total() >= count, () => `${total()} of ${count} requests\n${first.log()}`);

  // Both first runs come and go, then two more nodes, and ten thousand runs of A.
  for (let i = 1; i <= 2; i++) {
    await settle(i);
    release();
  }
  await until(async () => (await psql(first, "SELECT count(*) FROM nango.run")) === "2");
  const nodes = [first, await serve(t, first, env), await serve(t, first, env)];
  await addVariants(first, QUEUED, "i.unique_key = 'A' AND s.name = 'items'");
  await psql(first, `INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at)
      SELECT account_id, environment_id, integration_id, connection_id, id, 1, nango.clock_now() FROM nango.sync WHERE variant <> 'base'`);
  const busy = SLOTS * nodes.length;
  await settle(2 + busy);

  for (let round = 0; round < 6; round++) {
    // Every slot is taken: B's run is queued, then slots turn over one at a time.
    await first.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: "B", connection_id: "acme" }, key: keys.B });
    const before = { ...seen };
    assert.equal(waiting.length, busy, "every slot is taken");
    let turnovers = 0;
    while (seen.B === before.B) {
      assert.ok(turnovers < 3, `round ${round}: after ${turnovers} turnovers with two environments B has not started`);
      const now = total();
      release();
      await settle(now + 1);
      turnovers++;
    }
    // B's ends, too, so that it can be queued again.
    while ((await psql(first, `SELECT count(*) FROM nango.queue q JOIN nango.integration i ON i.id = q.integration_id WHERE i.unique_key = 'B'`)) !== "0") {
      const now = total();
      release();
      await settle(now + 1);
    }
  }
  assert.ok(Number(await psql(first, "SELECT count(*) FROM nango.queue")) > QUEUED - 100, "A's are still there");
  await psql(first, "DELETE FROM nango.queue WHERE NOT is_claimed");
  provider.reply("GET /A/items", { json: [] });
  while (waiting.length > 0) release();
});
