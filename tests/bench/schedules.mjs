// SPDX-License-Identifier: Apache-2.0
// A million schedules: looking when nothing is due, and moving those that are due to their next slots.
import { build, run, socketDir } from "../e2e/lib/nangod.mjs";
import { query, repeat, row, startNangod, within } from "./lib/measure.mjs";

const COUNT = Number(process.env.BENCH_SCHEDULES ?? 1_000_000);
const BATCHES = 20; // of 1,000, in one measurement
const SKIP = 1; // of enum schedule_missed: slots that passed are not made up for, so schedules only move
const WARM = 60; // before it: a node's connection to Postgres has been at work for long and has its pages mapped

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
    INSERT INTO nango.schedule (sync_id, interval_ms, missed, cron, time_zone, due_at)
      SELECT id, 3600000, ${SKIP}, CASE WHEN ${part} = 0 THEN '0 * * * *' END, CASE WHEN ${part} = 0 THEN 'Europe/Berlin' END,
        nango.clock_now() FROM made`);
  // All get their slots, which lie in the hour after the next one.
  const tidy = () => query(nangod, "VACUUM ANALYZE nango.sync, nango.schedule");
  await tidy();
  for (let part = 0; part < 10; part++) await call(nangod, COUNT / 10_000);
  await query(nangod, "TRUNCATE nango.queue; UPDATE nango.clock SET offset_by = offset_by - interval '1 hour'");
  await tidy();
}

/** Time passes until so many slots are over, and a minute more: the rows lie as their last moves left them. */
const letPass = (nangod, count) =>
  query(nangod, `UPDATE nango.clock SET offset_by = (SELECT due_at FROM nango.schedule WHERE due_at > nango.clock_now() ORDER BY due_at OFFSET ${count - 1} LIMIT 1)
    - clock_timestamp() + interval '61 seconds'`);

/** As in the first hour: those that are due together lie wherever their syncs were made, at slots of hours ago. */
const scatter = (nangod, count) =>
  query(nangod, `UPDATE nango.schedule SET due_at = due_at - interval '3 hours' WHERE sync_id IN (SELECT sync_id FROM nango.schedule WHERE due_at > nango.clock_now() ORDER BY random() LIMIT ${count})`);

/** As it is after an hour of moves. */
async function settle(nangod, missed) {
  await query(nangod, `BEGIN; CREATE TEMP TABLE held AS SELECT * FROM nango.schedule; UPDATE held SET missed = ${missed}; TRUNCATE nango.schedule;
    INSERT INTO nango.schedule SELECT * FROM held ORDER BY due_at; COMMIT`);
  await query(nangod, "VACUUM ANALYZE nango.schedule");
  await query(nangod, "CHECKPOINT");
}

export async function schedules(times) {
  return within(async (t) => {
    const nangod = await startNangod(t, { env: { NANGO_ROLES: "api" } });
    await fill(nangod);
    const perSecond = (batches) => (1e6 * batches.reduce((sum, b) => sum + b.moved, 0)) / batches.reduce((sum, b) => sum + b.us, 0);
    const moved = (makeDue) =>
      repeat(times, async () => {
        await query(nangod, "TRUNCATE nango.queue");
        await makeDue(nangod, (WARM + BATCHES) * 1000);
        return perSecond((await call(nangod, WARM + BATCHES)).slice(WARM));
      });
    const scattered = await moved(scatter);
    await settle(nangod, SKIP);
    const idle = (await call(nangod, 200)).slice(10).map((look) => look.us / 1000);
    const move = await moved(letPass);
    await settle(nangod, 0);
    const queue = await moved(letPass);
    return [
      row(`${COUNT.toLocaleString("en-US")} schedules, nothing due: one look`, "ms", idle, "< 1"),
      row("  1,000 due at a time: moved to their next slots", "schedules/s", move, "≥ 50,000"),
      row("  moved, and their runs queued", "schedules/s", queue),
      row("  moved, in their first hour (scattered over the table)", "schedules/s", scattered),
    ];
  });
}
