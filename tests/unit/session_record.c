/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_record -- what a run says about records, spoken by hand: saves and their problems,
 * checkpoints, delete windows, lookups, and every limit at its edge and above.
 */
#include "nango/plugin.h"
#include "session_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The limits that the manual of plugins states are those that hold. */
_Static_assert(NANGO_RECORD_BYTES_MAX == SESSION_RECORD_BYTES_MAX, "bytes of a record");
_Static_assert(NANGO_PAGE_BYTES_MAX == SESSION_PAGE_BYTES_MAX, "bytes of a page");
_Static_assert(NANGO_PAGE_RECORDS_MAX == SESSION_PAGE_RECORDS_MAX, "records of a page");
_Static_assert(NANGO_CHECKPOINT_FIELDS_MAX == SESSION_CHECKPOINT_FIELDS_MAX, "fields");
_Static_assert(NANGO_CHECKPOINT_KEY_MAX == SESSION_CHECKPOINT_KEY_MAX, "a field's name");
_Static_assert(NANGO_CHECKPOINT_TEXT_MAX == SESSION_CHECKPOINT_TEXT_MAX, "a field's text");
_Static_assert(NANGO_IDS_MAX == SESSION_LOOKUP_MAX, "ids of a lookup");

static void
test_checkpoint(void **state)
{
	static const struct {
		const char *why, *json, *cause;
	} rows[] = {
	    {"as it should be", "{\"a\":\"x\",\"b\":1,\"c\":true,\"d\":null}", ""},
	    {"empty", "{}", ""},
	    {"no JSON", "{", "failed"},
	    {"a list", "[]", "failed"},
	    {"nested", "{\"a\":{}}", "failed"},
	    {"a list within", "{\"a\":[]}", "failed"},
	    {"16 members",
	     "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
	     "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1}",
	     ""},
	    {"17 members",
	     "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
	     "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}",
	     "failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say_letter(&t, 'h');
		say(&t, RPC_COMMIT, "us", 0u, rows[i].json);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0)
			fail_msg("%s: %s (%s)", rows[i].why, t.end.cause, t.end.message);
		assert_int_equal(t.commits, *rows[i].cause == '\0');
	}
}

/* A checkpoint of one member whose name and text have that many characters. */
static void
say_long_checkpoint(struct talk *t, size_t name, size_t text, const char *unit)
{
	static char bytes[65536];
	char *at = bytes + RPC_HEADER_BYTES + 8;

	at = stpcpy(at, "{\"");
	memset(at, 'k', name);
	at = stpcpy(at + name, "\":\"");
	for (size_t i = 0; i < text; i++)
		at = stpcpy(at, unit);
	at = stpcpy(at, "\"}");
	rpc_put_u32(bytes + RPC_HEADER_BYTES, 0);
	rpc_put_u32(bytes + RPC_HEADER_BYTES + 4,
		    (uint32_t)(at - bytes - RPC_HEADER_BYTES - 8));
	rpc_header_write(bytes, RPC_COMMIT, (uint32_t)(at - bytes - RPC_HEADER_BYTES));
	say_bytes(t, bytes, (size_t)(at - bytes));
}

/* Characters are counted, not bytes and not escapes. */
static void
test_checkpoint_lengths(void **state)
{
	static const struct {
		const char *why;
		size_t name, text;
		const char *unit, *cause;
	} rows[] = {
	    {"the longest text", 1, 4000, "x", ""},
	    {"one more", 1, 4001, "x", "failed"},
	    {"of two bytes each", 1, 4000, "\xc3\xa9", ""},
	    {"of two bytes each, one more", 1, 4001, "\xc3\xa9", "failed"},
	    {"as surrogates", 1, 4000, "\\ud83d\\ude00", ""},
	    {"as surrogates, one more", 1, 4001, "\\ud83d\\ude00", "failed"},
	    {"the longest name", 255, 1, "x", ""},
	    {"a name of one more", 256, 1, "x", "failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say_letter(&t, 'h');
		say_long_checkpoint(&t, rows[i].name, rows[i].text, rows[i].unit);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0)
			fail_msg("%s: %s (%s)", rows[i].why, t.end.cause, t.end.message);
	}
}

