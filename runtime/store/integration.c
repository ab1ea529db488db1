/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/integration -- see integration.h.
 */
#include "store/integration.h"
#include "store/sync.h"

#include <stdlib.h>

static const char columns[] =
    "SELECT id, account_id, environment_id, unique_key, provider, display_name, "
    "       forward_webhooks, config, credentials, created_at, updated_at "
    "FROM nango.integration WHERE deleted_at IS NULL ";

static void
read_row(struct integration *out, const struct db_result *r, size_t row)
{
	out->id = db_integer(r, row, 0);
	out->account_id = db_integer(r, row, 1);
	out->environment_id = db_integer(r, row, 2);
	out->unique_key = db_text(r, row, 3);
	out->provider = db_text(r, row, 4);
	out->display_name = db_text(r, row, 5);
	out->forward_webhooks = db_boolean(r, row, 6);
	out->config = db_text(r, row, 7);
	out->credentials = db_bytes(r, row, 8, &out->credentials_length);
	out->created_ms = db_time_ms(r, row, 9);
	out->updated_ms = db_time_ms(r, row, 10);
}

int
integration_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
		 struct integration **out, size_t *count, struct error *err)
{
	char *sql =
	    talloc_asprintf(mem, "%s AND environment_id = $1 ORDER BY unique_key", columns);
	struct db_result *found;
	struct integration *list;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(environment_id))) < 0)
		return -1;
	list = talloc_zero_array(mem, struct integration, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		read_row(&list[i], found, i);
	*out = list;
	*count = db_rows(found);
	return 0;
}

int
integration_find(TALLOC_CTX *mem, struct db *db, int64_t environment_id, const char *unique_key,
		 struct integration **out, struct error *err)
{
	char *sql =
	    talloc_asprintf(mem, "%s AND environment_id = $1 AND unique_key = $2", columns);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(environment_id), DB_TEXT(unique_key))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no integration \"%s\"",
				 unique_key);
	*out = talloc_zero(mem, struct integration);
	read_row(*out, found, 0);
	return 0;
}

int
integration_find_id(TALLOC_CTX *mem, struct db *db, int64_t id, struct integration **out,
		    struct error *err)
{
	char *sql = talloc_asprintf(mem, "%s AND id = $1", columns);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the integration was deleted");
	*out = talloc_zero(mem, struct integration);
	read_row(*out, found, 0);
	return 0;
}

static int
conflict_text(struct error *err, const char *unique_key)
{
	if (err->code == ERR_CONFLICT)
		error_set_at(err, ERR_CONFLICT, "unique_key",
			     "there is already an integration \"%s\"", unique_key);
	return -1;
}

int
integration_insert(struct db *db, struct integration *i, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango.integration (account_id, environment_id, unique_key, provider, "
	    "    display_name, forward_webhooks, config, credentials) "
	    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id, created_at, updated_at";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result = db_exec(db, mem, &made, err, sql,
			     DB_PARAMS(DB_INTEGER(i->account_id), DB_INTEGER(i->environment_id),
				       DB_TEXT(i->unique_key), DB_TEXT(i->provider),
				       DB_TEXT(i->display_name),
				       DB_BOOLEAN(i->forward_webhooks), DB_TEXT(i->config),
				       DB_BYTES(i->credentials, i->credentials_length)));

	if (result == 0) {
		i->id = db_integer(made, 0, 0);
		i->created_ms = db_time_ms(made, 0, 1);
		i->updated_ms = db_time_ms(made, 0, 2);
	} else {
		conflict_text(err, i->unique_key);
	}
	talloc_free(mem);
	return result;
}

int
integration_update(struct db *db, struct integration *i, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.integration SET unique_key = $2, display_name = $3, "
	    "    forward_webhooks = $4, config = $5, credentials = $6, "
	    "    updated_at = nango.clock_now() "
	    "WHERE id = $1 AND deleted_at IS NULL RETURNING updated_at";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result = db_exec(db, mem, &made, err, sql,
			     DB_PARAMS(DB_INTEGER(i->id), DB_TEXT(i->unique_key),
				       DB_TEXT(i->display_name),
				       DB_BOOLEAN(i->forward_webhooks), DB_TEXT(i->config),
				       DB_BYTES(i->credentials, i->credentials_length)));

	if (result < 0)
		conflict_text(err, i->unique_key);
	else if (db_rows(made) == 0)
		result = error_set(err, ERR_NOT_FOUND, "there is no integration \"%s\"",
				   i->unique_key);
	else
		i->updated_ms = db_time_ms(made, 0, 0);
	talloc_free(mem);
	return result;
}

int
integration_delete(struct db *db, int64_t id, struct error *err)
{
	static const char sql[] =
	    "WITH gone AS ("
	    "    UPDATE nango.integration SET deleted_at = nango.clock_now(), credentials = "
	    "NULL "
	    "    WHERE id = $1), "
	    "connections AS ("
	    "    UPDATE nango.connection SET deleted_at = nango.clock_now(), credentials = '' "
	    "    WHERE integration_id = $1 AND deleted_at IS NULL), "
	    "deployments AS ("
	    "    UPDATE nango.deployment SET is_active = false WHERE integration_id = $1) "
	    "SELECT 1";

	if (db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_INTEGER(id))) < 0)
		return -1;
	return sync_delete_all(db, id, 0, "[]", err);
}

int
integration_connections(struct db *db, int64_t id, int64_t *count, struct error *err)
{
	static const char sql[] = "SELECT count(*) FROM nango.connection "
				  "WHERE integration_id = $1 AND deleted_at IS NULL";

	return db_exec_value(db, count, err, sql, DB_PARAMS(DB_INTEGER(id)));
}
