/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/run -- see run.h.
 */
#include "store/run.h"

#include <stdlib.h>
#include <string.h>

static int
read_ids(TALLOC_CTX *mem, const struct db_result *found, int64_t **out, size_t *count)
{
	int64_t *ids = talloc_array(mem, int64_t, (unsigned)db_rows(found) + 1);

	if (ids == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		ids[i] = db_integer(found, i, 0);
	*out = ids;
	*count = db_rows(found);
	return 0;
}

int
run_due_environments(TALLOC_CTX *mem, struct db *db, int64_t **out, size_t *count,
		     struct error *err)
{
	static const char sql[] = "SELECT DISTINCT environment_id FROM nango.queue "
				  "WHERE due_at <= (SELECT nango.clock_now())";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_NONE) < 0)
		return -1;
	return read_ids(mem, found, out, count);
}

int
run_claim(TALLOC_CTX *mem, struct db *db, int64_t environment_id, int64_t limit,
	  int64_t lease_ms, struct run_claim **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "WITH picked AS ("
	    "    SELECT run_id FROM nango.queue "
	    "    WHERE environment_id = $1 AND due_at <= (SELECT nango.clock_now()) "
	    "    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED), "
	    "claimed AS ("
	    "    UPDATE nango.queue q SET token = nextval('nango.claim_token'), "
	    "        due_at = nango.clock_now() + $3 * interval '1 millisecond' "
	    "    FROM picked p WHERE q.run_id = p.run_id RETURNING q.run_id, q.token) "
	    "UPDATE nango.run r SET state = 'running', attempts = r.attempts + 1, "
	    "    started_at = coalesce(r.started_at, nango.clock_now()) "
	    "FROM claimed c WHERE r.id = c.run_id "
	    "RETURNING r.id, c.token, r.environment_id, r.connection_id, r.attempts, "
	    "    r.sync_id::text, r.kind, r.sha256";
	struct db_result *found;
	struct run_claim *claims;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(environment_id), DB_INTEGER(limit),
			      DB_INTEGER(lease_ms))) < 0)
		return -1;
	claims = talloc_zero_array(mem, struct run_claim, (unsigned)db_rows(found) + 1);
	if (claims == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++) {
		size_t length;
		const void *sha256 = db_bytes(found, i, 7, &length);

		claims[i].has_build = sha256 != NULL && length == sizeof(claims[i].sha256);
		if (claims[i].has_build)
			memcpy(claims[i].sha256, sha256, sizeof(claims[i].sha256));
		claims[i].run_id = db_integer(found, i, 0);
		claims[i].token = db_integer(found, i, 1);
		claims[i].environment_id = db_integer(found, i, 2);
		claims[i].connection_row = db_integer(found, i, 3);
		claims[i].attempts = db_integer(found, i, 4);
		claims[i].sync_id = db_text(found, i, 5);
		claims[i].kind = db_integer(found, i, 6);
	}
	*out = claims;
	*count = db_rows(found);
	return 0;
}

int
run_heartbeat(TALLOC_CTX *mem, struct db *db, const char *claims_json, int64_t lease_ms,
	      int64_t **out, size_t *count, struct error *err)
{
	static const char sql[] = "UPDATE nango.queue q SET due_at = nango.clock_now() + $2 * "
				  "interval '1 millisecond' "
				  "FROM json_array_elements($1::json) c "
				  "WHERE q.run_id = (c->>0)::int8 AND q.token = (c->>1)::int8 "
				  "RETURNING q.run_id";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_TEXT(claims_json), DB_INTEGER(lease_ms))) < 0)
		return -1;
	return read_ids(mem, found, out, count);
}

int
run_finish(struct db *db, int64_t run_id, int64_t token, const struct run_outcome *o,
	   bool *held, struct error *err)
{
	static const char sql[] =
	    "WITH taken AS ("
	    "    DELETE FROM nango.queue WHERE run_id = $1 AND token = $2 RETURNING run_id) "
	    "UPDATE nango.run SET state = $3, cause = $4, code = $5, message = $6, result = "
	    "$7, "
	    "    pages = $8, added = $9, updated = $10, deleted = $11, requests = $12, "
	    "    cpu_us = $13, max_rss_kb = $14, finished_at = nango.clock_now() "
	    "WHERE id = (SELECT run_id FROM taken) RETURNING id";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql,
			     DB_PARAMS(DB_INTEGER(run_id), DB_INTEGER(token), DB_TEXT(o->state),
				       DB_TEXT(o->cause), DB_TEXT(o->code), DB_TEXT(o->message),
				       DB_TEXT(o->result), DB_INTEGER(o->pages),
				       DB_INTEGER(o->added), DB_INTEGER(o->updated),
				       DB_INTEGER(o->deleted), DB_INTEGER(o->requests),
				       DB_INTEGER(o->cpu_us), DB_INTEGER(o->max_rss_kb)));

	if (result == 0)
		*held = db_rows(done) > 0;
	talloc_free(mem);
	return result;
}

