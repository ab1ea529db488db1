-- The queue, leaner and fair by deficit. What an earlier attempt used (requests, bytes, processor
-- time) is kept in the row until the run ends; NULL, which takes no room, where there was none.
ALTER TABLE nango.queue
    ADD COLUMN requests int8,
    ADD COLUMN request_bytes int8,
    ADD COLUMN response_bytes int8,
    ADD COLUMN cpu_us int8,
    ADD COLUMN max_rss_kb int8;
-- No update of a row is a heap-only one, so room left in its page is never used.
ALTER TABLE nango.queue SET (fillfactor = 100);

-- Runs without a sync are not looked for by it.
DROP INDEX nango.run_sync;
CREATE INDEX run_sync ON nango.run (sync_id, id) WHERE sync_id IS NOT NULL;

CREATE OR REPLACE VIEW nango.any_run AS
    SELECT id, account_id, environment_id, integration_id, connection_id, sync_id, kind, state,
        sha256, cause, code, message, attempts, pages, added, updated, deleted, result, requests,
        request_bytes, response_bytes, cpu_us, max_rss_kb, force_deletes, created_at, started_at,
        finished_at, NULL::timestamptz AS due_at
    FROM nango.run
    UNION ALL
    SELECT run_id, account_id, environment_id, integration_id, connection_id, sync_id, kind,
        CASE WHEN is_claimed THEN 'running' WHEN is_parked THEN 'parked' ELSE 'queued' END,
        sha256, '', '', '', attempts, 0, 0, 0, 0, '{}', coalesce(requests, 0),
        coalesce(request_bytes, 0), coalesce(response_bytes, 0), coalesce(cpu_us, 0),
        coalesce(max_rss_kb, 0), force_deletes, created_at, started_at, NULL, due_at
    FROM nango.queue;

-- Whose turn it is. Environments with something due are served in the order of their ids, round
-- and round, from turn_at on (a sequence, because moving one locks nothing until a commit). An
-- environment whose turn comes gets its weight's share of the room that the claim offers, at
-- least one run; what it may not take now, it keeps for its next turn: its deficit.
ALTER TABLE nango.environment ADD COLUMN runs_weight int2 NOT NULL DEFAULT 1
    CHECK (runs_weight BETWEEN 1 AND 100);
CREATE SEQUENCE nango.turn_at MINVALUE 0 START 0;
CREATE TABLE nango.turn (
    environment_id int8 PRIMARY KEY,
    deficit float8 NOT NULL,
    goes_on bool NOT NULL -- its turn was cut short by the room: it is not over
) WITH (fillfactor = 20);

DROP FUNCTION nango.claim_runs(int8, int8, int8, int8, int8);
DROP FUNCTION nango.complete_runs(json, int8);
DROP SEQUENCE nango.claim_turn;
DROP SEQUENCE nango.claim_token;

-- A token is higher than those before it of the same run and is never given out twice, not even
-- after a crash of Postgres that took a claim away again: the milliseconds of a clock that does
-- not turn back, then 20 random bits. A sequence could repeat its last values then.
CREATE FUNCTION nango.next_token(p_before int8) RETURNS int8 LANGUAGE sql VOLATILE
    AS $$ SELECT greatest(p_before,
        (date_part('epoch', clock_timestamp()) * 1000)::int8 * 1048576)
        + 1 + (random() * 1048575)::int8 $$;

-- The functions of a claim are planned once a connection, under the settings of claim_runs.
--
-- Environments that have something due, in the order of their turns, at most 64.
CREATE FUNCTION nango.claim_turns(p_now timestamptz, OUT o_ids int8[], OUT o_due timestamptz[],
    OUT o_last int8, OUT o_is_cut bool)
LANGUAGE plpgsql AS $$
DECLARE
    v_at int8 := (SELECT last_value FROM nango.turn_at);
    v_id int8 := v_at;
    v_end int8 := 9223372036854775807;
    v_own timestamptz;
    v_due timestamptz;
BEGIN
    o_ids := '{}';
    o_due := '{}';
    o_is_cut := true;
    SELECT q.due_at INTO v_own FROM nango.queue q WHERE q.environment_id = v_at
        ORDER BY q.due_at LIMIT 1;
    IF v_own <= p_now AND EXISTS (SELECT FROM nango.turn t WHERE t.environment_id = v_at
            AND t.goes_on) THEN
        o_ids := ARRAY[v_at];
        o_due := ARRAY[v_own];
        v_own := NULL;
    END IF;
    FOR i IN 1..64 LOOP
        SELECT q.environment_id, q.due_at INTO v_id, v_due FROM nango.queue q
            WHERE q.environment_id > v_id AND q.environment_id < v_end
            ORDER BY q.environment_id, q.due_at LIMIT 1;
        IF NOT FOUND THEN
            o_is_cut := v_end > v_at;
            EXIT WHEN NOT o_is_cut;
            v_end := v_at; -- round: those before it
            v_id := -1;
            CONTINUE;
        END IF;
        o_last := v_id;
        IF v_due <= p_now THEN
            o_ids := o_ids || v_id;
            o_due := o_due || v_due;
        END IF;
    END LOOP;
    IF v_own <= p_now AND NOT o_is_cut THEN
        o_ids := o_ids || v_at;
        o_due := o_due || v_own;
    END IF;
