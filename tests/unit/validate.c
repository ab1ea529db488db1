/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/validate: what fits a model and what does not, with its path and reason; and how fast.
 * The differential test against ajv is tests/e2e/validate.test.mjs.
 */
#include "run/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char yaml[] =
    "nango: 1\nprovider: p\nversion: 1.0.0\n"
    "syncs: {s: {runs: every 1h, models: [Thing, Bag]}}\n"
    "models:\n"
    "  Thing:\n"
    "    id: string\n"
    "    n: \"integer?\"\n"
    "    r: \"number?\"\n"
    "    d: \"decimal?\"\n"
    "    b: \"boolean?\"\n"
    "    day: \"date?\"\n"
    "    w: \"(open | 'On Hold')?\"\n"
    "    raw: \"json?\"\n"
    "    void: \"null?\"\n"
    "    maybe: \"(string | null)?\"\n"
    "    tags: \"string[]?\"\n"
    "    who: \"Person?\"\n"
    "    people: \"Person[]?\"\n"
    "  Person: {name: string, age: \"integer?\", \"a.b\": \"string?\", boss: \"Person?\"}\n"
    "  Bag: {id: integer, $extra: keep}\n";

static const struct {
	const char *why, *model, *json, *path, *reason; /* path NULL: it fits */
} cases[] = {
    {"the least", "Thing", "{\"id\":\"1\"}", NULL, NULL},
    {"with blanks", "Thing", " { \"id\" : \"1\" , \"n\" : 1 } ", NULL, NULL},
    {"out of order", "Thing", "{\"w\":\"open\",\"n\":1,\"id\":\"1\"}", NULL, NULL},
    {"nothing", "Thing", "{}", "id", "is absent"},
    {"no object", "Thing", "[]", "", "is not an object"},
    {"a number is no text", "Thing", "{\"id\":1}", "id", "is not text"},
    {"null is not absent", "Thing", "{\"id\":\"1\",\"n\":null}", "n", "is null"},
    {"null where it may be", "Thing", "{\"id\":\"1\",\"maybe\":null}", NULL, NULL},
    {"U+0000", "Thing", "{\"id\":\"a\\u0000\"}", "id", "holds U+0000"},
    {"an escaped backslash before u0000", "Thing", "{\"id\":\"a\\\\u0000\"}", NULL, NULL},
    {"U+0000 in json passes", "Thing", "{\"id\":\"1\",\"raw\":\"\\u0000\"}", NULL, NULL},
    {"int64's ends", "Thing", "{\"id\":\"1\",\"n\":-9223372036854775808}", NULL, NULL},
    {"beyond", "Thing", "{\"id\":\"1\",\"n\":9223372036854775808}", "n",
     "is not an integer of 64 bits"},
    {"2^64", "Thing", "{\"id\":\"1\",\"n\":18446744073709551616}", "n",
     "is not an integer of 64 bits"},
    {"1.0 is written as no integer", "Thing", "{\"id\":\"1\",\"n\":1.0}", "n",
     "is not an integer of 64 bits"},
    {"-0 is one", "Thing", "{\"id\":\"1\",\"n\":-0}", NULL, NULL},
    {"a number", "Thing", "{\"id\":\"1\",\"r\":-1.5e-7}", NULL, NULL},
    {"the largest double", "Thing", "{\"id\":\"1\",\"r\":1.7976931348623157e308}", NULL, NULL},
    {"beyond a double", "Thing", "{\"id\":\"1\",\"r\":1e400}", "r",
     "is not a number that a double can hold"},
    {"so small that it is 0", "Thing", "{\"id\":\"1\",\"r\":1e-400}", NULL, NULL},
    {"text is no number", "Thing", "{\"id\":\"1\",\"r\":\"1\"}", "r", "is not a number"},
    {"a decimal", "Thing", "{\"id\":\"1\",\"d\":\"-10.50\"}", NULL, NULL},
    {"30 digits", "Thing", "{\"id\":\"1\",\"d\":\"123456789012345678901234567890.1\"}", NULL,
     NULL},
    {"a decimal as number", "Thing", "{\"id\":\"1\",\"d\":1.5}", "d",
     "is not a decimal number as text"},
    {"a comma", "Thing", "{\"id\":\"1\",\"d\":\"1,5\"}", "d", "is not a decimal number"},
    {"a leading zero", "Thing", "{\"id\":\"1\",\"d\":\"01\"}", "d", "is not a decimal number"},
    {"an empty decimal", "Thing", "{\"id\":\"1\",\"d\":\"\"}", "d", "is not a decimal number"},
    {"an escaped decimal", "Thing", "{\"id\":\"1\",\"d\":\"\\u0031\"}", NULL, NULL},
    {"a boolean", "Thing", "{\"id\":\"1\",\"b\":false}", NULL, NULL},
    {"1 is no boolean", "Thing", "{\"id\":\"1\",\"b\":1}", "b", "is not true or false"},
    {"a day", "Thing", "{\"id\":\"1\",\"day\":\"2024-02-29\"}", NULL, NULL},
    {"a day that is not", "Thing", "{\"id\":\"1\",\"day\":\"2023-02-29\"}", "day",
     "is not a date or time of RFC 3339"},
    {"a time", "Thing", "{\"id\":\"1\",\"day\":\"2024-01-01T10:00:00.123+01:30\"}", NULL, NULL},
    {"a time without offset", "Thing", "{\"id\":\"1\",\"day\":\"2024-01-01T10:00:00\"}", "day",
     "is not a date or time of RFC 3339"},
    {"a leap second", "Thing", "{\"id\":\"1\",\"day\":\"2016-12-31T23:59:60Z\"}", NULL, NULL},
    {"a leap second elsewhere", "Thing", "{\"id\":\"1\",\"day\":\"2017-01-01T00:59:60+01:00\"}",
     NULL, NULL},
    {"61 seconds at noon", "Thing", "{\"id\":\"1\",\"day\":\"2016-12-31T12:00:60Z\"}", "day",
     "is not a date or time of RFC 3339"},
    {"hour 24", "Thing", "{\"id\":\"1\",\"day\":\"2016-12-31T24:00:00Z\"}", "day",
     "is not a date or time of RFC 3339"},
    {"a date as number", "Thing", "{\"id\":\"1\",\"day\":1}", "day", "is not a date"},
    {"a word", "Thing", "{\"id\":\"1\",\"w\":\"On Hold\"}", NULL, NULL},
    {"a word, escaped", "Thing", "{\"id\":\"1\",\"w\":\"\\u006fpen\"}", NULL, NULL},
    {"another word", "Thing", "{\"id\":\"1\",\"w\":\"Open\"}", "w", "is none of open, On Hold"},
    {"null as null", "Thing", "{\"id\":\"1\",\"void\":null}", NULL, NULL},
    {"something as null", "Thing", "{\"id\":\"1\",\"void\":0}", "void", "is not null"},
    {"json null", "Thing", "{\"id\":\"1\",\"raw\":null}", NULL, NULL},
    {"a list", "Thing", "{\"id\":\"1\",\"tags\":[ \"a\" , \"b\" ]}", NULL, NULL},
    {"an empty list", "Thing", "{\"id\":\"1\",\"tags\":[ ]}", NULL, NULL},
    {"no list", "Thing", "{\"id\":\"1\",\"tags\":\"a\"}", "tags", "is not a list"},
    {"an item", "Thing", "{\"id\":\"1\",\"tags\":[\"a\",1]}", "tags[1]", "is not text"},
    {"a null item", "Thing", "{\"id\":\"1\",\"tags\":[null]}", "tags[0]", "is null"},
    {"within", "Thing", "{\"id\":\"1\",\"who\":{\"name\":\"a\",\"boss\":{\"age\":1}}}",
     "who.boss.name", "is absent"},
    {"within a list", "Thing", "{\"id\":\"1\",\"people\":[{\"name\":\"a\"},{\"name\":1}]}",
     "people[1].name", "is not text"},
    {"no object within", "Thing", "{\"id\":\"1\",\"who\":\"ada\"}", "who", "is not an object"},
    {"a name with a dot", "Thing", "{\"id\":\"1\",\"who\":{\"name\":\"a\",\"a.b\":1}}",
     "who.a.b", "is not text"},
    {"an unknown member", "Thing", "{\"id\":\"1\",\"x\":1}", "x", "is no member of the model"},
    {"an unknown member within", "Thing", "{\"id\":\"1\",\"who\":{\"name\":\"a\",\"x\":1}}",
     "who.x", "is no member of the model"},
    {"kept", "Bag", "{\"id\":1,\"x\":{\"y\":[1,2]},\"z\":null}", NULL, NULL},
    {"an escaped name", "Bag", "{\"\\u0069d\":1}", NULL, NULL},
    {"of duplicates the last counts", "Thing", "{\"id\":1,\"n\":1,\"id\":\"1\"}", NULL, NULL},
    {"of duplicates the last is wrong", "Thing", "{\"id\":\"1\",\"id\":1}", "id",
     "is not text"},
    {"a duplicate within a value is none", "Bag", "{\"id\":\"x\",\"y\":{\"id\":1}}", "id",
     "is not an integer of 64 bits"},
};

