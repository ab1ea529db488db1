-- Grants without an end are renewed once a day, too, if they can be. Those that cannot, like API
-- keys, are opened once to see that: idle_version is the credentials_version that was looked at.
ALTER TABLE nango.connection ADD COLUMN idle_version int8;
CREATE INDEX connection_lasting ON nango.connection (id)
    WHERE deleted_at IS NULL AND credentials_expire_at IS NULL
    AND idle_version IS DISTINCT FROM credentials_version;
