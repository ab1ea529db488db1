/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/dataset -- fences, heads and checkpoints; see record.h.
 */
#include "store/record.h"

#include <stdlib.h>

int
fence_raise(TALLOC_CTX *mem, struct db *db, int64_t connection_row, int64_t run_id,
	    int64_t token, struct fence *out, struct error *err)
{
	static const char sql[] = "INSERT INTO nango_data.fence AS f (connection_id, run_id, "
				  "token) VALUES ($1, $2, $3) "
				  "ON CONFLICT (connection_id, run_id) DO UPDATE "
				  "    SET token = greatest(f.token, excluded.token), "
				  "        updated_at = nango_data.clock_now() "
				  "RETURNING token, state, pages, result, outcome";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
			      DB_INTEGER(token))) < 0)
		return -1;
	if (db_integer(found, 0, 0) != token)
		return error_set(err, ERR_FENCED, "another claim of run %lld came later",
				 (long long)run_id);
	out->state = db_text(found, 0, 1);
	out->pages = db_integer(found, 0, 2);
	out->result = db_text(found, 0, 3);
	out->outcome = db_text(found, 0, 4);
	return 0;
}

/* The UPDATEs below touch no row when the fence was lost. */
static int
fenced_exec(struct db *db, const char *sql, const struct db_param *params, size_t count,
	    struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql, params, count);

	if (result == 0 && db_affected(done) == 0)
		result =
		    error_set(err, ERR_FENCED, "the run lost its lease: nothing was written");
	talloc_free(mem);
	return result;
}

int
fence_page(struct db *db, int64_t connection_row, int64_t run_id, int64_t token, int64_t page,
	   const char *result, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.fence SET pages = $4, result = $5, "
	    "    updated_at = nango_data.clock_now() "
	    "WHERE connection_id = $1 AND run_id = $2 AND token = $3 AND state = 'open' "
	    "  AND pages = $4 - 1";

	return fenced_exec(db, sql,
			   DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
				     DB_INTEGER(token), DB_INTEGER(page), DB_TEXT(result)),
			   err);
}

int
fence_pages(struct db *db, int64_t connection_row, int64_t run_id, int64_t *pages,
	    struct error *err)
{
	/* FOR UPDATE waits for a COMMIT that the server may still be working on. */
	static const char sql[] = "SELECT pages FROM nango_data.fence "
				  "WHERE connection_id = $1 AND run_id = $2 FOR UPDATE";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, sql,
			     DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id)));

	if (result == 0)
		*pages = db_rows(found) > 0 ? db_integer(found, 0, 0) : 0;
	talloc_free(mem);
	return result;
}

int
fence_close(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
	    const char *state, const char *outcome, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.fence SET state = $4, outcome = $5, "
	    "    updated_at = nango_data.clock_now() "
	    "WHERE connection_id = $1 AND run_id = $2 AND token = $3 AND state = 'open'";

	return fenced_exec(db, sql,
			   DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
				     DB_INTEGER(token), DB_TEXT(state), DB_TEXT(outcome)),
			   err);
}

int
fence_cancel(struct db *db, int64_t connection_row, int64_t run_id, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango_data.fence AS f (connection_id, run_id, token, state) "
	    "VALUES ($1, $2, 0, 'cancelled') "
	    "ON CONFLICT (connection_id, run_id) DO UPDATE SET state = 'cancelled', "
	    "    updated_at = nango_data.clock_now() WHERE f.state = 'open'";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id)));
}

static void
read_head(struct dataset *out, int64_t connection_row, const struct db_result *r)
{
	out->connection_row = connection_row;
	out->id = db_integer(r, 0, 0);
	out->epoch = db_integer(r, 0, 1);
	out->seq = db_integer(r, 0, 2);
	out->live = db_integer(r, 0, 3);
	out->now_us2000 = db_integer(r, 0, 4);
}

