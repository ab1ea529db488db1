-- A person connects an account: the session that an app made for them, and each way through a
-- provider's pages. Tokens of sessions are kept as hashes; the secrets of a flow are sealed.
CREATE TABLE nango.connect_session (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES nango.account,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    hash bytea NOT NULL UNIQUE,
    end_user text,
    tags jsonb NOT NULL DEFAULT '{}',
    allowed_integrations text, -- JSON array of unique keys; NULL: all
    defaults text, -- JSON: by integration, what its connections begin with
    overrides text,
    webhook_url_override text,
    connection_row int8, -- the connection that is made anew
    created_at timestamptz NOT NULL DEFAULT nango.clock_now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX connect_session_expiry ON nango.connect_session (expires_at);
CREATE TABLE nango.auth_flow (
    state uuid PRIMARY KEY,
    environment_id int8 NOT NULL REFERENCES nango.environment,
    integration_id int8 NOT NULL REFERENCES nango.integration,
    connection_id text COLLATE "C" NOT NULL,
    session_id int8, -- it may be deleted meanwhile: what is needed of it is here
    end_user text,
    tags jsonb NOT NULL DEFAULT '{}',
    webhook_url_override text,
    sealed bytea NOT NULL, -- verifier, settings, credentials that were put over
    expires_at timestamptz NOT NULL
);
CREATE INDEX auth_flow_expiry ON nango.auth_flow (expires_at);
