-- Schedules may be cron, may be overridden for one connection, owe runs that were missed, and
-- slow down while they fail. interval_ms of a cron schedule is the distance of two of its slots.
ALTER TABLE nango.sync
    DROP COLUMN last_run_id,
    ADD COLUMN cron text,
    ADD COLUMN time_zone text,
    ADD COLUMN missed int2 NOT NULL DEFAULT 0, -- enum schedule_missed
    ADD COLUMN is_overridden bool NOT NULL DEFAULT false,
    ADD COLUMN owed int4 NOT NULL DEFAULT 0,
    ADD COLUMN failures int4 NOT NULL DEFAULT 0;

-- The queue holds what is to be done and what is under way, with all that a claim needs; a run's
-- row in nango.run is written when it has ended. So a run is four row operations, not six, and
-- what a claim reads and moves is narrow. Nothing that these rows name is ever deleted (names are
-- freed by deleted_at), so foreign keys would cost a look-up each and protect nothing.
CREATE TABLE nango.queue_next (
    run_id int8 NOT NULL DEFAULT nextval('nango.run_id_seq'),
    token int8 NOT NULL DEFAULT 0,
    account_id int8 NOT NULL,
    environment_id int8 NOT NULL,
    integration_id int8 NOT NULL,
    connection_id int8 NOT NULL,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    started_at timestamptz,
    attempts int4 NOT NULL DEFAULT 0,
    kind int2 NOT NULL,
    is_claimed bool NOT NULL DEFAULT false,
    is_parked bool NOT NULL DEFAULT false,
    force_deletes bool NOT NULL DEFAULT false,
    sync_id uuid,
    sha256 bytea
);
INSERT INTO nango.queue_next (run_id, token, account_id, environment_id, integration_id,
        connection_id, due_at, created_at, started_at, attempts, kind, is_claimed, sync_id, sha256)
    SELECT q.run_id, q.token, r.account_id, q.environment_id, c.integration_id, r.connection_id,
        q.due_at, r.created_at, r.started_at, r.attempts, r.kind, r.state = 'running', q.sync_id,
        r.sha256
    FROM nango.queue q JOIN nango.run r ON r.id = q.run_id
    JOIN nango.connection c ON c.id = r.connection_id;
DROP TABLE nango.queue;
ALTER TABLE nango.queue_next RENAME TO queue;
ALTER TABLE nango.queue ADD CONSTRAINT queue_pkey PRIMARY KEY (run_id);
CREATE INDEX queue_due ON nango.queue (environment_id, due_at);
CREATE UNIQUE INDEX queue_one_per_sync ON nango.queue (sync_id) WHERE sync_id IS NOT NULL;
-- Rows come and go by the thousand and are moved by every heartbeat.
ALTER TABLE nango.queue SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 2147483647);

DELETE FROM nango.run WHERE state IN ('queued', 'running');
ALTER TABLE nango.run
    DROP CONSTRAINT run_account_id_fkey,
    DROP CONSTRAINT run_environment_id_fkey,
    DROP CONSTRAINT run_connection_id_fkey,
    DROP CONSTRAINT run_sync_id_fkey,
    DROP CONSTRAINT run_sha256_fkey,
    DROP CONSTRAINT run_state_check,
    ADD CONSTRAINT run_state_check CHECK (state IN ('success', 'failed', 'cancelled')),
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN finished_at SET DEFAULT nango.clock_now(),
    ADD COLUMN integration_id int8,
    ADD COLUMN force_deletes bool NOT NULL DEFAULT false,
    ADD COLUMN request_bytes int8 NOT NULL DEFAULT 0,
    ADD COLUMN response_bytes int8 NOT NULL DEFAULT 0;
UPDATE nango.run r SET integration_id = c.integration_id
    FROM nango.connection c WHERE c.id = r.connection_id;
ALTER TABLE nango.run ALTER COLUMN integration_id SET NOT NULL;
CREATE INDEX run_connection ON nango.run (connection_id, id);

-- Runs of all states, for those who look at them. A row is in one of the two tables, never in both.
CREATE VIEW nango.any_run AS
    SELECT id, account_id, environment_id, integration_id, connection_id, sync_id, kind, state,
        sha256, cause, code, message, attempts, pages, added, updated, deleted, result, requests,
        request_bytes, response_bytes, cpu_us, max_rss_kb, force_deletes, created_at, started_at,
        finished_at, NULL::timestamptz AS due_at
    FROM nango.run
    UNION ALL
    SELECT run_id, account_id, environment_id, integration_id, connection_id, sync_id, kind,
        CASE WHEN is_claimed THEN 'running' WHEN is_parked THEN 'parked' ELSE 'queued' END,
        sha256, '', '', '', attempts, 0, 0, 0, 0, '{}', 0, 0, 0, 0, 0, force_deletes, created_at,
        started_at, NULL, due_at
    FROM nango.queue;

-- Whose turn it is: claims of all nodes draw their turns from here (store/queue.c).
CREATE SEQUENCE nango.claim_turn;