static struct spec *
read_spec(TALLOC_CTX *mem)
{
	struct error err;
	struct spec *spec;

	if (spec_read_text(mem, "plugin.yaml", yaml, strlen(yaml), &spec, &err) < 0)
		fail_msg("%s", err.message);
	return spec;
}

static void
test_table(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec = read_spec(mem);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* In a piece of its own, so that a sanitizer sees a step too far. */
		struct jsonspan json = {
		    talloc_memdup(mem, cases[i].json, strlen(cases[i].json)),
		    strlen(cases[i].json)};
		struct validate_fault fault = {"?", "?"};
		int result =
		    validate_record(spec, spec_model(spec, cases[i].model), json, &fault);

		assert_int_equal(jsonspan_check(json.data, json.length, NULL), 0);
		if ((result == 0) != (cases[i].path == NULL))
			fail_msg("%s: %s: %s", cases[i].why, fault.path, fault.reason);
		if (result < 0 && (strcmp(fault.path, cases[i].path) != 0 ||
				   strcmp(fault.reason, cases[i].reason) != 0))
			fail_msg("%s: %s: %s", cases[i].why, fault.path, fault.reason);
	}
	talloc_free(mem);
}

/* Members may be absent, but what is there must fit; a list is replaced, so its items are
 * whole.
 */
