-- More of the history that is read by what is asked for (see 0011).
--
-- Runs of an integration, in their order.
CREATE INDEX run_integration ON nango.run (integration_id, id);
-- Those that are no syncs are few, so that the usual run pays nothing for it.
CREATE INDEX run_kind ON nango.run (environment_id, kind, id) WHERE kind <> 1;
-- Rows lie nearly in the order of their creation: a few bytes for each 16 blocks say where those
-- of a time are.
CREATE INDEX run_created ON nango.run USING brin (created_at)
    WITH (pages_per_range = 16, autosummarize = on);
-- Webhooks that were given up, newest first: they are few, and lie among all that was delivered.
CREATE INDEX outbox_dead ON nango.outbox (environment_id, ready_at, id) WHERE state = 'dead';
