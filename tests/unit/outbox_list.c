/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to list webhooks, with a real Postgres: a page, however many there are.
 */
#include "private_db.h"
#include "store/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct private_db world;

/* 100,000 of environment 1 were delivered, and the oldest three given up; of environment 2,
 * which is out of order, 25,000 were given up. */
static void
fill(const char *schema, const char *columns, const char *values)
{
	char sql[1024];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO %s.outbox (connection_id, kind, environment_id, state, facts, "
		 "    created_at, ready_at, due_at, finished_at%s) "
		 "SELECT 1, 'sync', CASE WHEN n > 100000 THEN 2 ELSE 1 END, "
		 "    CASE WHEN n < 4 OR n > 100000 THEN 'dead' ELSE 'delivered' END, '{}', "
		 "    to_timestamp(n), to_timestamp(n), NULL, to_timestamp(n)%s "
		 "FROM generate_series(1, 125000) n",
		 schema, columns, values);
	private_db_run(&world, sql);
	snprintf(sql, sizeof(sql), "VACUUM ANALYZE %s.outbox", schema);
	private_db_run(&world, sql);
}

static int
set_up(void **state)
{
	(void)state;
	private_db_open(&world, true);
	private_db_run(&world, "SET session_replication_role = replica"); /* no environments */
	fill("nango", "", "");
	fill("nango_data", ", run_id, model", ", n, 'M'");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	private_db_close(&world);
	return 0;
}

static int64_t
blocks(void)
{
	int64_t sum;
	struct error err;

	private_db_run(&world, "SELECT pg_stat_force_next_flush()");
	if (db_exec_value(world.db, &sum, &err,
			  "SELECT coalesce(sum(heap_blks_hit + heap_blks_read + "
			  "    idx_blks_hit + idx_blks_read), 0)::int8 "
			  "FROM pg_statio_user_tables WHERE relname = 'outbox'",
			  NULL, 0) < 0)
		fail_msg("%s", err.message);
	return sum;
}

#define AT(n) (INT64_C(1000000) * (n)) /* ready_at of a row */

static const struct {
	const char *why;
	struct outbox_filter filter;
	size_t count;
} rows[] = {
    {"the newest", {.environment_id = 1}, 20},
    {"a page in the middle", {.environment_id = 1, .before_us = AT(50000)}, 20},
    {"given up, which are the oldest", {.environment_id = 1, .state = "dead"}, 3},
    {"behind the newest of these",
     {.environment_id = 1, .state = "dead", .before_us = AT(3)},
     2},
    {"given up, where many are", {.environment_id = 2, .state = "dead"}, 20},
    {"given up, where there is none", {.environment_id = 3, .state = "dead"}, 0},
    {"delivered", {.environment_id = 1, .state = "delivered"}, 20},
    {"delivered, where there is none", {.environment_id = 3, .state = "delivered"}, 0},
};

static void
test_cost(void **state)
{
	(void)state;
	for (int family = 0; family < OUTBOX_FAMILIES; family++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct outbox_filter filter = rows[i].filter;
			int64_t before = blocks();
			struct outbox_row *list;
			struct error err;
			size_t count;

			filter.limit = 20;
			if (filter.before_us == 0)
				filter.before_us = INT64_MAX;
			if (outbox_list(world.mem, world.db, (enum outbox_family)family,
					&filter, &list, &count, &err) < 0)
				fail_msg("%s: %s", rows[i].why, err.message);
			if (count != rows[i].count || blocks() - before > 100)
				fail_msg("%d, %s: %zu, %d blocks", family, rows[i].why, count,
					 (int)(blocks() - before));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("outbox_list", tests, set_up, tear_down);
}
