/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan -- what the strict scanner takes and refuses (rows in the manner of JSONTestSuite: y
 * must be taken, n refused; where RFC 8259 leaves it open, the row says what we decided), and
 * the walk over what it took.
 */
#include "base/jsonspan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define Y(text)                                 \
	{                                       \
		text, sizeof(text) - 1, NULL, 0 \
	}
#define N(text, offset, reason)                        \
	{                                              \
		text, sizeof(text) - 1, reason, offset \
	}

static const struct {
	const char *text;
	size_t length;
	const char *reason; /* NULL: taken */
	size_t offset;
} rows[] = {
    /* structure */
    Y("{}"),
    Y("[]"),
    Y("[[]]"),
    Y("[{}]"),
    Y("{\"a\":{}}"),
    Y("{\"a\":[]}"),
    Y("[1]"),
    Y("[1,2]"),
    Y("[1 , 2]"),
    Y("[ ]"),
    Y("{ }"),
    Y("[\n]"),
    Y(" [] "),
    Y("\t[]\r\n"),
    Y("[null]"),
    Y("[true,false,null]"),
    Y("{\"a\":1}"),
    Y("{\"a\":1,\"b\":2}"),
    Y("{\"\":0}"),
    Y("{\"a\":1,\"a\":2}"),
    Y("{\"a\" : 1 }"),
    Y("{ \"a\":1}"),
    Y("{\"a\":\n1}"),
    Y("[[[[[[]]]]]]"),
    Y("[[],{},[]]"),
    Y("[[1],[2]]"),
    Y("{\"a\":[{\"b\":[{}]}]}"),
    N("", 0, "unfinished"),
    N(" ", 1, "unfinished"),
    N("[", 1, "unfinished"),
    N("{", 1, "unfinished"),
    N("[1", 2, "unfinished"),
    N("[1,", 3, "unfinished"),
    N("{\"a\"", 4, "a colon is expected"),
    N("{\"a\":", 5, "unfinished"),
    N("{\"a\":1", 6, "unfinished"),
    N("{\"a\":1,", 7, "unfinished"),
    N("]", 0, "a value is expected"),
    N("}", 0, "a value is expected"),
    N("[1,]", 3, "trailing comma"),
    N("{\"a\":1,}", 7, "trailing comma"),
    N("[,1]", 1, "a value is expected"),
    N("[1,,2]", 3, "a value is expected"),
    N("[,]", 1, "a value is expected"),
    N("{,}", 1, "a quoted member name is expected"),
    N("[1 2]", 3, "a comma or ] is expected"),
    N("[1:2]", 2, "a comma or ] is expected"),
    N("{\"a\" 1}", 5, "a colon is expected"),
    N("{\"a\",1}", 4, "a colon is expected"),
    N("{\"a\"::1}", 5, "a value is expected"),
    N("{\"a\":1 \"b\":2}", 7, "a comma or } is expected"),
    N("{a:1}", 1, "a quoted member name is expected"),
    N("{'a':1}", 1, "a quoted member name is expected"),
    N("{1:1}", 1, "a quoted member name is expected"),
    N("{null:1}", 1, "a quoted member name is expected"),
    N("{[]:1}", 1, "a quoted member name is expected"),
    N("[1}", 2, "a comma or ] is expected"),
    N("{\"a\":1]", 6, "a comma or } is expected"),
    N("[]]", 2, "something follows the value"),
    N("{}}", 2, "something follows the value"),
    N("[][]", 2, "something follows the value"),
    N("1 2", 2, "something follows the value"),
    N("{} x", 3, "something follows the value"),
    N("[]//c", 2, "something follows the value"),
    N("/**/[]", 0, "a value is expected"),
    N("[]#", 2, "something follows the value"),
    N("[\v1]", 1, "a value is expected"),
    N("[\f]", 1, "a value is expected"),
    N("[\xc2\xa0]", 1, "a value is expected"),
    N("\xef\xbb\xbf[]", 0, "a value is expected"),
    N("[]\0", 2, "something follows the value"),
    N("\0", 0, "a value is expected"),
    N("[1\0]", 2, "a comma or ] is expected"),
    N("<html>", 0, "a value is expected"),
    N("\xe2\x81\xa0[]", 0, "a value is expected"),
    /* words */
    Y("true"),
    Y("false"),
    Y("null"),
    N("tru", 0, "a value is expected"),
    N("True", 0, "a value is expected"),
    N("TRUE", 0, "a value is expected"),
    N("nul", 0, "a value is expected"),
    N("nulll", 4, "something follows the value"),
    N("truefalse", 4, "something follows the value"),
    N("undefined", 0, "a value is expected"),
    N("NaN", 0, "a value is expected"),
    N("Infinity", 0, "a value is expected"),
    N("-Infinity", 1, "a digit is missing"),
    N("[nan]", 1, "a value is expected"),
    N("'a'", 0, "a value is expected"),
    N("`a`", 0, "a value is expected"),
    /* numbers */
    Y("0"),
    Y("-0"),
    Y("1"),
    Y("-1"),
    Y("10"),
    Y("123456789012345678901234567890"),
    Y("0.0"),
    Y("0.5"),
    Y("-0.5"),
    Y("1e1"),
    Y("1E1"),
    Y("1e+1"),
    Y("1e-1"),
    Y("1.5e10"),
    Y("0e0"),
    Y("0E+0"),
    Y("1e999"),
    Y("-1e-999"),
    Y("20e1"),
    Y("[1e1,2]"),
    Y("0.1e01"),
    Y("1e00"),
    Y("9223372036854775808"),
    N("01", 0, "leading zero"),
    N("-01", 1, "leading zero"),
    N("00", 0, "leading zero"),
    N("-", 1, "a digit is missing"),
    N("--1", 1, "a digit is missing"),
    N("+1", 0, "a value is expected"),
    N(".5", 0, "a value is expected"),
    N("-.5", 1, "a digit is missing"),
    N("1.", 2, "a digit is missing after the point"),
    N("1.e1", 2, "a digit is missing after the point"),
    N("1.x", 2, "a digit is missing after the point"),
    N("1e", 2, "a digit is missing in the exponent"),
    N("1e+", 3, "a digit is missing in the exponent"),
    N("1eE2", 2, "a digit is missing in the exponent"),
    N("1e1.5", 3, "something follows the value"),
    N("1.2.3", 3, "something follows the value"),
    N("0x1", 1, "something follows the value"),
    N("1_000", 1, "something follows the value"),
    N("1a", 1, "something follows the value"),
    N("0e", 2, "a digit is missing in the exponent"),
    N("[1-2]", 2, "a comma or ] is expected"),
    N("- 1", 1, "a digit is missing"),
    N("\xef\xbc\x91", 0, "a value is expected"),
    /* strings */
    Y("\"\""),
    Y("\"a\""),
    Y("\" \""),
    Y("\"\\\"\""),
    Y("\"\\\\\""),
    Y("\"\\/\""),
    Y("\"\\b\\f\\n\\r\\t\""),
    Y("\"\\u0000\""),
    Y("\"\\u00e9\""),
    Y("\"\\uABCD\""),
    Y("\"\\uabcd\""),
    Y("\"\\ud83d\\ude00\""),
    Y("\"\\uD800\\uDC00\""),
    Y("\"\\udbff\\udfff\""),
    Y("\"\\u0041\\u0042\""),
    Y("\"\\\\u0000\""),
    Y("\"\x7f\""),
    Y("\"\xc3\xa9\""),
    Y("\"\xe2\x82\xac\""),
    Y("\"\xf0\x9f\x98\x80\""),
    Y("\"\xf4\x8f\xbf\xbf\""),
    Y("\"\xef\xbf\xbf\""),
    Y("\"\xed\x9f\xbf\""),
    Y("\"\xee\x80\x80\""),
    Y("\"\xc2\x80\""),
    Y("\"\xe0\xa0\x80\""),
    Y("\"\xf0\x90\x80\x80\""),
    Y("\"\xe2\x80\xa8\""),
    Y("\"\xef\xbb\xbf\""),
    Y("\"/*no comment*/\""),
    Y("\"0123456789abcde\xc3\xa9\""),
    Y("\"0123456789abcdef0123456789abcdef\""),
    Y("\"0123456789abcde\\n\""),
    Y("[\"\\u002c\"]"),
    N("\"", 1, "unfinished string"),
    N("\"a", 2, "unfinished string"),
    N("\"\\\"", 3, "unfinished string"),
    N("\"\\", 2, "unfinished string"),
    N("\"\\a\"", 1, "unknown escape"),
    N("\"\\x41\"", 1, "unknown escape"),
    N("\"\\'\"", 1, "unknown escape"),
    N("\"\\0\"", 1, "unknown escape"),
    N("\"\\\0\"", 1, "unknown escape"),
    N("\"\\U0041\"", 1, "unknown escape"),
    N("\"\\\n\"", 1, "unknown escape"),
    N("\"\\\xc3\xa9\"", 1, "unknown escape"),
    N("\"\\u\"", 1, "\\u needs four hex digits"),
    N("\"\\u12\"", 1, "\\u needs four hex digits"),
    N("\"\\u123\"", 1, "\\u needs four hex digits"),
    N("\"\\u12g4\"", 1, "\\u needs four hex digits"),
    N("\"\\u+123\"", 1, "\\u needs four hex digits"),
    N("\"\\u 123\"", 1, "\\u needs four hex digits"),
    N("\"\\ud800\"", 1, "lone surrogate"),
    N("\"\\udc00\"", 1, "lone surrogate"),
    N("\"\\ud800\\n\"", 1, "lone surrogate"),
    N("\"\\ud800\\u0041\"", 1, "lone surrogate"),
    N("\"\\ud800\\ud800\"", 1, "lone surrogate"),
    N("\"\\udc00\\ud800\"", 1, "lone surrogate"),
    N("\"\\ud800x\"", 1, "lone surrogate"),
    N("\"\\ud83d\\ude\"", 1, "lone surrogate"),
    N("\"\n\"", 1, "control character in a string"),
    N("\"\t\"", 1, "control character in a string"),
    N("\"\0\"", 1, "control character in a string"),
    N("\"\x1f\"", 1, "control character in a string"),
    N("\"a\rb\"", 2, "control character in a string"),
    N("\"0123456789abcdef\n\"", 17, "control character in a string"),
    N("\"\x80\"", 1, "invalid UTF-8"),
    N("\"\xbf\"", 1, "invalid UTF-8"),
    N("\"\xc0\x80\"", 1, "invalid UTF-8"),
    N("\"\xc1\xbf\"", 1, "invalid UTF-8"),
    N("\"\xc3\"", 1, "invalid UTF-8"),
    N("\"\xc3(\"", 1, "invalid UTF-8"),
    N("\"\xe0\x80\x80\"", 1, "invalid UTF-8"),
    N("\"\xe0\x9f\xbf\"", 1, "invalid UTF-8"),
    N("\"\xe2\x82\"", 1, "invalid UTF-8"),
    N("\"\xed\xa0\x80\"", 1, "invalid UTF-8"),
    N("\"\xed\xbf\xbf\"", 1, "invalid UTF-8"),
    N("\"\xf0\x80\x80\x80\"", 1, "invalid UTF-8"),
    N("\"\xf0\x8f\xbf\xbf\"", 1, "invalid UTF-8"),
    N("\"\xf4\x90\x80\x80\"", 1, "invalid UTF-8"),
    N("\"\xf5\x80\x80\x80\"", 1, "invalid UTF-8"),
    N("\"\xff\"", 1, "invalid UTF-8"),
    N("\"\xfe\xff\"", 1, "invalid UTF-8"),
    N("\"\xf8\x88\x80\x80\x80\"", 1, "invalid UTF-8"),
    N("\"\xf0\x9f\x98\"", 1, "invalid UTF-8"),
    N("\"0123456789abcdef\xff\"", 17, "invalid UTF-8"),
    N("{\"\xff\":1}", 2, "invalid UTF-8"),
    N("{\"a\\\":1}", 8, "unfinished string"),
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Exactly so many bytes, for AddressSanitizer to see the next one being read.
		 */
		char *text = malloc(rows[i].length + 1);
		struct jsonspan_fault fault = {99, "none"};
		int rc;

		memcpy(text, rows[i].text, rows[i].length);
		text = realloc(text, rows[i].length == 0 ? 1 : rows[i].length);
		rc = jsonspan_check(text, rows[i].length, &fault);
		if (rc != (rows[i].reason == NULL ? 0 : -1))
			fail_msg("row %zu %s: %d", i, rows[i].text, rc);
		if (rc < 0 && (strcmp(fault.reason, rows[i].reason) != 0 ||
			       fault.offset != rows[i].offset))
			fail_msg("row %zu %s: %s at %zu", i, rows[i].text, fault.reason,
				 fault.offset);
		free(text);
	}
	assert_true(sizeof(rows) / sizeof(rows[0]) >= 150);
}

