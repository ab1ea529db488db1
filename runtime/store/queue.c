/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/queue -- see queue.h: in, and out.
 *
 * Whose turn it is: every claim of every node draws a number from one sequence, and that number
 * modulo the count of environments with due runs picks the environment. So any n claims in a
 * row, wherever they are made, serve all of n environments, and a claim takes the environment's
 * share of the room only: what was not used up is the others' at the next number. A sequence,
 * unlike a row that counts, holds no lock while a claim commits.
 */
#include "store/queue.h"
#include "store/pgbinary.h"

#include <stdlib.h>
#include <string.h>

#define DB_ARRAY(oid, buf) DB_BINARY(oid, (buf).data, (buf).length)

int
queue_add(struct db *db, const struct queue_item *items, size_t count, int64_t *ids,
	  struct error *err)
{
	static const char sql[] =
	    "WITH wanted AS MATERIALIZED ("
	    "    SELECT nextval('nango.run_id_seq') AS run_id, w.* "
	    "    FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], "
	    "        $6::int8[], $7::text[]) WITH ORDINALITY "
	    "        w(account, environment, integration, connection, kind, force, sync, n)), "
	    "added AS ("
	    "    INSERT INTO nango.queue (run_id, account_id, environment_id, integration_id, "
	    "        connection_id, due_at, created_at, kind, force_deletes, sync_id) "
	    "    SELECT run_id, account, environment, integration, connection, "
	    "        (SELECT nango.clock_now()), (SELECT nango.clock_now()), kind, force <> 0, "
	    "nullif(sync, '')::uuid FROM wanted "
	    "    ON CONFLICT DO NOTHING RETURNING run_id) "
	    "SELECT coalesce(a.run_id, 0) FROM wanted w LEFT JOIN added a USING (run_id) "
	    "ORDER BY w.n";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct buf columns[7];
	struct db_result *made;
	int result;

	for (size_t c = 0; c < 7; c++) {
		buf_init(&columns[c], mem, 32 + count * (c < 6 ? 12 : 40));
		pg_array_begin(&columns[c], c < 6 ? PG_OID_INT8 : PG_OID_TEXT, count);
	}
	for (size_t i = 0; i < count; i++) {
		const char *sync = items[i].sync_id == NULL ? "" : items[i].sync_id;

		pg_field_int8(&columns[0], items[i].account_id);
		pg_field_int8(&columns[1], items[i].environment_id);
		pg_field_int8(&columns[2], items[i].integration_id);
		pg_field_int8(&columns[3], items[i].connection_row);
		pg_field_int8(&columns[4], items[i].kind);
		pg_field_int8(&columns[5], items[i].force_deletes);
		pg_field(&columns[6], sync, strlen(sync));
	}
	result = db_exec(db, mem, &made, err, sql,
			 DB_PARAMS(DB_ARRAY(PG_OID_INT8_ARRAY, columns[0]),
				   DB_ARRAY(PG_OID_INT8_ARRAY, columns[1]),
				   DB_ARRAY(PG_OID_INT8_ARRAY, columns[2]),
				   DB_ARRAY(PG_OID_INT8_ARRAY, columns[3]),
				   DB_ARRAY(PG_OID_INT8_ARRAY, columns[4]),
				   DB_ARRAY(PG_OID_INT8_ARRAY, columns[5]),
				   DB_ARRAY(PG_OID_TEXT_ARRAY, columns[6])));
	for (size_t i = 0; result == 0 && i < count; i++)
		ids[i] = db_integer(made, i, 0);
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

int
queue_claim(TALLOC_CTX *mem, struct db *db, const struct queue_limits *limits,
	    struct run_claim **out, size_t *count, int64_t *environments, struct error *err)
{
	/* A function, in migration 0003: planned once a connection and not at each call. */
	static const char sql[] = "SELECT * FROM nango.claim_runs($1, $2, $3, $4, $5)";
	struct db_result *found;
	struct run_claim *claims;
	size_t rows;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(limits->room), DB_INTEGER(limits->lease_ms),
			      DB_INTEGER(limits->environment_max),
			      DB_INTEGER(limits->integration_max),
			      DB_INTEGER(limits->connection_max))) < 0)
		return -1;
	*environments = db_integer(found, 0, 0);
	rows = db_is_null(found, 0, 1) ? 0 : db_rows(found);
	claims = talloc_zero_array(mem, struct run_claim, (unsigned)rows + 1);
	if (claims == NULL)
		abort();
	for (size_t i = 0; i < rows; i++)
		read_claim(&claims[i], found, i);
	*out = claims;
	*count = rows;
	return 0;
}

int
queue_heartbeat(TALLOC_CTX *mem, struct db *db, const struct queue_held *held,
		size_t held_count, int64_t lease_ms, struct queue_gone **out, size_t *count,
		struct error *err)
{
	static const char sql[] =
	    "WITH mine AS MATERIALIZED ("
	    "    SELECT * FROM unnest($1::int8[], $2::int8[]) m(run_id, token)), "
	    "held AS MATERIALIZED ("
	    "    SELECT q.run_id FROM nango.queue q JOIN mine m USING (run_id) "
	    "    WHERE q.token = m.token AND q.is_claimed ORDER BY q.run_id FOR UPDATE OF q), "
	    "moved AS ("
	    "    UPDATE nango.queue q SET "
	    "        due_at = (SELECT nango.clock_now()) + $3 * interval '1 millisecond' "
	    "    FROM held h WHERE q.run_id = h.run_id RETURNING q.run_id) "
	    "SELECT m.run_id, EXISTS (SELECT FROM nango.run r "
	    "    WHERE r.id = m.run_id AND r.state = 'cancelled') "
	    "FROM mine m WHERE m.run_id NOT IN (SELECT run_id FROM moved)";
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
		gone[i] = (struct queue_gone){db_integer(found, i, 0), db_boolean(found, i, 1)};
	*out = gone;
	*count = db_rows(found);
	return 0;
}

int
queue_lock(TALLOC_CTX *mem, struct db *db, const struct run_scope *scope,
	   struct run_queued **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT q.run_id, q.connection_id FROM nango.queue q "
	    "WHERE q.sync_id = $1::uuid OR q.connection_id = $2 OR q.integration_id = $3 "
	    "   OR (q.integration_id = $4 AND EXISTS (SELECT FROM nango.sync s "
	    "       WHERE s.id = q.sync_id AND s.deleted_at IS NOT NULL)) OR q.run_id = $5 "
	    "ORDER BY q.run_id FOR UPDATE OF q";
	struct db_result *found;
	struct run_queued *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_TEXT(scope->sync_id), DB_INTEGER(scope->connection_row),
			      DB_INTEGER(scope->integration_id),
			      DB_INTEGER(scope->deleted_syncs_of), DB_INTEGER(scope->run_id))) <
	    0)
		return -1;
	list = talloc_zero_array(mem, struct run_queued, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		list[i] = (struct run_queued){db_integer(found, i, 0), db_integer(found, i, 1)};
	*out = list;
	*count = db_rows(found);
	return 0;
}
