/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/queue -- see queue.h: in, and out.
 *
 * Whose turn it is, and what it may take, is decided in nango.claim_runs (migration 0018):
 * deficit round robin between environments, whose state all nodes share. It is a function, as
 * are enqueueing and completing, because its plans are then made once a connection: to plan
 * them took longer than to carry them out.
 */
#include "store/queue.h"
#include "base/clock.h"
#include "store/pgbinary.h"

#include <stdlib.h>
#include <string.h>

#define NOT_KNOWN (-1) /* no environment */
#define DB_ARRAY(oid, buf) DB_BINARY(oid, (buf).data, (buf).length)

int
queue_enqueue(struct db *db, const struct queue_request *request, int64_t *last,
	      int64_t *queued, struct error *err)
{
	static const char sql[] = "SELECT count(*), coalesce(max(run_id), 0) "
				  "FROM nango.enqueue_runs($1::text[]::uuid[], $2, $3)";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	struct buf syncs;
	int result;

	buf_init(&syncs, mem, 32 + request->count * 40);
	pg_array_begin(&syncs, PG_OID_TEXT, request->count);
	for (size_t i = 0; i < request->count; i++)
		pg_field(&syncs, request->syncs[i], strlen(request->syncs[i]));
	result =
	    db_exec(db, mem, &made, err, sql,
		    DB_PARAMS(DB_ARRAY(PG_OID_TEXT_ARRAY, syncs),
			      DB_BOOLEAN(request->is_forced), DB_BOOLEAN(!request->has_locks)));
	if (result == 0) {
		*queued = db_integer(made, 0, 0);
		*last = db_integer(made, 0, 1);
	}
	talloc_free(mem);
	return result;
}

static void
read_claim(struct run_claim *claim, const struct db_result *r, size_t row)
{
	size_t length;
	const void *sha256 = db_bytes(r, row, 8, &length);

	claim->run_id = db_integer(r, row, 1);
	claim->token = db_integer(r, row, 2);
	claim->environment_id = db_integer(r, row, 3);
	claim->connection_row = db_integer(r, row, 4);
	claim->attempts = db_integer(r, row, 5);
	claim->sync_id = db_text(r, row, 6);
	claim->kind = db_integer(r, row, 7);
	claim->has_build = sha256 != NULL && length == sizeof(claim->sha256);
	if (claim->has_build)
		memcpy(claim->sha256, sha256, sizeof(claim->sha256));
	claim->force_deletes = db_boolean(r, row, 9);
	claim->waited_ms = db_integer(r, row, 10);
	claim->started_ms = db_integer(r, row, 11);
}

/* What a claim of now may go by. */
static bool
knows_front(const struct queue_front *front, int64_t now_ms)
{
	return front->looked_ms > 0 && now_ms - front->looked_ms < QUEUE_FRONT_MS;
}

static void
move_front(struct queue_front *front, const struct run_claim *claim, int64_t from_us,
	   int64_t now_ms)
{
	if (!knows_front(front, now_ms) || front->environment_id != claim->environment_id)
		front->looked_ms = now_ms;
	front->environment_id = claim->environment_id;
	front->from_us = from_us;
}

int
queue_claim(TALLOC_CTX *mem, struct db *db, const struct queue_limits *limits,
	    struct queue_front *front, struct run_claim **out, size_t *count,
	    int64_t *environments, struct error *err)
{
	static const char sql[] = "SELECT * FROM nango.claim_runs($1, $2, $3, $4, $5, $6, $7)";
	int64_t now_ms = clock_monotonic_ms();
	struct db_result *found;
	struct run_claim *claims;
	size_t rows;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(limits->room), DB_INTEGER(limits->lease_ms),
			      DB_INTEGER(limits->environment_max),
			      DB_INTEGER(limits->provider_max),
			      DB_INTEGER(limits->connection_max),
			      DB_INTEGER(knows_front(front, now_ms) ? front->environment_id
								    : NOT_KNOWN),
			      DB_INTEGER(front->from_us))) < 0)
		return -1;
	*environments = db_integer(found, 0, 0);
	rows = db_is_null(found, 0, 1) ? 0 : db_rows(found);
	claims = talloc_zero_array(mem, struct run_claim, (unsigned)rows + 1);
	if (claims == NULL)
		abort();
	for (size_t i = 0; i < rows; i++)
		read_claim(&claims[i], found, i);
	if (rows > 0)
		move_front(front, &claims[0], db_integer(found, 0, 12), now_ms);
	*out = claims;
	*count = rows;
	return 0;
}

