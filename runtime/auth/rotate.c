/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/rotate -- see rotate.h. Each kind of sealed value is a row of the table below: a
 * migration that adds a sealed column adds a row.
 */
#include "auth/rotate.h"

#include <string.h>

#define BATCH "200"
#define ROUNDS_MAX 1000000 /* batches of one kind: 200 million values */

/* Behind $1, which is the first key's id: those that another one sealed. */
#define OLD(column) column " IS NOT NULL AND substr(" column ", 2, 4) <> $1 LIMIT " BATCH

/*
 * list: id as text, environment, the place's key, sealed. update: $1 id, $2 sealed before, $3
 * sealed now.
 */
static const struct {
	const char *table, *list, *update;
} kinds[] = {
    {"connection",
     "SELECT id::text, environment_id, integration_id || ':' || connection_id, credentials "
     "FROM nango.connection WHERE deleted_at IS NULL AND " OLD("credentials"),
     "UPDATE nango.connection SET credentials = $3 WHERE id = $1::text::int8 "
     "AND credentials = $2"},
    {"integration",
     "SELECT id::text, environment_id, unique_key::text, credentials FROM nango.integration "
     "WHERE deleted_at IS NULL AND " OLD("credentials"),
     "UPDATE nango.integration SET credentials = $3 WHERE id = $1::text::int8 "
     "AND credentials = $2"},
    {"api_key",
     "SELECT id::text, environment_id, encode(hash, 'hex'), sealed FROM nango.api_key "
     "WHERE deleted_at IS NULL AND " OLD("sealed"),
     "UPDATE nango.api_key SET sealed = $3 WHERE id = $1::text::int8 AND sealed = $2"},
    {"environment",
     "SELECT id::text, id, 'record_key', record_key FROM nango.environment WHERE " OLD(
	 "record_key"),
     "UPDATE nango.environment SET record_key = $3 WHERE id = $1::text::int8 "
     "AND record_key = $2"},
    {"webhook_settings",
     "SELECT environment_id::text, environment_id, 'signing_key', signing_key "
     "FROM nango.webhook_settings WHERE " OLD("signing_key"),
     "UPDATE nango.webhook_settings SET signing_key = $3 "
     "WHERE environment_id = $1::text::int8 AND signing_key = $2"},
    {"auth_flow",
     "SELECT state::text, environment_id, state::text, sealed FROM nango.auth_flow "
     "WHERE " OLD("sealed"),
     "UPDATE nango.auth_flow SET sealed = $3 WHERE state = $1::text::uuid AND sealed = $2"},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int
seal_anew(TALLOC_CTX *mem, struct db *db, const struct vault *vault, size_t kind,
	  const struct db_result *r, size_t row, int64_t *count, struct error *err)
{
	struct vault_place place = {db_integer(r, row, 1), kinds[kind].table,
				    db_text(r, row, 2)};
	size_t before_length, length, plain_length;
	const void *before = db_bytes(r, row, 3, &before_length);
	int64_t rows;
	char *plain;
	void *now;

	if (vault_unseal(mem, vault, &place, before, before_length, &plain, &plain_length,
			 err) < 0)
		return error_prefix(err, "%s %s: ", kinds[kind].table, db_text(r, row, 0));
	now = vault_seal(mem, vault, &place, plain, plain_length, &length);
	if (db_exec_count(db, &rows, err, kinds[kind].update,
			  DB_PARAMS(DB_TEXT(db_text(r, row, 0)),
				    DB_BYTES(before, before_length), DB_BYTES(now, length))) <
	    0)
		return -1;
	*count += rows;
	return 0;
}

/* *is_over: no value of this kind is sealed with another key any more. */
static int
rotate_batch(struct db *db, const struct vault *vault, size_t kind, bool *is_over,
	     int64_t *count, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const void *id = vault_key_id(vault);
	struct db_result *r;
	int result = db_exec(db, mem, &r, err, kinds[kind].list,
			     DB_PARAMS(DB_BYTES(id, VAULT_KEY_ID_BYTES)));

	*is_over = result == 0 && db_rows(r) == 0;
	for (size_t i = 0; result == 0 && i < db_rows(r); i++)
		result = seal_anew(mem, db, vault, kind, r, i, count, err);
	talloc_free(mem);
	return result;
}

static int
rotate_kinds(struct db *db, const struct vault *vault, int64_t *count, struct error *err)
{
	for (size_t kind = 0; kind < KINDS; kind++) {
		bool is_over = false;

		for (int i = 0; !is_over && i < ROUNDS_MAX; i++)
			if (rotate_batch(db, vault, kind, &is_over, count, err) < 0)
				return -1;
	}
	return 0;
}

int
rotate_all(struct db_pool *pool, const struct vault *vault, int64_t *count, struct error *err)
{
	struct db *db;
	int result;

	*count = 0;
	if (db_acquire(pool, &db, err) < 0)
		return -1;
	result = rotate_kinds(db, vault, count, err);
	if (result == 0)
		result = vault_retire(vault, db, err);
	db_release(db);
	return result;
}
