-- The history of runs, read by what is asked for and not from end to end.
--
-- The two halves of the view have the same types, column by column: only then may a condition or
-- an order be carried into them, and an index be used.
CREATE OR REPLACE VIEW nango.any_run AS
    SELECT id, account_id, environment_id, integration_id, connection_id, sync_id, kind, state,
        sha256, cause, code, message, attempts, pages, added, updated, deleted, result, requests,
        request_bytes, response_bytes, cpu_us, max_rss_kb, force_deletes, created_at, started_at,
        finished_at, NULL::timestamptz AS due_at
    FROM nango.run
    UNION ALL
    SELECT run_id, account_id, environment_id, integration_id, connection_id, sync_id, kind,
        CASE WHEN is_claimed THEN 'running' WHEN is_parked THEN 'parked' ELSE 'queued' END,
        sha256, '', '', '', attempts, 0::int8, 0::int8, 0::int8, 0::int8, '{}',
        coalesce(requests, 0), coalesce(request_bytes, 0), coalesce(response_bytes, 0),
        coalesce(cpu_us, 0), coalesce(max_rss_kb, 0), force_deletes, created_at, started_at,
        NULL::timestamptz, due_at
    FROM nango.queue;

-- Those that failed or were cancelled are few, so that the usual run pays nothing for it.
CREATE INDEX run_unsuccessful ON nango.run (environment_id, state, id) WHERE state <> 'success';
-- Deleted connections are among them: their runs are listed, too.
CREATE INDEX connection_by_id ON nango.connection (environment_id, connection_id);
