/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connect -- see connect.h.
 */
#include "store/connect.h"
#include "base/id.h"

#include <stdlib.h>

int
connect_session_insert(struct db *db, struct connect_session *s, const void *hash,
		       size_t length, struct error *err)
{
	static const char sql[] =
	    "WITH gone AS (DELETE FROM nango.connect_session "
	    "              WHERE expires_at < nango.clock_now()) "
	    "INSERT INTO nango.connect_session (account_id, environment_id, hash, end_user, "
	    "tags, "
	    "    allowed_integrations, defaults, overrides, webhook_url_override, "
	    "    connection_row, expires_at) "
	    "VALUES ($1, $2, $3, $4, coalesce($5::jsonb, '{}'), $6, $7, $8, $9, "
	    "    nullif($10, 0), nango.clock_now() + $11 * interval '1 ms') "
	    "RETURNING id, expires_at";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result =
	    db_exec(db, mem, &made, err, sql,
		    DB_PARAMS(DB_INTEGER(s->account_id), DB_INTEGER(s->environment_id),
			      DB_BYTES(hash, length), DB_TEXT(s->end_user), DB_TEXT(s->tags),
			      DB_TEXT(s->allowed_integrations), DB_TEXT(s->defaults),
			      DB_TEXT(s->overrides), DB_TEXT(s->webhook_url_override),
			      DB_INTEGER(s->connection_row), DB_INTEGER(CONNECT_SESSION_MS)));

	if (result == 0) {
		s->id = db_integer(made, 0, 0);
		s->expires_ms = db_time_ms(made, 0, 1);
	}
	talloc_free(mem);
	return result;
}

int
connect_session_find(TALLOC_CTX *mem, struct db *db, const void *hash, size_t length,
		     struct connect_session **out, struct error *err)
{
	static const char sql[] =
	    "SELECT s.id, s.account_id, s.environment_id, s.end_user, s.tags::text, "
	    "    s.allowed_integrations, s.defaults, s.overrides, s.webhook_url_override, "
	    "    s.connection_row, s.expires_at "
	    "FROM nango.connect_session s JOIN nango.environment e ON e.id = s.environment_id "
	    "WHERE s.hash = $1 AND s.expires_at > nango.clock_now() AND e.deleted_at IS NULL";
	struct db_result *r;

	if (db_exec(db, mem, &r, err, sql, DB_PARAMS(DB_BYTES(hash, length))) < 0)
		return -1;
	if (db_rows(r) == 0)
		return error_set(err, ERR_UNKNOWN_SESSION,
				 "there is no such connect session, or it is over (after half "
				 "an hour)");
	*out = talloc_zero(mem, struct connect_session);
	if (*out == NULL)
		abort();
	**out = (struct connect_session){.id = db_integer(r, 0, 0),
					 .account_id = db_integer(r, 0, 1),
					 .environment_id = db_integer(r, 0, 2),
					 .end_user = db_text(r, 0, 3),
					 .tags = db_text(r, 0, 4),
					 .allowed_integrations = db_text(r, 0, 5),
					 .defaults = db_text(r, 0, 6),
					 .overrides = db_text(r, 0, 7),
					 .webhook_url_override = db_text(r, 0, 8),
					 .connection_row = db_integer(r, 0, 9),
					 .expires_ms = db_time_ms(r, 0, 10)};
	return 0;
}

int
connect_session_delete(struct db *db, int64_t id, struct error *err)
{
	return db_exec(db, NULL, NULL, err, "DELETE FROM nango.connect_session WHERE id = $1",
		       DB_PARAMS(DB_INTEGER(id)));
}

int
auth_flow_insert(struct db *db, const struct auth_flow_row *f, struct error *err)
{
	static const char sql[] =
	    "WITH gone AS (DELETE FROM nango.auth_flow WHERE expires_at < nango.clock_now()) "
	    "INSERT INTO nango.auth_flow (state, environment_id, integration_id, "
	    "connection_id, "
	    "    session_id, end_user, tags, webhook_url_override, sealed, expires_at) "
	    "VALUES ($1::text::uuid, $2, $3, $4, nullif($5, 0), $6, coalesce($7::jsonb, '{}'), "
	    "    $8, $9, nango.clock_now() + $10 * interval '1 ms')";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_TEXT(f->state), DB_INTEGER(f->environment_id),
				 DB_INTEGER(f->integration_id), DB_TEXT(f->connection_id),
				 DB_INTEGER(f->session_id), DB_TEXT(f->end_user),
				 DB_TEXT(f->tags), DB_TEXT(f->webhook_url_override),
				 DB_BYTES(f->sealed, f->sealed_length),
				 DB_INTEGER(AUTH_FLOW_MS)));
}

int
auth_flow_take(TALLOC_CTX *mem, struct db *db, const char *state, struct auth_flow_row **out,
	       struct error *err)
{
	static const char sql[] =
	    "DELETE FROM nango.auth_flow WHERE state = $1::text::uuid "
	    "RETURNING expires_at > nango.clock_now(), environment_id, integration_id, "
	    "    connection_id, session_id, end_user, tags::text, webhook_url_override, sealed";
	struct db_result *r;

	if (!id_is_uuid4(state))
		return error_set(err, ERR_NOT_FOUND, "the state is none of ours");
	if (db_exec(db, mem, &r, err, sql, DB_PARAMS(DB_TEXT(state))) < 0)
		return -1;
	if (db_rows(r) == 0 || !db_boolean(r, 0, 0))
		return error_set(err, ERR_NOT_FOUND,
				 "this sign-in was finished already, or took longer than an "
				 "hour: begin it again");
	*out = talloc_zero(mem, struct auth_flow_row);
	if (*out == NULL)
		abort();
	**out = (struct auth_flow_row){.state = state,
				       .environment_id = db_integer(r, 0, 1),
				       .integration_id = db_integer(r, 0, 2),
				       .connection_id = db_text(r, 0, 3),
				       .session_id = db_integer(r, 0, 4),
				       .end_user = db_text(r, 0, 5),
				       .tags = db_text(r, 0, 6),
				       .webhook_url_override = db_text(r, 0, 7)};
	(*out)->sealed = db_bytes(r, 0, 8, &(*out)->sealed_length);
	return 0;
}
