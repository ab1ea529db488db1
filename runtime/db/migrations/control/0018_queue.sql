-- The queue, with fewer statements for each claim.
--
-- A function in SQL is parsed and planned each time that a statement with it begins; one in PL/pgSQL
-- is once a connection. In it, what is no more than an expression is not run as a statement: a
-- setting, a lock, a sequence's value.
CREATE OR REPLACE FUNCTION nango.clock_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN clock_timestamp() + (SELECT offset_by FROM nango.clock);
END $$;

-- As in 0006: environments that have something due, in the order of their turns, at most 64.
--
-- The oldest entry of an environment lies behind those of all runs that were claimed since the last
-- vacuum. Who claimed there just now knows where it was (p_known, p_known_from), and begins there. Rows
-- that were committed later than younger ones may lie before: without anything due from there on, and
-- by a caller that does not say it once in a while, they are found.
DROP FUNCTION nango.claim_turns(timestamptz);
CREATE FUNCTION nango.claim_turns(p_now timestamptz, p_known int8, p_known_from timestamptz,
    OUT o_at int8, OUT o_ids int8[], OUT o_due timestamptz[], OUT o_last int8, OUT o_is_cut bool)
LANGUAGE plpgsql AS $$
DECLARE
    v_id int8;
    v_end int8 := 9223372036854775807;
    v_own timestamptz;
    v_due timestamptz;
    v_has_others bool;
BEGIN
    o_at := coalesce(pg_sequence_last_value('nango.turn_at'), 0);
    o_ids := '{}';
    o_due := '{}';
    o_is_cut := false;
    SELECT (SELECT q.due_at FROM nango.queue q WHERE q.environment_id = o_at
            AND q.due_at >= CASE WHEN o_at = p_known THEN p_known_from ELSE '-infinity' END
            ORDER BY q.due_at LIMIT 1),
        EXISTS (SELECT FROM nango.queue q WHERE q.environment_id > o_at)
            OR EXISTS (SELECT FROM nango.queue q WHERE q.environment_id < o_at)
        INTO v_own, v_has_others;
    IF o_at = p_known AND NOT coalesce(v_own <= p_now, false) THEN
        SELECT q.due_at INTO v_own FROM nango.queue q WHERE q.environment_id = o_at
            ORDER BY q.due_at LIMIT 1;
    END IF;
    IF v_has_others THEN
        o_is_cut := true;
        IF v_own <= p_now AND EXISTS (SELECT FROM nango.turn t WHERE t.environment_id = o_at
                AND t.goes_on) THEN
            o_ids := ARRAY[o_at];
            o_due := ARRAY[v_own];
            v_own := NULL;
        END IF;
        v_id := o_at;
        FOR i IN 1..64 LOOP
            SELECT q.environment_id, q.due_at INTO v_id, v_due FROM nango.queue q
                WHERE q.environment_id > v_id AND q.environment_id < v_end
                ORDER BY q.environment_id, q.due_at LIMIT 1;
            IF NOT FOUND THEN
                o_is_cut := v_end > o_at;
                EXIT WHEN NOT o_is_cut;
                v_end := o_at; -- round: those before it
                v_id := -1;
                CONTINUE;
            END IF;
            o_last := v_id;
            IF v_due <= p_now THEN
                o_ids := o_ids || v_id;
                o_due := o_due || v_due;
            END IF;
        END LOOP;
    END IF;
    IF v_own <= p_now AND NOT o_is_cut THEN
        o_ids := o_ids || o_at;
        o_due := o_due || v_own;
    END IF;
END $$;

-- As in 0014, and what is left to do after a claim (claim_turned of 0006) is done here. The last
-- column says from where on the environment was looked through, in microseconds since 1970: what the
-- next claim may say as p_known_us, with the environment as p_known.
DROP FUNCTION nango.claim_runs(int8, int8, int8, int8, int8);
DROP FUNCTION nango.claim_turned(nango.turn, int8, int8, int8, bool, float8, timestamptz);
CREATE FUNCTION nango.claim_runs(p_room int8, p_lease_ms int8, p_environment_max int8,
    p_provider_max int8, p_connection_max int8, p_known int8 DEFAULT -1, p_known_us int8 DEFAULT 0)
