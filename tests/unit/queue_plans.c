/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue, with a real Postgres: what its statements read when they were planned while it was
 * nearly empty, and it is long now.
 */
#include "private_db.h"
#include "store/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SYNCS 4000
#define BATCH 20

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

/* Syncs of connections with one each, and their schedules. */
static void
fill(void)
{
	private_db_run(
	    &world,
	    "SET session_replication_role = replica"); /* rows without those they refer to */
	private_db_run(
	    &world, "INSERT INTO nango.sync (id, account_id, environment_id, integration_id, "
		    "    connection_id, name, variant) "
		    "SELECT lpad(n::text, 32, '0')::uuid, 1, 1, 1, n, 's', 'base' "
		    "FROM generate_series(1, 4000) n");
	private_db_run(&world, "INSERT INTO nango.schedule (sync_id, interval_ms) "
			       "SELECT id, 60000 FROM nango.sync");
}

/* Queues those whose numbers are first to last. */
static void
enqueue(int first, int last)
{
	const char **syncs = talloc_array(world.mem, const char *, SYNCS);
	struct queue_request request = {.syncs = syncs, .has_locks = true};
	int64_t run, queued;
	struct error err;

	for (int i = first; i <= last; i++)
		syncs[request.count++] = talloc_asprintf(syncs, "%032d", i);
	if (queue_enqueue(world.db, &request, &run, &queued, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(queued, last - first + 1);
	talloc_free(syncs);
}

/* Claims so many and ends them. */
static void
live(size_t room)
{
	const struct queue_limits limits = {.room = (int64_t)room,
					    .lease_ms = 60000,
					    .environment_max = 500,
					    .connection_max = 10};
	struct run_outcome outcomes[BATCH] = {0};
	struct run_claim *claims;
	int64_t environments;
	size_t count, held;
	struct error err;

	if (queue_claim(world.mem, world.db, &limits, &claims, &count, &environments, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(count, room);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = (struct run_outcome){
		    .run_id = claims[i].run_id, .token = claims[i].token, .state = "success"};
	if (queue_complete(world.db, outcomes, count, 0, &held, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(held, room);
}

/* Entries of indexes that this session read. */
static int64_t
entries(void)
{
	int64_t sum;
	struct error err;

	private_db_run(&world,
		       "SELECT pg_stat_force_next_flush()"); /* at the statement's end */
	if (db_exec_value(world.db, &sum, &err,
			  "SELECT coalesce(sum(idx_tup_read), 0)::int8 "
			  "FROM pg_stat_user_indexes WHERE schemaname = 'nango'",
			  NULL, 0) < 0)
		fail_msg("%s", err.message);
	return sum;
}

/* A plan is kept as long as its connection: what it reads may not depend on when it was made.
 */
static void
test_plan_of_an_empty_queue(void **state)
{
	int64_t before;

	(void)state;
	fill();
	enqueue(1, 1);
	private_db_run(&world,
		       "VACUUM nango.queue"); /* which tells the planner that it has one row */
	live(1);
	enqueue(1, SYNCS);
	before = entries();
	live(BATCH);
	assert_in_range(entries() - before, BATCH, 20 * BATCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plan_of_an_empty_queue),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