/* A fault or an end at every place relative to the 16 bytes that are looked at together. */
static void
test_every_offset(void **state)
{
	char text[64];

	(void)state;
	for (size_t length = 2; length < 50; length++) {
		memset(text, 'x', sizeof(text));
		text[0] = text[length - 1] = '"';
		assert_int_equal(jsonspan_check(text, length, NULL), 0);
		assert_int_equal(jsonspan_check(text, length - 1, NULL), -1);
		for (size_t at = 1; at + 1 < length; at++) {
			struct jsonspan_fault fault;
			char saved = text[at];

			text[at] = 1;
			assert_int_equal(jsonspan_check(text, length, &fault), -1);
			assert_int_equal(fault.offset, at);
			text[at] = saved;
		}
	}
}

static void
test_depth(void **state)
{
	char text[2 * JSONSPAN_DEPTH_MAX + 3];
	struct jsonspan_fault fault;
	const size_t max = JSONSPAN_DEPTH_MAX;

	(void)state;
	memset(text, '[', max);
	memset(text + max, ']', max);
	assert_int_equal(jsonspan_check(text, 2 * max, NULL), 0);
	memset(text, '[', max + 1);
	memset(text + max + 1, ']', max + 1);
	assert_int_equal(jsonspan_check(text, 2 * max + 2, &fault), -1);
	assert_string_equal(fault.reason, "nested too deeply");
	assert_int_equal(fault.offset, max);
}

