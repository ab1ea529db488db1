/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/outbox -- events are claimed, settled and cleaned away: see outbox.h.
 *
 * due_at is also the lease: a claim moves it ahead, and an event whose node fell silent becomes
 * due again. token rises with each claim, so that a node that lost its lease settles nothing.
 */
#include "store/outbox.h"

#include <stdlib.h>
#include <string.h>

/* Skips from one environment to the next: a long backlog of one costs one step. */
#define ENVIRONMENTS(schema)                                                           \
	"WITH RECURSIVE e (id) AS ("                                                   \
	"    (SELECT environment_id FROM " schema ".outbox WHERE due_at IS NOT NULL "  \
	"     ORDER BY environment_id LIMIT 1) "                                       \
	"    UNION ALL "                                                               \
	"    SELECT (SELECT environment_id FROM " schema ".outbox "                    \
	"            WHERE due_at IS NOT NULL AND environment_id > e.id "              \
	"            ORDER BY environment_id LIMIT 1) FROM e WHERE e.id IS NOT NULL) " \
	"SELECT e.id FROM e WHERE EXISTS (SELECT 1 FROM " schema ".outbox o "          \
	"    WHERE o.environment_id = e.id AND o.due_at <= (SELECT " schema ".clock_now()))"

int
outbox_environments(TALLOC_CTX *mem, struct db *db, enum outbox_family family, int64_t **out,
		    size_t *count, struct error *err)
{
	static const char *const sql[] = {[OUTBOX_CONTROL] = ENVIRONMENTS("nango"),
					  [OUTBOX_DATA] = ENVIRONMENTS("nango_data")};
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql[family], DB_NONE) < 0)
		return -1;
	*count = db_rows(found);
	*out = talloc_array(mem, int64_t, (unsigned)*count + 1);
	if (*out == NULL)
		abort();
	for (size_t i = 0; i < *count; i++)
		(*out)[i] = db_integer(found, i, 0);
	return 0;
}

#define CLAIM(schema)                                                                     \
	"WITH picked AS ("                                                                \
	"    SELECT connection_id, id FROM " schema ".outbox "                            \
	"    WHERE environment_id = $1 AND due_at <= (SELECT " schema ".clock_now()) "    \
	"    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) "                           \
	"UPDATE " schema ".outbox o SET state = 'sending', token = o.token + 1, "         \
	"    attempts = o.attempts + 1, "                                                 \
	"    due_at = " schema ".clock_now() + $3 * interval '1 millisecond' "            \
	"FROM picked p WHERE o.connection_id = p.connection_id AND o.id = p.id "          \
	"RETURNING o.connection_id, o.id, o.token, o.run_id, o.event_id::text, o.kind, "  \
	"    o.model, o.facts, o.outcome, o.destination, o.added, o.updated, o.deleted, " \
	"    o.attempts, o.created_at, "                                                  \
	"    (extract(epoch FROM " schema ".clock_now() - o.ready_at) * 1000)::int8, "    \
	"    o.is_split"

static void
read_event(struct outbox_event *out, const struct db_result *r, size_t row)
{
	out->connection_row = db_integer(r, row, 0);
	out->id = db_integer(r, row, 1);
	out->token = db_integer(r, row, 2);
	out->run_id = db_integer(r, row, 3);
	out->event_id = db_text(r, row, 4);
	out->kind = db_text(r, row, 5);
	out->model = db_text(r, row, 6);
	out->facts = db_text(r, row, 7);
	out->outcome = db_text(r, row, 8);
	out->destination = db_integer(r, row, 9);
	out->added = db_integer(r, row, 10);
	out->updated = db_integer(r, row, 11);
	out->deleted = db_integer(r, row, 12);
	out->attempts = db_integer(r, row, 13);
	out->created_ms = db_time_ms(r, row, 14);
	out->age_ms = db_integer(r, row, 15);
	out->is_split = db_boolean(r, row, 16);
}

int
outbox_claim(TALLOC_CTX *mem, struct db *db, enum outbox_family family, int64_t environment_id,
	     int64_t limit, int64_t lease_ms, struct outbox_event **out, size_t *count,
	     struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = CLAIM("nango"), [OUTBOX_DATA] = CLAIM("nango_data")};
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql[family],
		    DB_PARAMS(DB_INTEGER(environment_id), DB_INTEGER(limit),
			      DB_INTEGER(lease_ms))) < 0)
		return -1;
	*count = db_rows(found);
	*out = talloc_zero_array(mem, struct outbox_event, (unsigned)*count + 1);
	if (*out == NULL)
		abort();
	for (size_t i = 0; i < *count; i++) {
		read_event(&(*out)[i], found, i);
		(*out)[i].family = family;
		(*out)[i].environment_id = environment_id;
	}
	return 0;
}

