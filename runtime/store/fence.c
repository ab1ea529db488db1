/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/fence -- see fence.h. A page counts itself under its fence in store/page.
 */
#include "store/fence.h"
#include "store/pgbinary.h"

/* A row of: token, state, pages, result, outcome. */
static void
read_fence(struct fence *out, const struct db_result *r, size_t row)
{
	out->state = db_text(r, row, 1);
	out->pages = db_integer(r, row, 2);
	out->result = db_text(r, row, 3);
	out->outcome = db_text(r, row, 4);
}

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
	read_fence(out, found, 0);
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
fence_is_behind(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
		int64_t pages, bool *is_behind, struct error *err)
{
	static const char sql[] =
	    "SELECT count(*) FROM nango_data.fence WHERE connection_id = $1 AND run_id = $2 "
	    "  AND token = $3 AND state = 'open' AND pages < $4";
	int64_t found;

	if (db_exec_value(db, &found, err, sql,
			  DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
				    DB_INTEGER(token), DB_INTEGER(pages))) < 0)
		return -1;
	*is_behind = found > 0;
	return 0;
}

int
fence_close(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
	    const struct fence_end *end, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.fence SET state = $4, result = $5, outcome = $6, "
	    "    updated_at = nango_data.clock_now() "
	    "WHERE connection_id = $1 AND run_id = $2 AND token = $3 AND state = 'open' "
	    "  AND pages >= $7";
	int64_t closed;

	if (db_exec_count(db, &closed, err, sql,
			  DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
				    DB_INTEGER(token), DB_TEXT(end->state),
				    DB_TEXT(end->result), DB_TEXT(end->outcome),
				    DB_INTEGER(end->pages))) < 0)
		return -1;
	return closed > 0
		   ? 0
		   : error_set(err, ERR_FENCED, "the run lost its lease: nothing was written");
}

int
fence_cancel(TALLOC_CTX *mem, struct db *db, int64_t connection_row, int64_t run_id,
	     const char *outcome, struct fence *out, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango_data.fence AS f (connection_id, run_id, token, state, outcome) "
	    "VALUES ($1, $2, 0, 'cancelled', $3) "
	    "ON CONFLICT (connection_id, run_id) DO UPDATE SET "
	    "    state = CASE f.state WHEN 'open' THEN 'cancelled' ELSE f.state END, "
	    "    outcome = CASE f.state WHEN 'open' THEN excluded.outcome ELSE f.outcome END, "
	    "    updated_at = nango_data.clock_now() "
	    "RETURNING token, state, pages, result, outcome";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(run_id),
			      DB_TEXT(outcome))) < 0)
		return -1;
	read_fence(out, found, 0);
	return 0;
}

int
fence_list(TALLOC_CTX *mem, struct db *db, const struct fence_key *keys, size_t count,
	   struct fence *out, struct error *err)
{
	static const char sql[] =
	    "SELECT f.token, coalesce(f.state, 'open'), coalesce(f.pages, 0), "
	    "    coalesce(f.result, '{}'), coalesce(f.outcome, '{}') "
	    "FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY k(connection_id, run_id, n) "
	    "LEFT JOIN nango_data.fence f ON f.connection_id = k.connection_id "
	    "    AND f.run_id = k.run_id ORDER BY k.n";
	struct buf connections, runs;
	struct db_result *found;

	buf_init(&connections, mem, 32 + count * 12);
	buf_init(&runs, mem, 32 + count * 12);
	pg_array_begin(&connections, PG_OID_INT8, count);
	pg_array_begin(&runs, PG_OID_INT8, count);
	for (size_t i = 0; i < count; i++) {
		pg_field_int8(&connections, keys[i].connection_row);
		pg_field_int8(&runs, keys[i].run_id);
	}
	if (db_exec(
		db, mem, &found, err, sql,
		DB_PARAMS(DB_BINARY(PG_OID_INT8_ARRAY, connections.data, connections.length),
			  DB_BINARY(PG_OID_INT8_ARRAY, runs.data, runs.length))) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		read_fence(&out[i], found, i);
	return 0;
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
