/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/spec: types, intervals, and the canonical JSON, which must come back as what it was.
 */
#include "run/spec_internal.h"
#include "run/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
test_types(void **state)
{
	static const struct {
		const char *why, *text, *canonical;
	} cases[] = {
	    {"a plain type", "string", "string"},
	    {"optional", "string?", "string?"},
	    {"optional with blanks", " string ? ", "string?"},
	    {"nullable", "string | null", "string | null"},
	    {"null first is the same", "null | string", "string | null"},
	    {"both", "string? | null", "(string | null)?"},
	    {"both, the ? last", "string | null?", "(string | null)?"},
	    {"both, in parentheses", "(string | null)?", "(string | null)?"},
	    {"a list", "Label[]", "Label[]"},
	    {"an optional list", "Label[]?", "Label[]?"},
	    {"a list or null", "Label[] | null", "Label[] | null"},
	    {"words keep their order", "open | closed", "open | closed"},
	    {"words or null", "open | null | closed", "open | closed | null"},
	    {"optional words", "open | closed?", "(open | closed)?"},
	    {"a list of words", "(open | closed)[]", "(open | closed)[]"},
	    {"quoted words", "'In Progress' | done", "'In Progress' | done"},
	    {"a quoted name of a type is a word", "'string' | x", "'string' | x"},
	    {"one word", "fixed", "'fixed'"},
	    {"one word in a list", "fixed[]", "'fixed'[]"},
	    {"a number is a word", "1.10 | 2", "1.10 | 2"},
	    {"what YAML takes for a boolean is a word", "on | no", "on | no"},
	    {"only null", "null", "null"},
	    {"parentheses that change nothing", "((string))", "string"},
	    {"json or null", "json | null", "json | null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct spec_type_fault fault;
		struct spec_type type;

		if (spec_type_parse(mem, cases[i].text, &type, &fault) < 0)
			fail_msg("%s: %s", cases[i].why, fault.text);
		if (strcmp(spec_type_text(mem, &type), cases[i].canonical) != 0)
			fail_msg("%s: got %s", cases[i].why, spec_type_text(mem, &type));
		/* What is written is read back as the same. */
		assert_int_equal(spec_type_parse(mem, cases[i].canonical, &type, &fault), 0);
		assert_string_equal(spec_type_text(mem, &type), cases[i].canonical);
		talloc_free(mem);
	}
}

static void
test_intervals(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: refused */
	} cases[] = {
	    {"every 15m", 900},
	    {"15m", 900},
	    {"15 minutes", 900},
	    {"every minute", 60},
	    {"every 30s", 30},
	    {"30 secs", 30},
	    {"every hour", 3600},
	    {"every 1h", 3600},
	    {"2 hrs", 7200},
	    {"every day", 86400},
	    {"every 31 days", 2678400},
	    {"every week", 604800},
	    {"every month", 2592000},
	    {"every half day", 43200},
	    {"half hour", 1800},
	    {"every quarter hour", 900},
	    {"EVERY 5 MIN", 300},
	    {"every 29s", 0},
	    {"every 32d", 0},
	    {"", 0},
	    {"every", 0},
	    {"every 2 weeks", 1209600},
	    {"every 2.5 hrs", 9000},
	    {".5h", 1800},
	    {"every 1.5 Minutes", 90},
	    {"2w", 1209600},
	    {"every 60000", 60},
	    {"45000 ms", 45},
	    {"every 30000 milliseconds", 30},
	    {"every 1y", 0},
	    {"every 5 weeks", 0},
	    {"1.h", 0},
	    {".", 0},
	    {"every half", 0},
	    {"every 2 half hours", 0},
	    {"5", 0},
	    {"every 5 fortnights", 0},
	    {"-5m", 0},
	    {"every 99999999999h", 0},
	    {"1.5h", 5400},
	    {"5m 3s", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = {0};
		int64_t ms = 0;
		int result = spec_interval_ms(cases[i].text, &ms, &err);

		if ((result == 0) != (cases[i].seconds > 0) || ms != cases[i].seconds * 1000)
			fail_msg("\"%s\": %d, %lld ms, %s", cases[i].text, result,
				 (long long)ms, err.message);
	}
}

static struct spec *
golden(TALLOC_CTX *mem)
{
	const char *top = getenv("NANGO_TOP_SRCDIR");
	struct error err;
	struct spec *spec;

	if (spec_read(mem,
		      talloc_asprintf(mem, "%s/tests/unit/golden/plugin.yaml",
				      top == NULL ? "." : top),
		      &spec, &err) < 0)
		fail_msg("%s", err.message);
	return spec;
}

static void
test_canonical_round_trip(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec = golden(mem), *again;
	char *json = spec_json(mem, spec);
	struct error err;

	(void)state;
	if (spec_parse(mem, json, strlen(json), &again, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(spec_json(mem, again), json);
	assert_int_equal(spec_sync(again, "things")->runs_ms, 1800000);
	assert_int_equal(spec_sync(again, "plain")->runs_ms, 86400000);
	assert_true(spec_model(again, "Bag")->keeps_extra);
	assert_string_equal(spec_model(again, "Thing")->volatile_names[0], "ratio");
	assert_string_equal(spec_model(again, "Thing")->volatile_names[3], "raw.x.y");
	assert_true(spec_model(again, "Bag")->fails_run);
	assert_false(spec_model(again, "Thing")->fails_run);
	assert_true(spec_sync(again, "plain")->tracks_deletes);
	assert_false(spec_sync(again, "things")->tracks_deletes);
	/* $extends is resolved: NewThing has Person's members. */
	assert_int_equal(spec_model(again, "NewThing")->fields.count, 3);
	assert_string_equal(spec_action(again, "make-thing")->input, "NewThing");
	assert_null(spec_action(again, "things"));
	talloc_free(mem);
}

/* Cron, its zone and the policy for missed runs survive; UTC and "one" are the defaults. */
static void
test_canonical_cron(void **state)
{
	static const char text[] =
	    "nango: 1\nprovider: p\nversion: 1.0.0\nmodels: {M: {id: string}}\nsyncs:\n"
	    "  a: {runs: {cron: 0 6 * * 1-5, time_zone: Europe/Berlin}, missed: all, models: "
	    "M}\n"
	    "  b: {runs: {cron: \"@hourly\"}, models: M}\n";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec, *again;
	struct error err;
	char *json;

	(void)state;
	if (spec_read_text(mem, "x", text, strlen(text), &spec, &err) < 0)
		fail_msg("%s", err.message);
	json = spec_json(mem, spec);
	if (spec_parse(mem, json, strlen(json), &again, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(spec_json(mem, again), json);
	assert_string_equal(again->syncs[0].cron, "0 6 * * 1-5");
	assert_string_equal(again->syncs[0].time_zone, "Europe/Berlin");
	assert_int_equal(again->syncs[0].missed, SCHEDULE_ALL);
	assert_null(again->syncs[0].runs);
	assert_string_equal(again->syncs[1].time_zone, "UTC");
	assert_int_equal(again->syncs[1].runs_ms, 3600000);
	assert_int_equal(again->syncs[1].missed, SCHEDULE_ONE);
	talloc_free(mem);
}

/* What makes no change: a model's own paths, and those of the models within it, at any depth;
 * one that holds itself names them once. */
static void
test_volatile_paths(void **state)
{
	static const char text[] =
	    "nango: 1\nprovider: p\nversion: 1.0.0\nactions: {a: {output: Issue}}\nmodels:\n"
	    "  Issue: {id: string, by: User, notes: \"Note[]\", $volatile: [id, by.seen_at]}\n"
	    "  User: {name: string, seen_at: date, $volatile: seen_at}\n"
	    "  Note: {at: date, by: User, answers: \"Note[]\", $volatile: at}\n";
	static const char *const expected[] = {"id", "by.seen_at", "notes.at",
					       "notes.by.seen_at", NULL};
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *const *paths;
	struct spec *spec;
	struct error err;

	(void)state;
	if (spec_read_text(mem, "x", text, strlen(text), &spec, &err) < 0)
		fail_msg("%s", err.message);
	paths = spec_model(spec, "Issue")->volatile_paths;
	for (size_t i = 0; expected[i] != NULL; i++)
		assert_string_equal(paths[i], expected[i]);
	assert_null(paths[4]);
	assert_string_equal(spec_model(spec, "User")->volatile_paths[0], "seen_at");
	assert_null(spec_model(spec, "User")->volatile_paths[1]);
	talloc_free(mem);
}

/* The order and the comments of plugin.yaml leave no trace. */
static void
test_canonical_order(void **state)
{
	static const char a[] =
	    "nango: 1\nprovider: p\nversion: 1.0.0\nactions: {a: {output: M}}\n"
	    "models:\n  M: {b: string, a: \"integer?\"}\n  L: {x: json}\n";
	static const char b[] =
	    "models: # the models\n  L: {x: json}\n  M: {a: integer ?, b: string}\n"
	    "version: 1.0.0\nactions: {a: {output: M}}\nprovider: p\nnango: 1\n";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *one, *two;
	struct error err;

	(void)state;
	assert_int_equal(spec_read_text(mem, "a", a, strlen(a), &one, &err), 0);
	assert_int_equal(spec_read_text(mem, "b", b, strlen(b), &two, &err), 0);
	assert_string_equal(spec_json(mem, one), spec_json(mem, two));
	talloc_free(mem);
}

static void
test_hostile_json(void **state)
{
	static const char *const texts[] = {
	    "",
	    "{",
	    "[]",
	    "null",
	    "{\"nango\":1}",
	    "{\"nango\":[1]}",
	    "{\"nango\":1,\"provider\":{},\"version\":\"1.0.0\"}",
	    "{\"nango\":1,\"provider\":\"p\",\"version\":\"1.0.0\",\"import\":[\"/etc/"
	    "passwd\"],"
	    "\"actions\":{\"a\":{}}}",
	    "{\"nango\":1,\"provider\":\"p\",\"version\":\"1.0.0\",\"models\":{\"M\":{\"a\":"
	    "\"M[\"}}}",
	    "{\"nango\":1,\"provider\":\"p\",\"version\":\"1.0.0\",\"models\":{\"M\":{\"a\":5}}"
	    "}",
	    "{\"nango\":1,\"provider\":\"p\",\"version\":\"1.0.0\",\"syncs\":{\"s\":{\"runs\":"
	    "\"1h\","
	    "\"models\":[\"M\"]}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct error err = {0};
		struct spec *spec;

		assert_int_equal(spec_parse(mem, texts[i], strlen(texts[i]), &spec, &err), -1);
		assert_int_equal(err.code, ERR_PLUGIN);
		talloc_free(mem);
	}
}

static void
test_suggestions(void **state)
{
	static const char *const words[] = {"syncs", "actions", "models", NULL};

	(void)state;
	assert_string_equal(suggest_word("snycs", words), "syncs");
	assert_string_equal(suggest_word("model", words), "models");
	assert_string_equal(suggest_word("acctions", words), "actions");
	assert_null(suggest_word("colour", words));
	assert_int_equal(suggest_distance("abc", "acb"), 1);
	assert_int_equal(suggest_distance("", "abc"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_intervals),
	    cmocka_unit_test(test_canonical_round_trip),
	    cmocka_unit_test(test_canonical_cron),
	    cmocka_unit_test(test_volatile_paths),
	    cmocka_unit_test(test_canonical_order),
	    cmocka_unit_test(test_hostile_json),
	    cmocka_unit_test(test_suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
