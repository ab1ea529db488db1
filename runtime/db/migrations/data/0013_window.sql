-- window_live: how many records were live when the window was opened. What a closing one deletes is a
-- share of them (the guard): those that the walk itself added since prove nothing of the others.
ALTER TABLE nango_data.dataset ADD COLUMN window_live int8 NOT NULL DEFAULT 0;
UPDATE nango_data.dataset d SET window_live = d.live - (
    SELECT count(*) FROM nango_data.record r WHERE r.connection_id = d.connection_id
      AND r.dataset_id = d.id AND r.seq > 0 AND r.seq > d.window_seq AND r.action = 1)
WHERE d.window_id <> 0;

-- model_hash: of the model that every live record passed, or is in quarantine since. Each page keeps it
-- so: one that writes under another model sets it to 0, one that writes where nothing is live, or closes
-- a window of whose pages all were under its model, sets it to its own.
-- window_model: of the model of all pages since the window was opened; 0: of several, or unknown.
-- The last three parameters of write_page say what the page knew of them and what they become. A node
-- of the version before does not give them: what it writes is of an unknown model.
ALTER TABLE nango_data.dataset ADD COLUMN window_model int8 NOT NULL DEFAULT 0;

DROP FUNCTION nango_data.write_page;
CREATE FUNCTION nango_data.write_page(p_connection int8, p_run int8, p_token int8, p_number int8,
    p_result text, p_ids int8[], p_epochs int8[], p_seqs int8[], p_windows int8[],
    p_quarantined int8[], p_new_seqs int8[], p_new_lives int8[], p_new_windows int8[],
    p_new_window_seqs int8[], p_new_window_runs int8[], p_new_partial int8[],
    p_new_quarantined int8[],
    p_modified timestamptz[], p_marks bytea[],
    p_checkpoint int8, -- 0 keep, 1 put, 2 clear
    p_checkpoint_key text, p_checkpoint_body text, p_checkpoint_version int8,
    p_take_heads bool, p_moves_heads bool, p_has_window bool, p_has_marks bool,
    p_environment int8, p_facts text, p_added int8[], p_updated int8[], p_deleted int8[],
    p_models int8[] DEFAULT NULL, p_new_models int8[] DEFAULT NULL,
    p_new_window_models int8[] DEFAULT NULL)
