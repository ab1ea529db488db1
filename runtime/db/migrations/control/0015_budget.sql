-- Shared rate budgets (runtime/engine/budget.h). Times are microseconds of nango.clock_now().
-- A row that is gone is a bucket that has rested.
CREATE TABLE nango.budget (
    key text COLLATE "C" PRIMARY KEY, -- scope, its id, class
    tat_us int8 NOT NULL, -- nominal time of the next slot
    epoch int8 NOT NULL, -- how often it was found rested: slots of another one cannot come back
    at_us int8 NOT NULL, -- when it was asked last
    blocked_us int8 NOT NULL -- nobody calls before; 0: never blocked
) WITH (fillfactor = 50);
CREATE INDEX budget_blocked ON nango.budget (blocked_us) WHERE blocked_us > 0;

CREATE FUNCTION nango.clock_us() RETURNS int8 LANGUAGE sql VOLATILE
    AS $$ SELECT (extract(epoch FROM nango.clock_now()) * 1000000)::int8 $$;

-- A node's slices of several buckets, in key order so that two nodes do not wait for each other.
-- takes and backs are microseconds: slots times their period. base_us is the nominal time of the
-- first slot, null while the bucket is blocked. No wait for the disk: a crash of Postgres that
-- takes a lease back gives what it took once more, no more than that.
CREATE FUNCTION nango.budget_lease(p_keys text[], p_takes int8[], p_backs int8[], p_epochs int8[])
RETURNS TABLE (key text, now_us int8, base_us int8, epoch int8, blocked_us int8)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_ask record;
    v_row nango.budget;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR v_ask IN SELECT * FROM unnest(p_keys, p_takes, p_backs, p_epochs)
            a(asked, take_us, back_us, its_epoch) ORDER BY asked COLLATE "C" LOOP
        INSERT INTO nango.budget VALUES (v_ask.asked, 0, 0, 0, 0) ON CONFLICT DO NOTHING;
        SELECT * INTO v_row FROM nango.budget b WHERE b.key = v_ask.asked FOR UPDATE;
        now_us := nango.clock_us();
        IF v_row.epoch = v_ask.its_epoch THEN
            v_row.tat_us := v_row.tat_us - v_ask.back_us;
        END IF;
        base_us := NULL;
        IF v_row.blocked_us <= now_us AND v_ask.take_us > 0 THEN
            IF v_row.tat_us < now_us THEN
                v_row.tat_us := now_us;
                v_row.epoch := v_row.epoch + 1;
            END IF;
            base_us := v_row.tat_us;
            v_row.tat_us := v_row.tat_us + v_ask.take_us;
        END IF;
        UPDATE nango.budget b SET tat_us = v_row.tat_us, epoch = v_row.epoch, at_us = now_us
            WHERE b.key = v_ask.asked;
        key := v_ask.asked;
        epoch := v_row.epoch;
        blocked_us := v_row.blocked_us;
        RETURN NEXT;
    END LOOP;
END $$;

-- Nobody calls for so long; the bucket is empty at the end of it. p_node heard it itself.
CREATE FUNCTION nango.budget_block(p_key text, p_wait_us int8, p_tau_us int8, p_node text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_until int8 := nango.clock_us() + p_wait_us;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO nango.budget AS b VALUES (p_key, v_until + p_tau_us, 1, nango.clock_us(), v_until)
    ON CONFLICT (key) DO UPDATE SET
        tat_us = greatest(b.tat_us, EXCLUDED.tat_us), epoch = b.epoch + 1, at_us = EXCLUDED.at_us,
        blocked_us = greatest(b.blocked_us, EXCLUDED.blocked_us);
    PERFORM pg_notify('nango', 'budget ' || p_node);
END $$;
