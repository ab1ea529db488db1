/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget without a database: nodes with a clock of the test's, one row for all of them,
 * and calls that wait.
 */
#include "engine/budget_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 3
#define CALLS 400
#define LATE_US 3000 /* a statement's way */

static int64_t now_us;

struct row { /* as migration control/0015 keeps it */
	int64_t tat_us, epoch;
};

struct call {
	struct budget_call call;
	struct budget_ticket *ticket;
	int64_t at_us; /* when it left */
	int order;
};

struct fixture {
	struct loop *loop;
	struct budgets nodes[NODES];
	struct row rows[4];
	char keys[4][64];
	size_t rows_count;
	int blocks;
	int64_t block_ms;
	struct call calls[CALLS];
	int calls_count, gone;
};

static struct fixture *the;

static int64_t
test_now(void)
{
	return now_us;
}

static void
note_ask(struct budgets *budgets)
{
	budgets->is_asking = true; /* answered by the next turns */
	budgets->swept_us = now_us + LATE_US;
}

static void
note_block(struct bucket *bucket, int64_t wait_ms)
{
	(void)bucket;
	the->blocks++;
	the->block_ms = wait_ms;
}

static struct row *
row_of(const char *key)
{
	for (size_t i = 0; i < the->rows_count; i++)
		if (strcmp(the->keys[i], key) == 0)
			return &the->rows[i];
	snprintf(the->keys[the->rows_count], sizeof(the->keys[0]), "%s", key);
	return &the->rows[the->rows_count++];
}

static void
answer(struct bucket *bucket)
{
	int64_t need = bucket_need(bucket, now_us);
	struct row *row = row_of(bucket->key);

	bucket->wants = false;
	if (row->epoch == bucket->back_epoch)
		row->tat_us -= bucket->back_count * bucket->shape.period_us;
	bucket->back_count = 0;
	if (need == 0)
		return;
	if (row->tat_us < now_us) {
		row->tat_us = now_us;
		row->epoch++;
	}
	bucket_grant(bucket, need, row->tat_us - now_us, row->epoch, now_us);
	row->tat_us += need * bucket->shape.period_us;
}

/* One millisecond of all nodes. */
static void
turn(void)
{
	struct bucket *bucket, *next;

	now_us += 1000;
	for (int i = 0; i < NODES; i++) {
		struct budgets *node = &the->nodes[i];
		bool is_answered = node->is_asking && node->swept_us <= now_us;

		if (is_answered)
			node->is_asking = false;
		HASH_ITER (hh, node->buckets, bucket, next) {
			if (is_answered && bucket->wants)
				answer(bucket);
			budget_timer(bucket);
		}
	}
}

static void
turns(int64_t ms)
{
	while (ms-- > 0)
		turn();
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err;

	assert_non_null(f);
	assert_int_equal(loop_new(&f->loop, &err), 0);
	now_us = 1000000000;
	for (int i = 0; i < NODES; i++) {
		budgets_init(&f->nodes[i], f->loop);
		f->nodes[i].now_us = test_now;
		f->nodes[i].ask = note_ask;
		f->nodes[i].block = note_block;
	}
	*state = the = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < NODES; i++)
		budgets_done(&f->nodes[i]);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void
on_ready(void *arg, const struct error *err)
{
	struct call *call = arg;

	assert_null(err);
	call->ticket = NULL;
	call->at_us = now_us;
	call->order = ++the->gone;
}

static struct call *
take_at(int node, const struct budget_scopes *scopes)
{
	struct call *call = &the->calls[the->calls_count++];

	assert_true(the->calls_count <= CALLS);
	call->call = (struct budget_call){scopes, "GET", "https://x/items"};
	call->ticket = budget_take(&the->nodes[node].head, &call->call, on_ready, call);
	if (call->ticket == NULL)
		on_ready(call, NULL);
	return call;
}

static struct budget_limit client = {.per = BUDGET_PER_CLIENT, .key = "client/1"};

static struct budget_scopes
scopes_of(const char *connection, const struct budget_limit *limits, size_t count)
{
	return (struct budget_scopes){.limits = limits,
				      .limits_count = count,
				      .connection = connection,
				      .group = connection,
				      .base_url = "https://x"};
}

static void
test_unlimited(void **state)
{
	struct budget_scopes scopes = scopes_of("connection/1", NULL, 0);

	(void)state;
	assert_true(budget_is_free(NULL, &scopes));
	assert_true(budget_is_free(&the->nodes[0].head, &scopes));
	assert_null(take_at(0, &scopes)->ticket);
	assert_int_equal(HASH_COUNT(the->nodes[0].buckets), 0);
}

/* What a provider's own bucket of 10 a second and 10 would say, and how much of it is used. */
static void
test_three_nodes(void **state)
{
	struct budget_scopes scopes[NODES];
	double tokens = 10;
	int64_t last;
	int gone = 0;

	(void)state;
	client.shape = budget_shape_of(10, 1, 10);
	last = now_us;
	for (int i = 0; i < NODES; i++) {
		scopes[i] = scopes_of(i == 0 ? "a" : i == 1 ? "b" : "c", &client, 1);
		for (int j = 0; j < 100; j++)
			take_at(i, &scopes[i]);
	}
	for (int ms = 0; ms < 20000; ms++) {
		turn();
		tokens += (double)(now_us - last) / 100000;
		tokens = tokens > 10 ? 10 : tokens;
		last = now_us;
		tokens -= the->gone - gone;
		gone = the->gone;
		assert_true(tokens >= 0);
	}
	assert_in_range(gone, 200, 210);
	for (int i = 0; i < NODES; i++) {
		int own = 0;

		for (int j = 0; j < 100; j++)
			own += the->calls[i * 100 + j].order > 0;
		assert_in_range(own, 60, 80);
	}
}

