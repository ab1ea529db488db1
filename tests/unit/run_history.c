/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of runs, with a real Postgres: what a sweep leaves and where the next begins, and
 * what it costs to list a page.
 */
#include "private_db.h"
#include "store/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEEP_MS INT64_C(86400000)
#define SECOND(n) (INT64_C(1000) * (n))

static struct private_db world;

static int
set_up(void **state)
{
	(void)state;
	private_db_open(&world, false);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	private_db_close(&world);
	return 0;
}

/* The ids that are there, as "1 2 3". */
static const char *
left(void)
{
	struct db_result *r;
	struct error err;

	if (db_exec(world.db, world.mem, &r, &err,
		    "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM nango.run",
		    NULL, 0) < 0)
		fail_msg("%s", err.message);
	return db_text(r, 0, 0);
}

/* Syncs 1 and 2 are there, 3 is deleted; a run is its id, its sync (0: none), its age in days.
 */
static void
fill(const char *runs)
{
	char sql[2048];

	private_db_run(
	    &world,
	    "SET session_replication_role = replica"); /* rows without those they refer to */
	private_db_run(&world, "DELETE FROM nango.run");
	private_db_run(&world, "DELETE FROM nango.sync");
	private_db_run(
	    &world,
	    "INSERT INTO nango.sync (id, account_id, environment_id, integration_id, "
	    "    connection_id, name, variant, deleted_at) "
	    "SELECT lpad(n::text, 32, '0')::uuid, 1, 1, 1, 1, 's' || n, 'base', "
	    "    CASE WHEN n = 3 THEN nango.clock_now() END FROM generate_series(1, 3) n");
	snprintf(
	    sql, sizeof(sql),
	    "INSERT INTO nango.run (id, account_id, environment_id, integration_id, "
	    "    connection_id, sync_id, kind, state, finished_at) OVERRIDING SYSTEM VALUE "
	    "SELECT id, 1, 1, 1, 1, lpad(nullif(sync, 0)::text, 32, '0')::uuid, 1, "
	    "    'success', nango.clock_now() - age * interval '1 day' "
	    "FROM (VALUES %s) v(id, sync, age)",
	    runs);
	private_db_run(&world, sql);
}

static void
look(struct run_sweep *sweep, int64_t limit)
{
	struct error err;

	sweep->after = sweep->settled;
	sweep->is_over = false;
	while (!sweep->is_over)
		if (run_forget(world.db, KEEP_MS, limit, sweep, &err) < 0)
			fail_msg("%s", err.message);
}

static void
test_sweep(void **state)
{
	static const struct {
		const char *why, *runs, *left;
		int64_t settled;
	} rows[] = {
	    {"nothing there", "(0, 0, 0) LIMIT 0", "", 0},
	    {"old ones without a sync go, whatever follows", "(1, 0, 2), (2, 0, 2)", "", 2},
	    {"a sync's newest stays, and is settled", "(1, 1, 3), (2, 1, 2)", "2", 2},
	    {"a young one stays and ends what is settled", "(1, 0, 2), (2, 0, 0), (3, 0, 2)",
	     "2", 1},
	    {"a deleted sync keeps none", "(1, 3, 3), (2, 3, 2), (3, 2, 2)", "3", 3},
	    {"nor keeps it young ones from staying their time", "(1, 3, 3), (2, 3, 0)", "2", 1},
	};

	(void)state;
	for (int64_t limit = 1; limit <= 1000; limit *= 10)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct run_sweep sweep = {0};

			/* A batch of young ones alone ends the look: what lies behind waits. */
			if (limit == 1 && i == 3)
				continue;
			fill(rows[i].runs);
			look(&sweep, limit);
			if (strcmp(left(), rows[i].left) != 0 ||
			    sweep.settled != rows[i].settled)
				fail_msg("%s, by %d: left \"%s\", settled %d", rows[i].why,
					 (int)limit, left(), (int)sweep.settled);
		}
}

/* What stays for long is read once, not with every look. */
static void
test_next_sweep(void **state)
{
	struct run_sweep sweep = {0};

	(void)state;
	fill("(1, 1, 3), (2, 2, 3), (3, 0, 0)");
	look(&sweep, 2);
	assert_int_equal(sweep.settled, 2);
	private_db_run(&world, "UPDATE nango.sync SET deleted_at = nango.clock_now()");
	private_db_run(
	    &world, "UPDATE nango.run SET finished_at = nango.clock_now() - interval '2 days'");
	look(&sweep, 2);
	assert_string_equal(left(), "1 2");
	assert_int_equal(sweep.settled, 3);
	sweep = (struct run_sweep){0};
	look(&sweep, 2);
	assert_string_equal(left(), "");
}

/* Blocks of the history's table and its indexes that a list touched. */
static int64_t
blocks(void)
{
	int64_t sum;
	struct error err;

	private_db_run(&world,
		       "SELECT pg_stat_force_next_flush()"); /* at the statement's end */
	if (db_exec_value(world.db, &sum, &err,
			  "SELECT coalesce(sum(heap_blks_hit + heap_blks_read + "
			  "    idx_blks_hit + idx_blks_read), 0)::int8 "
			  "FROM pg_statio_user_tables WHERE relname IN ('run', 'connection')",
			  NULL, 0) < 0)
		fail_msg("%s", err.message);
	return sum;
}