static void
test_clear(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_COMMIT, "un", 1u);
	assert_true(t.was_cleared);
	say(&t, RPC_COMMIT, "un", 0u);
	assert_false(t.was_cleared);
	say(&t, RPC_COMMIT, "us", 1u, "{}"); /* both */
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
}

/* What is wrong with the frame ends the run; what is wrong with a record travels with it. */
static void
test_records(void **state)
{
	static const struct {
		const char *why, *model;
		unsigned change;
		const char *json, *problem;
		unsigned count;
		const char *cause, *seen;
	} rows[] = {
	    {"as it should be", "Item", 0, "{\"id\":1}", NULL, 1, "", "1 "},
	    {"an update", "Item", 1, "{\"id\":1}", NULL, 1, "", "~1 "},
	    {"a deletion", "Item", 2, "{\"id\":1}", NULL, 1, "", "-1 "},
	    {"another change", "Item", 3, "{\"id\":1}", NULL, 1, "protocol violation", ""},
	    {"count says more", "Item", 0, "{\"id\":1}", NULL, 2, "protocol violation", ""},
	    {"count says none", "Item", 0, "{\"id\":1}", NULL, 0, "protocol violation", ""},
	    {"count over the limit", "Item", 0, "{\"id\":1}", NULL, 1001, "protocol violation",
	     ""},
	    {"another model", "Itemx", 0, "{\"id\":1}", NULL, 1, "invalid record", ""},
	    {"a part of its name", "Ite", 0, "{\"id\":1}", NULL, 1, "invalid record", ""},
	    {"no object", "Item", 0, "[]", NULL, 1, "",
	     "(byte 0: a record must be an object) "},
	    {"nothing", "Item", 0, "", NULL, 1, "", "(byte 0: unfinished) "},
	    {"no id", "Item", 0, "{}", NULL, 1, "", "(id: is absent) "},
	    {"id null", "Item", 0, "{\"id\":null}", NULL, 1, "", "(id: is absent) "},
	    {"id empty", "Item", 0, "{\"id\":\"\"}", NULL, 1, "", "(id: is empty) "},
	    {"id an object", "Item", 0, "{\"id\":{}}", NULL, 1, "",
	     "(id: is neither a text nor a number) "},
	    {"id true", "Item", 0, "{\"id\":true}", NULL, 1, "",
	     "(id: is neither a text nor a number) "},
	    {"id with U+0000", "Item", 0, "{\"id\":\"a\\u0000\"}", NULL, 1, "",
	     "(id: holds U+0000) "},
	    {"a problem", "Item", 0, "{\"id\":1}", "size: too large", 1, "",
	     "(size: too large)1 "},
	    {"a problem, and no JSON", "Item", 0, "{", "size: too large", 1, "",
	     "(size: too large) "},
	    {"a lone surrogate", "Item", 0, "{\"id\":\"\\ud800\"}", NULL, 1, "",
	     "(byte 7: lone surrogate) "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say(&t, RPC_HELLO, "u", RPC_VERSION);
		say(&t, RPC_SAVE, "suuss", rows[i].model, rows[i].change, rows[i].count,
		    rows[i].json, rows[i].problem);
		say(&t, RPC_COMMIT, "un", 0u);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0 || strcmp(t.ids, rows[i].seen) != 0)
			fail_msg("%s: %s (%s), %s", rows[i].why, t.end.cause, t.end.message,
				 t.ids);
		assert_int_equal(t.commits, *rows[i].cause == '\0');
	}
}

