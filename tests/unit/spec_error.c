/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/spec: every mistake in a plugin.yaml is named with its line and column, its code, and
 * where there is one, the fix.
 */
#include "run/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define TOP "nango: 1\nprovider: p\nversion: 1.0.0\n"
#define SYNCS TOP "syncs:\n  s:\n    runs: every 1h\n    models: [M]\n"
#define MODELS "models:\n  M:\n    id: string\n"
/* A plugin whose model M has one more member, at line 11. */
#define MEMBER(text) SYNCS MODELS "    " text "\n"
/* A plugin whose sync has one more key, at line 8. */
#define KEY(text) SYNCS "    " text "\n" MODELS

static const struct {
	const char *why, *yaml;
	int line, column;
	const char *code, *text, *help; /* parts that must be there */
} cases[] = {
    {"the format comes first", "provider: p\n", 1, 1, "E0102", "\"nango\" is missing",
     "nango: 1"},
    {"another format", "nango: 2\nprovider: p\n", 1, 8, "E0101", "format 1 only", "nango: 1"},
    {"no provider", "nango: 1\nversion: 1.0.0\n", 1, 1, "E0102", "\"provider\"", "github"},
    {"no version", "nango: 1\nprovider: p\n", 1, 1, "E0102", "\"version\"", "1.0.0"},
    {"two numbers are no version", "nango: 1\nprovider: p\nversion: 1.2\n", 3, 10, "E0106",
     "\"1.2\"", "1.2.0"},
    {"leading zeros", "nango: 1\nprovider: p\nversion: 1.02.0\n", 3, 10, "E0106", "1.02.0",
     NULL},
    {"a capital in a provider", "nango: 1\nprovider: GitHub\nversion: 1.0.0\n", 2, 11, "E0105",
     "\"GitHub\"", "lower-case"},
    {"an empty provider", "nango: 1\nprovider: \"\"\nversion: 1.0.0\n", 2, 11, "E0104", "empty",
     NULL},
    {"the file is a list", "- a\n- b\n", 1, 1, "E0104", "must be a mapping", NULL},
    {"nothing offered", TOP, 1, 1, "E0102", "offers nothing", "syncs"},
    {"a mistyped key at the top", TOP "sync: {}\n", 4, 1, "E0103", "\"sync\"",
     "did you mean \"syncs\"?"},
    {"a key like no other lists them", TOP "colour: red\n", 4, 1, "E0103", "\"colour\"",
     "known are nango, provider"},
    {"syncs as a list", TOP "syncs: [a]\n", 4, 8, "E0104", "syncs must be a mapping", NULL},
    {"a sync as a text", TOP "syncs:\n  s: yes\n", 5, 6, "E0104", "a sync must be a mapping",
     NULL},
    {"a sync's name", TOP "syncs:\n  Issues: {runs: every 1h, models: [M]}\n" MODELS, 5, 3,
     "E0105", "\"Issues\"", "create-issue"},
    {"a mistyped key in a sync", KEY("scope: [a]"), 8, 5, "E0103", "\"scope\"",
     "did you mean \"scopes\"?"},
    {"no interval", TOP "syncs:\n  s: {models: [M]}\n" MODELS, 5, 3, "E0102", "\"runs\"",
     "every 1h"},
    {"an interval in the wrong words",
     TOP "syncs:\n  s:\n    runs: hourly\n    models: [M]\n" MODELS, 6, 11, "E0107",
     "\"hourly\" is no interval", "every 15m"},
    {"too often", TOP "syncs:\n  s:\n    runs: every 10s\n    models: [M]\n" MODELS, 6, 11,
     "E0107", "under 30 seconds", NULL},
    {"too rarely", TOP "syncs:\n  s:\n    runs: every 40d\n    models: [M]\n" MODELS, 6, 11,
     "E0107", "over 31 days", NULL},
    {"an unknown key beside cron",
     TOP "syncs:\n  s:\n    runs: {cron: 0 6 * * *, zone: UTC}\n    models: [M]\n" MODELS, 6,
     29, "E0103", "\"zone\"", "time_zone"},
    {"a mapping without cron",
     TOP "syncs:\n  s:\n    runs: {time_zone: UTC}\n    models: [M]\n" MODELS, 6, 11, "E0102",
     "\"cron\"", "0 6 * * 1-5"},
    {"an hour that there is not",
     TOP "syncs:\n  s:\n    runs: {cron: 0 24 * * *}\n    models: [M]\n" MODELS, 6, 18, "E0108",
     "\"24\" as hour is out of range", "day of week"},
    {"cron more often than every 30 s",
     TOP "syncs:\n  s:\n    runs: {cron: \"*/20 * * * * *\"}\n    models: [M]\n" MODELS, 6, 18,
     "E0108", "more often than every 30 seconds", NULL},
    {"a date that never comes",
     TOP "syncs:\n  s:\n    runs: {cron: 0 0 30 2 *}\n    models: [M]\n" MODELS, 6, 18, "E0108",
     "names no date", NULL},
    {"a time zone that there is not",
     TOP "syncs:\n  s:\n    runs: {cron: 0 6 * * *, time_zone: Europe/Atlantis}\n    models: "
	 "[M]\n" MODELS,
     6, 40, "E0108", "Europe/Atlantis", "Europe/Berlin"},
    {"a time zone that leads elsewhere",
     TOP "syncs:\n  s:\n    runs: {cron: 0 6 * * *, time_zone: ../etc/passwd}\n    models: "
	 "[M]\n" MODELS,
     6, 40, "E0108", "no name of a time zone", NULL},
    {"an unknown policy for missed runs", KEY("missed: some"), 8, 13, "E0120", "\"some\"",
     "one run"},
    {"a full refresh that goes on in the middle",
     KEY("track_deletes: true\n    checkpoint: {page: integer}"), 8, 20, "E0121",
     "has no checkpoint", "nango_track_deletes_start"},
    {"no models", TOP "syncs:\n  s: {runs: every 1h}\n" MODELS, 5, 3, "E0102", "\"models\"",
     "Issue"},
    {"an empty list of models", TOP "syncs:\n  s: {runs: every 1h, models: []}\n" MODELS, 5, 31,
     "E0102", "at least one", NULL},
    {"an unknown model, near to one",
     TOP "syncs:\n  s: {runs: every 1h, models: [Isue]}\nmodels:\n"
	 "  Issue: {id: string}\n",
     5, 32, "E0109", "no model Isue", "did you mean Issue?"},
    {"a model twice", TOP "syncs:\n  s: {runs: every 1h, models: [M, M]}\n" MODELS, 5, 35,
     "E0114", "stands twice", NULL},
    {"a synced model without id", SYNCS "models:\n  M: {name: string}\n", 7, 14, "E0112",
     "no member id", "id: string"},
    {"an optional id", SYNCS "models:\n  M: {id: \"string?\"}\n", 7, 14, "E0112",
     "always there", NULL},
    {"an id that is a list", SYNCS "models:\n  M: {id: \"string[]\"}\n", 7, 14, "E0112",
     "string or integer", NULL},
    {"auto_start", KEY("auto_start: no"), 8, 17, "E0118", "true or false", NULL},
    {"scopes as a mapping", KEY("scopes: {a: b}"), 8, 13, "E0104", "must be a list", "[a, b]"},
    {"an empty checkpoint", KEY("checkpoint: {}"), 8, 17, "E0113", "0 members", NULL},
    {"a checkpoint with a list", KEY("checkpoint: {a: \"string[]\"}"), 8, 21, "E0113",
     "\"a\" is not", NULL},
    {"a checkpoint with a model", KEY("checkpoint: {a: M}"), 8, 21, "E0113", "flat", NULL},
    {"a checkpoint with json", KEY("checkpoint: {a: json}"), 8, 21, "E0113", "flat", NULL},
    {"empty metadata", KEY("metadata: {}"), 8, 15, "E0102", "without members", NULL},
    {"metadata as a text", KEY("metadata: M"), 8, 15, "E0104", "must be a mapping", NULL},
    {"a mistyped key in an action", TOP "actions:\n  a: {inptu: M}\n" MODELS, 5, 7, "E0103",
     "\"inptu\"", "did you mean \"input\"?"},
    {"an action's model", TOP "actions:\n  a: {input: N}\n" MODELS, 5, 14, "E0109",
     "no model N", NULL},
    {"an action's input written out", TOP "actions:\n  a: {input: {t: string}}\n" MODELS, 5, 14,
     "E0104", "name of a model", "under models"},
    {"one name for a sync and an action", KEY("scopes: [x]") "actions:\n  s: {output: M}\n", 13,
     3, "E0114", "\"s\"", NULL},
    {"a model's name", TOP "models:\n  issue: {id: string}\n", 5, 3, "E0105", "\"issue\"",
     "capital"},
    {"the SDK's names", TOP "models:\n  NangoRun: {id: string}\n", 5, 3, "E0105", "SDK's",
     NULL},
    {"a model as a text", TOP "models:\n  M: string\n", 5, 6, "E0104", "must be a mapping",
     NULL},
    {"a model without members", TOP "models:\n  M: {}\n", 5, 3, "E0102", "no members", NULL},
    {"a mistyped $ key", MEMBER("$extend: N"), 11, 5, "E0103", "\"$extend\"",
     "did you mean \"$extends\"?"},
    {"$extra has two words", MEMBER("$extra: yes"), 11, 13, "E0104", "keep or drop", NULL},
    {"$invalid has two words", MEMBER("$invalid: drop"), 11, 15, "E0104", "fail or quarantine",
     "`$invalid: fail`"},
    {"track_deletes", KEY("track_deletes: always"), 8, 20, "E0118", "true or false", NULL},
    {"$volatile leads into a text", MEMBER("$volatile: [id.x]"), 11, 16, "E0109", "\"id.x\"",
     "owner.seen_at"},
    {"$volatile leads through a model",
     SYNCS "models:\n  M: {id: string, n: \"N[]\", $volatile: [n.b]}\n  N: {a: string}\n", 9,
     40, "E0109", "\"n.b\"", NULL},
    {"$volatile names members", MEMBER("$volatile: [x]"), 11, 16, "E0109", "\"x\"", NULL},
    {"$extends an unknown model", MEMBER("$extends: N"), 11, 15, "E0109", "no model N", NULL},
    {"$extends in a circle",
     SYNCS "models:\n  M: {$extends: N, id: string}\n  N: {$extends: M}\n", 10, 17, "E0116",
     "extends itself", NULL},
    {"a member written out", MEMBER("a: {b: string}"), 11, 8, "E0104", "written as a mapping",
     "a model of its own"},
    {"a member as a YAML list", MEMBER("a: [string]"), 11, 8, "E0104", "written as a list",
     "Type[]"},
    {"the ? at the name", MEMBER("a?: string"), 11, 5, "E0105", "ends with ?", "string?"},
    {"a mistyped type", MEMBER("a: strng"), 11, 8, "E0110", "no type \"strng\"",
     "did you mean string?"},
    {"a type of another language", MEMBER("a: int"), 11, 8, "E0110", "\"int\"",
     "did you mean integer?"},
    {"an unknown model in a type", MEMBER("a: Label"), 11, 8, "E0109", "no model Label",
     "single quotes"},
    {"a union of types", MEMBER("a: string | integer"), 11, 17, "E0111", "union of two types",
     "json"},
    {"a union of words and a type", MEMBER("a: open | string"), 11, 21, "E0111",
     "words and another type", NULL},
    {"a word twice", MEMBER("a: b | b"), 11, 12, "E0110", "'b' stands twice", NULL},
    {"a type that stops", MEMBER("a: string |"), 11, 16, "E0110", "missing here", NULL},
    {"a list of lists", MEMBER("a: \"string[][]\""), 11, 17, "E0111", "list of lists", "json"},
    {"a list of things that may be null", MEMBER("a: \"(string | null)[]\""), 11, 24, "E0111",
     "item of a list", NULL},
    {"generic types", MEMBER("a: Array<string>"), 11, 8, "E0110", "generic", "Model[]"},
    {"a quote that is not closed", MEMBER("a: \"'open\""), 11, 9, "E0110", "not closed", NULL},
    {"a parenthesis that is not closed", MEMBER("a: (open | closed"), 11, 22, "E0110",
     "not closed", NULL},
    {"text behind a type", MEMBER("a: string string"), 11, 15, "E0110", "unexpected 's'", NULL},
    {"an import that is not there", TOP "import: [nope.yaml]\n" MODELS, 4, 10, "E0115",
     "cannot import", "relative"},
};

