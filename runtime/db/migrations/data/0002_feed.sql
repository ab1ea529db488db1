-- What change detection, delete windows, quarantine and pruning need.
--
-- The key carries what a manifest reads, so that a million rows are known without touching one.
ALTER TABLE nango_data.record DROP CONSTRAINT record_pkey;
ALTER TABLE nango_data.record ADD CONSTRAINT record_pkey
    PRIMARY KEY (connection_id, dataset_id, external_id) INCLUDE (hash, action, seq);

-- Index-only reads need pages that vacuum has seen: often, and little each time.
DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('ALTER TABLE nango_data.record_%s SET ('
                       'autovacuum_vacuum_insert_scale_factor = 0.05, '
                       'autovacuum_vacuum_scale_factor = 0.05, '
                       'autovacuum_analyze_scale_factor = 0.05)', i);
    END LOOP;
END $$;

-- A delete window is part of its dataset's head: opened once, it never expires, and is closed
-- only by a walk that was complete. Rows whose sequence is over window_seq were written since;
-- what was seen unchanged is in nango_data.seen. 0: no window is open.
CREATE SEQUENCE nango_data.window_id;
ALTER TABLE nango_data.dataset
    ADD COLUMN window_id int8 NOT NULL DEFAULT 0,
    ADD COLUMN window_seq int8 NOT NULL DEFAULT 0,
    ADD COLUMN window_run_id int8 NOT NULL DEFAULT 0,
    ADD COLUMN window_opened_at timestamptz,
    ADD COLUMN quarantined int8 NOT NULL DEFAULT 0, -- rows in nango_data.quarantine
    ADD COLUMN model_hash int8 NOT NULL DEFAULT 0,  -- of the model that all records passed
    ADD COLUMN pruned_seq int8 NOT NULL DEFAULT 0,  -- up to here every payload is gone
    ADD COLUMN used_at timestamptz NOT NULL DEFAULT nango_data.clock_now();
CREATE INDEX dataset_used ON nango_data.dataset (used_at);

-- Datasets whose head is gone and whose records still have to go, piece by piece.
CREATE TABLE nango_data.dataset_removed (
    connection_id int8 NOT NULL,
    id int8 NOT NULL,
    PRIMARY KEY (connection_id, id)
);

-- marks: 8 bytes for each record that a page saw unchanged, the beginning of its id's hash.
CREATE TABLE nango_data.seen (
    connection_id int8 NOT NULL,
    window_id int8 NOT NULL,
    run_id int8 NOT NULL,
    page int8 NOT NULL,
    marks bytea NOT NULL,
    PRIMARY KEY (connection_id, window_id, run_id, page)
);
ALTER TABLE nango_data.seen ALTER COLUMN marks SET STORAGE EXTERNAL; -- hashes do not compress

-- A record that its model does not allow, or that is no record: the newest of each id (or of
-- each content where there is no id). It leaves when a good one of its id comes.
CREATE SEQUENCE nango_data.quarantine_id;
CREATE TABLE nango_data.quarantine (
    connection_id int8 NOT NULL,
    id int8 NOT NULL DEFAULT nextval('nango_data.quarantine_id'),
    dataset_id int8 NOT NULL,
    key text COLLATE "C" NOT NULL, -- "i" and the id, or "h" and a hash of the bytes
    run_id int8 NOT NULL,
    path text NOT NULL,
    reason text NOT NULL,
    bytes bytea NOT NULL,
    codec int2 NOT NULL,
    times int8 NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL DEFAULT nango_data.clock_now(),
    last_seen_at timestamptz NOT NULL DEFAULT nango_data.clock_now(),
    PRIMARY KEY (connection_id, id),
    UNIQUE (connection_id, dataset_id, key)
);

-- A cleared checkpoint keeps its row: its version goes on, so that a writer from before the
-- clearing is refused. body NULL: there is none.
ALTER TABLE nango_data.checkpoint ALTER COLUMN body DROP NOT NULL;
CREATE INDEX fence_closed ON nango_data.fence (updated_at) WHERE state <> 'open';