/* Bytes that may be more than the socket takes at once: the session reads in between. */
static void
say_much(struct talk *t, const char *bytes, size_t length)
{
	ssize_t n;

	for (; length > 0; bytes += n, length -= (size_t)n) {
		n = send(t->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			n = 0;
		turn(t);
	}
}

/* A SAVE of one record of that many bytes, in all. */
static void
say_large_record(struct talk *t, size_t size)
{
	size_t length = 4 + 4 + 4 + 4 + 4 + size + 4;
	char *bytes = malloc(RPC_HEADER_BYTES + length), *at;

	assert_non_null(bytes);
	rpc_header_write(bytes, RPC_SAVE, (uint32_t)length);
	at = rpc_put_text(bytes + RPC_HEADER_BYTES, "Item", 4);
	at = rpc_put_u32(rpc_put_u32(at, 0), 1);
	at = rpc_put_u32(at, (uint32_t)size);
	memcpy(at, "{\"id\":1,\"t\":\"", 13);
	memset(at + 13, 'x', size - 15);
	memcpy(at + size - 2, "\"}", 2);
	rpc_put_u32(at + size, RPC_NO_TEXT);
	say_much(t, bytes, RPC_HEADER_BYTES + length);
	free(bytes);
}

/* A SAVE of so many records of one id. */
static void
say_many_records(struct talk *t, uint32_t count)
{
	static char bytes[64 * 1024];
	char *at = rpc_put_text(bytes + RPC_HEADER_BYTES, "Item", 4);

	at = rpc_put_u32(rpc_put_u32(at, 0), count);
	for (uint32_t i = 0; i < count; i++)
		at = rpc_put_u32(rpc_put_text(at, "{\"id\":1}", 8), RPC_NO_TEXT);
	rpc_header_write(bytes, RPC_SAVE, (uint32_t)(at - bytes - RPC_HEADER_BYTES));
	say_much(t, bytes, (size_t)(at - bytes));
}

/* 1,000 records in a frame are taken, 1,001 are not. */
static void
test_frame_records(void **state)
{
	(void)state;
	for (uint32_t count = 1000; count <= 1001; count++) {
		struct talk t;

		talk_open(&t);
		say_letter(&t, 'h');
		say_many_records(&t, count);
		say_letter(&t, 'c');
		talk_close(&t);
		assert_int_equal(t.records, count == 1000 ? 1000 : 0);
		if (count == 1001)
			assert_non_null(strstr(t.end.message, "1 to 1000 records"));
	}
}

/* Of small records, too, a page has an end. */
static void
test_page_records(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	for (uint32_t said = 0; said < SESSION_PAGE_RECORDS_MAX; said += 1000)
		say_many_records(&t, 1000);
	assert_false(session_has_verdict(t.session));
	say_many_records(&t, 1);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	assert_non_null(strstr(t.end.message, "1000000 records"));
	assert_int_equal(t.commits, 0);
}

static void
test_record_size(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say_large_record(&t, SESSION_RECORD_BYTES_MAX);
	say_letter(&t, 'c');
	assert_string_equal(t.ids, "1 ");
	say_large_record(&t, SESSION_RECORD_BYTES_MAX + 1);
	talk_close(&t);
	assert_string_equal(t.end.cause, "invalid record");
	assert_string_equal(t.end.code, "record_too_large");
}

/* 100 MB may be saved between two commits, and again after one. */
static void
test_page_size(void **state)
{
	const size_t each = SESSION_RECORD_BYTES_MAX - 8; /* with two lengths: 10 MiB */
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	for (int page = 0; page < 2; page++) {
		for (int i = 0; i < 10; i++)
			say_large_record(&t, each);
		assert_false(session_has_verdict(t.session));
		if (page == 0)
			say_letter(&t, 'c');
	}
	say_letter(&t, 's');
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	assert_non_null(strstr(t.end.message, "commit each page"));
	assert_int_equal(t.commits, 1);
}

static void
test_id_length(void **state)
{
	char id[300], json[400];

	(void)state;
	for (size_t length = 255; length <= 256; length++) {
		struct talk t;

		memset(id, 'i', length);
		id[length] = '\0';
		snprintf(json, sizeof(json), "{\"id\":\"%s\"}", id);
		talk_open(&t);
		say_letter(&t, 'h');
		say(&t, RPC_SAVE, "suusn", "Item", 0u, 1u, json);
		say_letter(&t, 'c');
		talk_close(&t);
		assert_int_equal(t.ids[0] == '(', length > 255);
	}
}

static void
test_windows(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_WINDOW, "su", "Item", RPC_WINDOW_OPENS);
	say(&t, RPC_SAVE, "suusn", "Other", 0u, 1u, "{\"id\":1}");
	say_letter(&t, 'c');
	assert_string_equal(t.windows, "Item+ ");
	say(&t, RPC_WINDOW, "su", "Item",
	    RPC_WINDOW_CLOSES | RPC_WINDOW_OVERRIDES | RPC_WINDOW_VOUCHED);
	say_letter(&t, 'c');
	assert_string_equal(t.windows, "Item+ Item-! ");
	say(&t, RPC_WINDOW, "su", "Nobody", RPC_WINDOW_OPENS);
	talk_close(&t);
	assert_string_equal(t.end.code, "unknown_model");
}

