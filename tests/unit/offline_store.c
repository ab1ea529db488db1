/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline_store: what nango-plugin test keeps of a run: merges, deletions, windows, lookups.
 */
#include "offline_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct jsonspan
span(const char *text)
{
	return (struct jsonspan){text, strlen(text)};
}

static void
test_merge(void **state)
{
	static const struct {
		const char *why, *from, *over, *out;
	} rows[] = {
	    {"a new member", "{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}"},
	    {"replaced, in its place", "{\"a\":1,\"b\":2}", "{\"a\":3}", "{\"a\":3,\"b\":2}"},
	    {"deeply", "{\"a\":{\"b\":1,\"c\":{\"d\":2}}}", "{\"a\":{\"c\":{\"e\":3}}}",
	     "{\"a\":{\"b\":1,\"c\":{\"d\":2,\"e\":3}}}"},
	    {"lists are replaced", "{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"},
	    {"null is a value", "{\"a\":{\"b\":1}}", "{\"a\":null}", "{\"a\":null}"},
	    {"an object over a number", "{\"a\":1}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
	    {"numbers keep their text", "{\"a\":1e400,\"b\":18446744073709551616}", "{}",
	     "{\"a\":1e400,\"b\":18446744073709551616}"},
	    {"of duplicates the last", "{\"a\":1,\"a\":2}", "{\"b\":1,\"b\":2}",
	     "{\"a\":2,\"b\":2}"},
	    {"nothing", "{}", "{}", "{}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out;

		buf_init(&out, NULL, 16);
		offline_merge(&out, span(rows[i].from), span(rows[i].over));
		if (strcmp(out.data, rows[i].out) != 0)
			fail_msg("%s: %s", rows[i].why, out.data);
		buf_done(&out);
	}
}

/* A page of one record of model Item: "+…" saves, "~…" updates, "-…" deletes. */
static void
commit(struct offline_store *store, const char *text, bool opens, bool closes)
{
	struct run_record record = {.change = text[0] == '-'   ? RUN_DELETE
					      : text[0] == '~' ? RUN_UPDATE
							       : RUN_SAVE};
	struct run_page_model model = {.model = "Item",
				       .records = &record,
				       .count = text[0] != '\0',
				       .opens_window = opens,
				       .closes_window = closes};
	struct run_page page = {.models = &model, .models_count = 1};

	if (text[0] != '\0') {
		record.bytes = span(text + 1);
		record.id = jsonspan_member(record.bytes, "id");
	}
	offline_store_commit(store, &page);
}

static void
assert_found(struct offline_store *store, const char *ids, const char *cursor, size_t limit,
	     const char *wanted)
{
	struct run_lookup asked = {"Item", ids, cursor, limit};
	struct buf out;

	buf_init(&out, NULL, 64);
	offline_store_find(store, &asked, &out);
	assert_string_equal(out.data, wanted);
	buf_done(&out);
}

static void
test_store(void **state)
{
	struct offline_store *store = offline_store_new(NULL);

	(void)state;
	commit(store, "+{\"id\":\"1\",\"a\":{\"b\":1}}", false, false);
	commit(store, "+{\"id\":2}", false, false);
	commit(store, "+{\"id\":\"3\"}", false, false);
	commit(store, "~{\"id\":\"1\",\"a\":{\"c\":2}}", false, false);
	commit(store, "~{\"id\":\"nobody\"}", false, false);
	commit(store, "-{\"id\":\"3\"}", false, false);
	assert_found(store, NULL, NULL, 1000,
		     "{\"records\":[{\"id\":\"1\",\"a\":{\"b\":1,\"c\":2}},{\"id\":2}],"
		     "\"cursor\":null}");
	assert_found(store, "[\"2\",\"3\",\"4\"]", NULL, 1000,
		     "{\"records\":[{\"id\":2}],\"cursor\":null}");
	assert_found(store, NULL, "1", 1, "{\"records\":[{\"id\":2}],\"cursor\":\"2\"}");
	talloc_free(store);
}

static void
test_window(void **state)
{
	struct offline_store *store = offline_store_new(NULL);

	(void)state;
	commit(store, "+{\"id\":\"1\"}", false, false);
	commit(store, "+{\"id\":\"2\"}", false, false);
	commit(store, "+{\"id\":\"3\"}", true, false);
	commit(store, "+{\"id\":\"1\"}", true, false); /* it is open: what was seen stays so */
	commit(store, "", false, true);
	assert_found(store, NULL, NULL, 10,
		     "{\"records\":[{\"id\":\"1\"},{\"id\":\"3\"}],\"cursor\":null}");
	commit(store, "", false, true); /* none is open */
	assert_found(store, NULL, NULL, 10,
		     "{\"records\":[{\"id\":\"1\"},{\"id\":\"3\"}],\"cursor\":null}");
	talloc_free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_merge),
	    cmocka_unit_test(test_store),
	    cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