int
queue_heartbeat(TALLOC_CTX *mem, struct db *db, const struct queue_held *held,
		size_t held_count, int64_t lease_ms, struct queue_gone **out, size_t *count,
		struct error *err)
{
	/* What was not moved is held by somebody or gone. The subquery is asked for those few
	 * only: EXISTS would be hashed, the whole queue for each beat. */
	static const char sql[] =
	    "WITH mine AS MATERIALIZED ("
	    "    SELECT *, set_config('synchronous_commit', 'off', true) "
	    "    FROM unnest($1::int8[], $2::int8[]) m(run_id, token)), "
	    "held AS MATERIALIZED ("
	    "    SELECT q.run_id FROM nango.queue q JOIN mine m USING (run_id) "
	    "    WHERE q.token = m.token AND q.is_claimed ORDER BY q.run_id "
	    "    FOR UPDATE OF q SKIP LOCKED), "
	    "moved AS ("
	    "    UPDATE nango.queue q SET "
	    "        due_at = (SELECT nango.clock_now()) + $3 * interval '1 millisecond' "
	    "    FROM held h WHERE q.run_id = h.run_id RETURNING q.run_id, q.token) "
	    "SELECT m.run_id, m.token, EXISTS (SELECT FROM nango.run r "
	    "    WHERE r.id = m.run_id AND r.state = 'cancelled') "
	    "FROM mine m WHERE (m.run_id, m.token) NOT IN (SELECT run_id, token FROM moved) "
	    "AND (SELECT q.run_id FROM nango.queue q WHERE q.run_id = m.run_id "
	    "    AND q.token = m.token AND q.is_claimed) IS NULL";
	struct buf ids, tokens;
	struct db_result *found;
	struct queue_gone *gone;

	buf_init(&ids, mem, 32 + held_count * 12);
	buf_init(&tokens, mem, 32 + held_count * 12);
	pg_array_begin(&ids, PG_OID_INT8, held_count);
	pg_array_begin(&tokens, PG_OID_INT8, held_count);
	for (size_t i = 0; i < held_count; i++) {
		pg_field_int8(&ids, held[i].run_id);
		pg_field_int8(&tokens, held[i].token);
	}
	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_ARRAY(PG_OID_INT8_ARRAY, ids),
			      DB_ARRAY(PG_OID_INT8_ARRAY, tokens), DB_INTEGER(lease_ms))) < 0)
		return -1;
	gone = talloc_zero_array(mem, struct queue_gone, (unsigned)db_rows(found) + 1);
	if (gone == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		gone[i] = (struct queue_gone){db_integer(found, i, 0), db_integer(found, i, 1),
					      db_boolean(found, i, 2)};
	*out = gone;
	*count = db_rows(found);
	return 0;
}

/* A run and a sync have indexes; the others read their environment's part of the queue. */
#define QUEUED "SELECT q.run_id, q.connection_id FROM nango.queue q WHERE "
#define IN_ORDER " ORDER BY q.run_id"

static const char of_run[] = QUEUED "q.run_id = $1::int8" IN_ORDER;
static const char of_sync[] = QUEUED "q.sync_id = $1::uuid" IN_ORDER;
static const char of_connection[] =
    QUEUED "q.environment_id = (SELECT c.environment_id FROM nango.connection c "
	   "    WHERE c.id = $1::int8) AND q.connection_id = $1" IN_ORDER;
static const char of_integration[] =
    QUEUED "q.environment_id = (SELECT i.environment_id FROM nango.integration i "
	   "    WHERE i.id = $1::int8) AND q.integration_id = $1" IN_ORDER;
static const char of_deleted[] =
    QUEUED "q.environment_id = (SELECT i.environment_id FROM nango.integration i "
	   "    WHERE i.id = $1::int8) AND q.integration_id = $1 "
	   "AND EXISTS (SELECT FROM nango.sync s "
	   "    WHERE s.id = q.sync_id AND s.deleted_at IS NOT NULL)" IN_ORDER;

int
queue_find(TALLOC_CTX *mem, struct db *db, const struct run_scope *scope,
	   struct run_queued **out, size_t *count, struct error *err)
{
	const struct {
		bool is_wanted;
		const char *sql;
		struct db_param which;
	} rows[] = {
	    {scope->run_id != 0, of_run, DB_INTEGER(scope->run_id)},
	    {scope->sync_id != NULL, of_sync, DB_TEXT(scope->sync_id)},
	    {scope->connection_row != 0, of_connection, DB_INTEGER(scope->connection_row)},
	    {scope->integration_id != 0, of_integration, DB_INTEGER(scope->integration_id)},
	    {scope->deleted_syncs_of != 0, of_deleted, DB_INTEGER(scope->deleted_syncs_of)},
	};
	struct db_result *found;
	struct run_queued *list;
	size_t i = 0;

	while (!rows[i].is_wanted)
		if (++i == sizeof(rows) / sizeof(rows[0]))
			abort(); /* our own mistake: a scope of nothing */
	if (db_exec(db, mem, &found, err, rows[i].sql, &rows[i].which, 1) < 0)
		return -1;
	list = talloc_zero_array(mem, struct run_queued, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t r = 0; r < db_rows(found); r++)
		list[r] = (struct run_queued){db_integer(found, r, 0), db_integer(found, r, 1)};
	*out = list;
	*count = db_rows(found);
	return 0;
}
