/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sync_due -- moving schedules to their next slots: those that are due, and those whose
 * timing changed.
 *
 * Slots are computed here and not in SQL, because cron with time zones is ours. A batch is read
 * under lock, computed, and written back with its queue rows in one more statement, which finds
 * the rows by their place (ctid): while they are locked they do not move.
 *
 * A schedule in a time zone that this node's tz database lacks stays where it is: another node
 * may have the zone, and finds the slot as it was.
 */
#include "store/pgbinary.h"
#include "store/queue.h"
#include "store/sync_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKEN_RETRY_MS 3600000 /* a schedule that this version cannot read */

#define SCHEDULE "t.ctid::text, t.sync_id::text, t.interval_ms, t.cron, t.time_zone, t.failures"

/* What becomes of one row. */
struct move {
	const char *place, *sync;
	int64_t next_ms, owed;
	bool is_due; /* it gets a run */
};

/* Whether a zone is not there on this node, and the schedules in it are another's to move. */
static bool
is_unread(struct sync_zones *unread, const char *name)
{
	const struct zone *zone;
	struct error ignored;

	if (unread == NULL || name == NULL || zone_find(name, &zone, &ignored) == 0)
		return false;
	for (size_t i = 0; i < unread->count; i++)
		if (strcmp(unread->names[i], name) == 0)
			return true;
	if (unread->count == SYNC_ZONES_MAX)
		return false;
	snprintf(unread->names[unread->count++], sizeof(unread->names[0]), "%s", name);
	return true;
}

/*
 * A row of the two statements below: SCHEDULE, policy, slot, owed, has a run that keeps one
 * owed, now. unread NULL: nothing is due, only the next slot is wanted. False: it stays as it
 * is.
 */
static bool
plan_move(const struct db_result *r, size_t row, struct sync_zones *unread, struct move *out)
{
	int64_t due_ms = db_time_ms(r, row, 7), now_ms = db_time_ms(r, row, 10);
	int64_t policy = db_integer(r, row, 6), owed = db_integer(r, row, 8);
	const char *sync = db_text(r, row, 1), *time_zone = db_text(r, row, 4);
	bool is_busy = db_boolean(r, row, 9);
	struct schedule_step step = {false, now_ms + BROKEN_RETRY_MS, 0};
	struct schedule schedule;
	struct error ignored;

	if (schedule_init(&schedule, db_integer(r, row, 2), db_text(r, row, 3), time_zone, sync,
			  &ignored) < 0) {
		if (is_unread(unread, time_zone))
			return false;
	} else if (unread == NULL) {
		step.next_ms = schedule_next(&schedule, now_ms);
	} else if (owed == 0 &&
		   due_ms != schedule_put_off(&schedule, due_ms, db_integer(r, row, 5))) {
		step.next_ms = schedule_next(&schedule, due_ms);
		is_busy = false;
	} else {
		step = schedule_step(&schedule, (enum schedule_missed)policy, due_ms, now_ms);
	}
	if (policy == SCHEDULE_ALL)
		owed += step.missed + (is_busy ? 1 : 0);
	if (owed > SCHEDULE_MISSED_MAX)
		owed = SCHEDULE_MISSED_MAX;
	*out = (struct move){.place = db_text(r, row, 0),
			     .sync = sync,
			     .next_ms = step.next_ms,
			     .owed = owed,
			     .is_due = step.is_due && !is_busy};
	return true;
}

static int
write_moves(TALLOC_CTX *mem, struct db *db, const struct move *moves, size_t count,
	    struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.schedule t SET due_at = to_timestamp(m.next_ms / 1000.0), "
	    "    owed = m.owed::int4 "
	    "FROM unnest($1::text[]::tid[], $2::int8[], $3::int8[]) m(place, next_ms, owed) "
	    "WHERE t.ctid = ANY ($1::text[]::tid[]) AND t.ctid = m.place";
	struct buf places, next_ms, owed;

	buf_init(&places, mem, 32 + count * 20);
	buf_init(&next_ms, mem, 32 + count * 12);
	buf_init(&owed, mem, 32 + count * 12);
	pg_array_begin(&places, PG_OID_TEXT, count);
	pg_array_begin(&next_ms, PG_OID_INT8, count);
	pg_array_begin(&owed, PG_OID_INT8, count);
	for (size_t i = 0; i < count; i++) {
		pg_field(&places, moves[i].place, strlen(moves[i].place));
		pg_field_int8(&next_ms, moves[i].next_ms);
		pg_field_int8(&owed, moves[i].owed);
	}
	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_BINARY(PG_OID_TEXT_ARRAY, places.data, places.length),
				 DB_BINARY(PG_OID_INT8_ARRAY, next_ms.data, next_ms.length),
				 DB_BINARY(PG_OID_INT8_ARRAY, owed.data, owed.length)));
}

