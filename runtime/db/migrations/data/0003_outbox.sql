-- The outbox of data events: a row is written in the transaction of what it announces. Pages make
-- one held row a run and model, which adds up; the run's end makes it due. A row is one delivery:
-- destination 0 is the first URL, and a row with another number joins it when there are more.
-- The columns are those of nango.outbox, so that one set of statements serves both.
CREATE SEQUENCE nango_data.outbox_id;
CREATE TABLE nango_data.outbox (
    connection_id int8 NOT NULL,
    run_id int8 NOT NULL,
    kind text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    destination int2 NOT NULL DEFAULT 0,
    id int8 NOT NULL DEFAULT nextval('nango_data.outbox_id'),
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    environment_id int8 NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'held'
        CHECK (state IN ('held', 'due', 'sending', 'delivered', 'dead')),
    is_split bool NOT NULL DEFAULT false,
    added int8 NOT NULL DEFAULT 0,
    updated int8 NOT NULL DEFAULT 0,
    deleted int8 NOT NULL DEFAULT 0,
    facts text NOT NULL,
    outcome text NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    ready_at timestamptz,
    due_at timestamptz,
    token int8 NOT NULL DEFAULT 0,
    attempts int4 NOT NULL DEFAULT 0,
    http_status int4,
    error text,
    finished_at timestamptz,
    PRIMARY KEY (connection_id, run_id, kind, model, destination),
    UNIQUE (connection_id, id)
);
CREATE INDEX outbox_due ON nango_data.outbox (environment_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_ready ON nango_data.outbox (environment_id, ready_at, id)
    WHERE ready_at IS NOT NULL;
CREATE INDEX outbox_finished ON nango_data.outbox (state, finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX outbox_held ON nango_data.outbox (created_at) WHERE state = 'held';
