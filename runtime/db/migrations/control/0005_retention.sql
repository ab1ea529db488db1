-- A deleted connection's data is purged from the data family a day later, once.
ALTER TABLE nango.connection ADD COLUMN data_purged_at timestamptz;
CREATE INDEX connection_to_purge ON nango.connection (deleted_at)
    WHERE deleted_at IS NOT NULL AND data_purged_at IS NULL;
