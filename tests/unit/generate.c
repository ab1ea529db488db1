/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin generate: the files are those that were looked at and kept (golden/), and the
 * code in them does what models.h promises.
 *
 * After a wanted change: nango-plugin generate tests/unit/golden -o tests/unit/golden, then
 * models.h is renamed to models.inc (it carries no licence line: it is its author's).
 */
#include "generate.h"
#include "plugin_support.h"
#include "project.h"
#include "golden/models.inc"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <cmocka.h>

static void
test_golden(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *top = getenv("NANGO_TOP_SRCDIR");
	const char *folder =
	    talloc_asprintf(mem, "%s/tests/unit/golden", top == NULL ? "." : top);
	const char *const names[] = {"models.inc", "models.schema.json", "models.d.ts"};
	char *made[3], *kept;
	struct error err;
	struct spec *spec;
	size_t length;

	(void)state;
	if (spec_read(mem, talloc_asprintf(mem, "%s/plugin.yaml", folder), &spec, &err) < 0 ||
	    generate_c(mem, spec, &made[0], &err) < 0)
		fail_msg("%s", err.message);
	made[1] = generate_schema(mem, spec);
	made[2] = generate_types(mem, spec);
	for (size_t i = 0; i < 3; i++) {
		const char *path = talloc_asprintf(mem, "%s/%s", folder, names[i]);

		if (project_read_file(mem, path, 1 << 20, &kept, &length, &err) < 0)
			fail_msg("%s", err.message);
		if (strcmp(made[i], kept) != 0)
			fail_msg("%s is not what is generated now", path);
	}
	talloc_free(mem);
}

#define WHOLE                                                                               \
	"{\"id\":\"1\",\"maybe\":null,\"number\":5,\"ratio\":0.5,\"price\":1.10,\"is_on\":" \
	"true,"                                                                             \
	"\"state\":\"open\",\"void\":null,\"boss\":null,\"tags\":[],\"people\":[]"
#define WRITTEN_HEAD "{\"boss\":null,\"id\":\"1\",\"is_on\":true,\"maybe\":null,\"number\":5"
#define WRITTEN                                                                                \
	"{\"boss\":null,\"id\":\"1\",\"is_on\":true,\"maybe\":null,\"number\":5,\"people\":[]" \
	","                                                                                    \
	"\"price\":\"1.10\",\"ratio\":0.5,\"state\":\"open\",\"tags\":[],\"void\":null}"

/* In → what is saved, and the fault that travels with it. */
static void
test_things(void **state)
{
	static const struct {
		const char *why, *in, *out, *problem;
	} cases[] = {
	    {"the least: sorted, decimals as text, null where declared", WHOLE "}", WRITTEN,
	     NULL},
	    {"a number's text becomes a string", WHOLE ",\"id\":9007199254740993}",
	     "{\"boss\":null,\"id\":\"9007199254740993\"", NULL},
	    {"of duplicate members the last counts", WHOLE ",\"number\":6}", NULL, NULL},
	    {"null for what is only optional is absent", WHOLE ",\"text\":null}", WRITTEN,
	     NULL},
	    {"three things: null", WHOLE ",\"three\":null}", "\"three\":null", NULL},
	    {"three things: a value", WHOLE ",\"three\":\"x\"}", "\"three\":\"x\"", NULL},
	    {"three things: absent", WHOLE "}", WRITTEN, NULL},
	    {"the same for numbers", WHOLE ",\"nothing_or_number\":null}",
	     "\"nothing_or_number\":null", NULL},
	    {"zero is a value", WHOLE ",\"some\":0}", "\"some\":0", NULL},
	    {"false is a value", WHOLE ",\"flag\":false}", "\"flag\":false", NULL},
	    {"the ends of int64", WHOLE ",\"some\":-9223372036854775808}",
	     "\"some\":-9223372036854775808", NULL},
	    {"beyond int64", WHOLE ",\"some\":9223372036854775808}", NULL,
	     "some: is not an integer of 64 bits"},
	    {"a fraction is no integer", WHOLE ",\"some\":1.5}", NULL,
	     "some: is not an integer of 64 bits"},
	    {"a decimal in a string", WHOLE ",\"price\":\"10.50\"}", "\"price\":\"10.50\"",
	     NULL},
	    {"a decimal that is none", WHOLE ",\"price\":\"1,5\"}", NULL,
	     "price: is not a decimal number"},
	    {"a word of none of them", WHOLE ",\"state\":\"ajar\"}", NULL,
	     "state: is none of open, closed"},
	    {"a quoted word", WHOLE ",\"kind\":\"On Hold\"}", "\"kind\":\"On Hold\"", NULL},
	    {"text where an object should be", WHOLE ",\"owner\":\"ada\"}", NULL,
	     "owner: is not an object"},
	    {"a fault deep down has a path",
	     WHOLE ",\"people\":[{\"name\":\"a\"},{\"age\":1}]}", NULL,
	     "people[1].name: is absent"},
	    {"a nested object", WHOLE ",\"owner\":{\"age\":3,\"name\":\"ada\",\"x\":1}}",
	     "\"owner\":{\"age\":3,\"name\":\"ada\"}", NULL},
	    {"a model within itself", WHOLE ",\"children\":[" WHOLE "}]}",
	     "\"children\":[" WRITTEN_HEAD, NULL},
	    {"a list of numbers", WHOLE ",\"sizes\":[3,-1]}", "\"sizes\":[3,-1]", NULL},
	    {"a wrong item", WHOLE ",\"sizes\":[3,\"x\"]}", NULL,
	     "sizes[1]: is not an integer of 64 bits"},
	    {"no list", WHOLE ",\"tags\":{}}", NULL, "tags: is not a list"},
	    {"words in a list", WHOLE ",\"words\":[\"b\",\"a\"]}", "\"words\":[\"b\",\"a\"]",
	     NULL},
	    {"json passes as it stands", WHOLE ",\"raw\": [1.0, {\"z\":1,\"a\":2}]}",
	     "\"raw\":[1.0, {\"z\":1,\"a\":2}]", NULL},
	    {"json null is a value", WHOLE ",\"raw\":null}", "\"raw\":null", NULL},
	    {"names of C and odd names",
	     WHOLE ",\"class\":\"c\",\"camelCase\":\"d\",\"odd \\\"name\\\"\":\"e\"}",
	     "\"odd \\\"name\\\"\":\"e\"", NULL},
	    {"unknown members are dropped", WHOLE ",\"other\":1}", WRITTEN, NULL},
	    {"not an object", "[]", NULL, ": is not an object"},
	    {"what must be there", "{\"id\":\"1\"}", NULL, "boss: is absent"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stand stand;
		struct thing thing;

		stand_open(&stand);
		thing = thing_read(&stand.run, stand_value(&stand, cases[i].in));
		thing_save(&stand.run, &thing);
		assert_int_equal(stand.records_count, 1);
		assert_string_equal(stand.records[0].model, "Thing");
		if (cases[i].out != NULL && strstr(stand.records[0].json, cases[i].out) == NULL)
			fail_msg("%s: wrote %s", cases[i].why, stand.records[0].json);
		if ((cases[i].problem == NULL) != (stand.records[0].problem == NULL) ||
		    (cases[i].problem != NULL &&
		     strcmp(cases[i].problem, stand.records[0].problem) != 0))
			fail_msg("%s: problem %s", cases[i].why,
				 stand.records[0].problem == NULL ? "none"
								  : stand.records[0].problem);
		stand_close(&stand);
	}
}

static void
test_extra(void **state)
{
	static const struct {
		const char *why, *in, *out;
	} cases[] = {
	    {"unknown members stand in order among the known",
	     "{\"z\":1,\"zebra\":\"s\",\"a\":{\"y\": 1},\"id\":7}",
	     "{\"a\":{\"y\": 1},\"id\":7,\"z\":1,\"zebra\":\"s\"}"},
	    {"of duplicates the last", "{\"a\":1,\"id\":7,\"a\":2}", "{\"a\":2,\"id\":7}"},
	    {"an escaped name is the name", "{\"\\u0061b\":1,\"id\":7,\"\\u0069d\":8}",
	     "{\"ab\":1,\"id\":8}"},
	    {"null passes", "{\"a\":null,\"id\":7}", "{\"a\":null,\"id\":7}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stand stand;
		struct bag bag;

		stand_open(&stand);
		bag = bag_read(&stand.run, stand_value(&stand, cases[i].in));
		bag_save(&stand.run, &bag);
		if (strcmp(stand.records[0].json, cases[i].out) != 0)
			fail_msg("%s: wrote %s", cases[i].why, stand.records[0].json);
		stand_close(&stand);
	}
}

/* An update holds the members that were named, and the id. */
static void
test_update(void **state)
{
	struct stand stand;
	struct thing thing = {.id = "1", .state = "closed", .number = 7, .text = "t"};
	struct bag bag = {.id = 7};

	(void)state;
	stand_open(&stand);
	thing_update(&stand.run, &thing, NANGO_TEXTS("state", "number"));
	assert_string_equal(stand.records[0].json,
			    "{\"id\":\"1\",\"number\":7,\"state\":\"closed\"}");
	assert_int_equal(stand.records[0].change, NANGO_UPDATE);
	assert_null(stand.records[0].problem);
	thing_update(&stand.run, &thing, NANGO_TEXTS("maybe", "text"));
	assert_string_equal(stand.records[1].json,
			    "{\"id\":\"1\",\"maybe\":null,\"text\":\"t\"}");
	thing_update(&stand.run, &thing, NANGO_TEXTS("stat"));
	assert_string_equal(stand.records[2].problem, "stat: is no member of the model");
	thing_update(&stand.run, &thing, NANGO_TEXTS("price"));
	assert_string_equal(stand.records[3].problem, "price: is absent");
	bag.extra = stand_value(&stand, "{\"z\":1}");
	bag_update(&stand.run, &bag, NANGO_TEXTS("zebra"));
	assert_string_equal(stand.records[4].json, "{\"id\":7}");
	stand_close(&stand);
}

static void
test_delete_and_lookup(void **state)
{
	struct stand stand;
	struct bag *bags;
	size_t found;

	(void)state;
	stand_open(&stand);
	thing_delete(&stand.run, "a\"b");
	assert_string_equal(stand.records[0].json, "{\"id\":\"a\\\"b\"}");
	bag_delete(&stand.run, -7);
	assert_string_equal(stand.records[1].json, "{\"id\":\"-7\"}");
	assert_int_equal(stand.records[1].change, NANGO_DELETE);
	stand.stored = "[{\"id\":7,\"zebra\":\"z\",\"x\":1},{\"id\":8}]";
	bags = bag_by_ids(&stand.run, NANGO_TEXTS("7", "8", "9"), 3, &found);
	assert_int_equal(found, 2);
	assert_string_equal(bags[0].zebra, "z");
	assert_int_equal(bags[1].id, 8);
	stand_close(&stand);
}

/* What the author forgot, or got wrong by computing. */
static void
test_written_faults(void **state)
{
	struct stand stand;
	struct thing thing = {
	    .id = "1", .price = "1", .state = "open", .ratio = (double)NAN, .maybe = "m"};

	(void)state;
	stand_open(&stand);
	thing_save(&stand.run, &thing);
	assert_string_equal(stand.records[0].problem, "ratio: is not a finite number");
	thing.ratio = 1;
	thing.id = NULL;
	thing_save(&stand.run, &thing);
	assert_string_equal(stand.records[1].problem, "id: is absent");
	stand_close(&stand);
}

static void
commit_twice(struct nango_run *run)
{
	struct things_metadata metadata = things_metadata(run);
	struct things_checkpoint checkpoint = things_checkpoint(run);

	assert_null(checkpoint.after);
	checkpoint.after =
	    nango_format(run, "%s/%s \"q\"\n", metadata.folder, metadata.names[1]);
	checkpoint.has_ratio = true;
	checkpoint.ratio = 0.1;
	things_commit(run, &checkpoint);
	/* The page is gone; the checkpoint's and the metadata's strings are not. */
	checkpoint.has_count = true;
	checkpoint.count = metadata.depth;
	checkpoint.phase = "search";
	things_commit(run, &checkpoint);
	assert_string_equal(metadata.names[0], "x");
}

static void
test_checkpoint(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand);
	stand.metadata = "{\"folder\":\"f\",\"names\":[\"x\",\"y\"],\"depth\":-3,\"other\":1}";
	assert_true(stand_run(&stand, commit_twice));
	assert_int_equal(stand.commits, 2);
	assert_string_equal(stand.checkpoint,
			    "{\"after\":\"f/y \\\"q\\\"\\u000a\",\"count\":-3,"
			    "\"phase\":\"search\",\"ratio\":0.1}");
	stand_close(&stand);
}

static void
test_metadata_that_is_missing(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand);
	assert_false(stand_run(&stand, commit_twice));
	assert_non_null(strstr(stand.failure, "invalid_metadata: the metadata does not fit"));
	assert_non_null(strstr(stand.failure, "folder: is absent"));
	stand_close(&stand);
}

static void
make_thing(struct nango_run *run)
{
	struct new_thing input = make_thing_input(run);
	struct thing thing = {
	    .id = input.title, .price = "2.50", .state = "closed", .maybe = input.name};

	make_thing_output(run, &thing);
}

static void
test_action(void **state)
{
	struct stand stand;

	(void)state;
	stand_open(&stand);
	stand.input = "{\"name\":\"n\",\"title\":\"t\"}";
	assert_true(stand_run(&stand, make_thing));
	assert_non_null(strstr(stand.output, "\"id\":\"t\",\"is_on\":false,\"maybe\":\"n\""));
	stand.input = "{\"name\":5}";
	assert_false(stand_run(&stand, make_thing));
	assert_string_equal(stand.failure, "invalid_input: the input: title: is absent");
	stand_close(&stand);
}

static void
test_names(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"NewIssue", "new_issue"},
	    {"create-issue", "create_issue"},
	    {"HTMLPage", "html_page"},
	    {"closedAt", "closed_at"},
	    {"class", "class_"},
	    {"2nd", "_2nd"},
	    {"a b.c", "a_b_c"},
	    {"problem", "problem_"},
	    {"ID", "id"},
	};
	static const char clash[] =
	    "nango: 1\nprovider: p\nversion: 1.0.0\nactions: {a: {output: M}}\n"
	    "models: {M: {newId: string, new_id: string}}\n";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct error err;
	struct spec *spec;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(generate_name(mem, cases[i].in), cases[i].out);
	assert_int_equal(spec_read_text(mem, "p", clash, strlen(clash), &spec, &err), 0);
	assert_int_equal(generate_c(mem, spec, &text, &err), -1);
	assert_non_null(strstr(err.message, "both be new_id in C [E0119]"));
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),     cmocka_unit_test(test_things),
	    cmocka_unit_test(test_update),     cmocka_unit_test(test_delete_and_lookup),
	    cmocka_unit_test(test_extra),      cmocka_unit_test(test_written_faults),
	    cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_metadata_that_is_missing),
	    cmocka_unit_test(test_action),     cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
