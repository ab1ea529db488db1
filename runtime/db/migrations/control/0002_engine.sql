-- What runs: plugin builds, their deployments, a schedule per connection and sync, runs and the
-- queue. The queue is narrow and short; runs are the history.
CREATE TABLE nango.plugin_build (
    sha256 bytea PRIMARY KEY,
    bytes bytea NOT NULL,
    spec text NOT NULL,
    provider text COLLATE "C" NOT NULL,
    version text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now()
);

CREATE TABLE nango.deployment (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    integration_id int8 NOT NULL REFERENCES nango.integration,
    sha256 bytea NOT NULL REFERENCES nango.plugin_build,
    is_active bool NOT NULL,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now()
);
CREATE UNIQUE INDEX deployment_active ON nango.deployment (integration_id) WHERE is_active;

-- A sync of one connection, and its schedule. next_due_at NULL: never by itself.
CREATE TABLE nango.sync (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    integration_id int8 NOT NULL REFERENCES nango.integration,
    connection_id int8 NOT NULL REFERENCES nango.connection,
    name text COLLATE "C" NOT NULL,
    variant text COLLATE "C" NOT NULL DEFAULT 'base',
    interval_ms int8 NOT NULL,
    is_paused bool NOT NULL DEFAULT false,
    next_due_at timestamptz,
    last_run_id int8,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    updated_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX sync_key ON nango.sync (connection_id, name, variant)
    WHERE deleted_at IS NULL;
CREATE INDEX sync_due ON nango.sync (next_due_at)
    WHERE deleted_at IS NULL AND NOT is_paused;

CREATE TABLE nango.run (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    connection_id int8 NOT NULL REFERENCES nango.connection,
    sync_id uuid REFERENCES nango.sync,
    kind int2 NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'success', 'failed', 'cancelled')),
    sha256 bytea REFERENCES nango.plugin_build,
    cause text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    attempts int4 NOT NULL DEFAULT 0,
    pages int8 NOT NULL DEFAULT 0,
    added int8 NOT NULL DEFAULT 0,
    updated int8 NOT NULL DEFAULT 0,
    deleted int8 NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT '{}',
    requests int8 NOT NULL DEFAULT 0,
    cpu_us int8 NOT NULL DEFAULT 0,
    max_rss_kb int8 NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    started_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX run_sync ON nango.run (sync_id, id);
CREATE INDEX run_environment ON nango.run (environment_id, id);

-- due_at is also the lease: a claim moves it ahead, a heartbeat moves it on, and a run whose node
-- fell silent becomes due again. token rises with each claim and is the run's fence.
CREATE SEQUENCE nango.claim_token;
CREATE TABLE nango.queue (
    run_id int8 PRIMARY KEY REFERENCES nango.run,
    environment_id int8 NOT NULL,
    sync_id uuid,
    due_at timestamptz NOT NULL,
    token int8 NOT NULL DEFAULT 0
);
CREATE INDEX queue_due ON nango.queue (environment_id, due_at);
CREATE UNIQUE INDEX queue_one_per_sync ON nango.queue (sync_id) WHERE sync_id IS NOT NULL;
