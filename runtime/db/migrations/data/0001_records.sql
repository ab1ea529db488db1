-- The data family: no foreign key leaves it, every unique key begins with connection_id, records
-- are hash-partitioned on it. It may live in a database of its own.
CREATE SCHEMA nango_data;

CREATE TABLE nango_data.clock (offset_by interval NOT NULL);
INSERT INTO nango_data.clock VALUES ('0');
CREATE FUNCTION nango_data.clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT clock_timestamp() + (SELECT offset_by FROM nango_data.clock)';

-- The fence says who may write: one row a run, raised by each claim before the run starts.
CREATE TABLE nango_data.fence (
    connection_id int8 NOT NULL,
    run_id int8 NOT NULL,
    token int8 NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'success', 'failed', 'cancelled')),
    pages int8 NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT '{}',
    outcome text NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT nango_data.clock_now(),
    PRIMARY KEY (connection_id, run_id)
);

-- The head orders commits: one row a dataset, locked by each commit, which takes its sequence
-- numbers from it. So sequence order is commit order. The epoch rises when a dataset is emptied.
CREATE SEQUENCE nango_data.dataset_id;
CREATE TABLE nango_data.dataset (
    connection_id int8 NOT NULL,
    model text COLLATE "C" NOT NULL,
    variant text COLLATE "C" NOT NULL,
    id int8 NOT NULL DEFAULT nextval('nango_data.dataset_id'),
    epoch int8 NOT NULL DEFAULT 1,
    seq int8 NOT NULL DEFAULT 0,
    live int8 NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT nango_data.clock_now(),
    PRIMARY KEY (connection_id, model, variant),
    UNIQUE (connection_id, id)
);

-- hash is XXH3-128 of the payload, keyed per environment, in a uuid for its fixed 16 bytes.
-- action: 1 added, 2 updated, 3 deleted. codec: 0 raw.
CREATE TABLE nango_data.record (
    connection_id int8 NOT NULL,
    dataset_id int8 NOT NULL,
    seq int8 NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_modified_at timestamptz NOT NULL,
    deleted_at timestamptz,
    pruned_at timestamptz,
    hash uuid NOT NULL,
    action int2 NOT NULL,
    codec int2 NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    payload bytea,
    PRIMARY KEY (connection_id, dataset_id, external_id)
) PARTITION BY HASH (connection_id);

-- For the feed. The condition always holds; it keeps the planner from taking this index for
-- look-ups by external_id, which it did whenever its statistics knew no row of a connection yet.
CREATE UNIQUE INDEX record_feed ON nango_data.record (connection_id, dataset_id, seq)
    WHERE seq > 0;

DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('CREATE TABLE nango_data.record_%s PARTITION OF nango_data.record '
                       'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
    END LOOP;
END $$;

CREATE TABLE nango_data.checkpoint (
    connection_id int8 NOT NULL,
    key text COLLATE "C" NOT NULL,
    version int8 NOT NULL DEFAULT 1,
    body text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT nango_data.clock_now(),
    PRIMARY KEY (connection_id, key)
);
