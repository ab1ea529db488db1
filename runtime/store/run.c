/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/run -- see run.h.
 */
#include "store/run.h"

#include <stdlib.h>

static void
read_numbers(struct run_row *out, const struct db_result *r, size_t row)
{
	out->id = db_integer(r, row, 0);
	out->kind = db_integer(r, row, 1);
	out->environment_id = db_integer(r, row, 2);
	out->connection_row = db_integer(r, row, 3);
	out->attempts = db_integer(r, row, 4);
	out->pages = db_integer(r, row, 5);
	out->added = db_integer(r, row, 6);
	out->updated = db_integer(r, row, 7);
	out->deleted = db_integer(r, row, 8);
	out->requests = db_integer(r, row, 9);
	out->request_bytes = db_integer(r, row, 10);
	out->response_bytes = db_integer(r, row, 11);
	out->cpu_us = db_integer(r, row, 12);
	out->max_rss_kb = db_integer(r, row, 13);
	out->force_deletes = db_boolean(r, row, 14);
	out->created_ms = db_time_ms(r, row, 15);
	out->started_ms = db_time_ms(r, row, 16);
	out->finished_ms = db_time_ms(r, row, 17);
	out->due_ms = db_time_ms(r, row, 18);
}

static void
read_row(struct run_row *out, const struct db_result *r, size_t row)
{
	read_numbers(out, r, row);
	out->state = db_text(r, row, 19);
	out->cause = db_text(r, row, 20);
	out->code = db_text(r, row, 21);
	out->message = db_text(r, row, 22);
	out->sync_id = db_text(r, row, 23);
	out->sync_name = db_text(r, row, 24);
	out->variant = db_text(r, row, 25);
	out->connection_id = db_text(r, row, 26);
	out->integration_key = db_text(r, row, 27);
	out->result = db_text(r, row, 28);
}

/*
 * The page is found first, by one index, and only its rows are joined. Runs of a connection or
 * an integration are found from it, in the order of its own index: a plan that does not know
 * how many it has reads the whole history backwards for one that has none. BETWEEN says "=" to
 * the index and not to the planner, which would drop the column from the order.
 */
#define LIST_COLUMNS                                                                       \
	"SELECT r.id, r.kind, r.environment_id, r.connection_id, r.attempts, r.pages, "    \
	"    r.added, r.updated, r.deleted, r.requests, r.request_bytes, "                 \
	"    r.response_bytes, r.cpu_us, r.max_rss_kb, r.force_deletes, r.created_at, "    \
	"    r.started_at, r.finished_at, r.due_at, r.state, r.cause, r.code, r.message, " \
	"    r.sync_id::text, s.name, s.variant, c.connection_id, i.unique_key, r.result "
#define LIST_PAGE(place, order)                                        \
	"(SELECT * FROM nango.any_run r WHERE " place                  \
	"  AND ($2 = 0 OR r.id < $2) AND ($4 = 0 OR r.id = $4) "       \
	"  AND ($5 = 0 OR r.kind = $5) "                               \
	"  AND ($6 = 0 OR r.created_at >= to_timestamp($6 / 1000.0)) " \
	"  AND ($7::text IS NULL OR r.state = $7) "                    \
	"  AND ($8::text IS NULL OR (SELECT s.name = $8 "              \
	"        AND ($9::text IS NULL OR s.variant = $9) "            \
	"        FROM nango.sync s WHERE s.id = r.sync_id)) "          \
	"ORDER BY " order " LIMIT $3) r "
#define LIST_JOINS                                             \
	"JOIN nango.connection c ON c.id = r.connection_id "   \
	"JOIN nango.integration i ON i.id = r.integration_id " \
	"LEFT JOIN nango.sync s ON s.id = r.sync_id "
#define LIST_END "ORDER BY r.id DESC LIMIT $3"

static const char list_of_any[] =
    LIST_COLUMNS "FROM " LIST_PAGE("r.environment_id = $1 ", "r.id DESC") LIST_JOINS
    "WHERE $10::text IS NULL AND $11::text IS NULL " LIST_END;
static const char list_of_integration[] =
    LIST_COLUMNS "FROM nango.integration o CROSS JOIN LATERAL " LIST_PAGE(
	"r.integration_id BETWEEN o.id AND o.id ", "r.integration_id DESC, r.id DESC")
	LIST_JOINS
    "WHERE o.environment_id = $1 AND o.unique_key = $10 AND $11::text IS NULL " LIST_END;
static const char list_of_connection[] =
    LIST_COLUMNS "FROM nango.connection o CROSS JOIN LATERAL " LIST_PAGE(
	"r.connection_id BETWEEN o.id AND o.id ", "r.connection_id DESC, r.id DESC") LIST_JOINS
    "WHERE o.environment_id = $1 AND o.connection_id = $11 "
    "  AND ($10::text IS NULL OR o.integration_id = ANY (ARRAY("
    "        SELECT g.id FROM nango.integration g "
    "        WHERE g.environment_id = $1 AND g.unique_key = $10))) " LIST_END;

int
run_list(TALLOC_CTX *mem, struct db *db, const struct run_filter *f, struct run_row **out,
	 size_t *count, struct error *err)
{
	const char *sql = f->connection != NULL	   ? list_of_connection
			  : f->integration != NULL ? list_of_integration
						   : list_of_any;
	struct db_result *found;
	struct run_row *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(f->environment_id), DB_INTEGER(f->before),
			      DB_INTEGER(f->limit), DB_INTEGER(f->id), DB_INTEGER(f->kind),
			      DB_INTEGER(f->since_ms), DB_TEXT(f->state), DB_TEXT(f->sync),
			      DB_TEXT(f->variant), DB_TEXT(f->integration),
			      DB_TEXT(f->connection))) < 0)
		return -1;
	list = talloc_zero_array(mem, struct run_row, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		read_row(&list[i], found, i);
	*out = list;
	*count = db_rows(found);
	return 0;
}

