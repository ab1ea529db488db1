/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/retention -- see retention.h.
 */
#include "store/retention.h"

#include <stdlib.h>

static int
list_datasets(TALLOC_CTX *mem, struct db *db, const char *sql, int64_t age_ms, int64_t limit,
	      struct dataset **out, size_t *count, struct error *err)
{
	struct db_result *found;
	struct dataset *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(age_ms), DB_INTEGER(limit))) < 0)
		return -1;
	list = talloc_zero_array(mem, struct dataset, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++) {
		list[i].connection_row = db_integer(found, i, 0);
		list[i].id = db_integer(found, i, 1);
		list[i].seq = db_integer(found, i, 2);
	}
	*out = list;
	*count = db_rows(found);
	return 0;
}

int
dataset_list_prunable(TALLOC_CTX *mem, struct db *db, int64_t age_ms, int64_t limit,
		      struct dataset **out, size_t *count, struct error *err)
{
	/* One that has nothing that old after all is put right by the look at it
	 * (record_prune). */
	static const char sql[] =
	    "SELECT connection_id, id, seq FROM nango_data.dataset WHERE unpruned_at < "
	    "    (SELECT nango_data.clock_now()) - $1 * interval '1 millisecond' "
	    "ORDER BY unpruned_at LIMIT $2";

	return list_datasets(mem, db, sql, age_ms, limit, out, count, err);
}

int
dataset_list_unused(TALLOC_CTX *mem, struct db *db, int64_t age_ms, int64_t limit,
		    struct dataset **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT connection_id, id, seq FROM nango_data.dataset "
	    "WHERE used_at < (SELECT nango_data.clock_now()) - $1 * interval '1 millisecond' "
	    "ORDER BY used_at LIMIT $2";

	return list_datasets(mem, db, sql, age_ms, limit, out, count, err);
}

int
dataset_list_removed(TALLOC_CTX *mem, struct db *db, int64_t limit, struct dataset **out,
		     size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT connection_id, id, $1 FROM nango_data.dataset_removed "
	    "LIMIT $2";

	return list_datasets(mem, db, sql, 0, limit, out, count, err);
}

int
dataset_delete_records(struct db *db, const struct dataset *d, int64_t limit, int64_t *count,
		       struct error *err)
{
	static const char forget[] =
	    "DELETE FROM nango_data.dataset_removed WHERE connection_id = $1 AND id = $2";
	static const char sql[] =
	    "DELETE FROM nango_data.record WHERE connection_id = $1 AND dataset_id = $2 "
	    "  AND seq > 0 AND seq <= ("
	    "    SELECT max(seq) FROM (SELECT seq FROM nango_data.record "
	    "        WHERE connection_id = $1 AND dataset_id = $2 AND seq > 0 "
	    "        ORDER BY seq LIMIT $3) t)";

	if (db_exec_count(db, count, err, sql,
			  DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
				    DB_INTEGER(limit))) < 0)
		return -1;
	return *count > 0
		   ? 0
		   : db_exec(db, NULL, NULL, err, forget,
			     DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id)));
}

int
retention_cutoff(struct db *db, int64_t age_ms, int64_t *out_ms, struct error *err)
{
	static const char sql[] =
	    "SELECT (extract(epoch FROM nango_data.clock_now()) * 1000)::int8 - $1";

	return db_exec_value(db, out_ms, err, sql, DB_PARAMS(DB_INTEGER(age_ms)));
}

int
dataset_remove(struct db *db, const struct dataset *d, int64_t age_ms, struct error *err)
{
	static const char sql[] =
	    "WITH head AS ("
	    "    DELETE FROM nango_data.dataset WHERE connection_id = $1 AND id = $2 "
	    "      AND used_at < nango_data.clock_now() - $3 * interval '1 millisecond' "
	    "    RETURNING connection_id, id, window_id), "
	    "left_over AS ("
	    "    INSERT INTO nango_data.dataset_removed (connection_id, id) "
	    "    SELECT connection_id, id FROM head), "
	    "seen AS ("
	    "    DELETE FROM nango_data.seen s USING head h "
	    "    WHERE s.connection_id = $1 AND s.window_id = h.window_id), "
	    "bad AS ("
	    "    DELETE FROM nango_data.quarantine q USING head h "
	    "    WHERE q.connection_id = $1 AND q.dataset_id = h.id) "
	    "UPDATE nango_data.checkpoint c SET body = NULL, version = version + 1, "
	    "    updated_at = nango_data.clock_now() FROM head h "
	    "WHERE c.connection_id = $1 AND c.body IS NOT NULL "
	    "  AND greatest(c.used_at, c.updated_at) < "
	    "      nango_data.clock_now() - $3 * interval '1 millisecond'";
	int64_t ignored;

	return db_exec_count(
	    db, &ignored, err, sql,
	    DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id), DB_INTEGER(age_ms)));
}

int
connection_list_purgeable(TALLOC_CTX *mem, struct db *db, int64_t age_ms, int64_t limit,
			  int64_t **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT id FROM nango.connection WHERE deleted_at IS NOT NULL "
	    "  AND data_purged_at IS NULL "
	    "  AND deleted_at < (SELECT nango.clock_now()) - $1 * interval '1 millisecond' "
	    "ORDER BY deleted_at LIMIT $2";
	struct db_result *found;
	int64_t *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(age_ms), DB_INTEGER(limit))) < 0)
		return -1;
	list = talloc_zero_array(mem, int64_t, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		list[i] = db_integer(found, i, 0);
	*out = list;
	*count = db_rows(found);
	return 0;
}

int
connection_purge(struct db *db, int64_t connection_row, int64_t limit, int64_t *count,
		 struct error *err)
{
	static const char records[] =
	    "DELETE FROM nango_data.record WHERE connection_id = $1 "
	    "  AND (dataset_id, external_id) IN ("
	    "    SELECT dataset_id, external_id FROM nango_data.record "
	    "    WHERE connection_id = $1 LIMIT $2)";
	static const char rest[] =
	    "WITH seen AS (DELETE FROM nango_data.seen WHERE connection_id = $1), "
	    "bad AS (DELETE FROM nango_data.quarantine WHERE connection_id = $1), "
	    "checkpoint AS (DELETE FROM nango_data.checkpoint WHERE connection_id = $1), "
	    "removed AS (DELETE FROM nango_data.dataset_removed WHERE connection_id = $1), "
	    "fence AS (DELETE FROM nango_data.fence WHERE connection_id = $1) "
	    "DELETE FROM nango_data.dataset WHERE connection_id = $1";

	if (db_exec_count(db, count, err, records,
			  DB_PARAMS(DB_INTEGER(connection_row), DB_INTEGER(limit))) < 0)
		return -1;
	return *count > 0
		   ? 0
		   : db_exec(db, NULL, NULL, err, rest, DB_PARAMS(DB_INTEGER(connection_row)));
}

int
connection_set_purged(struct db *db, int64_t connection_row, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.connection SET data_purged_at = nango.clock_now() WHERE id = $1";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_INTEGER(connection_row)));
}
