-- A sync's schedule, apart from what the sync is: one row for each sync that is not deleted, and
-- the lock of that sync (who pauses, resets, starts, times or deletes it, or queues its runs, takes
-- it first). Narrow, with no foreign key, because each move to the next slot is a new row version
-- and two index entries: those that are due together were moved together, so they lie together.
CREATE TABLE nango.schedule (
    sync_id uuid PRIMARY KEY,
    due_at timestamptz, -- NULL: never by itself; infinity: to be planned anew
    interval_ms int8 NOT NULL, -- of a cron schedule: the distance of two of its slots
    owed int4 NOT NULL DEFAULT 0,
    failures int4 NOT NULL DEFAULT 0,
    missed int2 NOT NULL DEFAULT 0, -- enum schedule_missed
    is_paused bool NOT NULL DEFAULT false,
    is_overridden bool NOT NULL DEFAULT false,
    cron text,
    time_zone text
);
INSERT INTO nango.schedule (sync_id, due_at, interval_ms, owed, failures, missed, is_paused,
        is_overridden, cron, time_zone)
    SELECT id, next_due_at, interval_ms, owed, failures, missed, is_paused, is_overridden, cron,
        time_zone
    FROM nango.sync WHERE deleted_at IS NULL ORDER BY next_due_at;
CREATE INDEX schedule_due ON nango.schedule (due_at) WHERE NOT is_paused;
-- Entries of rows that moved on lie where a look for what is due begins.
ALTER TABLE nango.schedule SET (autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.5);

ALTER TABLE nango.sync -- and with its column the index of due times
    DROP COLUMN next_due_at,
    DROP COLUMN interval_ms,
    DROP COLUMN owed,
    DROP COLUMN failures,
    DROP COLUMN missed,
    DROP COLUMN is_paused,
    DROP COLUMN is_overridden,
    DROP COLUMN cron,
    DROP COLUMN time_zone,
    DROP COLUMN updated_at;
CREATE INDEX sync_integration ON nango.sync (integration_id) WHERE deleted_at IS NULL;

-- The one way in: runs of syncs, at once those of several. A sync has one row in the queue at a
-- time, so what is queued or under way already is not queued again and not given back. Locks the
-- schedules, unless the caller has, so that none is deleted or paused meanwhile. What a client is
-- told of must be on the disk, so this waits for it.
CREATE OR REPLACE FUNCTION nango.enqueue_runs(p_syncs uuid[], p_is_forced bool, p_locks bool)
RETURNS TABLE (sync_id uuid, run_id int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET jit = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := nango.clock_now();
BEGIN
    IF p_locks THEN
        PERFORM FROM nango.schedule t WHERE t.sync_id = ANY (p_syncs) ORDER BY t.sync_id
            FOR UPDATE;
    END IF;
    RETURN QUERY
    INSERT INTO nango.queue AS q (account_id, environment_id, integration_id, connection_id,
        sync_id, kind, due_at, created_at, force_deletes)
    SELECT s.account_id, s.environment_id, s.integration_id, s.connection_id, s.id, 1, v_now,
        v_now, p_is_forced
    FROM unnest(p_syncs) w(id) JOIN nango.sync s ON s.id = w.id WHERE s.deleted_at IS NULL
    ON CONFLICT (sync_id) WHERE sync_id IS NOT NULL DO NOTHING RETURNING q.sync_id, q.run_id;
END $$;

-- A failed sync is counted, and from its third failure in a row on put off; one that owes runs is
-- due again. A schedule is left alone where somebody holds it (a pause, a reset): what they set
-- stands, and waiting for them while holding the queue's rows could be a circle.
CREATE OR REPLACE FUNCTION nango.count_ends(p_syncs uuid[], p_failed bool[], p_quiet_max_ms int8)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT t.ctid AS place, e.has_failed
        FROM unnest(p_syncs, p_failed) e(sync_id, has_failed)
        JOIN nango.schedule t ON t.sync_id = e.sync_id
        WHERE e.has_failed OR t.failures > 0 OR t.owed > 0
        ORDER BY t.sync_id FOR UPDATE OF t SKIP LOCKED)
    UPDATE nango.schedule t SET
        failures = CASE WHEN e.has_failed THEN t.failures + 1 ELSE 0 END,
        owed = greatest(t.owed - 1, 0),
        due_at = CASE
            WHEN e.has_failed AND t.failures >= 2 AND p_quiet_max_ms > 0 THEN greatest(
                t.due_at, nango.clock_now() + interval '1 millisecond' *
                least(p_quiet_max_ms, t.interval_ms * (2 ^ least(t.failures - 1, 40))))
            WHEN t.owed > 0 THEN least(t.due_at, nango.clock_now())
            ELSE t.due_at END
    FROM ended e WHERE t.ctid = e.place;
END $$;
