/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fidelity -- JSON through the SDK: a plugin saves a text in the sandbox, and what the store is
 * given is the same bytes, or a problem. Then which type of a model takes it.
 */
#include "runner_support.h"

#include "base/buf.h"
#include "run/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Types: s string, i integer, n number, d decimal, j json; those that take the value. */
static const struct {
	const char *why, *value, *types;
	const char *problem; /* NULL: stored, byte for byte */
} rows[] = {
    {"the largest int64", "9223372036854775807", "inj", NULL},
    {"the smallest int64", "-9223372036854775808", "inj", NULL},
    {"2^63", "9223372036854775808", "nj", NULL},
    {"2^64", "18446744073709551616", "nj", NULL},
    {"30 digits", "123456789012345678901234567890", "nj", NULL},
    {"30 digits as text", "\"123456789012345678901234567890\"", "sdj", NULL},
    {"a decimal that no double holds", "0.1000000000000000055", "nj", NULL},
    {"the same as text", "\"0.1000000000000000055\"", "sdj", NULL},
    {"zeroes at the end", "1.50", "nj", NULL},
    {"a fraction of nothing", "1.0", "nj", NULL},
    {"an exponent", "1E+2", "nj", NULL},
    {"beyond a double", "1e400", "j", NULL},
    {"beyond a double, negative", "-1e400", "j", NULL},
    {"beyond a double, without exponent",
     "1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
     "j", NULL},
    {"below a double", "1e-400", "nj", NULL},
    {"an exponent of many digits", "1e00000000000000000000000001", "nj", NULL},
    {"minus zero", "-0", "inj", NULL},
    {"NaN", "NaN", "", "byte 14: a value is expected"},
    {"a plus sign", "+1", "", "byte 14: a value is expected"},
    {"a leading zero", "01", "", "byte 14: leading zero"},
    {"a point without digits", "1.", "", "byte 16: a digit is missing after the point"},
    {"single quotes", "'a'", "", "byte 14: a value is expected"},
    {"a lone high surrogate", "\"\\ud800\"", "", "byte 15: lone surrogate"},
    {"a lone low surrogate", "\"\\udc00\"", "", "byte 15: lone surrogate"},
    {"surrogates in the wrong order", "\"\\udc00\\ud800\"", "", "byte 15: lone surrogate"},
    {"a pair", "\"\\ud83d\\ude00\"", "sj", NULL},
    {"the same character as UTF-8", "\"\xf0\x9f\x98\x80\"", "sj", NULL},
    {"a surrogate as UTF-8", "\"\xed\xa0\x80\"", "", "byte 15: invalid UTF-8"},
    {"an overlong form", "\"\xc0\xaf\"", "", "byte 15: invalid UTF-8"},
    {"beyond U+10FFFF", "\"\xf4\x90\x80\x80\"", "", "byte 15: invalid UTF-8"},
    {"a byte that is none", "\"\xff\"", "", "byte 15: invalid UTF-8"},
    {"U+0000", "\"a\\u0000b\"", "j", NULL},
    {"U+0000 within json", "{\"a\":[\"\\u0000\"]}", "j", NULL},
    {"a tab as it is", "\"\t\"", "", "byte 15: control character in a string"},
    {"not normalised: composed", "\"\xc3\xa9\"", "sj", NULL},
    {"not normalised: decomposed", "\"e\xcc\x81\"", "sj", NULL},
    {"not normalised: escaped", "\"\\u00e9\\/\"", "sj", NULL},
    {"order, blanks and duplicates stay", "{ \"b\" : 1, \"a\":2,\"b\":3 }", "j", NULL},
    {"of duplicate members the last counts", "1,\"v\":\"x\"", "sj", NULL},
    {"null is a value", "null", "j", NULL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct {
	char *bytes, *problem;
} seen[ROWS + 8];
static size_t seen_count;

static void
on_record(const struct run_record *r)
{
	assert_true(seen_count < sizeof(seen) / sizeof(seen[0]));
	seen[seen_count].bytes = talloc_strndup(NULL, r->bytes.data, r->bytes.length);
	seen[seen_count++].problem =
	    r->problem == NULL ? NULL : talloc_strdup(NULL, r->problem);
}

static void
forget(void)
{
	for (size_t i = 0; i < seen_count; i++) {
		talloc_free(seen[i].bytes);
		talloc_free(seen[i].problem);
	}
	seen_count = 0;
}

/* These texts through a plugin. */
static void
save(const char *const *texts, size_t count)
{
	struct run_start start = {0};
	struct witness witness = {.on_record = on_record};
	struct world world;
	struct buf metadata;

	buf_init(&metadata, NULL, 4096);
	buf_adds(&metadata, "{\"rows\":[");
	for (size_t i = 0; i < count; i++) {
		buf_adds(&metadata, i > 0 ? "," : "");
		buf_add_json_str(&metadata, texts[i]);
	}
	buf_adds(&metadata, "]}");
	start.metadata = metadata.data;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &witness, "verbatim", &start);
	world_wait(&world);
	world_close(&world);
	buf_done(&metadata);
	assert_string_equal(witness.end.message, "");
	assert_int_equal(seen_count, count);
}

static void
assert_types(const struct spec *spec, size_t row)
{
	static const struct {
		char letter;
		const char *model;
	} types[] = {{'s', "S"}, {'i', "I"}, {'n', "N"}, {'d', "D"}, {'j', "J"}};
	struct jsonspan json = {seen[row].bytes, strlen(seen[row].bytes)};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		bool should = strchr(rows[row].types, types[i].letter) != NULL;
		struct validate_fault fault = {"", ""};

		if ((validate_record(spec, spec_model(spec, types[i].model), json, &fault) ==
		     0) != should)
			fail_msg("%s as %s: %s: %s", rows[row].why, types[i].model, fault.path,
				 fault.reason);
	}
}