END $$;

-- The planner has no statistics of a table that is empty now and long a second later, so it is
-- told to use indexes, and those the way that forgets dead entries (no bitmap). Reading a tiny
-- table then has a forbidding cost, for which each call would be compiled (jit).
--
-- A claim names one environment: the one whose turn it is among those that have something due
-- and are below their limit. A provider and a connection go on up to their own limits, counted
-- with what is picked here. Always answers with a row: the first column is how many environments
-- are worth another try, the others may be null.
--
-- It does not wait for the disk (synchronous_commit): a claim that a crash of Postgres took away
-- is made again with a higher token, which fences whoever still holds the lost one.
CREATE FUNCTION nango.claim_runs(p_room int8, p_lease_ms int8, p_environment_max int8,
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
        SELECT count(*) INTO v_flying FROM nango.queue q
            WHERE q.environment_id = v_id AND q.due_at > v_now AND q.is_claimed;
    END IF;
    IF p_environment_max > 0 THEN
        v_share := least(v_share, greatest(p_environment_max - v_flying, 0));
    END IF;
    IF (p_connection_max = 0 OR v_flying + v_share <= p_connection_max)
            AND (p_provider_max = 0 OR v_flying + v_share <= p_provider_max) THEN
        -- No limit can be met, whichever runs are picked.
        v_picked := ARRAY(SELECT q.ctid FROM nango.queue q
            WHERE q.environment_id = v_id AND q.due_at >= v_from AND q.due_at <= v_now
            ORDER BY q.due_at LIMIT v_share FOR UPDATE SKIP LOCKED);
    ELSE
        -- Most often the oldest fit; where not, more of them are looked at.
        v_picked := nango.claim_within(v_id, v_from, v_now, v_share, v_share, p_provider_max,
            p_connection_max);
        IF cardinality(v_picked) < v_share THEN
            v_picked := nango.claim_within(v_id, v_from, v_now, v_share, v_share * 4,
                p_provider_max, p_connection_max);
        END IF;
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

-- Places of at most p_share due runs of an environment that their provider and their connection
-- have room for, of the p_reach oldest. A full connection is left out before the oldest are looked at, or
-- what it has queued would hide the others.
CREATE FUNCTION nango.claim_within(p_id int8, p_from timestamptz, p_now timestamptz,
    p_share int8, p_reach int8, p_provider_max int8, p_connection_max int8) RETURNS tid[]
LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        WITH flying AS MATERIALIZED (
            SELECT q.connection_id, CASE WHEN p_provider_max > 0 THEN (SELECT i.provider
                FROM nango.integration i WHERE i.id = q.integration_id) END AS provider
            FROM nango.queue q
            WHERE q.environment_id = p_id AND q.due_at > p_now AND q.is_claimed),
        by_connection AS MATERIALIZED (
            SELECT f.connection_id, count(*) AS n FROM flying f GROUP BY 1),
        by_provider AS MATERIALIZED (
            SELECT f.provider, count(*) AS n FROM flying f WHERE p_provider_max > 0 GROUP BY 1),
        free AS MATERIALIZED (
            SELECT q.ctid AS place, q.connection_id, q.due_at,
                CASE WHEN p_provider_max > 0 THEN (SELECT i.provider
                    FROM nango.integration i WHERE i.id = q.integration_id) END AS provider
            FROM nango.queue q
            WHERE q.environment_id = p_id AND q.due_at >= p_from AND q.due_at <= p_now
              AND (p_connection_max = 0 OR q.connection_id <> ALL (ARRAY(
                    SELECT c.connection_id FROM by_connection c WHERE c.n >= p_connection_max)))
              AND (p_provider_max = 0 OR q.integration_id <> ALL (ARRAY(
                    SELECT i.id FROM nango.integration i JOIN by_provider b USING (provider)
                    WHERE i.environment_id = p_id AND b.n >= p_provider_max)))
            ORDER BY q.due_at LIMIT p_reach),
        ranked AS MATERIALIZED (
            SELECT f.place, f.due_at,
                coalesce(c.n, 0) + row_number() OVER (
                    PARTITION BY f.connection_id ORDER BY f.due_at) AS in_connection,
                CASE WHEN p_provider_max > 0 THEN f.provider END AS provider
            FROM free f LEFT JOIN by_connection c ON c.connection_id = f.connection_id),
        fitting AS MATERIALIZED (
            SELECT r.place, r.due_at, coalesce(b.n, 0) + row_number() OVER (
                    PARTITION BY r.provider ORDER BY r.due_at) AS in_provider
            FROM ranked r LEFT JOIN by_provider b ON b.provider = r.provider
            WHERE p_connection_max = 0 OR r.in_connection <= p_connection_max),
        oldest AS MATERIALIZED (
            SELECT f.place FROM fitting f
            WHERE p_provider_max = 0 OR f.in_provider <= p_provider_max
            ORDER BY f.due_at LIMIT p_share)
        SELECT q.ctid FROM oldest o JOIN nango.queue q ON q.ctid = o.place
        WHERE q.due_at <= p_now FOR UPDATE OF q SKIP LOCKED);
