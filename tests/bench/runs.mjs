// SPDX-License-Identifier: Apache-2.0
// Runs: from a trigger's answer to the claim, and ten thousand that wait on a slow API at once.
import { psql, until } from "../e2e/lib/nangod.mjs";
import { deployItems, key } from "../e2e/lib/items.mjs";
import { claimed, descriptors, latencies, manyRuns, pss } from "../e2e/lib/many-runs.mjs";
import { repeat, row, within } from "./lib/measure.mjs";

const COUNT = Number(process.env.BENCH_RUNS_IN_FLIGHT ?? 10_000);
const TRIGGERS = 300;

/** One after the other: a trigger, and the end of its run. */
async function pickup() {
  return within(async (t) => {
    const { nangod, connect, trigger } = await deployItems(t, { pages: [], env: { NANGO_LOG: "info" } });
    await connect();
    await nangod.settled(key, "acme", "items");
    const ended = () => psql(nangod, "SELECT count(*) FROM nango.run").then(Number);
    for (let before = await ended(), i = 0; i < TRIGGERS; i++) {
      await trigger();
      await until(async () => (await ended()) === before + i + 1);
    }
    const out = await psql(nangod, `SELECT extract(epoch FROM started_at - created_at) * 1000 FROM nango.run ORDER BY id DESC LIMIT ${TRIGGERS - 50}`);
    return out.split("\n").map(Number).sort((a, b) => a - b);
  });
}

async function inFlight() {
  return within(async (t) => {
    const { provider, nangod, forked, begin } = await manyRuns(t, { count: COUNT });
    await claimed(nangod, COUNT);
    await until(() => forked() === COUNT, "not all were forked", 200);
    const started = (performance.now() - begin) / 1000;
    const memory = pss(nangod.pid) / 2 ** 30;
    const open = descriptors(nangod.pid);
    const get = await latencies(nangod, "/connections?limit=20", 500);
    await provider.finish();
    return { started, memory, open, p50: get[250], p99: get[494] };
  });
}

export async function runs(times) {
  const claims = await pickup();
  const many = await repeat(Math.min(times, 3), inFlight);
  const of = (member) => many.map((one) => one[member]);
  return [
    row("triggered to claimed", "ms", claims),
    row("  99 % of them within", "ms", [claims[Math.floor(claims.length * 0.99)]], "≤ 3"),
    row(`${COUNT.toLocaleString("en-US")} runs on a slow API: all started after`, "s", of("started")),
    row("  PSS of nangod, Postgres and the runs", "GiB", of("memory"), "≤ 2"),
    row("  descriptors of nangod", "", of("open"), "≤ 11,000"),
    row("  GET /connections meanwhile, p50", "ms", of("p50")),
    row("  GET /connections meanwhile, p99", "ms", of("p99"), "≤ 20"),
  ];
}
