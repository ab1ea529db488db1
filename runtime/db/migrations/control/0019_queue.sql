-- Cancelled runs count where their sync owes others.
--
-- As in 0014, and a run that was cancelled (p_failed: NULL) is neither a failure nor a success, but the
-- next of those that are owed follows it, too, unless failures put that off.
CREATE OR REPLACE FUNCTION nango.count_ends(p_syncs uuid[], p_failed bool[], p_quiet_max_ms int8)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT t.ctid AS place, e.has_failed
        FROM unnest(p_syncs, p_failed) e(sync_id, has_failed)
        JOIN nango.schedule t ON t.sync_id BETWEEN e.sync_id AND e.sync_id
        WHERE e.has_failed OR t.owed > 0 OR (NOT e.has_failed AND t.failures > 0)
        ORDER BY t.sync_id FOR UPDATE OF t SKIP LOCKED)
    UPDATE nango.schedule t SET
        failures = CASE WHEN e.has_failed THEN t.failures + 1
            WHEN NOT e.has_failed THEN 0 ELSE t.failures END,
        owed = greatest(t.owed - 1, 0),
        due_at = CASE
            WHEN e.has_failed AND t.failures >= 2 AND p_quiet_max_ms > 0 THEN greatest(
                t.due_at, nango.clock_now() + interval '1 millisecond' *
                least(p_quiet_max_ms, t.interval_ms * (2 ^ least(t.failures - 1, 40))))
            WHEN e.has_failed IS NULL AND t.failures > 2 AND p_quiet_max_ms > 0 THEN t.due_at
            WHEN t.owed > 0 THEN least(t.due_at, nango.clock_now())
            ELSE t.due_at END
    FROM ended e WHERE t.ctid = e.place;
END $$;

-- As in 0014, and cancelled runs are counted, too. Each column's element is taken from its array where
-- it is needed: to make a row of sixteen arrays took longer than to look the run up.
CREATE OR REPLACE FUNCTION nango.complete_runs(p_is_told bool, p_quiet_max_ms int8, p_run int8[],
    p_token int8[], p_pages int8[], p_added int8[], p_updated int8[], p_deleted int8[],
    p_requests int8[], p_request_bytes int8[], p_response_bytes int8[], p_cpu_us int8[],
    p_max_rss_kb int8[], p_state text[], p_cause text[], p_code text[], p_message text[],
    p_result text[]) RETURNS int8
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET jit = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_now timestamptz := nango.clock_now();
    v_off text := CASE WHEN NOT p_is_told THEN set_config('synchronous_commit', 'off', true) END;
    v_count int8;
    v_syncs uuid[];
    v_failed bool[];
BEGIN
    WITH taken AS (
        DELETE FROM nango.queue q USING generate_subscripts(p_run, 1) i
        WHERE q.run_id BETWEEN p_run[i] AND p_run[i] AND (q.token = p_token[i] OR p_token[i] = 0)
        RETURNING q.run_id, q.account_id, q.environment_id, q.integration_id, q.connection_id,
            q.sync_id, q.kind, p_state[i] AS state, q.sha256, coalesce(p_cause[i], ''),
            coalesce(p_code[i], ''), coalesce(p_message[i], ''), q.attempts, p_pages[i], p_added[i],
            p_updated[i], p_deleted[i], coalesce(p_result[i], '{}'),
            coalesce(q.requests, 0) + p_requests[i],
            coalesce(q.request_bytes, 0) + p_request_bytes[i],
            coalesce(q.response_bytes, 0) + p_response_bytes[i],
            coalesce(q.cpu_us, 0) + p_cpu_us[i], greatest(q.max_rss_kb, p_max_rss_kb[i]),
            q.force_deletes, q.created_at, q.started_at),
    kept AS (
        INSERT INTO nango.run (id, account_id, environment_id, integration_id, connection_id,
            sync_id, kind, state, sha256, cause, code, message, attempts, pages, added, updated,
            deleted, result, requests, request_bytes, response_bytes, cpu_us, max_rss_kb,
            force_deletes, created_at, started_at, finished_at)
        OVERRIDING SYSTEM VALUE SELECT *, v_now FROM taken)
    SELECT count(*), array_agg(sync_id) FILTER (WHERE sync_id IS NOT NULL),
        array_agg(CASE WHEN state <> 'cancelled' THEN state = 'failed' END)
            FILTER (WHERE sync_id IS NOT NULL)
    INTO v_count, v_syncs, v_failed FROM taken;
    -- That nothing failed and none is owed or had failed before is the usual.
    IF v_syncs IS NOT NULL AND (true = ANY (v_failed) OR EXISTS (SELECT FROM nango.schedule t
            WHERE t.sync_id = ANY (v_syncs) AND (t.failures > 0 OR t.owed > 0))) THEN
        PERFORM nango.count_ends(v_syncs, v_failed, p_quiet_max_ms);
    END IF;
    RETURN v_count;
END $$;