END $$;

-- After a claim. A turn that only the room cut short goes on. Otherwise it is over: who has
-- nothing left starts anew, who was held back by a limit keeps what is owed, at most one share.
CREATE FUNCTION nango.claim_turned(p_turn nango.turn, p_id int8, p_taken int8, p_share int8,
    p_is_cut bool, p_quantum float8, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_deficit float8 := p_turn.deficit - p_taken;
    v_goes_on bool := p_is_cut AND v_deficit >= 1;
BEGIN
    IF p_taken < p_share AND NOT EXISTS (SELECT FROM nango.queue q
            WHERE q.environment_id = p_id AND q.due_at <= p_now) THEN
        v_deficit := 0;
    END IF;
    v_deficit := least(greatest(v_deficit, 0), p_quantum);
    IF v_deficit < 1e-9 THEN
        v_deficit := 0;
    END IF;
    IF (SELECT last_value FROM nango.turn_at) <> p_id THEN
        PERFORM setval('nango.turn_at', p_id);
    END IF;
    IF v_goes_on OR p_turn.goes_on OR v_deficit <> p_turn.deficit - p_quantum THEN
        INSERT INTO nango.turn AS t VALUES (p_id, v_deficit, v_goes_on)
        ON CONFLICT (environment_id) DO UPDATE
            SET deficit = excluded.deficit, goes_on = excluded.goes_on;
    END IF;
END $$;

-- The one way in: runs of syncs, at once those of several. A sync has one row in the queue at a
-- time, so what is queued or under way already is not queued again and not given back. Locks the
-- syncs, unless the caller has, so that none is deleted or paused meanwhile. What a client is told
-- of must be on the disk, so this waits for it.
CREATE FUNCTION nango.enqueue_runs(p_syncs uuid[], p_is_forced bool, p_locks bool)
RETURNS TABLE (sync_id uuid, run_id int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET jit = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := nango.clock_now();
BEGIN
    IF p_locks THEN
        PERFORM FROM nango.sync s WHERE s.id = ANY (p_syncs) ORDER BY s.id FOR UPDATE;
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
-- due again. A sync's row is left alone where somebody holds it (a pause, a reset): what they set
-- stands, and waiting for them while holding the queue's rows could be a circle.
CREATE FUNCTION nango.count_ends(p_syncs uuid[], p_failed bool[], p_quiet_max_ms int8)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH syncs AS MATERIALIZED (
        SELECT s.id, e.has_failed FROM unnest(p_syncs, p_failed) e(sync_id, has_failed)
        JOIN nango.sync s ON s.id = e.sync_id
        WHERE e.has_failed OR s.failures > 0 OR s.owed > 0
        ORDER BY s.id FOR UPDATE OF s SKIP LOCKED)
    UPDATE nango.sync s SET
        failures = CASE WHEN n.has_failed THEN s.failures + 1 ELSE 0 END,
        owed = greatest(s.owed - 1, 0),
        next_due_at = CASE
            WHEN n.has_failed AND s.failures >= 2 AND p_quiet_max_ms > 0 THEN greatest(
                s.next_due_at, nango.clock_now() + interval '1 millisecond' *
                least(p_quiet_max_ms, s.interval_ms * (2 ^ least(s.failures - 1, 40))))
            WHEN s.owed > 0 THEN least(s.next_due_at, nango.clock_now())
            ELSE s.next_due_at END
    FROM syncs n WHERE s.id = n.id;
END $$;

-- Takes runs from the queue whose token still holds them (0: whoever holds them), and writes them
-- to the history with what all their attempts used. The runs come in the order of their ids, in
-- which their rows are then locked: each is looked up by its own (no hash, no merge). Texts that
-- are empty for all of them are not sent.
--
-- Only a cancellation, which a client is told of, waits for the disk: a completion that a crash
-- of Postgres took away is made again from the run's closed fence.
CREATE FUNCTION nango.complete_runs(p_is_told bool, p_quiet_max_ms int8, p_run int8[],
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
        WHERE q.run_id = o.id AND (q.token = o.token OR o.token = 0)
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
