// SPDX-License-Identifier: Apache-2.0
// The queue: a run's life with our store calls, beside graphile-worker's jobs that do nothing, on
// the same Postgres in the same run.
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { program, run, socketDir } from "../e2e/lib/nangod.mjs";
import { median, query, repeat, row, startNangod, within } from "./lib/measure.mjs";

const require = createRequire(new URL("../e2e/package.json", import.meta.url));
const graphile = require("graphile-worker");
const { Pool } = createRequire(require.resolve("graphile-worker"))("pg");
const PICKUPS = 500;

/** Ours: {batch_1, batch_100} in jobs/s, {pickup_us}. */
async function ours(nangod, times) {
  await nangod.connect("unauthenticated", { credentials: { type: "NONE" }, baseUrl: "http://127.0.0.1:1" });
  const [ids] = await query(nangod, "SELECT account_id, environment_id, integration_id, id FROM nango.connection");
  const made = await run(program("tests/bench/queue"), [`host=${socketDir(nangod)} user=nango dbname=postgres`, ...ids, String(times)], {
    timeout: 600_000,
  });
  if (made.code !== 0) throw new Error(`bench-queue: ${made.stderr}`);
  return JSON.parse(made.stdout);
}

/** Starts workers of graphile-worker on task(); stop() ends them. */
async function workers(pool, concurrentJobs, task, batched) {
  const worker = batched ? { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } : {};
  return graphile.run({
    pgPool: pool,
    taskList: { noop: task },
    concurrency: concurrentJobs,
    pollInterval: 2000,
    noHandleSignals: true,
    logger: new graphile.Logger(() => () => {}),
    preset: { worker: { ...worker, concurrentJobs } },
  });
}

/** Jobs/s of whole lives: everything queued, then worked off. */
async function lifecycle(pool, utils, batch, jobs) {
  const begin = performance.now();
  for (let i = 0; i < jobs; i += batch)
    if (batch === 1) await utils.addJob("noop", {});
    else await utils.addJobs(Array.from({ length: batch }, () => ({ identifier: "noop", payload: {} })));
  let done = 0;
  const all = Promise.withResolvers();
  const runner = await workers(pool, batch === 1 ? 1 : 24, () => ++done === jobs && all.resolve(), batch > 1);
  await all.promise;
  await runner.stop(); // completions that were put off are written
  return (jobs * 1000) / (performance.now() - begin);
}

/** Milliseconds from before addJob to the task's first line, one job at a time. */
async function pickups(pool, utils) {
  let picked;
  const runner = await workers(pool, 1, () => picked.resolve(performance.now()), false);
  const one = async () => {
    picked = Promise.withResolvers();
    const begin = performance.now();
    await utils.addJob("noop", {});
    return (await picked.promise) - begin;
  };
  await one();
  const all = await repeat(PICKUPS, one);
  await runner.stop();
  return all;
}

async function theirs(nangod, times) {
  const pool = new Pool({ host: socketDir(nangod), user: "nango", database: "postgres", max: 30 });
  pool.on("error", () => {}); // of idle connections; a query's own is thrown
  const utils = await graphile.makeWorkerUtils({ pgPool: pool, logger: new graphile.Logger(() => () => {}) });
  try {
    await utils.migrate();
    await lifecycle(pool, utils, 1, 100); // warm; not counted
    return {
      batch_1: await repeat(times, () => lifecycle(pool, utils, 1, 300)),
      batch_100: await repeat(times, () => lifecycle(pool, utils, 100, 20_000)),
      pickup_ms: await pickups(pool, utils),
    };
  } finally {
    await utils.release();
    await pool.end();
  }
}

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * q) - 1];

export async function queue(times) {
  return within(async (t) => {
    // No worker of nangod's own: it would take the runs away.
    const nangod = await startNangod(t, { env: { NANGO_ROLES: "api" } });
    const us = await ours(nangod, times);
    const them = await theirs(nangod, times);
    const pickup = us.pickup_us.map((value) => value / 1000);
    const lives = (batch) => [
      row(`queue, batch ${batch}: queued, claimed, completed`, "runs/s", us[`batch_${batch}`]),
      row(`  graphile-worker ${require("graphile-worker/package.json").version}`, "jobs/s", them[`batch_${batch}`]),
      row("  ours against it", "x", us[`batch_${batch}`].map((value) => value / median(them[`batch_${batch}`])), "≥ 3"),
    ];
    return [
      ...lives(1),
      ...lives(100),
      row("queued to claimed, LISTEN, median", "ms", [quantile(pickup, 0.5)]),
      row("  99 % within", "ms", [quantile(pickup, 0.99)], "≤ 3"),
      row("  graphile-worker, median", "ms", [quantile(them.pickup_ms, 0.5)]),
      row("  graphile-worker, 99 % within", "ms", [quantile(them.pickup_ms, 0.99)]),
    ];
  });
}
