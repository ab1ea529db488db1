/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/environment -- see environment.h.
 */
#include "store/environment.h"

#include <stdlib.h>
#include <string.h>

static const char environment_columns[] = "SELECT id, account_id, uuid::text, name, "
					  "is_production, record_key FROM nango.environment ";

static void
environment_read(struct environment *env, const struct db_result *r, size_t row, size_t column)
{
	env->id = db_integer(r, row, column);
	env->account_id = db_integer(r, row, column + 1);
	env->uuid = db_text(r, row, column + 2);
	env->name = db_text(r, row, column + 3);
	env->is_production = db_boolean(r, row, column + 4);
	env->record_key = db_bytes(r, row, column + 5, &env->record_key_length);
}

int
account_default(struct db *db, int64_t *id, struct error *err)
{
	static const char sql[] = "SELECT id FROM nango.account ORDER BY id LIMIT 1";

	return db_exec_value(db, id, err, sql, DB_NONE);
}

int
environment_list(TALLOC_CTX *mem, struct db *db, struct environment **out, size_t *count,
		 struct error *err)
{
	char *sql = talloc_asprintf(mem, "%s WHERE deleted_at IS NULL ORDER BY id",
				    environment_columns);
	struct db_result *found;
	struct environment *list;

	if (db_exec(db, mem, &found, err, sql, DB_NONE) < 0)
		return -1;
	list = talloc_zero_array(mem, struct environment, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		environment_read(&list[i], found, i, 0);
	*out = list;
	*count = db_rows(found);
	return 0;
}

int
environment_find_uuid(TALLOC_CTX *mem, struct db *db, const char *uuid,
		      struct environment **out, struct error *err)
{
	char *sql = talloc_asprintf(mem, "%s WHERE deleted_at IS NULL AND uuid::text = $1",
				    environment_columns);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_TEXT(uuid))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no environment %.64s", uuid);
	*out = talloc_zero(mem, struct environment);
	if (*out == NULL)
		abort();
	environment_read(*out, found, 0, 0);
	return 0;
}

int
environment_find(TALLOC_CTX *mem, struct db *db, int64_t id, struct environment **out,
		 struct error *err)
{
	char *sql = talloc_asprintf(mem, "%s WHERE deleted_at IS NULL AND id = $1",
				    environment_columns);
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no such environment");
	*out = talloc_zero(mem, struct environment);
	environment_read(*out, found, 0, 0);
	return 0;
}

int
environment_reserve_id(struct db *db, int64_t *id, struct error *err)
{
	static const char sql[] =
	    "SELECT nextval(pg_get_serial_sequence('nango.environment', 'id'))";

	return db_exec_value(db, id, err, sql, DB_NONE);
}

int
environment_insert(struct db *db, const struct environment *env, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango.environment (id, account_id, name, is_production, record_key) "
	    "OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5)";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(env->id), DB_INTEGER(env->account_id),
				 DB_TEXT(env->name), DB_BOOLEAN(env->is_production),
				 DB_BYTES(env->record_key, env->record_key_length)));
}

int
api_key_insert(struct db *db, int64_t account_id, int64_t environment_id,
	       const char *display_name, const void *hash, size_t hash_length,
	       const void *sealed, size_t sealed_length, struct error *err)
{
	static const char sql[] = "INSERT INTO nango.api_key (account_id, environment_id, "
				  "display_name, hash, sealed) "
				  "VALUES ($1, $2, $3, $4, $5)";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(account_id), DB_INTEGER(environment_id),
				 DB_TEXT(display_name), DB_BYTES(hash, hash_length),
				 DB_BYTES(sealed, sealed_length)));
}

static void
api_key_read(struct api_key *key, const struct db_result *r, size_t row)
{
	size_t length;
	const void *hash = db_bytes(r, row, 5, &length);

	key->id = db_integer(r, row, 0);
	key->environment_id = db_integer(r, row, 1);
	key->display_name = db_text(r, row, 2);
	key->scopes = db_text(r, row, 3);
	key->sealed = db_bytes(r, row, 4, &key->sealed_length);
	if (hash != NULL && length == sizeof(key->hash))
		memcpy(key->hash, hash, length);
}

int
api_key_find(TALLOC_CTX *mem, struct db *db, const void *hash, size_t hash_length,
	     struct api_key **key, struct environment **env, struct error *err)
{
	static const char sql[] =
	    "SELECT k.id, k.environment_id, k.display_name, array_to_string(k.scopes, ' '), "
	    "k.sealed, k.hash, "
	    "       e.id, e.account_id, e.uuid::text, e.name, e.is_production, e.record_key "
	    "FROM nango.api_key k JOIN nango.environment e ON e.id = k.environment_id "
	    "WHERE k.hash = $1 AND k.deleted_at IS NULL AND e.deleted_at IS NULL";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_BYTES(hash, hash_length))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_UNKNOWN_KEY, "no environment has this key");
	*key = talloc_zero(mem, struct api_key);
	*env = talloc_zero(mem, struct environment);
	api_key_read(*key, found, 0);
	environment_read(*env, found, 0, 6);
	return 0;
}

int
api_key_first(TALLOC_CTX *mem, struct db *db, int64_t environment_id, struct api_key **out,
	      struct error *err)
{
	static const char sql[] =
	    "SELECT id, environment_id, display_name, array_to_string(scopes, ' '), sealed, "
	    "hash "
	    "FROM nango.api_key WHERE environment_id = $1 AND deleted_at IS NULL "
	    "ORDER BY id LIMIT 1";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(environment_id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the environment has no key");
	*out = talloc_zero(mem, struct api_key);
	api_key_read(*out, found, 0);
	return 0;
}

int
vault_canary_find(TALLOC_CTX *mem, struct db *db, const char *key_id, const void **sealed,
		  size_t *length, struct error *err)
{
	static const char sql[] = "SELECT sealed FROM nango.vault_canary WHERE key_id = $1";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_TEXT(key_id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "no canary for key %s", key_id);
	*sealed = db_bytes(found, 0, 0, length);
	return 0;
}

int
vault_canary_insert(struct db *db, const char *key_id, const void *sealed, size_t length,
		    struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango.vault_canary (key_id, sealed) VALUES ($1, $2) "
	    "ON CONFLICT DO NOTHING";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_TEXT(key_id), DB_BYTES(sealed, length)));
}

int
vault_canary_count(struct db *db, int64_t *count, struct error *err)
{
	static const char sql[] = "SELECT count(*) FROM nango.vault_canary";

	return db_exec_value(db, count, err, sql, DB_NONE);
}

int
vault_canary_retire(struct db *db, const char *but_key_id, struct error *err)
{
	return db_exec(db, NULL, NULL, err, "DELETE FROM nango.vault_canary WHERE key_id <> $1",
		       DB_PARAMS(DB_TEXT(but_key_id)));
}
