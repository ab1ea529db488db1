/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/fence -- see fence.h. A page counts itself under its fence in store/page.
 */
#include "store/fence.h"

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

/* FOR UPDATE waits for a COMMIT that the server may still be working on. */
int
fence_pages(struct db *db, int64_t connection_row, int64_t run_id, int64_t *pages,
	    struct error *err)
{
	static const char sql[] = "SELECT pages FROM nango_data.fence "
				  "WHERE connection_id = $1 AND run_id = $2 FOR UPDATE";

	return db_exec_value(db, pages, err, sql,
			     DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id)));
}

int
fence_is_open(struct db *db, int64_t connection_row, int64_t run_id, bool *is_open,
	      struct error *err)
{
	static const char sql[] =
	    "SELECT 1::int8 FROM nango_data.fence "
	    "WHERE connection_id = $1 AND run_id = $2 AND state = 'open' FOR UPDATE";
	int64_t open = 0;
	int result = db_exec_value(db, &open, err, sql,
				   DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id)));

	*is_open = open == 1;
	return result;
}

int
fence_check(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
	    struct error *err)
{
	static const char sql[] =
	    "SELECT 1::int8 FROM nango_data.fence WHERE connection_id = $1 AND run_id = $2 "
	    "  AND token = $3 AND state = 'open' FOR UPDATE";
	int64_t held;

	if (db_exec_value(db, &held, err, sql,
			  DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
				    DB_INTEGER(token))) < 0)
		return -1;
	return held == 1 ? 0 : error_set(err, ERR_FENCED, "the run lost its lease");
}

int
fence_close(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
	    const char *state, const char *counts, const char *outcome, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.fence SET state = $4, result = $5, outcome = $6, "
	    "    updated_at = nango_data.clock_now() "
	    "WHERE connection_id = $1 AND run_id = $2 AND token = $3 AND state = 'open'";
	int64_t closed;

	if (db_exec_count(db, &closed, err, sql,
			  DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
				    DB_INTEGER(token), DB_TEXT(state), DB_TEXT(counts),
				    DB_TEXT(outcome))) < 0)
		return -1;
	return closed > 0
		   ? 0
		   : error_set(err, ERR_FENCED, "the run lost its lease: nothing was written");
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

int
fence_forget(struct db *db, int64_t age_ms, int64_t limit, int64_t *count, struct error *err)
{
	static const char sql[] =
	    "DELETE FROM nango_data.fence WHERE (connection_id, run_id) IN ("
	    "    SELECT connection_id, run_id FROM nango_data.fence "
	    "    WHERE state <> 'open' AND updated_at < (SELECT nango_data.clock_now()) "
	    "        - $1 * interval '1 millisecond' LIMIT $2)";

	return db_exec_count(db, count, err, sql,
			     DB_PARAMS(DB_INTEGER(age_ms), DB_INTEGER(limit)));
}
