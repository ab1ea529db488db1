-- The queue, with less to do for each run.
--
-- As in 0006, and the oldest runs are picked first and then counted by their connections together
-- with what is in flight: only where they do not fit is it sorted out which of more of them do.
CREATE OR REPLACE FUNCTION nango.claim_runs(p_room int8, p_lease_ms int8, p_environment_max int8,
    p_provider_max int8, p_connection_max int8)
RETURNS TABLE (environments int8, run_id int8, token int8, environment_id int8,
    connection_id int8, attempts int4, sync_id text, kind int2, sha256 bytea, force_deletes bool,
    waited_ms int8, started_ms int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET jit = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := nango.clock_now();
    v_turns record;
    v_count int8;
    v_place int8 := 0;
    v_id int8;
    v_from timestamptz;
    v_flying int8 := 0;
    v_turn nango.turn;
    v_quantum float8;
    v_share int8;
    v_taken int8;
    v_picked tid[];
    v_connections int8[];
    v_fits bool;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT * INTO v_turns FROM nango.claim_turns(v_now);
    v_count := cardinality(v_turns.o_ids);
    -- With a choice, those at their limit are passed over; what counts is counted under the lock.
    LOOP
        v_place := v_place + 1;
        EXIT WHEN v_place > v_count;
        v_id := v_turns.o_ids[v_place];
        EXIT WHEN p_environment_max = 0 OR v_count = 1;
        SELECT count(*) INTO v_flying FROM (SELECT FROM nango.queue q
            WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed
            LIMIT p_environment_max) f;
        EXIT WHEN v_flying < p_environment_max;
    END LOOP;
    IF v_place > v_count THEN
        IF v_turns.o_is_cut THEN
            PERFORM setval('nango.turn_at', v_turns.o_last);
            v_count := 64;
        ELSE
            v_count := 0;
        END IF;
        environments := v_count;
        RETURN NEXT;
        RETURN;
    END IF;
    v_from := v_turns.o_due[v_place];

    -- Who counts what is in flight and then adds to it does so alone, or two nodes that count
    -- at once go over the limit together.
    PERFORM pg_advisory_xact_lock(7406, v_id::int4);
    SELECT * INTO v_turn FROM nango.turn t WHERE t.environment_id = v_id;
    v_quantum := CASE WHEN v_count = 1 THEN p_room ELSE (
        SELECT max(e.runs_weight) FILTER (WHERE e.id = v_id)
            * greatest(1, p_room / sum(e.runs_weight)::float8)
        FROM nango.environment e WHERE e.id = ANY (v_turns.o_ids)) END;
    IF NOT coalesce(v_turn.goes_on, false) THEN
        v_turn.deficit := coalesce(v_turn.deficit, 0) + coalesce(v_quantum, 1);
    END IF;
    v_share := least(p_room, greatest(floor(v_turn.deficit), 1));
    IF p_environment_max + p_provider_max + p_connection_max > 0 THEN
        v_connections := ARRAY(SELECT q.connection_id FROM nango.queue q
            WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed);
        v_flying := cardinality(v_connections);
    END IF;
    IF p_environment_max > 0 THEN
        v_share := least(v_share, greatest(p_environment_max - v_flying, 0));
    END IF;
    -- Most often the oldest fit; where not, more of them are looked at.
    v_fits := p_provider_max = 0 OR v_flying + v_share <= p_provider_max;
    IF v_fits THEN
        SELECT array_agg(f.place), v_connections || array_agg(f.connection_id)
            INTO v_picked, v_connections
            FROM (SELECT q.ctid AS place, q.connection_id FROM nango.queue q
                WHERE q.environment_id = v_id AND q.due_at >= v_from AND q.due_at <= v_now
                ORDER BY q.due_at LIMIT v_share FOR UPDATE SKIP LOCKED) f;
        v_fits := p_connection_max = 0 OR v_flying + v_share <= p_connection_max
            OR NOT EXISTS (SELECT FROM unnest(v_connections) c(id)
                GROUP BY c.id HAVING count(*) > p_connection_max);
    END IF;
    IF NOT v_fits THEN
        v_picked := nango.claim_within(v_id, v_from, v_now, v_share, v_share * 4,
            p_provider_max, p_connection_max);
    END IF;
    RETURN QUERY
    UPDATE nango.queue q SET token = nango.next_token(q.token), is_claimed = true,
        is_parked = false, attempts = q.attempts + 1,
        due_at = v_now + p_lease_ms * interval '1 millisecond',
        started_at = coalesce(q.started_at, v_now),
        sha256 = coalesce(q.sha256, (SELECT d.sha256 FROM nango.deployment d
            WHERE d.integration_id = q.integration_id AND d.is_active))
    WHERE q.ctid = ANY (v_picked)
    RETURNING v_count, q.run_id, q.token, q.environment_id, q.connection_id, q.attempts,
        q.sync_id::text, q.kind, q.sha256, q.force_deletes,
        (date_part('epoch', v_now - q.created_at) * 1000)::int8,
        (date_part('epoch', v_now - q.started_at) * 1000)::int8;
    GET DIAGNOSTICS v_taken = ROW_COUNT;
    PERFORM nango.claim_turned(v_turn, v_id, v_taken, v_share,
        v_share = p_room AND v_taken = v_share, coalesce(v_quantum, 1), v_now);
    IF v_taken = 0 THEN
        environments := v_count;
        RETURN NEXT;
    END IF;
END $$;

-- As in 0007, and what usually happens, that nothing failed and none is owed or had failed before, is
-- seen in an index of the few others.
CREATE INDEX schedule_counted ON nango.schedule (sync_id) WHERE failures > 0 OR owed > 0;
CREATE OR REPLACE FUNCTION nango.count_ends(p_syncs uuid[], p_failed bool[], p_quiet_max_ms int8)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT true = ANY (p_failed) AND NOT EXISTS (SELECT FROM nango.schedule t
            WHERE t.sync_id = ANY (p_syncs) AND (t.failures > 0 OR t.owed > 0)) THEN
        RETURN;
    END IF;
    WITH ended AS MATERIALIZED (
        SELECT t.ctid AS place, e.has_failed
        FROM unnest(p_syncs, p_failed) e(sync_id, has_failed)
        JOIN nango.schedule t ON t.sync_id BETWEEN e.sync_id AND e.sync_id
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

-- As in 0006 and 0007, and each row is looked up by its id whatever the planner believes. A plan is
-- made once a connection, and where the queue had one row then, the cheapest was to walk over the
-- whole queue in the order of its ids and compare each with all that end: a second for a hundred runs
-- of a queue of 20,000. BETWEEN says "=" to the index and not to the planner.
CREATE OR REPLACE FUNCTION nango.complete_runs(p_is_told bool, p_quiet_max_ms int8, p_run int8[],
    p_token int8[], p_pages int8[], p_added int8[], p_updated int8[], p_deleted int8[],
    p_requests int8[], p_request_bytes int8[], p_response_bytes int8[], p_cpu_us int8[],
    p_max_rss_kb int8[], p_state text[], p_cause text[], p_code text[], p_message text[],
    p_result text[]) RETURNS int8
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET jit = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_now timestamptz := nango.clock_now();
    v_count int8;
    v_syncs uuid[];
    v_failed bool[];
BEGIN
    IF NOT p_is_told THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    WITH o AS MATERIALIZED (
        SELECT * FROM unnest(p_run, p_token, p_pages, p_added, p_updated, p_deleted, p_requests,
            p_request_bytes, p_response_bytes, p_cpu_us, p_max_rss_kb, p_state, p_cause, p_code,
            p_message, p_result) o(id, token, pages, added, updated, deleted, requests,
            request_bytes, response_bytes, cpu_us, max_rss_kb, state, cause, code, message,
            result)),
    taken AS (
        DELETE FROM nango.queue q USING o
        WHERE q.run_id BETWEEN o.id AND o.id AND (q.token = o.token OR o.token = 0)
        RETURNING q.run_id, q.account_id, q.environment_id, q.integration_id, q.connection_id,
            q.sync_id, q.kind, o.state, q.sha256, coalesce(o.cause, '') AS cause,
            coalesce(o.code, '') AS code, coalesce(o.message, '') AS message, q.attempts, o.pages,
            o.added, o.updated, o.deleted, coalesce(o.result, '{}') AS result,
            coalesce(q.requests, 0) + o.requests, coalesce(q.request_bytes, 0) + o.request_bytes,
            coalesce(q.response_bytes, 0) + o.response_bytes, coalesce(q.cpu_us, 0) + o.cpu_us,
            greatest(q.max_rss_kb, o.max_rss_kb), q.force_deletes, q.created_at, q.started_at,
            v_now),
    kept AS (
        INSERT INTO nango.run (id, account_id, environment_id, integration_id, connection_id,
            sync_id, kind, state, sha256, cause, code, message, attempts, pages, added, updated,
            deleted, result, requests, request_bytes, response_bytes, cpu_us, max_rss_kb,
            force_deletes, created_at, started_at, finished_at)
        OVERRIDING SYSTEM VALUE SELECT * FROM taken RETURNING sync_id, state)
    SELECT count(*),
        array_agg(sync_id) FILTER (WHERE sync_id IS NOT NULL AND state <> 'cancelled'),
        array_agg(state = 'failed') FILTER (WHERE sync_id IS NOT NULL AND state <> 'cancelled')
    INTO v_count, v_syncs, v_failed FROM kept;
    IF v_syncs IS NOT NULL THEN
        PERFORM nango.count_ends(v_syncs, v_failed, p_quiet_max_ms);
    END IF;
    RETURN v_count;
END $$;
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
    FROM unnest(p_syncs) w(id) JOIN nango.sync s ON s.id BETWEEN w.id AND w.id
    WHERE s.deleted_at IS NULL
    ON CONFLICT (sync_id) WHERE sync_id IS NOT NULL DO NOTHING RETURNING q.sync_id, q.run_id;
END $$;
