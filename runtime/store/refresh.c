/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/refresh -- see refresh.h.
 */
#include "store/refresh.h"
#include "base/buf.h"
#include "store/connection_row.h"

#include <inttypes.h>
#include <stdlib.h>

/* Columns behind the connection's own. */
enum {
	ERRORS = CONNECTION_COLUMNS_COUNT,
	VERSION,
	EXPIRES,
	LEFT,
	LIFE,
	AGE,
	FAILED,
	FAILED_DAYS,
	ERROR_TEXT,
	APP
};

static void
read_state(struct refresh_state *state, const struct db_result *r)
{
	*state = (struct refresh_state){
	    .version = db_integer(r, 0, VERSION),
	    .expires = db_boolean(r, 0, EXPIRES),
	    .left_ms = db_integer(r, 0, LEFT),
	    .life_ms = db_integer(r, 0, LIFE),
	    .age_ms = db_integer(r, 0, AGE),
	    .failed_ms = db_is_null(r, 0, FAILED) ? -1 : db_integer(r, 0, FAILED),
	    .failed_days = db_integer(r, 0, FAILED_DAYS),
	    .error = db_text(r, 0, ERROR_TEXT)};
	state->app_credentials = db_bytes(r, 0, APP, &state->app_credentials_length);
}

int
refresh_find(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
	     struct connection **connection, struct refresh_state *state, struct error *err)
{
	static const char more[] =
	    "NULL::text, c.credentials_version, c.credentials_expire_at IS NOT NULL, "
	    "(extract(epoch FROM c.credentials_expire_at - nango.clock_now()) * 1000)::int8, "
	    "(extract(epoch FROM c.credentials_expire_at - c.credentials_at) * 1000)::int8, "
	    "(extract(epoch FROM nango.clock_now() - c.credentials_at) * 1000)::int8, "
	    "(extract(epoch FROM nango.clock_now() - c.refresh_failed_at) * 1000)::int8, "
	    "c.refresh_failed_days::int8, c.refresh_error, i.credentials ";
	char *sql = talloc_asprintf(mem, "%s%s%s AND c.id = $1", CONNECTION_COLUMNS, more,
				    CONNECTION_FROM);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(connection_row))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the connection was deleted");
	*connection = talloc_zero(mem, struct connection);
	if (*connection == NULL)
		abort();
	connection_read_row(*connection, found, 0);
	read_state(state, found);
	return 0;
}

int
refresh_lease(struct db *db, int64_t connection_row, int64_t version, int64_t lease,
	      int64_t lease_ms, bool *taken, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection SET refresh_lease = $3, "
	    "    refresh_lease_until = nango.clock_now() + $4 * interval '1 ms' "
	    "WHERE id = $1 AND credentials_version = $2 AND deleted_at IS NULL "
	    "AND (refresh_lease IS NULL OR refresh_lease_until < nango.clock_now())";
	int64_t rows;

	if (db_exec_count(db, &rows, err, sql,
			  DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(version),
				    DB_INTEGER(lease), DB_INTEGER(lease_ms))) < 0)
		return -1;
	*taken = rows == 1;
	return 0;
}

int
refresh_idle(TALLOC_CTX *mem, struct db *db, int64_t after_row, int64_t limit,
	     struct refresh_row **rows, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT id, credentials_version FROM nango.connection "
	    "WHERE id > $1 AND deleted_at IS NULL "
	    "    AND (credentials_expire_at IS NOT NULL "
	    "         OR idle_version IS DISTINCT FROM credentials_version) "
	    "    AND credentials_at < nango.clock_now() - interval '1 day' "
	    "    AND (refresh_failed_at IS NULL "
	    "         OR refresh_failed_at < nango.clock_now() - interval '1 day') "
	    "ORDER BY id LIMIT $2";
	struct db_result *r;

	if (db_exec(db, mem, &r, err, sql,
		    DB_PARAMS(DB_INTEGER(after_row), DB_INTEGER(limit))) < 0)
		return -1;
	*count = db_rows(r);
	*rows = talloc_zero_array(mem, struct refresh_row, (unsigned)*count + 1);
	if (*rows == NULL)
		abort();
	for (size_t i = 0; i < *count; i++)
		(*rows)[i] = (struct refresh_row){db_integer(r, i, 0), db_integer(r, i, 1)};
	return 0;
}