static int
move_rows(TALLOC_CTX *mem, struct db *db, const struct db_result *due,
	  struct sync_zones *unread, int64_t *moved, int64_t *queued, struct error *err)
{
	struct move *moves = talloc_array(mem, struct move, (unsigned)db_rows(due) + 1);
	const char **syncs = talloc_array(mem, const char *, (unsigned)db_rows(due) + 1);
	struct queue_request request = {.syncs = syncs, .has_locks = true};
	size_t count = 0;
	int64_t last;

	if (moves == NULL || syncs == NULL)
		abort();
	for (size_t i = 0; i < db_rows(due); i++)
		if (plan_move(due, i, unread, &moves[count]) && moves[count++].is_due)
			syncs[request.count++] = moves[count - 1].sync;
	*moved = (int64_t)count;
	*queued = 0;
	if (count > 0 && write_moves(mem, db, moves, count, err) < 0)
		return -1;
	return request.count == 0 ? 0 : queue_enqueue(db, &request, &last, queued, err);
}

static struct db_param
names_of(TALLOC_CTX *mem, const struct sync_zones *zones)
{
	struct buf names;

	buf_init(&names, mem, 32 + zones->count * 40);
	pg_array_begin(&names, PG_OID_TEXT, zones->count);
	for (size_t i = 0; i < zones->count; i++)
		pg_field(&names, zones->names[i], strlen(zones->names[i]));
	return DB_BINARY(PG_OID_TEXT_ARRAY, names.data, names.length);
}

static int
move_due(TALLOC_CTX *mem, struct db *db, int64_t limit, struct sync_zones *unread,
	 int64_t *moved, int64_t *queued, struct error *err)
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
	    "  AND (t.time_zone IS NULL OR t.time_zone <> ALL ($3)) "
	    "ORDER BY t.due_at LIMIT $1 FOR UPDATE SKIP LOCKED";
	struct db_result *due;

	if (db_begin(db, err) < 0 ||
	    db_exec(db, mem, &due, err, sql,
		    DB_PARAMS(DB_INTEGER(limit), DB_INTEGER(SCHEDULE_ALL),
			      names_of(mem, unread))) < 0 ||
	    move_rows(mem, db, due, unread, moved, queued, err) < 0)
		return -1;
	return db_commit(db, err);
}

int
sync_enqueue_due(struct db *db, int64_t limit, struct sync_zones *unread, int64_t *moved,
		 int64_t *queued, struct error *err)
{
	/* The order makes the planner take the index, whatever it thinks of the comparison. */
	static const char any[] =
	    "SELECT 1::int8 FROM nango.schedule WHERE due_at <= (SELECT nango.clock_now()) "
	    "AND NOT is_paused AND (time_zone IS NULL OR time_zone <> ALL ($1)) "
	    "ORDER BY due_at LIMIT 1";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, any, DB_PARAMS(names_of(mem, unread)));

	*moved = *queued = 0;
	if (result == 0 && db_rows(found) > 0) {
		result = move_due(mem, db, limit, unread, moved, queued, err);
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
	int64_t moved, queued;
	int result = db_exec(db, mem, &rows, err, sql,
			     DB_PARAMS(DB_INTEGER(integration_id), DB_INTEGER(connection_row)));

	if (result == 0 && db_rows(rows) > 0)
		result = move_rows(mem, db, rows, NULL, &moved, &queued, err);
	talloc_free(mem);
	return result;
}
