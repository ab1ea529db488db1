// SPDX-License-Identifier: Apache-2.0
// A million schedules: looking when nothing is due, and moving those that are due to their next slots.
import { build, run, socketDir } from "../e2e/lib/nangod.mjs";
import { query, repeat, row, startNangod, within } from "./lib/measure.mjs";

const COUNT = Number(process.env.BENCH_SCHEDULES ?? 1_000_000);
const BATCHES = 20; // of 1,000, in one measurement

async function call(nangod, times) {
  const done = await run(`${build}/tests/bench-schedules`, [`host=${socketDir(nangod)} user=nango dbname=postgres`, String(times)]);
  if (done.code !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout);
}

/** One connection in ten has a cron schedule; ten syncs a connection. */
async function fill(nangod) {
  await nangod.ok("POST", "/integrations", { body: { provider: "unauthenticated", unique_key: "bench" } });
  // In parts, and without the checks of foreign keys, which only cost time here.
  await query(nangod, `SET session_replication_role = replica;
    INSERT INTO nango.connection (account_id, environment_id, integration_id, connection_id, auth_mode, credentials)
      SELECT account_id, environment_id, id, 'c' || n, 'NONE', '' FROM nango.integration, generate_series(1, ${COUNT / 10}) n`);
  for (let part = 0; part < 10; part++)
    await query(nangod, `SET session_replication_role = replica;
    INSERT INTO nango.sync (account_id, environment_id, integration_id, connection_id, name, interval_ms, cron, time_zone, next_due_at)
      SELECT account_id, environment_id, integration_id, id, 's' || n, 3600000, CASE WHEN id % 10 = 0 THEN '0 * * * *' END,
        CASE WHEN id % 10 = 0 THEN 'Europe/Berlin' END, nango.clock_now() + interval '1 hour' + random() * interval '1 hour'
      FROM nango.connection, generate_series(1, 10) n WHERE id % 10 = ${part}`);
  await query(nangod, "VACUUM ANALYZE nango.sync");
}

const makeDue = (nangod, count) =>
  query(nangod, `UPDATE nango.sync SET next_due_at = nango.clock_now() - interval '1 second' WHERE id IN (SELECT id FROM nango.sync WHERE next_due_at > nango.clock_now() ORDER BY random() LIMIT ${count})`);

export async function schedules(times) {
  return within(async (t) => {
    const nangod = await startNangod(t, { env: { NANGO_ROLES: "api" } });
    await fill(nangod);
    const perSecond = (batches) => (1e6 * batches.reduce((sum, b) => sum + b.moved, 0)) / batches.reduce((sum, b) => sum + b.us, 0);
    const idle = (await call(nangod, 200)).slice(10).map((look) => look.us / 1000);
    const queue = await repeat(times, async () => {
      await query(nangod, "TRUNCATE nango.queue");
      await makeDue(nangod, BATCHES * 1000);
      return perSecond(await call(nangod, BATCHES));
    });
    // Due again while their runs are still queued: the schedules move, and nothing is queued.
    const move = await repeat(times, async () => {
      await query(nangod, `TRUNCATE nango.queue; INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at)
        SELECT account_id, environment_id, integration_id, connection_id, id, 1, nango.clock_now() FROM nango.sync ORDER BY random() LIMIT ${BATCHES * 1000};
        UPDATE nango.sync SET next_due_at = nango.clock_now() - interval '1 second' WHERE id IN (SELECT sync_id FROM nango.queue)`);
      return perSecond(await call(nangod, BATCHES));
    });
    return [
      row(`${COUNT.toLocaleString("en-US")} schedules, nothing due: one look`, "ms", idle, "< 1"),
      row("  1,000 due at a time: moved to their next slots", "schedules/s", move, "≥ 50,000"),
      row("  moved, and their runs queued", "schedules/s", queue),
    ];
  });
}
