-- What nodes keep in memory (engine/cache) is forgotten when it changes: each change is told by its
-- row's id, in the transaction that makes it. When somebody was last seen is no change.
CREATE FUNCTION nango.tell_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('nango_changed', TG_ARGV[0] || OLD.id);
    RETURN NULL;
END $$;

CREATE TRIGGER changed AFTER UPDATE OF hash, scopes, environment_id, deleted_at OR DELETE
    ON nango.api_key FOR EACH ROW EXECUTE FUNCTION nango.tell_changed('k');
CREATE TRIGGER changed AFTER UPDATE OF connection_id, integration_id, auth_mode, credentials, config,
        metadata, deleted_at OR DELETE
    ON nango.connection FOR EACH ROW EXECUTE FUNCTION nango.tell_changed('c');
CREATE TRIGGER changed AFTER UPDATE OF unique_key, provider, credentials, config, deleted_at OR DELETE
    ON nango.integration FOR EACH ROW EXECUTE FUNCTION nango.tell_changed('i');
