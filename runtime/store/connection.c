/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connection -- see connection.h.
 */
#include "store/connection.h"
#include "store/connection_row.h"
#include "store/sync.h"

#include <stdlib.h>
#include <string.h>

/* What is wrong with it: credentials that could not be renewed, syncs that fail. */
#define CONNECTION_ERRORS                                                                      \
	"(SELECT coalesce(json_agg(error), '[]')::text FROM ("                                 \
	"     SELECT json_build_object('type', 'auth', 'log_id', 'auth-' || c.id, "            \
	"                              'message', c.refresh_error) AS error "                  \
	"     WHERE c.refresh_failed_at IS NOT NULL "                                          \
	"     UNION ALL "                                                                      \
	"     SELECT json_build_object('type', 'sync', 'log_id', r.id::text) "                 \
	"     FROM nango.sync s JOIN nango.schedule t ON t.sync_id = s.id AND t.failures > 0 " \
	"     JOIN LATERAL (SELECT id, state FROM nango.run WHERE sync_id = s.id "             \
	"                   ORDER BY id DESC LIMIT 1) r ON r.state = 'failed' "                \
	"     WHERE s.connection_id = c.id AND s.deleted_at IS NULL) errors) "

static const char columns[] = CONNECTION_COLUMNS CONNECTION_ERRORS CONNECTION_FROM;

void
connection_read_row(struct connection *out, const struct db_result *r, size_t row)
{
	out->id = db_integer(r, row, 0);
	out->account_id = db_integer(r, row, 1);
	out->environment_id = db_integer(r, row, 2);
	out->integration_id = db_integer(r, row, 3);
	out->connection_id = db_text(r, row, 4);
	out->integration_key = db_text(r, row, 5);
	out->provider = db_text(r, row, 6);
	out->auth_mode = db_text(r, row, 7);
	out->credentials = db_bytes(r, row, 8, &out->credentials_length);
	out->config = db_text(r, row, 9);
	out->metadata = db_text(r, row, 10);
	out->tags = db_text(r, row, 11);
	out->end_user = db_text(r, row, 12);
	out->webhook_url_override = db_text(r, row, 13);
	out->created_ms = db_time_ms(r, row, 14);
	out->updated_ms = db_time_ms(r, row, 15);
	out->last_fetched_ms = db_time_ms(r, row, 16);
	out->integration_config = db_text(r, row, 17);
	out->errors = db_text(r, row, 18);
}

int
connection_list(TALLOC_CTX *mem, struct db *db, const struct connection_filter *f,
		struct connection **out, size_t *count, struct error *err)
{
	static const char where[] =
	    "AND c.environment_id = $1 "
	    "AND ($2::text IS NULL OR c.connection_id = $2) "
	    "AND ($3::text IS NULL OR position(lower($3) in lower(c.connection_id)) > 0 "
	    "     OR position(lower($3) in lower(coalesce(c.end_user, ''))) > 0) "
	    "AND ($4::text IS NULL OR i.unique_key IN (SELECT "
	    "json_array_elements_text($4::json))) "
	    "AND ($5::text IS NULL OR c.tags->>'end_user_id' = $5) "
	    "AND ($6::text IS NULL OR c.tags->>'organization_id' = $6) "
	    "AND ($7::text IS NULL OR c.tags @> $7::jsonb) "
	    "ORDER BY c.created_at DESC, c.id DESC LIMIT $8 OFFSET $9";
	char *sql = talloc_asprintf(mem, "%s%s", columns, where);
	struct db_result *found;
	struct connection *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(f->environment_id), DB_TEXT(f->connection_id),
			      DB_TEXT(f->search), DB_TEXT(f->integration_keys),
			      DB_TEXT(f->end_user_id), DB_TEXT(f->organization_id),
			      DB_TEXT(f->tags), DB_INTEGER(f->limit), DB_INTEGER(f->offset))) <
	    0)
		return -1;
	list = talloc_zero_array(mem, struct connection, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		connection_read_row(&list[i], found, i);
	*out = list;
	*count = db_rows(found);
	return 0;
}

static int
integration_exists(TALLOC_CTX *mem, struct db *db, int64_t environment_id, const char *key,
		   struct error *err)
{
	static const char sql[] =
	    "SELECT 1::int8 FROM nango.integration WHERE environment_id = $1 "
	    "AND unique_key = $2 AND deleted_at IS NULL";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(environment_id), DB_TEXT(key))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_UNKNOWN_INTEGRATION, "there is no integration \"%s\"",
				 key);
	return 0;
}