static void
test_update(void **state)
{
	static const struct {
		const char *json;
		bool fits;
	} rows[] = {
	    {"{\"n\":1}", true},
	    {"{\"n\":\"1\"}", false},
	    {"{\"who\":{\"age\":1}}", true},
	    {"{\"who\":{\"age\":\"1\"}}", false},
	    {"{\"people\":[{\"age\":1}]}", false},
	    {"{\"people\":[{\"name\":\"a\",\"boss\":{}}]}", false},
	    {"{\"people\":[],\"who\":{}}", true},
	};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec = read_spec(mem);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct jsonspan json = {rows[i].json, strlen(rows[i].json)};
		struct validate_fault fault;

		if ((validate_update(spec, spec_model(spec, "Thing"), json, &fault) == 0) !=
		    rows[i].fits)
			fail_msg("%s", rows[i].json);
	}
	talloc_free(mem);
}

/* As deep as the checker lets pass, and a path that is longer than its room. */
static void
test_depth(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec = read_spec(mem);
	char *text = talloc_strdup(mem, "{\"id\":\"1\",\"who\":"),
	     *end = talloc_strdup(mem, "}");
	struct validate_fault fault;
	struct jsonspan json;

	(void)state;
	for (int i = 0; i < JSONSPAN_DEPTH_MAX - 2; i++) {
		text = talloc_strdup_append(text, "{\"name\":\"a\",\"boss\":");
		end = talloc_strdup_append(end, "}");
	}
	text = talloc_asprintf(mem, "%s{\"name\":5}%s", text, end);
	json = (struct jsonspan){text, strlen(text)};
	assert_int_equal(jsonspan_check(text, strlen(text), NULL), 0);
	assert_int_equal(validate_record(spec, spec_model(spec, "Thing"), json, &fault), -1);
	assert_int_equal(strlen(fault.path), sizeof(fault.path) - 1);
	assert_string_equal(fault.reason, "is not text");
	talloc_free(mem);
}

/* Names of all lengths, escaped ones too: a name that is too long is no member. */
static void
test_long_names(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec = read_spec(mem);

	(void)state;
	for (size_t length = 1; length < 3000; length += 37) {
		char *name = talloc_zero_size(mem, 3100);
		struct validate_fault fault;
		struct jsonspan json;

		memset(name, 'x', length);
		name = talloc_asprintf(mem, "{\"id\":1,\"%s\\n\":[1]}", name);
		json = (struct jsonspan){name, strlen(name)};
		assert_int_equal(validate_record(spec, spec_model(spec, "Bag"), json, &fault),
				 0);
		assert_int_equal(validate_record(spec, spec_model(spec, "Thing"), json, &fault),
				 -1);
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_update),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
