-- Renewing credentials: one node at a time, by a lease on the row and not by a lock that a waiting
-- connection would hold. The version rises with each change of the credentials; who renewed an
-- older one writes nothing. Attempts that failed count once a day.
ALTER TABLE nango.connection
    ADD COLUMN credentials_version int8 NOT NULL DEFAULT 0,
    ADD COLUMN credentials_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    ADD COLUMN refresh_lease int8, -- who has it, by a number of its own
    ADD COLUMN refresh_failed_at timestamptz,
    ADD COLUMN refresh_failed_days int4 NOT NULL DEFAULT 0,
    ADD COLUMN refresh_error text; -- what the provider said, without secrets
-- Grants that nobody used for a day are renewed, so that they do not lapse.
CREATE INDEX connection_idle ON nango.connection (credentials_at)
    WHERE deleted_at IS NULL AND credentials_expire_at IS NOT NULL;