RETURNS TABLE (environments int8, run_id int8, token int8, environment_id int8,
    connection_id int8, attempts int4, sync_id text, kind int2, sha256 bytea, force_deletes bool,
    waited_ms int8, started_ms int8, from_us int8)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET jit = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := nango.clock_now();
    v_off text := set_config('synchronous_commit', 'off', true);
    v_turns record;
    v_count int8;
    v_place int8 := 0;
    v_id int8;
    v_from timestamptz;
    v_from_us int8;
    v_flying int8 := 0;
    v_turn nango.turn;
    v_quantum float8;
    v_share int8;
    v_taken int8;
    v_picked tid[];
    v_connections int8[];
    v_fits bool;
    v_deficit float8;
    v_goes_on bool;
BEGIN
    v_turns := nango.claim_turns(v_now, p_known,
        '1970-01-01 00:00:00+00'::timestamptz + p_known_us * interval '1 microsecond');
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
    v_from_us := (extract(epoch FROM v_from) * 1000000)::int8;

    -- Who counts what is in flight and then adds to it does so alone, or two nodes that count
    -- at once go over the limit together.
    v_fits := pg_advisory_xact_lock(7406, v_id::int4) IS NULL;
    SELECT * INTO v_turn FROM nango.turn t WHERE t.environment_id = v_id;
    IF v_count = 1 THEN
        v_quantum := p_room;
    ELSE
        SELECT coalesce(max(e.runs_weight) FILTER (WHERE e.id = v_id)
                * greatest(1, p_room / sum(e.runs_weight)::float8), 1)
            INTO v_quantum FROM nango.environment e WHERE e.id = ANY (v_turns.o_ids);
    END IF;
    IF NOT coalesce(v_turn.goes_on, false) THEN
        v_turn.deficit := coalesce(v_turn.deficit, 0) + v_quantum;
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
        IF p_connection_max > 0 AND v_flying + v_share > p_connection_max THEN
            v_fits := NOT EXISTS (SELECT FROM unnest(v_connections) c(id)
                GROUP BY c.id HAVING count(*) > p_connection_max);
        END IF;
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
        (date_part('epoch', v_now - q.started_at) * 1000)::int8, v_from_us;
    GET DIAGNOSTICS v_taken = ROW_COUNT;

    -- A turn that only the room cut short goes on. Otherwise it is over: who has nothing left
    -- starts anew, who was held back by a limit keeps what is owed, at most one share.
    v_deficit := v_turn.deficit - v_taken;
    v_goes_on := v_share = p_room AND v_taken = v_share AND v_deficit >= 1;
    IF v_taken < v_share THEN
        PERFORM FROM nango.queue q WHERE q.environment_id = v_id AND q.due_at >= v_from
            AND q.due_at <= v_now LIMIT 1;
        IF NOT FOUND THEN
            v_deficit := 0;
        END IF;
    END IF;
    v_deficit := least(greatest(v_deficit, 0), v_quantum);
    IF v_deficit < 1e-9 THEN
        v_deficit := 0;
    END IF;
    IF v_turns.o_at <> v_id THEN
        PERFORM setval('nango.turn_at', v_id);
    END IF;
    IF v_goes_on OR v_turn.goes_on OR v_deficit <> v_turn.deficit - v_quantum THEN
        INSERT INTO nango.turn AS t VALUES (v_id, v_deficit, v_goes_on)
        ON CONFLICT ON CONSTRAINT turn_pkey DO UPDATE
            SET deficit = excluded.deficit, goes_on = excluded.goes_on;
    END IF;
    IF v_taken = 0 THEN
        environments := v_count;
        RETURN NEXT;
    END IF;
END $$;