int
dataset_lock(struct db *db, int64_t connection_row, const char *model, const char *variant,
	     struct dataset *out, struct error *err)
{
	static const char lock[] =
	    "SELECT id, epoch, seq, live, nango_data.clock_now() FROM nango_data.dataset "
	    "WHERE connection_id = $1 AND model = $2 AND variant = $3 FOR UPDATE";
	static const char insert[] = "INSERT INTO nango_data.dataset (connection_id, model, "
				     "variant) VALUES ($1, $2, $3) "
				     "ON CONFLICT DO NOTHING";
	const struct db_param params[] = {DB_INTEGER(connection_row), DB_TEXT(model),
					  DB_TEXT(variant)};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, lock, params, 3);

	if (result == 0 && db_rows(found) == 0) {
		result = db_exec(db, NULL, NULL, err, insert, params, 3);
		if (result == 0)
			result = db_exec(db, mem, &found, err, lock, params, 3);
	}
	if (result == 0)
		read_head(out, connection_row, found);
	talloc_free(mem);
	return result;
}

int
dataset_advance(struct db *db, const struct dataset *d, struct error *err)
{
	static const char sql[] = "UPDATE nango_data.dataset SET seq = $3, live = $4 "
				  "WHERE connection_id = $1 AND id = $2";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
				 DB_INTEGER(d->seq), DB_INTEGER(d->live)));
}

int
dataset_find(struct db *db, int64_t connection_row, const char *model, const char *variant,
	     struct dataset *out, struct error *err)
{
	static const char sql[] =
	    "SELECT id, epoch, seq, live, nango_data.clock_now() FROM nango_data.dataset "
	    "WHERE connection_id = $1 AND model = $2 AND variant = $3";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result =
	    db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(model), DB_TEXT(variant)));

	if (result == 0 && db_rows(found) == 0)
		result = error_set(err, ERR_NOT_FOUND, "no record of %s was ever saved", model);
	else if (result == 0)
		read_head(out, connection_row, found);
	talloc_free(mem);
	return result;
}

int
dataset_empty(struct db *db, int64_t connection_row, const char *models_json,
	      const char *variant, struct error *err)
{
	static const char sql[] =
	    "WITH heads AS ("
	    "    UPDATE nango_data.dataset SET epoch = epoch + 1, seq = 0, live = 0 "
	    "    WHERE connection_id = $1 AND variant = $3 "
	    "      AND model IN (SELECT json_array_elements_text($2::json)) RETURNING id) "
	    "DELETE FROM nango_data.record "
	    "WHERE connection_id = $1 AND dataset_id IN (SELECT id FROM heads)";

	return db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(models_json), DB_TEXT(variant)));
}

int
dataset_counts(TALLOC_CTX *mem, struct db *db, int64_t connection_row, const char **json,
	       struct error *err)
{
	static const char sql[] =
	    "SELECT coalesce(json_agg(json_build_object('model', model, 'variant', variant, "
	    "    'records', live) ORDER BY model, variant), '[]')::text "
	    "FROM nango_data.dataset WHERE connection_id = $1";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(connection_row))) < 0)
		return -1;
	*json = db_text(found, 0, 0);
	return 0;
}

int
checkpoint_get(TALLOC_CTX *mem, struct db *db, int64_t connection_row, const char *key,
	       const char **body, struct error *err)
{
	static const char sql[] =
	    "SELECT body FROM nango_data.checkpoint WHERE connection_id = $1 AND key = $2";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(key))) < 0)
		return -1;
	*body = db_rows(found) > 0 ? db_text(found, 0, 0) : NULL;
	return 0;
}

int
checkpoint_put(struct db *db, int64_t connection_row, const char *key, const char *body,
	       size_t length, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango_data.checkpoint AS c (connection_id, key, body) VALUES ($1, $2, "
	    "$3) "
	    "ON CONFLICT (connection_id, key) DO UPDATE SET body = excluded.body, "
	    "    version = c.version + 1, updated_at = nango_data.clock_now()";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(key),
				 DB_BINARY(25 /* text */, body, length)));
}

int
checkpoint_delete(struct db *db, int64_t connection_row, const char *key, struct error *err)
{
	static const char sql[] =
	    "DELETE FROM nango_data.checkpoint WHERE connection_id = $1 AND key = $2";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(key)));
}
