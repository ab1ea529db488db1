/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sync_due -- moving schedules to their next slots: those that are due, and those whose
 * timing changed.
 *
 * Slots are computed here and not in SQL, because cron with time zones is ours. A batch is read
 * under lock, computed, and written back with its queue rows in one more statement, which finds
 * the rows by their place (ctid): while they are locked they do not move.
 */
#include "store/pgbinary.h"
#include "store/queue.h"
#include "store/sync_internal.h"

#include <stdlib.h>
#include <string.h>

#define BROKEN_RETRY_MS 3600000 /* a schedule that cannot be read here: no such time zone */

#define SCHEDULE "t.ctid::text, t.sync_id::text, t.interval_ms, t.cron, t.time_zone"

struct moves {
	struct buf places, next_ms, owed; /* arrays of one length */
	const char **due;		  /* syncs that get a run */
	size_t due_count;
};

static void
moves_begin(TALLOC_CTX *mem, struct moves *m, size_t count)
{
	buf_init(&m->places, mem, 32 + count * 20);
	buf_init(&m->next_ms, mem, 32 + count * 12);
	buf_init(&m->owed, mem, 32 + count * 12);
	pg_array_begin(&m->places, PG_OID_TEXT, count);
	pg_array_begin(&m->next_ms, PG_OID_INT8, count);
	pg_array_begin(&m->owed, PG_OID_INT8, count);
	m->due = talloc_array(mem, const char *, (unsigned)count + 1);
	m->due_count = 0;
	if (m->due == NULL)
		abort();
}

/* A row of the two statements below: SCHEDULE, policy, slot, owed,
 * has a run that keeps one owed, now. */
static void
add_move(struct moves *m, const struct db_result *r, size_t row)
{
	int64_t due_ms = db_time_ms(r, row, 6), now_ms = db_time_ms(r, row, 9);
	int64_t policy = db_integer(r, row, 5), owed = db_integer(r, row, 7);
	bool is_busy = db_boolean(r, row, 8);
	struct schedule_step step = {false, now_ms + BROKEN_RETRY_MS, 0};
	struct schedule schedule;
	struct error ignored;
	const char *place = db_text(r, row, 0);

	if (schedule_init(&schedule, db_integer(r, row, 2), db_text(r, row, 3),
			  db_text(r, row, 4), db_text(r, row, 1), &ignored) == 0)
		step = schedule_step(&schedule, (enum schedule_missed)policy, due_ms, now_ms);
	if (policy == SCHEDULE_ALL)
		owed += step.missed + (is_busy ? 1 : 0);
	if (owed > SCHEDULE_MISSED_MAX)
		owed = SCHEDULE_MISSED_MAX;
	pg_field(&m->places, place, strlen(place));
	pg_field_int8(&m->next_ms, step.next_ms);
	pg_field_int8(&m->owed, owed);
	if (step.is_due && !is_busy)
		m->due[m->due_count++] = db_text(r, row, 1);
}

static int
write_moves(struct db *db, const struct moves *m, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.schedule t SET due_at = to_timestamp(m.next_ms / 1000.0), "
	    "    owed = m.owed::int4 "
	    "FROM unnest($1::text[]::tid[], $2::int8[], $3::int8[]) m(place, next_ms, owed) "
	    "WHERE t.ctid = ANY ($1::text[]::tid[]) AND t.ctid = m.place";

	return db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_BINARY(PG_OID_TEXT_ARRAY, m->places.data, m->places.length),
		      DB_BINARY(PG_OID_INT8_ARRAY, m->next_ms.data, m->next_ms.length),
		      DB_BINARY(PG_OID_INT8_ARRAY, m->owed.data, m->owed.length)));
}

static int
move_rows(TALLOC_CTX *mem, struct db *db, const struct db_result *due, int64_t *queued,
	  struct error *err)
{
	struct queue_request request = {.has_locks = true};
	struct moves moves;
	int64_t last;

	moves_begin(mem, &moves, db_rows(due));
	for (size_t i = 0; i < db_rows(due); i++)
		add_move(&moves, due, i);
	if (write_moves(db, &moves, err) < 0)
		return -1;
	request.syncs = moves.due;
	request.count = moves.due_count;
	*queued = 0;
	return request.count == 0 ? 0 : queue_enqueue(db, &request, &last, queued, err);
}

static int
move_due(TALLOC_CTX *mem, struct db *db, int64_t limit, int64_t *moved, int64_t *queued,
	 struct error *err)
{
	/* Whether there is a run already is asked where it matters only: queueing another then
	 * does nothing. EXISTS would be hashed: the whole queue, for each batch. */
	static const char sql[] =
	    "SELECT " SCHEDULE ", t.missed, t.due_at, t.owed, "
	    "    t.missed = $2 AND (SELECT q.run_id FROM nango.queue q "
	    "        WHERE q.sync_id = t.sync_id) IS NOT NULL, "
	    "    (SELECT nango.clock_now()) "
	    "FROM nango.schedule t "
	    "WHERE t.due_at <= (SELECT nango.clock_now()) AND NOT t.is_paused "
	    "ORDER BY t.due_at LIMIT $1 FOR UPDATE SKIP LOCKED";
	struct db_result *due;

	if (db_begin(db, err) < 0 ||
	    db_exec(db, mem, &due, err, sql,
		    DB_PARAMS(DB_INTEGER(limit), DB_INTEGER(SCHEDULE_ALL))) < 0)
		return -1;
	*moved = (int64_t)db_rows(due);
	if (*moved > 0 && move_rows(mem, db, due, queued, err) < 0)
		return -1;
	return db_commit(db, err);
}

int
sync_enqueue_due(struct db *db, int64_t limit, int64_t *moved, int64_t *queued,
		 struct error *err)
{
	/* The order makes the planner take the index, whatever it thinks of the comparison. */
	static const char any[] =
	    "SELECT 1::int8 FROM nango.schedule WHERE due_at <= (SELECT nango.clock_now()) "
	    "AND NOT is_paused ORDER BY due_at LIMIT 1";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, any, DB_NONE);

	*moved = *queued = 0;
	if (result == 0 && db_rows(found) > 0) {
		result = move_due(mem, db, limit, moved, queued, err);
		if (result < 0)
			db_rollback(db);
	}
	talloc_free(mem);
	return result;
}

int
sync_replan(struct db *db, int64_t integration_id, int64_t connection_row, struct error *err)
{
	static const char sql[] =
	    "SELECT " SCHEDULE ", 1::int2, '-infinity'::timestamptz, t.owed, false, "
	    "    nango.clock_now() "
	    "FROM nango.sync s JOIN nango.schedule t ON t.sync_id = s.id "
	    "WHERE s.integration_id = $1 AND ($2 = 0 OR s.connection_id = $2) "
	    "  AND s.deleted_at IS NULL AND t.due_at = 'infinity' FOR UPDATE OF t";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *rows;
	int64_t queued;
	int result = db_exec(db, mem, &rows, err, sql,
			     DB_PARAMS(DB_INTEGER(integration_id), DB_INTEGER(connection_row)));

	if (result == 0 && db_rows(rows) > 0)
		result = move_rows(mem, db, rows, &queued, err);
	talloc_free(mem);
	return result;
}
