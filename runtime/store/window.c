/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/window -- see window.h.
 */
#include "store/window.h"

int
window_next_id(struct db *db, int64_t *id, struct error *err)
{
	return db_exec_value(db, id, err, "SELECT nextval('nango_data.window_id')", DB_NONE);
}

int
window_open_for(struct db *db, struct dataset *head, int64_t run_id, int64_t model_hash,
		struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.dataset SET window_id = $3, window_seq = seq, "
	    "    window_live = live, window_model = $5, window_run_id = $4, "
	    "    window_opened_at = nango_data.clock_now(), window_partial = false "
	    "WHERE connection_id = $1 AND id = $2";
	int64_t id;

	if (head->window_id != 0 && head->window_run_id == run_id)
		return 0;
	if (window_next_id(db, &id, err) < 0 ||
	    (head->window_id != 0 &&
	     window_forget(db, head->connection_row, head->window_id, err) < 0) ||
	    db_exec(db, NULL, NULL, err, sql,
		    DB_PARAMS(DB_INTEGER(head->connection_row), DB_INTEGER(head->id),
			      DB_INTEGER(id), DB_INTEGER(run_id), DB_INTEGER(model_hash))) < 0)
		return -1;
	head->window_id = id;
	head->window_seq = head->seq;
	head->window_live = head->live;
	head->window_model = model_hash;
	head->window_run_id = run_id;
	head->window_is_partial = false;
	return 0;
}

struct seen {
	window_fn *fn;
	void *arg;
};

static int
seen_row(void *arg, const struct db_result *row, struct error *err)
{
	const struct seen *seen = arg;
	size_t length;
	const void *marks = db_bytes(row, 0, 0, &length);

	return seen->fn(seen->arg, marks, length, err);
}

int
window_seen(struct db *db, int64_t connection_row, int64_t window_id, window_fn *fn, void *arg,
	    struct error *err)
{
	static const char sql[] =
	    "SELECT marks FROM nango_data.seen WHERE connection_id = $1 AND window_id = $2";
	struct seen seen = {fn, arg};

	return db_stream(db, err, seen_row, &seen, sql,
			 DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(window_id)));
}

int
window_count(struct db *db, int64_t connection_row, int64_t window_id, int64_t *count,
	     struct error *err)
{
	static const char sql[] = "SELECT (sum(length(marks)) / 8)::int8 FROM nango_data.seen "
				  "WHERE connection_id = $1 AND window_id = $2";

	return db_exec_value(db, count, err, sql,
			     DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(window_id)));
}

int
window_forget(struct db *db, int64_t connection_row, int64_t window_id, struct error *err)
{
	static const char sql[] =
	    "DELETE FROM nango_data.seen WHERE connection_id = $1 AND window_id = $2";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(window_id)));
}

int
window_is_crowded(struct db *db, const struct dataset *head, bool *is_crowded,
		  struct error *err)
{
	static const char sql[] =
	    "SELECT (sum(length(marks)) > 2 * 8 * $3::int8 AND "
	    "    2 * sum(length(marks)) FILTER (WHERE run_id <> 0) >= sum(length(marks)))"
	    "    ::int::int8 "
	    "FROM nango_data.seen WHERE connection_id = $1 AND window_id = $2";
	int64_t seeable = head->live > head->window_live ? head->live : head->window_live;
	int64_t is;

	seeable += head->quarantined + WINDOW_SPARE;
	if (db_exec_value(db, &is, err, sql,
			  DB_PARAMS(DB_INTEGER(head->connection_row),
				    DB_INTEGER(head->window_id), DB_INTEGER(seeable))) < 0)
		return -1;
	*is_crowded = is == 1;
	return 0;
}

int
window_pack(struct db *db, const struct dataset *head, struct error *err)
{
	/* In rows by the first byte of a mark, so that none is too long. What is added to the
	 * marks takes them out of their table once, not once for each mark. */
	static const char sql[] =
	    "WITH old AS ("
	    "    DELETE FROM nango_data.seen WHERE connection_id = $1 AND window_id = $2 "
	    "    RETURNING marks || ''::bytea AS marks), "
	    "each AS ("
	    "    SELECT DISTINCT substring(o.marks FROM 8 * n + 1 FOR 8) AS mark "
	    "    FROM old o, generate_series(0, length(o.marks) / 8 - 1) n) "
	    "INSERT INTO nango_data.seen (connection_id, window_id, run_id, page, marks) "
	    "SELECT $1, $2, 0, get_byte(mark, 0), string_agg(mark, '') FROM each "
	    "GROUP BY get_byte(mark, 0)";

	return db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_INTEGER(head->connection_row), DB_INTEGER(head->window_id)));
}