/* The message says which list is to blame. */
static void
test_incomplete_walk(void **state)
{
	static const struct run_response gone = {404, no_headers, "{}", 2};
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say_letter(&t, 'p');
	say_letter(&t, 'v');
	say_letter(&t, 'e');
	talk_close(&t);
	assert_string_equal(t.end.cause, "failed");
	assert_string_equal(t.end.code, "incomplete_walk");
	assert_non_null(strstr(t.end.message, "GET /x was left before its last page"));
	/* An accepted 404 ends a list, but proves nothing. */
	talk_open(&t);
	t.is_slow = true;
	say_letter(&t, 'h');
	say(&t, RPC_PAGINATE, "ussuunnuuuuu", 1u, "GET", "/x", 0u, 0u, 0u, 0u, 1u, 404u, 0u);
	t.fetch_done(t.fetch_arg, &gone, NULL);
	say_letter(&t, 'n');
	say_letter(&t, 'e');
	talk_close(&t);
	assert_string_equal(t.end.code, "incomplete_walk");
	assert_non_null(strstr(t.end.message, "GET /x answered 404"));
}

static void
test_walk_at_the_end(void **state)
{
	static const struct {
		const char *letters;
		bool is_complete, leaves, leaves_at_commit;
	} rows[] = {
	    {"hd", false, false, false},    {"hpd", false, true, false},
	    {"hpnd", true, false, false},   {"hpnnd", true, false, false},
	    {"hpvd", false, true, false},   {"hpnvd", true, false, false},
	    {"hVd", true, false, false},    {"hpvVd", true, false, false},
	    {"hpnnf", false, false, false}, {"hpcd", false, true, false},
	    {"hpvcd", false, true, true},   {"hVpvcd", true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		for (const char *c = rows[i].letters; *c != '\0'; c++) {
			if (*c == 'V')
				say(&t, RPC_WINDOW, "nu", RPC_WINDOW_VOUCHED);
			else
				say_letter(&t, *c);
		}
		talk_close(&t);
		if (t.end.is_walk_complete != rows[i].is_complete ||
		    t.end.leaves_walk != rows[i].leaves ||
		    t.leaves_walk != rows[i].leaves_at_commit)
			fail_msg("%s", rows[i].letters);
	}
}

static void
test_lookup(void **state)
{
	struct error err;
	struct talk t;

	(void)state;
	talk_open(&t);
	assert_int_equal(heard(&t), RPC_START);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "ssnu", "Item", "[\"1\"]", 1000u);
	assert_string_equal(t.asked, "Item [\"1\"] - 1000");
	assert_int_equal(heard(&t), RPC_RECORDS);
	t.is_slow = true;
	say(&t, RPC_LOOKUP, "snsu", "Item", "c1", 1u);
	assert_string_equal(t.asked, "Item * c1 1");
	say_letter(&t, 'd'); /* waits */
	error_set(&err, ERR_NOT_FOUND, "no");
	t.lookup_done(t.lookup_arg, NULL, 0, &err);
	talk_close(&t);
	assert_string_equal(t.end.cause, "store");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "snnu", "Item", 1001u);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "ssnu", "Item", "[1]", 10u);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "snnu", "Nobody", 10u);
	talk_close(&t);
	assert_string_equal(t.end.code, "unknown_model");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checkpoint),	    cmocka_unit_test(test_checkpoint_lengths),
	    cmocka_unit_test(test_clear),	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_frame_records),   cmocka_unit_test(test_record_size),
	    cmocka_unit_test(test_page_size),	    cmocka_unit_test(test_page_records),
	    cmocka_unit_test(test_id_length),	    cmocka_unit_test(test_windows),
	    cmocka_unit_test(test_incomplete_walk), cmocka_unit_test(test_walk_at_the_end),
	    cmocka_unit_test(test_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