static void
test_errors(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct error err = {0};
		struct spec *spec;
		char place[64], code[16];

		if (spec_read_text(mem, "plugin.yaml", cases[i].yaml, strlen(cases[i].yaml),
				   &spec, &err) == 0)
			fail_msg("%s: accepted", cases[i].why);
		snprintf(place, sizeof(place), "plugin.yaml:%d:%d: ", cases[i].line,
			 cases[i].column);
		snprintf(code, sizeof(code), "[%s]", cases[i].code);
		if (strncmp(err.message, place, strlen(place)) != 0 ||
		    strstr(err.message, code) == NULL ||
		    strstr(err.message, cases[i].text) == NULL ||
		    (cases[i].help != NULL &&
		     (strstr(err.message, "\nhelp: ") == NULL ||
		      strstr(strstr(err.message, "\nhelp: "), cases[i].help) == NULL)))
			failed++, print_error("%s: wanted %s%s %s, got: %s\n", cases[i].why,
					      place, code, cases[i].text, err.message);
		talloc_free(mem);
	}
	assert_int_equal(failed, 0);
}

/* Faults that base/yaml finds: they have a place, but are about YAML and not about plugins. */
static void
test_yaml_errors(void **state)
{
	static const char *const texts[] = {"a: 1\na: 2\n", "a: [1\n", "<<: {a: 1}\n", "",
					    "a: !x 1\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct error err = {0};
		struct spec *spec;

		assert_int_equal(
		    spec_read_text(mem, "plugin.yaml", texts[i], strlen(texts[i]), &spec, &err),
		    -1);
		assert_ptr_equal(strstr(err.message, "plugin.yaml:"), err.message);
		talloc_free(mem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_yaml_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
