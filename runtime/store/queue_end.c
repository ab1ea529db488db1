/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/queue_end -- how runs leave the queue: completed, given back, cancelled; see queue.h.
 */
#include "base/json.h"
#include "store/pgbinary.h"
#include "store/queue.h"

#include <inttypes.h>
#include <string.h>

#define MESSAGE_MAX 2000 /* bytes of what is stored of a message */

/* Bytes of the character at text[0] as RFC 3629 has it; 0: there is none. */
static size_t
character_bytes(const unsigned char *c, size_t length)
{
	static const struct {
		unsigned char first, last, second_min, second_max, bytes;
	} rows[] = {
	    {0x01, 0x7f, 0, 0, 1},	 {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (c[0] < rows[i].first || c[0] > rows[i].last)
			continue;
		if (rows[i].bytes > length)
			return 0;
		if (rows[i].bytes > 1 &&
		    (c[1] < rows[i].second_min || c[1] > rows[i].second_max))
			return 0;
		for (size_t k = 2; k < rows[i].bytes; k++)
			if ((c[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].bytes;
	}
	return 0;
}

/* A plugin's words may be cut within a character or be no UTF-8 at all, which Postgres refuses:
 * such bytes become question marks. */
static void
add_text(struct buf *out, const char *name, const char *text)
{
	size_t length = strnlen(text == NULL ? "" : text, MESSAGE_MAX), used = 0;
	char clean[MESSAGE_MAX];

	for (size_t i = 0; i < length;) {
		size_t n = character_bytes((const unsigned char *)text + i, length - i);

		memcpy(clean + used, n == 0 ? "?" : text + i, n == 0 ? 1 : n);
		used += n == 0 ? 1 : n;
		i += n == 0 ? 1 : n;
	}
	buf_addf(out, ",\"%s\":", name);
	buf_add_json(out, clean, used);
}

static void
add_outcome(struct buf *out, const struct run_outcome *o)
{
	buf_addf(out,
		 "%s{\"run_id\":%" PRId64 ",\"token\":%" PRId64 ",\"pages\":%" PRId64
		 ",\"added\":%" PRId64 ",\"updated\":%" PRId64 ",\"deleted\":%" PRId64
		 ",\"requests\":%" PRId64 ",\"request_bytes\":%" PRId64
		 ",\"response_bytes\":%" PRId64 ",\"cpu_us\":%" PRId64
		 ",\"max_rss_kb\":%" PRId64,
		 out->length > 1 ? "," : "", o->run_id, o->token, o->pages, o->added,
		 o->updated, o->deleted, o->requests, o->request_bytes, o->response_bytes,
		 o->cpu_us, o->max_rss_kb);
	add_text(out, "state", o->state);
	add_text(out, "cause", o->cause);
	add_text(out, "code", o->code);
	add_text(out, "message", o->message);
	buf_adds(out, ",\"result\":");
	buf_add_json_str(out, o->result == NULL ? "{}" : o->result);
	buf_addc(out, '}');
}

int
queue_complete(struct db *db, const struct run_outcome *outcomes, size_t count,
	       int64_t quiet_max_ms, size_t *held, struct error *err)
{
	/* A function, in migration 0003: planned once a connection and not at each call. */
	static const char sql[] = "SELECT nango.complete_runs($1::json, $2)";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	struct buf json;
	int result;

	buf_init(&json, mem, 512 * (count + 1));
	buf_addc(&json, '[');
	for (size_t i = 0; i < count; i++)
		add_outcome(&json, &outcomes[i]);
	buf_addc(&json, ']');
	result = db_exec(db, mem, &done, err, sql,
			 DB_PARAMS(DB_TEXT(json.data), DB_INTEGER(quiet_max_ms)));
	if (result == 0)
		*held = (size_t)db_integer(done, 0, 0);
	talloc_free(mem);
	return result;
}

int
queue_give_back(struct db *db, const struct queue_return *returns, size_t count,
		struct error *err)
{
	static const char sql[] =
	    "WITH r AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS r("
	    "    run_id int8, token int8, delay_ms int8, is_parked bool, is_free bool)), "
	    "locked AS MATERIALIZED ("
	    "    SELECT q.run_id FROM nango.queue q JOIN r USING (run_id) "
	    "    WHERE q.token = r.token ORDER BY q.run_id FOR UPDATE OF q) "
	    "UPDATE nango.queue q SET is_claimed = false, is_parked = r.is_parked, "
	    "    attempts = q.attempts - r.is_free::int4, "
	    "    due_at = nango.clock_now() + r.delay_ms * interval '1 millisecond' "
	    "FROM locked l JOIN r USING (run_id) WHERE q.run_id = l.run_id";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct buf json;
	int result;

	buf_init(&json, mem, 80 * (count + 1));
	buf_addc(&json, '[');
	for (size_t i = 0; i < count; i++)
		buf_addf(&json,
			 "%s{\"run_id\":%" PRId64 ",\"token\":%" PRId64 ",\"delay_ms\":%" PRId64
			 ",\"is_parked\":%s,\"is_free\":%s}",
			 i == 0 ? "" : ",", returns[i].run_id, returns[i].token,
			 returns[i].delay_ms, returns[i].is_parked ? "true" : "false",
			 returns[i].is_free ? "true" : "false");
	buf_addc(&json, ']');
	result = db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(json.data)));
	talloc_free(mem);
	return result;
}

int
queue_cancel(struct db *db, const struct run_queued *runs, size_t count, const char *message,
	     struct error *err)
{
	static const char sql[] =
	    "WITH taken AS ("
	    "    DELETE FROM nango.queue WHERE run_id = ANY($1::int8[]) RETURNING *) "
	    "INSERT INTO nango.run (id, account_id, environment_id, integration_id, "
	    "    connection_id, sync_id, kind, state, sha256, cause, message, attempts, "
	    "    force_deletes, created_at, started_at) OVERRIDING SYSTEM VALUE "
	    "SELECT run_id, account_id, environment_id, integration_id, connection_id, "
	    "sync_id, "
	    "    kind, 'cancelled', sha256, 'cancelled', $2, attempts, force_deletes, "
	    "    created_at, started_at FROM taken";
	TALLOC_CTX *mem;
	struct buf ids;
	int result;

	if (count == 0)
		return 0;
	mem = talloc_new(NULL);
	buf_init(&ids, mem, 32 + count * 12);
	pg_array_begin(&ids, PG_OID_INT8, count);
	for (size_t i = 0; i < count; i++)
		pg_field_int8(&ids, runs[i].run_id);
	result = db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_BINARY(PG_OID_INT8_ARRAY, ids.data, ids.length), DB_TEXT(message)));
	talloc_free(mem);
	return result;
}