static void
test_values(void **state)
{
	static const char yaml[] =
	    "nango: 1\nprovider: p\nversion: 1.0.0\nsyncs: {s: {runs: every 1h, models: [S]}}\n"
	    "models: {S: {id: integer, v: string}, I: {id: integer, v: integer}, N: {id: "
	    "integer, v: number}, D: {id: integer, v: decimal}, J: {id: integer, v: json}}\n";
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *texts[ROWS];
	struct spec *spec;
	struct error err;

	(void)state;
	if (spec_read_text(mem, "plugin.yaml", yaml, strlen(yaml), &spec, &err) < 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < ROWS; i++)
		texts[i] = talloc_asprintf(mem, "{\"id\":123,\"v\":%s}", rows[i].value);
	save(texts, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		const char *problem = seen[i].problem == NULL ? "" : seen[i].problem;

		if (strcmp(problem, rows[i].problem == NULL ? "" : rows[i].problem) != 0)
			fail_msg("%s: %s", rows[i].why, problem);
		assert_string_equal(seen[i].bytes, texts[i]);
		if (rows[i].problem == NULL)
			assert_types(spec, i);
	}
	forget();
	talloc_free(mem);
}

/* 128 levels are stored, 129 are a problem. */
static void
test_depth(void **state)
{
	char deep[2][600];
	const char *texts[] = {deep[0], deep[1]};

	(void)state;
	for (int i = 0; i < 2; i++) {
		char *at = stpcpy(deep[i], "{\"id\":1,\"v\":");

		for (int level = 0; level < JSONSPAN_DEPTH_MAX - 1 + i; level++)
			*at++ = '[';
		for (int level = 0; level < JSONSPAN_DEPTH_MAX - 1 + i; level++)
			*at++ = ']';
		memcpy(at, "}", 2);
	}
	save(texts, 2);
	assert_null(seen[0].problem);
	assert_string_equal(seen[0].bytes, deep[0]);
	assert_string_equal(seen[1].problem, "byte 139: nested too deeply");
	forget();
}

/* Ids are compared as texts by the store, so they must be texts that Postgres can hold. */
static void
test_ids(void **state)
{
	static const char *const texts[] = {"{\"id\":18446744073709551616}", "{\"id\":1.50}",
					    "{\"id\":\"\\u0000\"}", "{\"id\":1,\"id\":\"b\"}",
					    "{\"id\":\"\\ud800\"}"};

	(void)state;
	save(texts, 5);
	assert_null(seen[0].problem);
	assert_null(seen[1].problem);
	assert_string_equal(seen[2].problem, "id: holds U+0000");
	assert_null(seen[3].problem);
	assert_string_equal(seen[4].problem, "byte 7: lone surrogate");
	forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
