/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_window, with a real Postgres: what closing a delete window may delete.
 */
#include "ingest_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 30 /* over what may always be deleted at once */

static const char *
saves(TALLOC_CTX *mem, int from, int count)
{
	struct buf text;

	buf_init(&text, mem, 512);
	for (int id = from; id < from + count; id++)
		buf_addf(&text, "s%d=a ", id);
	return text.data;
}

/* ---- the guard ---- */

/* All ids changed at the provider: what the walk added says nothing of what it did not see. */
static void
test_guard_of_new_ids(void **state)
{
	static const char *const models[] = {"Thing", NULL};
	struct ingest_end end = {.state = "success", .outcome = "{}", .closes = models};
	int64_t connection = ++world.next_connection;
	struct ingest *in = begin_run(connection, 1, false);
	struct error err;

	(void)state;
	save(in, saves(in, 0, MANY));
	window(in, saves(in, 100, MANY), true, false, NULL);
	window(in, saves(in, 200, MANY), false, false, NULL);
	window(in, "", false, true, "delete_guard");
	window(in, saves(in, 0, MANY / 2 - 1), false, true, "delete_guard");
	window(in, saves(in, 0, MANY / 2), false, true, NULL); /* half may go */
	assert_int_equal(in->models[0].head.live, MANY / 2 + 2 * MANY);
	talloc_free(in);
	/* In one page; and in a window of a full refresh. */
	in = begin_run(connection, 2, false);
	window(in, saves(in, 300, 60), true, true, "delete_guard");
	talloc_free(in);
	in = begin_run(connection, 3, false);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	save(in, saves(in, 400, 60));
	save(in, saves(in, 500, 60));
	assert_int_equal(ingest_finish(in, &end, &err), -1);
	assert_int_equal(err.code, ERR_DELETE_GUARD);
	talloc_free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_guard_of_new_ids),
	};

	return cmocka_run_group_tests_name("ingest_window", tests, ingest_set_up,
					   ingest_tear_down);
}
