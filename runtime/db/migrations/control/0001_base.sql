-- The control family: who may do what, and what is connected. One account row exists; its column
-- is everywhere, so that a second one is a row and not a rebuild. Names can be used again after a
-- deletion (unique where not deleted), ids never. Text keys compare by bytes.
CREATE SCHEMA nango;

-- Stored times and leases come from here; tests move the offset.
CREATE TABLE nango.clock (offset_by interval NOT NULL);
INSERT INTO nango.clock VALUES ('0');
CREATE FUNCTION nango.clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT clock_timestamp() + (SELECT offset_by FROM nango.clock)';

CREATE TABLE nango.account (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now()
);
INSERT INTO nango.account (name) VALUES ('default');

CREATE TABLE nango.environment (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    name text COLLATE "C" NOT NULL,
    is_production bool NOT NULL DEFAULT false,
    record_key bytea NOT NULL, -- sealed; keys the hashes of records, outlives master keys
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX environment_name ON nango.environment (account_id, name)
    WHERE deleted_at IS NULL;

-- A sealed text per master key: a wrong key is refused before it seals anything.
CREATE TABLE nango.vault_canary (
    key_id text COLLATE "C" PRIMARY KEY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now()
);

-- hash finds a key, sealed shows it again.
CREATE TABLE nango.api_key (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    display_name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    sealed bytea NOT NULL,
    scopes text[] NOT NULL DEFAULT '{environment:*}',
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    last_used_at timestamptz,
    deleted_at timestamptz
);
CREATE INDEX api_key_environment ON nango.api_key (environment_id, id);

CREATE TABLE nango.integration (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    unique_key text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    display_name text,
    forward_webhooks bool NOT NULL DEFAULT true,
    credentials bytea,
    config text NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    updated_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX integration_key ON nango.integration (environment_id, unique_key)
    WHERE deleted_at IS NULL;

-- metadata, config and end_user are JSON text: jsonb would change numbers and lose key order.
CREATE TABLE nango.connection (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    integration_id int8 NOT NULL REFERENCES nango.integration,
    connection_id text COLLATE "C" NOT NULL,
    auth_mode text COLLATE "C" NOT NULL,
    credentials bytea NOT NULL,
    config text NOT NULL DEFAULT '{}',
    metadata text,
    tags jsonb NOT NULL DEFAULT '{}',
    end_user text,
    webhook_url_override text,
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    updated_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    last_fetched_at timestamptz,
    credentials_expire_at timestamptz,
    refresh_lease_until timestamptz,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX connection_key ON nango.connection (integration_id, connection_id)
    WHERE deleted_at IS NULL;
CREATE INDEX connection_environment ON nango.connection (environment_id, id)
    WHERE deleted_at IS NULL;
