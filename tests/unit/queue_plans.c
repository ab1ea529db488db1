/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue, with a real Postgres: what its statements read when they were planned while it was
 * nearly empty, and it is long now; and what a claim reads of what was claimed before.
 */
#include "private_db.h"
#include "store/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Claims so many and ends them; the first one's number. */
static int
live(size_t room, struct queue_front *front)
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

	if (queue_claim(world.mem, world.db, &limits, front, &claims, &count, &environments,
			&err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(count, room);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = (struct run_outcome){
		    .run_id = claims[i].run_id, .token = claims[i].token, .state = "success"};
	if (queue_complete(world.db, outcomes, count, 0, &held, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(held, room);
	return (int)strtol(claims[0].sync_id + strlen(claims[0].sync_id) - 12, NULL, 10);
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
	struct queue_front front = {0};
	int64_t before;

	(void)state;
	fill();
	enqueue(1, 1);
	private_db_run(&world,
		       "VACUUM nango.queue"); /* which tells the planner that it has one row */
	live(1, &front);
	enqueue(1, SYNCS);
	before = entries();
	live(BATCH, &front);
	assert_in_range(entries() - before, BATCH, 20 * BATCH);
}

/* Blocks of the index in the order of time that this session read. */
static int64_t
blocks(void)
{
	int64_t sum;
	struct error err;

	private_db_run(&world, "SELECT pg_stat_force_next_flush()");
	if (db_exec_value(world.db, &sum, &err,
			  "SELECT (idx_blks_hit + idx_blks_read)::int8 "
			  "FROM pg_statio_user_indexes WHERE indexrelname = 'queue_due'",
			  NULL, 0) < 0)
		fail_msg("%s", err.message);
	return sum;
}

/* What was claimed stays in the index until a vacuum: a claim does not walk past all of it. */
static void
test_claims_go_on_from_where_the_last_was(void **state)
{
	struct queue_front front = {0}, none = {0};
	int64_t before, from_front;

	(void)state;
	private_db_run(&world, "DELETE FROM nango.queue");
	private_db_run(&world, "VACUUM nango.queue");
	for (int i = 1; i <= SYNCS; i++)
		enqueue(i, i); /* each has a time of its own */
	for (int i = 0; i < SYNCS - 2 * BATCH; i += BATCH)
		live(BATCH, &front);
	before = blocks();
	live(1, &front);
	from_front = blocks() - before;
	before = blocks();
	live(1, &none);
	assert_in_range(from_front, 1, (blocks() - before) * 2 / 3);
}

/* One whose transaction was committed after younger ones were claimed. */
static void
test_a_late_one_is_found(void **state)
{
	struct queue_front front = {0};

	(void)state;
	private_db_run(&world, "DELETE FROM nango.queue");
	enqueue(1, 10);
	live(1, &front);
	private_db_run(&world, "UPDATE nango.queue SET due_at = due_at - interval '1 hour' "
			       "WHERE sync_id::text LIKE '%10'");
	assert_int_equal(live(1, &front), 2); /* which is where the last claim was */
	front.looked_ms -= QUEUE_FRONT_MS;
	assert_int_equal(live(1, &front), 10);

	live(7, &front);
	enqueue(11, 11);
	private_db_run(&world, "UPDATE nango.queue SET due_at = due_at - interval '1 hour'");
	assert_int_equal(live(1, &front), 11); /* nothing else is due */
}

/* Rows of the queue that this session read, by whatever way. */
static int64_t
rows_read(void)
{
	int64_t sum;
	struct error err;

	private_db_run(&world, "SELECT pg_stat_force_next_flush()");
	if (db_exec_value(world.db, &sum, &err,
			  "SELECT (seq_tup_read + idx_tup_fetch)::int8 "
			  "FROM pg_stat_user_tables WHERE relname = 'queue'",
			  NULL, 0) < 0)
		fail_msg("%s", err.message);
	return sum;
}

/* Claims that many of a long queue, and asks for their leases and for one that is not held. */
static void
test_heartbeat_of_a_long_queue(void **state)
{
	const struct queue_limits limits = {.room = BATCH, .lease_ms = 60000};
	struct queue_front front = {0};
	struct queue_held held[BATCH + 1];
	struct queue_gone *gone;
	struct run_claim *claims;
	int64_t environments, before;
	size_t count, gone_count;
	struct error err;

	(void)state;
	private_db_run(&world, "DELETE FROM nango.queue");
	enqueue(1, SYNCS);
	if (queue_claim(world.mem, world.db, &limits, &front, &claims, &count, &environments,
			&err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(count, BATCH);
	for (size_t i = 0; i < count; i++)
		held[i] = (struct queue_held){claims[i].run_id, claims[i].token};
	held[BATCH] = (struct queue_held){claims[0].run_id, claims[0].token - 1};
	before = rows_read();
	if (queue_heartbeat(world.mem, world.db, held, BATCH + 1, 60000, &gone, &gone_count,
			    &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(gone_count, 1);
	assert_int_equal(gone[0].token, held[BATCH].token);
	assert_false(gone[0].is_cancelled);
	assert_in_range(rows_read() - before, BATCH, 20 * BATCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plan_of_an_empty_queue),
	    cmocka_unit_test(test_claims_go_on_from_where_the_last_was),
	    cmocka_unit_test(test_a_late_one_is_found),
	    cmocka_unit_test(test_heartbeat_of_a_long_queue),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