int
run_give_back(struct db *db, int64_t run_id, int64_t token, struct error *err)
{
	static const char sql[] = "UPDATE nango.queue SET due_at = nango.clock_now() "
				  "WHERE run_id = $1 AND token = $2";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(run_id), DB_INTEGER(token)));
}

int
run_lock_queued(TALLOC_CTX *mem, struct db *db, const struct run_scope *scope,
		struct run_queued **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT q.run_id, r.connection_id FROM nango.queue q "
	    "JOIN nango.run r ON r.id = q.run_id "
	    "JOIN nango.connection c ON c.id = r.connection_id "
	    "LEFT JOIN nango.sync s ON s.id = q.sync_id "
	    "WHERE q.sync_id = $1::uuid OR r.connection_id = $2 OR c.integration_id = $3 "
	    "   OR (c.integration_id = $4 AND s.deleted_at IS NOT NULL) "
	    "ORDER BY q.run_id FOR UPDATE OF q";
	struct db_result *found;
	struct run_queued *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_TEXT(scope->sync_id), DB_INTEGER(scope->connection_row),
			      DB_INTEGER(scope->integration_id),
			      DB_INTEGER(scope->deleted_syncs_of))) < 0)
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

int
run_unqueue(struct db *db, int64_t run_id, const char *message, struct error *err)
{
	static const char sql[] =
	    "WITH taken AS (DELETE FROM nango.queue WHERE run_id = $1) "
	    "UPDATE nango.run SET state = 'cancelled', cause = 'cancelled', message = $2, "
	    "    finished_at = nango.clock_now() WHERE id = $1";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(run_id), DB_TEXT(message)));
}

int
run_set_build(struct db *db, int64_t run_id, const void *sha256, size_t length,
	      struct error *err)
{
	static const char sql[] = "UPDATE nango.run SET sha256 = $2 WHERE id = $1";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(run_id), DB_BYTES(sha256, length)));
}

static void
read_run(struct run_row *out, const struct db_result *r, size_t row)
{
	out->id = db_integer(r, row, 0);
	out->state = db_text(r, row, 1);
	out->cause = db_text(r, row, 2);
	out->code = db_text(r, row, 3);
	out->message = db_text(r, row, 4);
	out->attempts = db_integer(r, row, 5);
	out->pages = db_integer(r, row, 6);
	out->added = db_integer(r, row, 7);
	out->updated = db_integer(r, row, 8);
	out->deleted = db_integer(r, row, 9);
	out->requests = db_integer(r, row, 10);
	out->cpu_us = db_integer(r, row, 11);
	out->max_rss_kb = db_integer(r, row, 12);
	out->created_ms = db_time_ms(r, row, 13);
	out->started_ms = db_time_ms(r, row, 14);
	out->finished_ms = db_time_ms(r, row, 15);
	out->sync_name = db_text(r, row, 16);
	out->connection_id = db_text(r, row, 17);
	out->integration_key = db_text(r, row, 18);
}

int
run_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id, int64_t limit,
	 struct run_row **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT r.id, r.state, r.cause, r.code, r.message, r.attempts, r.pages, r.added, "
	    "    r.updated, r.deleted, r.requests, r.cpu_us, r.max_rss_kb, r.created_at, "
	    "    r.started_at, r.finished_at, s.name, c.connection_id, i.unique_key "
	    "FROM nango.run r "
	    "JOIN nango.connection c ON c.id = r.connection_id "
	    "JOIN nango.integration i ON i.id = c.integration_id "
	    "LEFT JOIN nango.sync s ON s.id = r.sync_id "
	    "WHERE r.environment_id = $1 ORDER BY r.id DESC LIMIT $2";
	struct db_result *found;
	struct run_row *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(environment_id), DB_INTEGER(limit))) < 0)
		return -1;
	list = talloc_zero_array(mem, struct run_row, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		read_run(&list[i], found, i);
	*out = list;
	*count = db_rows(found);
	return 0;
}