int
refresh_lasting(struct db *db, const struct refresh_row *rows, size_t count, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection c SET idle_version = c.credentials_version "
	    "FROM unnest($1::int8[], $2::int8[]) AS seen (id, version) "
	    "WHERE c.id = seen.id AND c.credentials_version = seen.version "
	    "    AND c.credentials_expire_at IS NULL "
	    "    AND c.refresh_failed_at IS NULL AND c.refresh_lease IS NULL";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct buf list, versions;
	int result;

	buf_init(&list, mem, 256);
	buf_init(&versions, mem, 256);
	for (size_t i = 0; i < count; i++) {
		buf_addf(&list, "%c%" PRId64, i == 0 ? '{' : ',', rows[i].connection_row);
		buf_addf(&versions, "%c%" PRId64, i == 0 ? '{' : ',', rows[i].version);
	}
	buf_adds(&list, count == 0 ? "{}" : "}");
	buf_adds(&versions, count == 0 ? "{}" : "}");
	result = db_exec(db, NULL, NULL, err, sql,
			 DB_PARAMS(DB_TEXT(list.data), DB_TEXT(versions.data)));
	talloc_free(mem);
	return result;
}

int
refresh_succeed(struct db *db, const struct refresh_result *r, bool *stored, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection SET credentials = $4, config = $5, "
	    "    credentials_version = credentials_version + 1, "
	    "    credentials_at = nango.clock_now(), "
	    "    credentials_expire_at = CASE WHEN $6 THEN "
	    "        nango.clock_now() + $7 * interval '1 ms' END, "
	    "    refresh_lease = NULL, refresh_lease_until = NULL, refresh_failed_at = NULL, "
	    "    refresh_failed_days = 0, refresh_error = NULL, "
	    "    updated_at = nango.clock_now() "
	    "WHERE id = $1 AND credentials_version = $2 AND refresh_lease = $3 "
	    "AND deleted_at IS NULL";
	int64_t rows;

	if (db_exec_count(
		db, &rows, err, sql,
		DB_PARAMS(DB_INTEGER(r->connection_row), DB_INTEGER(r->version),
			  DB_INTEGER(r->lease), DB_BYTES(r->credentials, r->credentials_length),
			  DB_TEXT(r->config), DB_BOOLEAN(r->expires), DB_INTEGER(r->left_ms))) <
	    0)
		return -1;
	*stored = rows == 1;
	return 0;
}

int
refresh_give_back(struct db *db, int64_t connection_row, int64_t lease, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection SET refresh_lease = NULL, "
	    "refresh_lease_until = NULL WHERE id = $1 AND refresh_lease = $2";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(lease)));
}

int
refresh_fail(struct db *db, int64_t connection_row, int64_t lease, const char *message,
	     bool *is_counted, struct error *err)
{
	static const char sql[] =
	    "WITH old AS (SELECT id, refresh_failed_days AS days, "
	    "        (refresh_failed_at AT TIME ZONE 'UTC')::date AS day "
	    "    FROM nango.connection WHERE id = $1 AND refresh_lease = $2 FOR UPDATE) "
	    "UPDATE nango.connection c SET refresh_lease = NULL, refresh_lease_until = NULL, "
	    "    refresh_failed_at = nango.clock_now(), refresh_error = $3, "
	    "    refresh_failed_days = days + "
	    "        CASE WHEN day = (nango.clock_now() AT TIME ZONE 'UTC')::date THEN 0 "
	    "             ELSE 1 END "
	    "FROM old WHERE c.id = old.id RETURNING c.refresh_failed_days > days";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *r;
	int result =
	    db_exec(db, mem, &r, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(lease), DB_TEXT(message)));

	if (result == 0)
		*is_counted = db_rows(r) == 1 && db_boolean(r, 0, 0);
	talloc_free(mem);
	return result;
}
