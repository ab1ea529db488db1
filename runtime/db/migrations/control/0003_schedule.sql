-- Schedules may be cron, may be overridden for one connection, owe runs that were missed, and
-- slow down while they fail. interval_ms of a cron schedule is the distance of two of its slots.
ALTER TABLE nango.sync
    DROP COLUMN last_run_id,
    ADD COLUMN cron text,
    ADD COLUMN time_zone text,
    ADD COLUMN missed int2 NOT NULL DEFAULT 0, -- enum schedule_missed
    ADD COLUMN is_overridden bool NOT NULL DEFAULT false,
    ADD COLUMN owed int4 NOT NULL DEFAULT 0,
    ADD COLUMN failures int4 NOT NULL DEFAULT 0;

-- The queue holds what is to be done and what is under way, with all that a claim needs; a run's
-- row in nango.run is written when it has ended. So a run is four row operations, not six, and
-- what a claim reads and moves is narrow. Nothing that these rows name is ever deleted (names are
-- freed by deleted_at), so foreign keys would cost a look-up each and protect nothing.
CREATE TABLE nango.queue_next (
    run_id int8 NOT NULL DEFAULT nextval('nango.run_id_seq'),
    token int8 NOT NULL DEFAULT 0,
    account_id int8 NOT NULL,
    environment_id int8 NOT NULL,
    integration_id int8 NOT NULL,
    connection_id int8 NOT NULL,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    started_at timestamptz,
    attempts int4 NOT NULL DEFAULT 0,
    kind int2 NOT NULL,
    is_claimed bool NOT NULL DEFAULT false,
    is_parked bool NOT NULL DEFAULT false,
    force_deletes bool NOT NULL DEFAULT false,
    sync_id uuid,
    sha256 bytea
);
INSERT INTO nango.queue_next (run_id, token, account_id, environment_id, integration_id,
        connection_id, due_at, created_at, started_at, attempts, kind, is_claimed, sync_id, sha256)
    SELECT q.run_id, q.token, r.account_id, q.environment_id, c.integration_id, r.connection_id,
        q.due_at, r.created_at, r.started_at, r.attempts, r.kind, r.state = 'running', q.sync_id,
        r.sha256
    FROM nango.queue q JOIN nango.run r ON r.id = q.run_id
    JOIN nango.connection c ON c.id = r.connection_id;
DROP TABLE nango.queue;
ALTER TABLE nango.queue_next RENAME TO queue;
ALTER TABLE nango.queue ADD CONSTRAINT queue_pkey PRIMARY KEY (run_id);
CREATE INDEX queue_due ON nango.queue (environment_id, due_at);
CREATE UNIQUE INDEX queue_one_per_sync ON nango.queue (sync_id) WHERE sync_id IS NOT NULL;
-- Rows come and go by the thousand and are moved by every heartbeat.
ALTER TABLE nango.queue SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 2147483647);

DELETE FROM nango.run WHERE state IN ('queued', 'running');
ALTER TABLE nango.run
    DROP CONSTRAINT run_account_id_fkey,
    DROP CONSTRAINT run_environment_id_fkey,
    DROP CONSTRAINT run_connection_id_fkey,
    DROP CONSTRAINT run_sync_id_fkey,
    DROP CONSTRAINT run_sha256_fkey,
    DROP CONSTRAINT run_state_check,
    ADD CONSTRAINT run_state_check CHECK (state IN ('success', 'failed', 'cancelled')),
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN finished_at SET DEFAULT nango.clock_now(),
    ADD COLUMN integration_id int8,
    ADD COLUMN force_deletes bool NOT NULL DEFAULT false,
    ADD COLUMN request_bytes int8 NOT NULL DEFAULT 0,
    ADD COLUMN response_bytes int8 NOT NULL DEFAULT 0;
UPDATE nango.run r SET integration_id = c.integration_id
    FROM nango.connection c WHERE c.id = r.connection_id;
ALTER TABLE nango.run ALTER COLUMN integration_id SET NOT NULL;
CREATE INDEX run_connection ON nango.run (connection_id, id);

-- Runs of all states, for those who look at them. A row is in one of the two tables, never in both.
CREATE VIEW nango.any_run AS
    SELECT id, account_id, environment_id, integration_id, connection_id, sync_id, kind, state,
        sha256, cause, code, message, attempts, pages, added, updated, deleted, result, requests,
        request_bytes, response_bytes, cpu_us, max_rss_kb, force_deletes, created_at, started_at,
        finished_at, NULL::timestamptz AS due_at
    FROM nango.run
    UNION ALL
    SELECT run_id, account_id, environment_id, integration_id, connection_id, sync_id, kind,
        CASE WHEN is_claimed THEN 'running' WHEN is_parked THEN 'parked' ELSE 'queued' END,
        sha256, '', '', '', attempts, 0, 0, 0, 0, '{}', 0, 0, 0, 0, 0, force_deletes, created_at,
        started_at, NULL, due_at
    FROM nango.queue;

