/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/webhook -- see webhook.h.
 */
#include "store/webhook.h"

#include <inttypes.h>
#include <stdlib.h>

int
webhook_settings_find(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
		      struct webhook_settings **out, struct error *err)
{
	static const char sql[] =
	    "SELECT w.environment_id, w.account_id, e.name, w.primary_url, w.secondary_url, "
	    "    w.on_auth_creation, w.on_auth_refresh_error, w.on_sync_completion_always, "
	    "    w.on_sync_error, w.on_async_action_completion, w.signing_key "
	    "FROM nango.webhook_settings w JOIN nango.environment e ON e.id = w.environment_id "
	    "WHERE w.environment_id = $1";
	struct webhook_settings *s;
	struct db_result *r;

	if (db_exec(db, mem, &r, err, sql, DB_PARAMS(DB_INTEGER(environment_id))) < 0)
		return -1;
	if (db_rows(r) == 0)
		return error_set(err, ERR_NOT_FOUND,
				 "environment %" PRId64 " has no webhook settings yet",
				 environment_id);
	s = talloc_zero(mem, struct webhook_settings);
	if (s == NULL)
		abort();
	s->environment_id = db_integer(r, 0, 0);
	s->account_id = db_integer(r, 0, 1);
	s->environment = db_text(r, 0, 2);
	s->primary_url = db_text(r, 0, 3);
	s->secondary_url = db_text(r, 0, 4);
	s->on_auth_creation = db_boolean(r, 0, 5);
	s->on_auth_refresh_error = db_boolean(r, 0, 6);
	s->on_sync_completion_always = db_boolean(r, 0, 7);
	s->on_sync_error = db_boolean(r, 0, 8);
	s->on_async_action_completion = db_boolean(r, 0, 9);
	s->signing_key = db_bytes(r, 0, 10, &s->signing_key_length);
	*out = s;
	return 0;
}

int
webhook_settings_insert(struct db *db, int64_t environment_id, const void *signing_key,
			size_t length, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango.webhook_settings (environment_id, account_id, signing_key) "
	    "SELECT id, account_id, $2 FROM nango.environment WHERE id = $1 "
	    "ON CONFLICT DO NOTHING";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(environment_id), DB_BYTES(signing_key, length)));
}

int
webhook_settings_update(struct db *db, const struct webhook_settings *s, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.webhook_settings SET primary_url = $2, secondary_url = $3, "
	    "    on_auth_creation = $4, on_auth_refresh_error = $5, "
	    "    on_sync_completion_always = $6, on_sync_error = $7, "
	    "    on_async_action_completion = $8, updated_at = nango.clock_now() "
	    "WHERE environment_id = $1";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(s->environment_id), DB_TEXT(s->primary_url),
				 DB_TEXT(s->secondary_url), DB_BOOLEAN(s->on_auth_creation),
				 DB_BOOLEAN(s->on_auth_refresh_error),
				 DB_BOOLEAN(s->on_sync_completion_always),
				 DB_BOOLEAN(s->on_sync_error),
				 DB_BOOLEAN(s->on_async_action_completion)));
}

int
webhook_settings_set_key(struct db *db, int64_t environment_id, const void *signing_key,
			 size_t length, struct error *err)
{
	static const char sql[] = "UPDATE nango.webhook_settings SET signing_key = $2, "
				  "updated_at = nango.clock_now() WHERE environment_id = $1";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(environment_id), DB_BYTES(signing_key, length)));
}

int
webhook_overrides(TALLOC_CTX *mem, struct db *db, const char *rows_json,
		  struct webhook_override **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT id, webhook_url_override FROM nango.connection "
	    "WHERE id IN (SELECT json_array_elements_text($1::json)::int8) "
	    "    AND webhook_url_override IS NOT NULL AND webhook_url_override <> ''";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_TEXT(rows_json))) < 0)
		return -1;
	*count = db_rows(found);
	*out = talloc_zero_array(mem, struct webhook_override, (unsigned)*count + 1);
	if (*out == NULL)
		abort();
	for (size_t i = 0; i < *count; i++)
		(*out)[i] =
		    (struct webhook_override){db_integer(found, i, 0), db_text(found, i, 1)};
	return 0;
}