/* 200,000 runs of an environment, one a second. Connection 2 and the integration "old" have
 * three of them, the oldest, and no other; two more are actions. */
static void
fill_much(void)
{
	private_db_run(&world, "SET session_replication_role = replica");
	private_db_run(&world, "DELETE FROM nango.run");
	private_db_run(
	    &world,
	    "INSERT INTO nango.integration (id, account_id, environment_id, unique_key, "
	    "    provider) OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, 'k', 'github'), "
	    "    (2, 1, 1, 'none', 'github'), (3, 1, 1, 'old', 'github')");
	private_db_run(&world,
		       "INSERT INTO nango.connection (id, account_id, environment_id, "
		       "    integration_id, connection_id, auth_mode, credentials) "
		       "OVERRIDING SYSTEM VALUE "
		       "SELECT n, 1, 1, CASE n WHEN 2 THEN 3 ELSE 1 END, 'c' || n, 'NONE', '' "
		       "FROM generate_series(1, 300) n");
	private_db_run(
	    &world, "INSERT INTO nango.run (id, account_id, environment_id, integration_id, "
		    "    connection_id, kind, state, created_at, finished_at) "
		    "OVERRIDING SYSTEM VALUE "
		    "SELECT n, 1, 1, CASE WHEN n < 4 THEN 3 ELSE 1 END, "
		    "    CASE WHEN n < 4 THEN 2 ELSE 3 + n % 297 END, "
		    "    CASE WHEN n IN (7, 8) THEN 2 ELSE 1 END, "
		    "    CASE n WHEN 5 THEN 'failed' ELSE 'success' END, "
		    "    to_timestamp(n), nango.clock_now() FROM generate_series(1, 200000) n");
	private_db_run(&world, "VACUUM ANALYZE nango.run");
	private_db_run(&world, "ANALYZE nango.connection");
}

/* However long the history is, a page costs what stands on it. */
static void
test_list_cost(void **state)
{
	static const struct {
		const char *why;
		struct run_filter filter;
		size_t count;
	} rows[] = {
	    {"the newest", {.limit = 20}, 20},
	    {"a page in the middle", {.limit = 20, .before = 50000}, 20},
	    {"one", {.limit = 1, .id = 77}, 1},
	    {"of a connection whose runs are the oldest", {.limit = 20, .connection = "c2"}, 3},
	    {"of one that has none", {.limit = 20, .connection = "c1"}, 0},
	    {"of one that is not there", {.limit = 20, .connection = "c0"}, 0},
	    {"of a state that is seldom", {.limit = 20, .state = "failed"}, 1},
	    {"of one that never was", {.limit = 20, .state = "cancelled"}, 0},
	    {"queued ones", {.limit = 20, .state = "queued"}, 0},
	    {"of an integration whose runs are the oldest",
	     {.limit = 20, .integration = "old"},
	     3},
	    {"of one that has none", {.limit = 20, .integration = "none"}, 0},
	    {"of one that is not there", {.limit = 20, .integration = "nope"}, 0},
	    {"of one that has all", {.limit = 20, .integration = "k"}, 20},
	    {"of one, from the middle on",
	     {.limit = 20, .integration = "k", .before = 99999},
	     20},
	    {"of a connection of one",
	     {.limit = 20, .integration = "old", .connection = "c2"},
	     3},
	    {"of a connection of another",
	     {.limit = 20, .integration = "k", .connection = "c2"},
	     0},
	    {"of a kind that is seldom", {.limit = 20, .kind = 2}, 2},
	    {"of one that never was", {.limit = 20, .kind = 3}, 0},
	    {"of the usual one", {.limit = 20, .kind = 1}, 20},
	    {"since a time after all", {.limit = 20, .since_ms = SECOND(200001)}, 0},
	    {"since the last", {.limit = 20, .since_ms = SECOND(200000)}, 1},
	    {"since a minute", {.limit = 20, .since_ms = SECOND(199940)}, 20},
	    {"since long", {.limit = 20, .since_ms = SECOND(100000)}, 20},
	    {"since a time after all, of an integration",
	     {.limit = 20, .since_ms = SECOND(200001), .integration = "k"},
	     0},
	    {"since the last, of the usual kind",
	     {.limit = 20, .since_ms = SECOND(200000), .kind = 1},
	     1},
	};

	(void)state;
	fill_much();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_filter filter = rows[i].filter;
		/* Of both it reads its part of one index, and none of the table. */
		int64_t most = filter.since_ms > 0 && filter.integration != NULL ? 1000 : 200;
		int64_t before = blocks();
		struct run_row *list;
		struct error err;
		size_t count;

		filter.environment_id = 1;
		if (run_list(world.mem, world.db, &filter, &list, &count, &err) < 0)
			fail_msg("%s: %s", rows[i].why, err.message);
		if (count != rows[i].count || blocks() - before > most)
			fail_msg("%s: %zu runs, %d blocks", rows[i].why, count,
				 (int)(blocks() - before));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sweep),
	    cmocka_unit_test(test_next_sweep),
	    cmocka_unit_test(test_list_cost),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
