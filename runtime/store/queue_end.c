/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/queue_end -- how runs leave the queue: completed, given back, cancelled; see queue.h.
 */
#include "store/pgbinary.h"
#include "store/queue.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
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
add_clean(struct buf *out, const char *text)
{
	size_t length = strnlen(text == NULL ? "" : text, MESSAGE_MAX), used = 0;
	char clean[MESSAGE_MAX];

	for (size_t i = 0; i < length;) {
		size_t n = character_bytes((const unsigned char *)text + i, length - i);

		memcpy(clean + used, n == 0 ? "?" : text + i, n == 0 ? 1 : n);
		used += n == 0 ? 1 : n;
		i += n == 0 ? 1 : n;
	}
	pg_field(out, clean, used);
}

/* ---- outcomes as columns ---- */

static const size_t numbers[] = {
    offsetof(struct run_outcome, run_id),
    offsetof(struct run_outcome, token),
    offsetof(struct run_outcome, pages),
    offsetof(struct run_outcome, added),
    offsetof(struct run_outcome, updated),
    offsetof(struct run_outcome, deleted),
    offsetof(struct run_outcome, used.requests),
    offsetof(struct run_outcome, used.request_bytes),
    offsetof(struct run_outcome, used.response_bytes),
    offsetof(struct run_outcome, used.cpu_us),
    offsetof(struct run_outcome, used.max_rss_kb),
};
static const struct {
	size_t at;
	const char *usual; /* the statement's own: not sent when all have it */
} texts[] = {
    {offsetof(struct run_outcome, state), NULL},  {offsetof(struct run_outcome, cause), ""},
    {offsetof(struct run_outcome, code), ""},	  {offsetof(struct run_outcome, message), ""},
    {offsetof(struct run_outcome, result), "{}"},
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))
#define TEXTS (sizeof(texts) / sizeof(texts[0]))
#define FIRST 2 /* parameters before the columns */

static const char *
text_at(const struct run_outcome *outcome, size_t column)
{
	const char *text =
	    *(const char *const *)(const void *)((const char *)outcome + texts[column].at);

	return text == NULL ? texts[column].usual : text;
}

static void
add_numbers(TALLOC_CTX *mem, const struct run_outcome *outcomes, size_t count, size_t column,
	    struct db_param *out)
{
	struct buf buf;

	buf_init(&buf, mem, 32 + count * 12);
	pg_array_begin(&buf, PG_OID_INT8, count);
	for (size_t i = 0; i < count; i++)
		pg_field_int8(&buf,
			      *(const int64_t *)(const void *)((const char *)&outcomes[i] +
							       numbers[column]));
	*out = DB_BINARY(PG_OID_INT8_ARRAY, buf.data, buf.length);
}

static void
add_texts(TALLOC_CTX *mem, const struct run_outcome *outcomes, size_t count, size_t column,
	  struct db_param *out)
{
	const char *usual = texts[column].usual;
	bool is_usual = usual != NULL;
	struct buf buf;

	for (size_t i = 0; i < count && is_usual; i++)
		is_usual = strcmp(text_at(&outcomes[i], column), usual) == 0;
	*out = DB_TEXT(NULL);
	if (is_usual)
		return;
	buf_init(&buf, mem, 32 + count * 32);
	pg_array_begin(&buf, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++) {
		const char *text = text_at(&outcomes[i], column);

		if (texts[column].at == offsetof(struct run_outcome, result))
			pg_field(&buf, text, strlen(text));
		else
			add_clean(&buf, text);
	}
	*out = DB_BINARY(PG_OID_TEXT_ARRAY, buf.data, buf.length);
}

static int
compare_outcomes(const void *a, const void *b)
{
	int64_t x = ((const struct run_outcome *)a)->run_id;
	int64_t y = ((const struct run_outcome *)b)->run_id;

	return x < y ? -1 : x > y;
}

static int
end_runs(struct db *db, struct run_outcome *outcomes, size_t count, bool is_told,
	 int64_t quiet_max_ms, size_t *held, struct error *err)
{
	static const char sql[] =
	    "SELECT nango.complete_runs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
	    "$13, $14, $15, $16, $17, $18)";
	struct db_param params[FIRST + NUMBERS + TEXTS] = {DB_BOOLEAN(is_told),
							   DB_INTEGER(quiet_max_ms)};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result;

	qsort(outcomes, count, sizeof(*outcomes), compare_outcomes);
	for (size_t c = 0; c < NUMBERS; c++)
		add_numbers(mem, outcomes, count, c, &params[FIRST + c]);
	for (size_t c = 0; c < TEXTS; c++)
		add_texts(mem, outcomes, count, c, &params[FIRST + NUMBERS + c]);
	result = db_exec(db, mem, &done, err, sql, params, FIRST + NUMBERS + TEXTS);
	if (result == 0)
		*held = (size_t)db_integer(done, 0, 0);
	talloc_free(mem);
	return result;
}