int
connection_find(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
		const char *integration_key, const char *connection_id, struct connection **out,
		struct error *err)
{
	char *sql = talloc_asprintf(
	    mem, "%s AND c.environment_id = $1 AND i.unique_key = $2 AND c.connection_id = $3",
	    columns);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(environment_id), DB_TEXT(integration_key),
			      DB_TEXT(connection_id))) < 0)
		return -1;
	if (db_rows(found) == 0) {
		if (integration_exists(mem, db, environment_id, integration_key, err) < 0)
			return -1;
		return error_set(err, ERR_NOT_FOUND,
				 "integration \"%s\" has no connection \"%s\"", integration_key,
				 connection_id);
	}
	*out = talloc_zero(mem, struct connection);
	connection_read_row(*out, found, 0);
	return 0;
}

int
connection_find_id(TALLOC_CTX *mem, struct db *db, int64_t id, struct connection **out,
		   struct error *err)
{
	char *sql = talloc_asprintf(mem, "%s AND c.id = $1", columns);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the connection was deleted");
	*out = talloc_zero(mem, struct connection);
	connection_read_row(*out, found, 0);
	return 0;
}

int
connection_upsert(struct db *db, struct connection *c, bool *was_new, struct error *err)
{
	/* xmax is 0 in a row that this statement inserted. */
	static const char sql[] =
	    "INSERT INTO nango.connection (account_id, environment_id, integration_id, "
	    "    connection_id, auth_mode, credentials, config, metadata, tags, end_user, "
	    "    webhook_url_override, credentials_expire_at) "
	    "VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, '{}'), $8, coalesce($9::jsonb, "
	    "'{}'), "
	    "    $10, $11, $12::text::timestamptz) "
	    "ON CONFLICT (integration_id, connection_id) WHERE deleted_at IS NULL DO UPDATE "
	    "SET "
	    "    auth_mode = excluded.auth_mode, credentials = excluded.credentials, "
	    "    credentials_version = connection.credentials_version + 1, "
	    "    credentials_at = nango.clock_now(), "
	    "    credentials_expire_at = excluded.credentials_expire_at, "
	    "    refresh_lease = NULL, refresh_lease_until = NULL, refresh_failed_at = NULL, "
	    "    refresh_failed_days = 0, refresh_error = NULL, "
	    "    config = CASE WHEN $7::text IS NULL THEN connection.config "
	    "                  ELSE excluded.config END, "
	    "    metadata = coalesce(excluded.metadata, connection.metadata), "
	    "    tags = CASE WHEN excluded.tags = '{}' THEN connection.tags "
	    "                ELSE excluded.tags END, "
	    "    end_user = coalesce(excluded.end_user, connection.end_user), "
	    "    webhook_url_override = coalesce(excluded.webhook_url_override, "
	    "                                    connection.webhook_url_override), "
	    "    updated_at = nango.clock_now() "
	    "RETURNING id, xmax::text = '0'";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result = db_exec(
	    db, mem, &made, err, sql,
	    DB_PARAMS(DB_INTEGER(c->account_id), DB_INTEGER(c->environment_id),
		      DB_INTEGER(c->integration_id), DB_TEXT(c->connection_id),
		      DB_TEXT(c->auth_mode), DB_BYTES(c->credentials, c->credentials_length),
		      DB_TEXT(c->config), DB_TEXT(c->metadata), DB_TEXT(c->tags),
		      DB_TEXT(c->end_user), DB_TEXT(c->webhook_url_override),
		      DB_TEXT(c->credentials_expire_at)));

	if (result == 0) {
		c->id = db_integer(made, 0, 0);
		*was_new = db_boolean(made, 0, 1);
	}
	talloc_free(mem);
	return result;
}

int
connection_set_metadata(struct db *db, int64_t id, const char *metadata, struct error *err)
{
	static const char sql[] = "UPDATE nango.connection SET metadata = $2, "
				  "updated_at = nango.clock_now() WHERE id = $1";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_INTEGER(id), DB_TEXT(metadata)));
}

int
connection_update(struct db *db, const struct connection *c, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection SET tags = $2::jsonb, end_user = $3, "
	    "webhook_url_override = $4, updated_at = nango.clock_now() "
	    "WHERE id = $1";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(c->id), DB_TEXT(c->tags), DB_TEXT(c->end_user),
				 DB_TEXT(c->webhook_url_override)));
}

int
connection_delete(struct db *db, int64_t id, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection SET deleted_at = nango.clock_now(), credentials = '' "
	    "WHERE id = $1";

	if (db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_INTEGER(id))) < 0)
		return -1;
	return sync_delete_all(db, 0, id, "[]", err);
}