static void
test_turns(void **state)
{
	struct budget_scopes many = scopes_of("many", &client, 1);
	struct budget_scopes one = scopes_of("one", &client, 1);
	struct call *call;
	int before;

	(void)state;
	client.shape = budget_shape_of(10, 1, 10);
	for (int i = 0; i < 100; i++)
		take_at(0, &many);
	turns(1500);
	call = take_at(0, &one);
	before = the->gone;
	assert_in_range(budget_wait_ms(&the->nodes[0].head, call->ticket), 1, 250);
	assert_in_range(budget_wait_ms(&the->nodes[0].head, the->calls[99].ticket), 6500, 9000);
	turns(1000);
	assert_in_range(call->order, before + 1, before + 2);
}

static void
test_both(void **state)
{
	struct budget_limit limits[2] = {
	    {.per = BUDGET_PER_CONNECTION, .key = "connection/1"},
	    {.per = BUDGET_PER_CLIENT, .key = "client/1"},
	};
	struct budget_scopes scopes = scopes_of("connection/1", limits, 2);

	(void)state;
	limits[0].shape = budget_shape_of(1, 1, 1);
	limits[1].shape = budget_shape_of(2, 1, 0);
	for (int i = 0; i < 20; i++)
		take_at(0, &scopes);
	turns(10000);
	assert_in_range(the->gone, 8, 10); /* the narrower says how fast */
}

static void
test_given_back(void **state)
{
	struct budget_scopes scopes = scopes_of("a", &client, 1);
	int64_t tat;

	(void)state;
	client.shape = budget_shape_of(1, 60, 1);
	take_at(0, &scopes);
	turns(100);
	assert_int_equal(the->gone, 1);
	take_at(0, &scopes);
	turns(100);
	tat = row_of("client/1")->tat_us;
	budget_cancel(&the->nodes[0].head, the->calls[1].ticket); /* a run that is parked */
	turns(100);
	assert_int_equal(row_of("client/1")->tat_us, tat - client.shape.period_us);
	take_at(1, &scopes);
	turns(61400);
	assert_int_equal(the->gone, 2);
}

static void
note(int node, const struct budget_scopes *scopes, int64_t wait_ms)
{
	struct budget_call call = {scopes, "GET", "https://x/items"};

	the->nodes[node].head.ops->note(&the->nodes[node].head, &call, wait_ms);
}

static void
test_blocked(void **state)
{
	struct budget_scopes one = scopes_of("connection/1", NULL, 0);
	struct budget_scopes other = scopes_of("connection/2", NULL, 0);
	struct call *call;

	(void)state;
	note(0, &one, 2000);
	assert_int_equal(the->nodes[0].head.blocks, 1);
	call = take_at(0, &one);
	assert_non_null(call->ticket);
	assert_in_range(budget_wait_ms(&the->nodes[0].head, call->ticket), 1900, 2000);
	assert_null(take_at(0, &other)->ticket);
	turns(1990);
	assert_non_null(call->ticket);
	turns(20);
	assert_null(call->ticket);
	assert_int_equal(the->nodes[0].head.blocks, 0);
	turns(10);
	assert_int_equal(HASH_COUNT(the->nodes[0].buckets), 0);
}

static void
test_strikes(void **state)
{
	static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	struct budget_scopes scopes = scopes_of("connection/1", NULL, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		note(0, &scopes, -1);
		note(0, &scopes, -1); /* of another call that had left before */
		assert_int_equal(the->blocks, (int)i + 1);
		assert_int_equal(the->block_ms, waits[i]);
		turns(waits[i] + 1);
	}
	turns(61000);
	note(0, &scopes, -1);
	assert_int_equal(the->block_ms, 1000);
}

static void
test_wider(void **state)
{
	struct budget_limit limits[2] = {
	    {.per = BUDGET_PER_CONNECTION, .key = "connection/1"},
	    {.per = BUDGET_PER_CLIENT, .key = "client/1"},
	};
	struct budget_limit its[2] = {
	    {.per = BUDGET_PER_CONNECTION, .key = "connection/2"},
	    {.per = BUDGET_PER_CLIENT, .key = "client/1"},
	};
	struct budget_scopes one = scopes_of("1", limits, 2), other = scopes_of("2", its, 2);

	(void)state;
	for (int i = 0; i < 2; i++)
		limits[i].shape = its[i].shape = budget_shape_of(10, 1, 10);
	note(0, &one, 3600000);
	assert_false(bucket_of(&the->nodes[0], "client/1")->is_blocked);
	note(0, &one, 3610000);
	assert_false(bucket_of(&the->nodes[0], "client/1")->is_blocked);
	note(0, &other, 3600000);
	assert_true(bucket_of(&the->nodes[0], "client/1")->is_blocked);
	assert_in_range(bucket_of(&the->nodes[0], "client/1")->blocked_until_us - now_us, 1,
			BUDGET_WIDE_BLOCK_MAX_MS * INT64_C(1000));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_unlimited),  TEST(test_three_nodes), TEST(test_turns),   TEST(test_both),
	    TEST(test_given_back), TEST(test_blocked),	   TEST(test_strikes), TEST(test_wider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