int
queue_complete(struct db *db, struct run_outcome *outcomes, size_t count, int64_t quiet_max_ms,
	       size_t *held, struct error *err)
{
	return end_runs(db, outcomes, count, false, quiet_max_ms, held, err);
}

int
queue_end_found(struct db *db, struct run_outcome *outcomes, size_t count, int64_t quiet_max_ms,
		struct error *err)
{
	size_t held;

	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		outcomes[i].token = 0;
	return end_runs(db, outcomes, count, true, quiet_max_ms, &held, err);
}

static void
add_return(struct buf *json, const struct queue_return *r)
{
	buf_addf(json,
		 "%s{\"run_id\":%" PRId64 ",\"token\":%" PRId64 ",\"delay_ms\":%" PRId64
		 ",\"is_parked\":%s,\"is_free\":%s,\"requests\":%" PRId64
		 ",\"request_bytes\":%" PRId64 ",\"response_bytes\":%" PRId64
		 ",\"cpu_us\":%" PRId64 ",\"max_rss_kb\":%" PRId64 "}",
		 json->length > 1 ? "," : "", r->run_id, r->token, r->delay_ms,
		 r->is_parked ? "true" : "false", r->is_free ? "true" : "false",
		 r->used.requests, r->used.request_bytes, r->used.response_bytes,
		 r->used.cpu_us, r->used.max_rss_kb);
}

#define ADD_USAGE(row, used)                                                              \
	"requests = coalesce(" row ".requests, 0) + " used "requests, "                   \
	"request_bytes = coalesce(" row ".request_bytes, 0) + " used "request_bytes, "    \
	"response_bytes = coalesce(" row ".response_bytes, 0) + " used "response_bytes, " \
	"cpu_us = coalesce(" row ".cpu_us, 0) + " used "cpu_us, "                         \
	"max_rss_kb = greatest(" row ".max_rss_kb, " used "max_rss_kb) "

int
queue_give_back(struct db *db, const struct queue_return *returns, size_t count,
		struct error *err)
{
	static const char sql[] =
	    "WITH r AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS r("
	    "    run_id int8, token int8, delay_ms int8, is_parked bool, is_free bool, "
	    "    requests int8, request_bytes int8, response_bytes int8, cpu_us int8, "
	    "    max_rss_kb int8)), "
	    "locked AS MATERIALIZED ("
	    "    SELECT q.run_id FROM nango.queue q JOIN r USING (run_id) "
	    "    WHERE q.token = r.token ORDER BY q.run_id FOR UPDATE OF q) "
	    "UPDATE nango.queue q SET is_claimed = false, is_parked = r.is_parked, "
	    "    attempts = q.attempts - r.is_free::int4, "
	    "    due_at = nango.clock_now() + r.delay_ms * interval '1 "
	    "millisecond', " ADD_USAGE(
		"q", "r.") "FROM locked l JOIN r USING (run_id) WHERE q.run_id = l.run_id";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct buf json;
	int result;

	buf_init(&json, mem, 200 * (count + 1));
	buf_addc(&json, '[');
	for (size_t i = 0; i < count; i++)
		add_return(&json, &returns[i]);
	buf_addc(&json, ']');
	result = db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(json.data)));
	talloc_free(mem);
	return result;
}

int
queue_add_usage(struct db *db, int64_t run_id, const struct run_usage *used, struct error *err)
{
#define USED                                                             \
	"FROM (SELECT $2::int8 AS requests, $3::int8 AS request_bytes, " \
	"    $4::int8 AS response_bytes, $5::int8 AS cpu_us, $6::int8 AS max_rss_kb) u "
	/* A run that is queued again or under way elsewhere; else one that ended. A row that
	 * leaves the queue meanwhile is waited for, and seen by the second statement. */
	static const char *const statements[] = {
	    "UPDATE nango.queue q SET " ADD_USAGE("q", "u.") USED "WHERE q.run_id = $1",
	    "UPDATE nango.run r SET " ADD_USAGE("r", "u.") USED "WHERE r.id = $1",
	};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = 0;

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		result = db_exec(
		    db, mem, &done, err, statements[i],
		    DB_PARAMS(DB_INTEGER(run_id), DB_INTEGER(used->requests),
			      DB_INTEGER(used->request_bytes), DB_INTEGER(used->response_bytes),
			      DB_INTEGER(used->cpu_us), DB_INTEGER(used->max_rss_kb)));
		if (result < 0 || db_affected(done) > 0)
			break;
	}
	talloc_free(mem);
	return result;
#undef USED
}
