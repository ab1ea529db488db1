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
const CLIENTS = 4;

/** What bench-queue prints for some words. */
async function ours(nangod, ...words) {
  const made = await run(program("tests/bench/queue"), [`host=${socketDir(nangod)} user=nango dbname=postgres`, ...words.map(String)], {
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

/** Jobs/s of whole lives: everything queued by four clients, then worked off. */
async function lifecycle(pool, utils, batch, jobs) {
  const begin = performance.now();
  const one = { identifier: "noop", payload: {} };
  const enqueue = async () => {
    for (let i = 0; i < jobs / CLIENTS; i += batch)
      if (batch === 1) await utils.addJob("noop", {});
      else await utils.addJobs(Array(batch).fill(one));
  };
  await Promise.all(Array.from({ length: CLIENTS }, enqueue));
  let done = 0;
  const all = Promise.withResolvers();
  const runner = await workers(pool, batch === 1 ? CLIENTS : 24, () => ++done === jobs && all.resolve(), batch > 1);
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

/** work({pool, utils}) with graphile-worker set up on the same Postgres. */
async function beside(nangod, work) {
  const pool = new Pool({ host: socketDir(nangod), user: "nango", database: "postgres", max: 30 });
  for (const event of ["error", "connect"]) pool.on(event, (client) => client?.on?.("error", () => {}));
  const utils = await graphile.makeWorkerUtils({ pgPool: pool, logger: new graphile.Logger(() => () => {}) });
  try {
    await utils.migrate();
    return await work(pool, utils);
  } finally {
    await utils.release();
    await pool.end();
  }
}

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * q) - 1];

/** 20,000 syncs of 2,000 connections that are never due by themselves. */
async function fill(nangod) {
  await nangod.ok("POST", "/integrations", { body: { provider: "unauthenticated", unique_key: "bench" } });
  await query(nangod, `INSERT INTO nango.connection (account_id, environment_id, integration_id, connection_id, auth_mode, credentials)
      SELECT account_id, environment_id, id, 'c' || n, 'NONE', '' FROM nango.integration, generate_series(1, 2000) n;
    INSERT INTO nango.sync (account_id, environment_id, integration_id, connection_id, name)
      SELECT account_id, environment_id, integration_id, id, 's' || n FROM nango.connection, generate_series(1, 10) n;
    INSERT INTO nango.schedule (sync_id, interval_ms) SELECT id, 3600000 FROM nango.sync;
    ANALYZE nango.sync, nango.connection, nango.schedule`);
}

/** In turn, so that what else the machine does disturbs both. */
async function lives(nangod, pool, utils, times, batch, jobs) {
  const us = [];
  const them = [];
  for (let i = 0; i < times; i++) {
    us.push(await ours(nangod, "life", batch, jobs));
    them.push(await lifecycle(pool, utils, batch, jobs));
  }
  return [
    row(`queue, batch ${batch}: queued, claimed, completed`, "runs/s", us),
    row(`  graphile-worker ${require("graphile-worker/package.json").version}`, "jobs/s", them),
    row("  ours against it", "x", us.map((value, i) => value / them[i]), "≥ 3"),
  ];
}

export async function queue(times) {
  return within(async (t) => {
    // No worker of nangod's own: it would take the runs away.
    const nangod = await startNangod(t, { env: { NANGO_ROLES: "api" } });
    await fill(nangod);
    return beside(nangod, async (pool, utils) => {
      await lifecycle(pool, utils, 1, 20); // warm; not counted
      const rows = [
        ...(await lives(nangod, pool, utils, times, 1, 400)),
        ...(await lives(nangod, pool, utils, times, 100, 20_000)),
      ];
      const us = (await ours(nangod, "pickup", PICKUPS)).map((value) => value / 1000);
      const them = await pickups(pool, utils);
      return [
        ...rows,
        row("queued to claimed, LISTEN, median", "ms", [quantile(us, 0.5)]),
        row("  99 % within", "ms", [quantile(us, 0.99)], "≤ 3"),
        row("  graphile-worker, median", "ms", [quantile(them, 0.5)]),
        row("  graphile-worker, 99 % within", "ms", [quantile(them, 0.99)]),
      ];
    });
  });
}