RETURNS TABLE (fence_held bool, heads_held bool, checkpoint_held bool)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    -- A page that only marks what it saw must not slip past the closing of the window: the heads
    -- are shared here, in the order in which others lock them.
    IF p_take_heads THEN
        PERFORM FROM nango_data.dataset d WHERE d.connection_id = p_connection
            AND d.id = ANY (p_ids) ORDER BY d.model FOR UPDATE NOWAIT;
    ELSIF p_has_window THEN
        PERFORM FROM nango_data.dataset d WHERE d.connection_id = p_connection
            AND d.id = ANY (p_ids) ORDER BY d.model FOR SHARE;
    END IF;
    heads_held := cardinality(p_ids) = (SELECT count(*)
        FROM unnest(p_ids, p_epochs, p_seqs, p_windows, p_quarantined, p_models)
            AS w (id, epoch, seq, win, quarantined, model)
        JOIN nango_data.dataset d ON d.connection_id = p_connection AND d.id = w.id
        WHERE d.epoch = w.epoch AND d.seq = w.seq AND d.window_id = w.win
          AND d.quarantined = w.quarantined AND d.model_hash = coalesce(w.model, d.model_hash));
    checkpoint_held := p_checkpoint = 0 OR p_checkpoint_version = coalesce((
        SELECT c.version FROM nango_data.checkpoint c
        WHERE c.connection_id = p_connection AND c.key = p_checkpoint_key), 0);
    fence_held := false;
    -- Nothing is written before the fence, and everything below it or nothing.
    IF heads_held AND checkpoint_held THEN
        UPDATE nango_data.fence f SET pages = p_number, result = p_result,
            updated_at = nango_data.clock_now()
        WHERE f.connection_id = p_connection AND f.run_id = p_run AND f.token = p_token
          AND f.state = 'open' AND f.pages = p_number - 1;
        fence_held := FOUND;
    END IF;
    IF fence_held AND (p_moves_heads OR (p_has_marks AND p_models IS NULL)) THEN
        WITH moved AS (
            UPDATE nango_data.dataset d SET seq = w.new_seq, live = w.new_live,
                window_id = w.new_win, window_seq = w.new_win_seq,
                window_run_id = w.new_win_run, quarantined = w.new_quarantined,
                window_partial = w.new_win <> 0
                    AND (w.new_partial <> 0 OR (w.new_win = w.win AND d.window_partial)),
                window_live = CASE WHEN w.new_win IN (0, w.win) THEN d.window_live
                    ELSE d.live END,
                -- Another page of the window, which moved nothing, may have cleared it.
                window_model = CASE WHEN w.new_win = w.win
                    AND d.window_model IS DISTINCT FROM w.new_win_model THEN 0
                    ELSE coalesce(w.new_win_model, 0) END,
                model_hash = CASE WHEN w.new_model IS NOT NULL THEN w.new_model
                    WHEN w.added + w.updated > 0 OR w.new_quarantined < w.quarantined THEN 0
                    ELSE d.model_hash END,
                window_opened_at = CASE WHEN w.new_win = w.win THEN d.window_opened_at
                    WHEN w.new_win = 0 THEN NULL ELSE w.modified END, -- before the page's records
                modified_at = CASE WHEN w.new_seq > w.seq THEN w.modified
                    ELSE d.modified_at END,
                unpruned_at = CASE WHEN w.new_seq > w.seq
                    THEN coalesce(d.unpruned_at, w.modified) ELSE d.unpruned_at END,
                used_at = CASE WHEN d.used_at < w.modified - interval '1 hour' THEN w.modified
                    ELSE d.used_at END
            FROM unnest(p_ids, p_seqs, p_windows, p_quarantined, p_new_seqs, p_new_lives,
                p_new_windows, p_new_window_seqs, p_new_window_runs, p_new_partial,
                p_new_quarantined, p_modified, p_added, p_updated, p_deleted, p_new_models,
                p_new_window_models)
                AS w (id, seq, win, quarantined, new_seq, new_live, new_win, new_win_seq,
                    new_win_run, new_partial, new_quarantined, modified, added, updated, deleted,
                    new_model, new_win_model)
            WHERE d.connection_id = p_connection AND d.id = w.id
            RETURNING d.model, w.added, w.updated, w.deleted)
        INSERT INTO nango_data.outbox AS o (connection_id, run_id, kind, model, environment_id,
            facts, added, updated, deleted, created_at)
        SELECT p_connection, p_run, 'sync', m.model, p_environment, p_facts, m.added, m.updated,
            m.deleted, now() + (SELECT offset_by FROM nango_data.clock)
        FROM moved m WHERE m.added + m.updated + m.deleted > 0
        ON CONFLICT (connection_id, run_id, kind, model, destination) DO UPDATE
        SET added = o.added + excluded.added, updated = o.updated + excluded.updated,
            deleted = o.deleted + excluded.deleted;
    END IF;
    IF fence_held AND p_has_marks THEN
        INSERT INTO nango_data.seen (connection_id, window_id, run_id, page, marks)
        SELECT p_connection, w.win, p_run, p_number, w.marks
        FROM unnest(p_new_windows, p_marks) AS w (win, marks)
        WHERE w.win <> 0 AND length(w.marks) > 0;
    END IF;
    IF fence_held AND p_checkpoint <> 0 THEN
        INSERT INTO nango_data.checkpoint AS c (connection_id, key, version, body)
        VALUES (p_connection, p_checkpoint_key, p_checkpoint_version + 1, p_checkpoint_body)
        ON CONFLICT (connection_id, key) DO UPDATE SET version = c.version + 1,
            body = excluded.body, updated_at = nango_data.clock_now()
        WHERE c.version = p_checkpoint_version;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the checkpoint was written meanwhile'
                USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    RETURN NEXT;
END $$;