#define SPLIT(schema)                                                                      \
	"WITH whole AS ("                                                                  \
	"    UPDATE " schema ".outbox o SET is_split = true "                              \
	"    FROM json_array_elements($1::json) w "                                        \
	"    WHERE o.connection_id = (w->>0)::int8 AND o.id = (w->>1)::int8 "              \
	"        AND NOT o.is_split RETURNING o.*) "                                       \
	"INSERT INTO " schema ".outbox (connection_id, run_id, kind, model, destination, " \
	"    event_id, environment_id, state, is_split, added, updated, deleted, facts, "  \
	"    outcome, created_at, ready_at, due_at) "                                      \
	"SELECT connection_id, run_id, kind, model, 1, event_id, environment_id, 'due', "  \
	"true, "                                                                           \
	"    added, updated, deleted, facts, outcome, created_at, ready_at, "              \
	"    " schema ".clock_now() FROM whole ON CONFLICT DO NOTHING"

int
outbox_split(struct db *db, enum outbox_family family, const char *ids, struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = SPLIT("nango"), [OUTBOX_DATA] = SPLIT("nango_data")};

	return db_exec(db, NULL, NULL, err, sql[family], DB_PARAMS(DB_TEXT(ids)));
}

/* Rows are locked in one order, so that two nodes that settle cannot wait for each other. */
#define SETTLE(schema)                                                                    \
	"WITH r AS ("                                                                     \
	"    SELECT o.connection_id, o.id, x.s, x.w, x.h, x.e, x.n "                      \
	"    FROM json_to_recordset($1::json) x "                                         \
	"        (c int8, i int8, t int8, s text, w int8, h int4, e text, n int4) "       \
	"    JOIN " schema ".outbox o ON o.connection_id = x.c AND o.id = x.i "           \
	"    WHERE o.token = x.t AND o.state = 'sending' "                                \
	"    ORDER BY o.connection_id, o.id FOR UPDATE OF o), "                           \
	"gone AS ("                                                                       \
	"    DELETE FROM " schema ".outbox o USING r WHERE r.s = 'unwanted' "             \
	"        AND o.connection_id = r.connection_id AND o.id = r.id) "                 \
	"UPDATE " schema ".outbox o SET state = r.s, attempts = r.n, http_status = r.h, " \
	"    error = r.e, "                                                               \
	"    due_at = CASE r.s WHEN 'due' "                                               \
	"        THEN " schema ".clock_now() + r.w * interval '1 millisecond' END, "      \
	"    finished_at = CASE WHEN r.s <> 'due' THEN " schema ".clock_now() END "       \
	"FROM r WHERE r.s <> 'unwanted' AND o.connection_id = r.connection_id AND o.id = r.id"

int
outbox_settle(struct db *db, enum outbox_family family, const char *results, struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = SETTLE("nango"), [OUTBOX_DATA] = SETTLE("nango_data")};

	return db_exec(db, NULL, NULL, err, sql[family], DB_PARAMS(DB_TEXT(results)));
}

#define CLEAN(schema)                                                                        \
	"DELETE FROM " schema ".outbox o USING ("                                            \
	"    SELECT connection_id, id FROM " schema ".outbox "                               \
	"    WHERE (state = 'delivered' AND "                                                \
	"           finished_at < (SELECT " schema ".clock_now()) - $1 * interval '1 day') " \
	"       OR (state = 'dead' AND "                                                     \
	"           finished_at < (SELECT " schema ".clock_now()) - $2 * interval '1 day') " \
	"    LIMIT $3 FOR UPDATE SKIP LOCKED) old "                                          \
	"WHERE o.connection_id = old.connection_id AND o.id = old.id"

int
outbox_clean(struct db *db, enum outbox_family family, int64_t delivered_days,
	     int64_t dead_days, int64_t limit, int64_t *removed, struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = CLEAN("nango"), [OUTBOX_DATA] = CLEAN("nango_data")};
	const struct db_param params[] = {DB_INTEGER(delivered_days), DB_INTEGER(dead_days),
					  DB_INTEGER(limit)};

	return db_exec_count(db, removed, err, sql[family], params, 3);
}

int
outbox_release_orphans(struct db *db, int64_t *released, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.outbox o SET state = 'due', ready_at = nango_data.clock_now(), "
	    "    due_at = nango_data.clock_now() "
	    "FROM nango_data.fence f "
	    "WHERE o.state = 'held' AND f.connection_id = o.connection_id "
	    "    AND f.run_id = o.run_id AND f.state <> 'open'";

	return db_exec_count(db, released, err, sql, DB_NONE);
}