static void
read_cost(struct run_cost *out, const struct db_result *r, size_t row)
{
	out->integration_key = db_text(r, row, 0);
	out->connection_id = db_text(r, row, 1);
	out->runs = db_integer(r, row, 2);
	out->failed = db_integer(r, row, 3);
	out->pages = db_integer(r, row, 4);
	out->added = db_integer(r, row, 5);
	out->updated = db_integer(r, row, 6);
	out->deleted = db_integer(r, row, 7);
	out->requests = db_integer(r, row, 8);
	out->request_bytes = db_integer(r, row, 9);
	out->response_bytes = db_integer(r, row, 10);
	out->cpu_us = db_integer(r, row, 11);
	out->max_rss_kb = db_integer(r, row, 12);
	out->wall_ms = db_integer(r, row, 13);
	out->connection_row = db_integer(r, row, 14);
}

int
run_costs(TALLOC_CTX *mem, struct db *db, const struct run_filter *f, struct run_cost **out,
	  size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT i.unique_key, c.connection_id, count(*), "
	    "    count(*) FILTER (WHERE r.state = 'failed'), sum(r.pages)::int8, "
	    "    sum(r.added)::int8, sum(r.updated)::int8, sum(r.deleted)::int8, "
	    "    sum(r.requests)::int8, sum(r.request_bytes)::int8, "
	    "    sum(r.response_bytes)::int8, sum(r.cpu_us)::int8, max(r.max_rss_kb), "
	    "    coalesce(sum(extract(epoch FROM r.finished_at - r.started_at) * 1000), "
	    "0)::int8, c.id "
	    "FROM nango.run r "
	    "JOIN nango.connection c ON c.id = r.connection_id "
	    "JOIN nango.integration i ON i.id = r.integration_id "
	    "LEFT JOIN nango.sync s ON s.id = r.sync_id "
	    "WHERE r.environment_id = $1 AND ($3 = 0 OR r.kind = $3) "
	    "  AND ($4 = 0 OR r.created_at >= to_timestamp($4 / 1000.0)) "
	    "  AND ($5::text IS NULL OR s.name = $5) "
	    "  AND ($6::text IS NULL OR i.unique_key = $6) "
	    "  AND ($7::text IS NULL OR c.connection_id = $7) "
	    "  AND ($8::text IS NULL OR r.state = $8) "
	    "  AND ($9::text IS NULL OR s.variant = $9) "
	    "GROUP BY c.id, i.unique_key, c.connection_id "
	    "HAVING $10 = 0 OR (sum(r.cpu_us), -c.id) < ($11, -$10) "
	    "ORDER BY sum(r.cpu_us) DESC, c.id LIMIT $2";
	struct db_result *found;
	struct run_cost *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(f->environment_id), DB_INTEGER(f->limit),
			      DB_INTEGER(f->kind), DB_INTEGER(f->since_ms), DB_TEXT(f->sync),
			      DB_TEXT(f->integration), DB_TEXT(f->connection),
			      DB_TEXT(f->state), DB_TEXT(f->variant), DB_INTEGER(f->before_row),
			      DB_INTEGER(f->before_cpu_us))) < 0)
		return -1;
	list = talloc_zero_array(mem, struct run_cost, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		read_cost(&list[i], found, i);
	*out = list;
	*count = db_rows(found);
	return 0;
}

int
run_forget(struct db *db, int64_t keep_ms, int64_t limit, struct run_sweep *sweep,
	   struct error *err)
{
	static const char sql[] =
	    "WITH seen AS MATERIALIZED ("
	    "    SELECT id, sync_id, finished_at < nango.clock_now() - "
	    "        $3 * interval '1 millisecond' AS is_old "
	    "    FROM nango.run WHERE id > $1 ORDER BY id LIMIT $2), "
	    "gone AS ("
	    "    DELETE FROM nango.run r USING seen o WHERE r.id = o.id AND o.is_old "
	    "      AND (o.sync_id IS NULL OR EXISTS (SELECT FROM nango.run n "
	    "           WHERE n.sync_id = o.sync_id AND n.id > o.id) "
	    "        OR EXISTS (SELECT FROM nango.sync s "
	    "           WHERE s.id = o.sync_id AND s.deleted_at IS NOT NULL)) RETURNING 1) "
	    "SELECT (SELECT count(*) FROM gone), coalesce(max(id), $1), "
	    "    coalesce(min(id) FILTER (WHERE NOT is_old) - 1, max(id), $1), "
	    "    count(*) < $2 OR NOT bool_or(is_old) FROM seen";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(
	    db, mem, &done, err, sql,
	    DB_PARAMS(DB_INTEGER(sweep->after), DB_INTEGER(limit), DB_INTEGER(keep_ms)));

	if (result == 0) {
		sweep->deleted += db_integer(done, 0, 0);
		if (sweep->settled == sweep->after)
			sweep->settled = db_integer(done, 0, 2);
		sweep->after = db_integer(done, 0, 1);
		sweep->is_over = db_boolean(done, 0, 3);
	}
	talloc_free(mem);
	return result;
}