static void
test_record(void **state)
{
	static const struct {
		const char *why, *text,
		    *id; /* id NULL: refused; "": taken, and there is none */
	} cases[] = {
	    {"a text", "{\"id\":\"a\"}", "\"a\""},
	    {"a number keeps its text", "{\"id\": 1.50 }", "1.50"},
	    {"the last one wins", "{\"id\":1,\"x\":2,\"id\":3}", "3"},
	    {"only the top level counts", "{\"x\":{\"id\":1},\"y\":[{\"id\":2}]}", ""},
	    {"behind a nested one", "{\"x\":{\"id\":1},\"id\":2}", "2"},
	    {"a nested id after it does not", "{\"id\":2,\"x\":{\"id\":1}}", "2"},
	    {"an escaped name is the same name", "{\"\\u0069d\":7}", "7"},
	    {"a long escaped name is another", "{\"\\u0069d\\u0000\":7}", ""},
	    {"an object as a whole", "{\"id\":{\"a\":[1,2]},\"z\":0}", "{\"a\":[1,2]}"},
	    {"white space around", " {\"id\" : \"b\" } ", "\"b\""},
	    {"a similar name", "{\"Id\":1,\"i\":2,\"idx\":3}", ""},
	    {"no array", "[{\"id\":1}]", NULL},
	    {"no text", "\"id\"", NULL},
	    {"nothing", "", NULL},
	    {"a fault behind the id", "{\"id\":1,}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jsonspan id = {0};
		int rc = jsonspan_check_record(cases[i].text, strlen(cases[i].text), &id, NULL);

		if (rc != (cases[i].id == NULL ? -1 : 0))
			fail_msg("%s", cases[i].why);
		if (rc == 0 &&
		    (id.length != strlen(cases[i].id) ||
		     (id.length > 0 && memcmp(id.data, cases[i].id, id.length) != 0)))
			fail_msg("%s: %.*s", cases[i].why, (int)id.length, id.data);
	}
}

static void
test_walk(void **state)
{
	static const char text[] =
	    "{ \"a\" : [1, \"x,]\\\"\" ,{\"b\":[]}, []] , \"c\":null,\"a\\u0041\":true}";
	struct jsonspan root = jsonspan_trim(text, sizeof(text) - 1), array, item, key, value;
	size_t cursor = 0, count = 0;

	(void)state;
	array = jsonspan_member(root, "a");
	assert_int_equal(jsonspan_type(array), JSONSPAN_ARRAY);
	while (jsonspan_next_item(array, &cursor, &item))
		count++;
	assert_int_equal(count, 4);
	assert_int_equal(jsonspan_type(jsonspan_member(root, "aA")), JSONSPAN_BOOLEAN);
	assert_int_equal(jsonspan_type(jsonspan_member(root, "c")), JSONSPAN_NULL);
	assert_int_equal(jsonspan_type(jsonspan_member(root, "d")), JSONSPAN_NONE);
	assert_int_equal(jsonspan_type(jsonspan_member(array, "a")), JSONSPAN_NONE);
	for (cursor = count = 0; jsonspan_next_member(root, &cursor, &key, &value);)
		count++;
	assert_int_equal(count, 3);
}

static void
test_unescape(void **state)
{
	static const struct {
		const char *json, *text;
		long length;
	} cases[] = {
	    {"\"\"", "", 0},
	    {"\"a\\n\\\"b\\\\\"", "a\n\"b\\", 5},
	    {"\"\\u00e9\\u20ac\"", "\xc3\xa9\xe2\x82\xac", 5},
	    {"\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!", 5},
	    {"\"a\\u0000b\"", "a\0b", 3},
	    {"12", "", -1},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jsonspan span = {cases[i].json, strlen(cases[i].json)};

		assert_int_equal(jsonspan_unescape(span, out), cases[i].length);
		if (cases[i].length >= 0)
			assert_memory_equal(out, cases[i].text, (size_t)cases[i].length + 1);
	}
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		int is_integer;
		int64_t integer;
		int is_number;
		double number;
	} cases[] = {
	    {"0", 1, 0, 1, 0},
	    {"-0", 1, 0, 1, 0},
	    {"9223372036854775807", 1, INT64_MAX, 1, 9223372036854775807.0},
	    {"-9223372036854775808", 1, INT64_MIN, 1, -9223372036854775808.0},
	    {"9223372036854775808", 0, 0, 1, 9223372036854775808.0},
	    {"-9223372036854775809", 0, 0, 1, -9223372036854775809.0},
	    {"18446744073709551616", 0, 0, 1, 18446744073709551616.0},
	    {"1.0", 0, 0, 1, 1},
	    {"1e2", 0, 0, 1, 100},
	    {"0.1", 0, 0, 1, 0.1},
	    {"1e999", 0, 0, 0, 0},
	    {"\"1\"", 0, 0, 0, 0},
	    {"true", 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jsonspan span = {cases[i].text, strlen(cases[i].text)};
		int64_t integer = 5;
		double number = 5;

		assert_int_equal(jsonspan_integer(span, &integer), cases[i].is_integer);
		assert_true(integer == (cases[i].is_integer ? cases[i].integer : 5));
		assert_int_equal(jsonspan_number(span, &number), cases[i].is_number);
		assert_true(number == (cases[i].is_number ? cases[i].number : 5));
	}
}

static void
test_place(void **state)
{
	int line, column;

	(void)state;
	jsonspan_place("{\n \"a\": x}", 8, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 7);
	jsonspan_place("x", 0, &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),   cmocka_unit_test(test_every_offset),
	    cmocka_unit_test(test_depth),   cmocka_unit_test(test_record),
	    cmocka_unit_test(test_walk),    cmocka_unit_test(test_unescape),
	    cmocka_unit_test(test_numbers), cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
