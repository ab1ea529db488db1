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
    WITH made AS (INSERT INTO nango.sync (account_id, environment_id, integration_id, connection_id, name)
      SELECT account_id, environment_id, integration_id, id, 's' || n FROM nango.connection, generate_series(1, 10) n WHERE id % 10 = ${part} RETURNING id)
    INSERT INTO nango.schedule (sync_id, interval_ms, cron, time_zone, due_at)
      SELECT id, 3600000, CASE WHEN ${part} = 0 THEN '0 * * * *' END, CASE WHEN ${part} = 0 THEN 'Europe/Berlin' END,
        nango.clock_now() + interval '1 hour' + random() * interval '1 hour' FROM made`);
  await query(nangod, "VACUUM ANALYZE nango.sync, nango.schedule");
}

/** What is due next is due now: the rows lie as their last moves left them. */
const letPass = (nangod, count) =>
  query(nangod, `UPDATE nango.clock SET offset_by = (SELECT due_at FROM nango.schedule WHERE due_at > nango.clock_now() ORDER BY due_at OFFSET ${count - 1} LIMIT 1) - clock_timestamp()`);

/** As in the first hour: those that are due together lie wherever their syncs were made. */
const scatter = (nangod, count) =>
  query(nangod, `UPDATE nango.schedule SET due_at = nango.clock_now() - interval '1 second' WHERE sync_id IN (SELECT sync_id FROM nango.schedule WHERE due_at > nango.clock_now() ORDER BY random() LIMIT ${count})`);

/** As it is after an hour of moves. */
async function settle(nangod) {
  await query(nangod, `BEGIN; CREATE TEMP TABLE held AS SELECT * FROM nango.schedule; TRUNCATE nango.schedule;
    INSERT INTO nango.schedule SELECT * FROM held ORDER BY due_at; COMMIT`);
  await query(nangod, "VACUUM ANALYZE nango.schedule");
  await query(nangod, "CHECKPOINT");
}

/** Runs of all that is due, so that they only move. */
const queueDue = (nangod) =>
  query(nangod, `TRUNCATE nango.queue; INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at)
    SELECT s.account_id, s.environment_id, s.integration_id, s.connection_id, s.id, 1, nango.clock_now() FROM nango.schedule t JOIN nango.sync s ON s.id = t.sync_id
    WHERE t.due_at <= nango.clock_now()`);

export async function schedules(times) {
  return within(async (t) => {
    const nangod = await startNangod(t, { env: { NANGO_ROLES: "api" } });
    await fill(nangod);
    const perSecond = (batches) => (1e6 * batches.reduce((sum, b) => sum + b.moved, 0)) / batches.reduce((sum, b) => sum + b.us, 0);
    const moved = (makeDue, prepare) =>
      repeat(times, async () => {
        await makeDue(nangod, BATCHES * 1000);
        await prepare();
        return perSecond(await call(nangod, BATCHES));
      });
    const scattered = await moved(scatter, () => queueDue(nangod));
    await settle(nangod);
    const idle = (await call(nangod, 200)).slice(10).map((look) => look.us / 1000);
    const move = await moved(letPass, () => queueDue(nangod));
    const queue = await moved(letPass, () => query(nangod, "TRUNCATE nango.queue"));
    return [
      row(`${COUNT.toLocaleString("en-US")} schedules, nothing due: one look`, "ms", idle, "< 1"),
      row("  1,000 due at a time: moved to their next slots", "schedules/s", move, "≥ 50,000"),
      row("  moved, and their runs queued", "schedules/s", queue),
      row("  moved, in their first hour (scattered over the table)", "schedules/s", scattered),
    ];
  });
}