-- Whose turn it is: claims of all nodes draw their turns from here (store/queue.c).
CREATE SEQUENCE nango.claim_turn;

-- Claiming and completing are functions because their plans are then made once a connection: to
-- plan them took longer than to carry them out. The planner has no statistics of a table that is
-- empty now and long a second later, so it is told to use the indexes (enable_seqscan).
--
-- A claim names one environment: the one whose turn it is among those that have something due
-- and are below their limit. It takes that environment's share of the room; an integration and a
-- connection go on up to their own limits, counted with what is picked here. Always answers with
-- a row: the first column is how many environments had something due, the others may be null.
CREATE FUNCTION nango.claim_runs(p_room int8, p_lease_ms int8, p_environment_max int8,
    p_integration_max int8, p_connection_max int8)
RETURNS TABLE (environments int8, run_id int8, token int8, environment_id int8,
    connection_id int8, attempts int4, sync_id text, kind int2, sha256 bytea, force_deletes bool,
    waited_ms int8, started_ms int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := nango.clock_now();
    v_ids int8[] := '{}';
    v_flying int8[] := '{}';
    v_id int8 := -9223372036854775808;
    v_count int8 := 0;
    v_place int8;
    v_share int8;
    v_full_integrations int8[] := '{}';
    v_full_connections int8[] := '{}';
BEGIN
    LOOP
        SELECT q.environment_id INTO v_id FROM nango.queue q
            WHERE q.environment_id > v_id ORDER BY q.environment_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        CONTINUE WHEN NOT EXISTS (SELECT FROM nango.queue q
            WHERE q.environment_id = v_id AND q.due_at <= v_now);
        IF p_environment_max > 0 THEN
            SELECT count(*) INTO v_count FROM (SELECT FROM nango.queue q
                WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed
                LIMIT p_environment_max) f;
            CONTINUE WHEN v_count >= p_environment_max;
        END IF;
        v_ids := v_ids || v_id;
        v_flying := v_flying || v_count;
    END LOOP;
    v_count := cardinality(v_ids);
    IF v_count > 0 THEN
        v_place := nextval('nango.claim_turn') % v_count + 1;
        v_id := v_ids[v_place];
        v_share := (p_room + v_count - 1) / v_count;
        -- Who counts what is in flight and then adds to it does so alone, or two nodes that count
        -- at once go over the limit together.
        PERFORM pg_advisory_xact_lock(7406, v_id::int4);
        IF p_environment_max > 0 THEN
            v_flying[v_place] := (SELECT count(*) FROM (SELECT FROM nango.queue q
                WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed
                LIMIT p_environment_max) f);
            v_share := least(v_share, p_environment_max - v_flying[v_place]);
        END IF;
        IF p_integration_max > 0 THEN
            v_full_integrations := ARRAY(SELECT q.integration_id FROM nango.queue q
                WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed
                GROUP BY 1 HAVING count(*) >= p_integration_max);
        END IF;
        IF p_connection_max > 0 THEN
            v_full_connections := ARRAY(SELECT q.connection_id FROM nango.queue q
                WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed
                GROUP BY 1 HAVING count(*) >= p_connection_max);
        END IF;
        RETURN QUERY
        WITH free AS MATERIALIZED (
            SELECT q.run_id, q.integration_id, q.connection_id, q.due_at FROM nango.queue q
            WHERE q.environment_id = v_id AND q.due_at <= v_now
              AND q.integration_id <> ALL (v_full_integrations)
              AND q.connection_id <> ALL (v_full_connections)
            ORDER BY q.due_at LIMIT v_share * 4),
        by_integration AS MATERIALIZED (
            SELECT q.integration_id, count(*) AS n FROM nango.queue q
            WHERE p_integration_max > 0 AND q.environment_id = v_id AND q.due_at > v_now
              AND q.is_claimed GROUP BY 1),
        by_connection AS MATERIALIZED (
            SELECT q.connection_id, count(*) AS n FROM nango.queue q
            WHERE p_connection_max > 0 AND q.environment_id = v_id AND q.due_at > v_now
              AND q.is_claimed GROUP BY 1),
        ranked AS MATERIALIZED (
            SELECT f.run_id, f.due_at,
                coalesce(i.n, 0) + row_number() OVER (
                    PARTITION BY f.integration_id ORDER BY f.due_at, f.run_id) AS in_integration,
                coalesce(c.n, 0) + row_number() OVER (
                    PARTITION BY f.connection_id ORDER BY f.due_at, f.run_id) AS in_connection
            FROM free f LEFT JOIN by_integration i ON i.integration_id = f.integration_id
                LEFT JOIN by_connection c ON c.connection_id = f.connection_id),
        picked AS MATERIALIZED (
            SELECT q.run_id FROM nango.queue q JOIN ranked r ON r.run_id = q.run_id
            WHERE (p_integration_max = 0 OR r.in_integration <= p_integration_max)
              AND (p_connection_max = 0 OR r.in_connection <= p_connection_max)
              AND q.due_at <= v_now
            ORDER BY r.due_at, q.run_id LIMIT v_share FOR UPDATE OF q SKIP LOCKED)
        UPDATE nango.queue q SET token = nextval('nango.claim_token'), is_claimed = true,
            is_parked = false, attempts = q.attempts + 1,
            due_at = v_now + p_lease_ms * interval '1 millisecond',
            started_at = coalesce(q.started_at, v_now),
            sha256 = coalesce(q.sha256, (SELECT d.sha256 FROM nango.deployment d
                WHERE d.integration_id = q.integration_id AND d.is_active))
        FROM picked p WHERE q.run_id = p.run_id
        RETURNING v_count, q.run_id, q.token, q.environment_id, q.connection_id, q.attempts,
            q.sync_id::text, q.kind, q.sha256, q.force_deletes,
            (extract(epoch FROM v_now - q.created_at) * 1000)::int8,
            (extract(epoch FROM v_now - q.started_at) * 1000)::int8;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    environments := v_count;
    RETURN NEXT;
END $$;

-- Takes runs from the queue whose token still holds them, and writes them to the history. A failed
-- sync is counted, and from its third failure in a row on put off; one that owes runs is due again.
-- A sync's row is left alone where somebody holds it (a pause, a reset): what they set stands, and
-- waiting for them while holding the queue's rows could be a circle.
CREATE FUNCTION nango.complete_runs(p_outcomes json, p_quiet_max_ms int8) RETURNS int8
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_count int8;
BEGIN
        WITH o AS MATERIALIZED (SELECT * FROM json_to_recordset(p_outcomes) AS o(
            run_id int8, token int8, pages int8, added int8, updated int8, deleted int8,
            requests int8, request_bytes int8, response_bytes int8, cpu_us int8,
            max_rss_kb int8, state text, cause text, code text, message text, result text)),
        locked AS MATERIALIZED (
            SELECT q.run_id FROM nango.queue q JOIN o USING (run_id) WHERE q.token = o.token
            ORDER BY q.run_id FOR UPDATE OF q),
        taken AS (
            DELETE FROM nango.queue q USING locked l WHERE q.run_id = l.run_id RETURNING q.*),
        kept AS (
            INSERT INTO nango.run (id, account_id, environment_id, integration_id,
                connection_id, sync_id, kind, state, sha256, cause, code, message, attempts,
                pages, added, updated, deleted, result, requests, request_bytes,
                response_bytes, cpu_us, max_rss_kb, force_deletes, created_at, started_at)
            OVERRIDING SYSTEM VALUE
            SELECT t.run_id, t.account_id, t.environment_id, t.integration_id,
                t.connection_id, t.sync_id, t.kind, o.state, t.sha256, o.cause, o.code,
                o.message, t.attempts, o.pages, o.added, o.updated, o.deleted, o.result,
                o.requests, o.request_bytes, o.response_bytes, o.cpu_us, o.max_rss_kb,
                t.force_deletes, t.created_at, t.started_at
            FROM taken t JOIN o USING (run_id) RETURNING sync_id, state),
        syncs AS MATERIALIZED (
            SELECT s.id, k.state = 'failed' AS has_failed FROM nango.sync s
            JOIN kept k ON k.sync_id = s.id WHERE k.state <> 'cancelled'
              AND (k.state = 'failed' OR s.failures > 0 OR s.owed > 0)
            ORDER BY s.id FOR UPDATE OF s SKIP LOCKED),
        counted AS (
            UPDATE nango.sync s SET
                failures = CASE WHEN n.has_failed THEN s.failures + 1 ELSE 0 END,
                owed = greatest(s.owed - 1, 0),
                next_due_at = CASE
                    WHEN n.has_failed AND s.failures >= 2 AND p_quiet_max_ms > 0 THEN greatest(
                        s.next_due_at, nango.clock_now() + interval '1 millisecond' *
                        least(p_quiet_max_ms, s.interval_ms * (2 ^ least(s.failures - 1, 40))))
                    WHEN s.owed > 0 THEN least(s.next_due_at, nango.clock_now())
                    ELSE s.next_due_at END
            FROM syncs n WHERE s.id = n.id)
        SELECT count(*) INTO v_count FROM kept;
    RETURN v_count;
END $$;
