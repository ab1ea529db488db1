/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget_lease -- the statements of the node's buckets, on a thread of their own: a wait
 * for slots is not to stand behind pages, nor heartbeats behind it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engine/budget_internal.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 4096
#define AGAIN_MS 1000 /* after a statement that failed */
#define SWEEP_US INT64_C(3600000000)

/* What goes to the thread and comes back. */
struct asking {
	struct budgets *budgets;
	struct budget_ask *asks;
	size_t count;
	struct budget_grant *grants;
	size_t granted;
	struct error err;
};

struct looking {
	struct budgets *budgets;
	struct budget_block *blocks;
	size_t count;
	bool sweep;
	struct error err;
};

struct blocking {
	struct budgets *budgets;
	const char *key;
	int64_t wait_us, tau_us, sent_us;
	struct error err;
};

/* ---- slices ---- */

static void
apply(struct budgets *budgets, const struct budget_grant *grant)
{
	struct bucket *bucket = bucket_of(budgets, grant->key);
	int64_t now = budgets->now_us();

	if (bucket == NULL)
		return;
	bucket->is_asked = false;
	if (grant->blocked_us > 0 && !bucket->is_blocked)
		bucket_block(bucket, now + grant->blocked_us - grant->now_us);
	if (grant->is_granted && !bucket->is_blocked && bucket->asked_count > 0 &&
	    bucket->asked_period_us == bucket->shape.period_us)
		bucket_grant(bucket, bucket->asked_count, grant->base_us - grant->now_us,
			     grant->epoch, now);
	budget_run(bucket);
}

/* They are asked for again. */
static void
forget(struct budgets *budgets, const struct asking *asking)
{
	for (size_t i = 0; i < asking->count; i++) {
		struct bucket *bucket = bucket_of(budgets, asking->asks[i].key);

		if (bucket == NULL)
			continue;
		bucket->is_asked = false;
		bucket->wants = true;
	}
}

static void
answered(void *arg)
{
	struct asking *asking = arg;
	struct budgets *budgets = asking->budgets;
	bool again = false;

	budgets->is_asking = false;
	if (asking->err.code != ERR_NONE) {
		log_warn("budget", "no calls within limits: %s", asking->err.message);
		forget(budgets, asking);
		loop_timer_set(budgets->asking_soon, AGAIN_MS);
	}
	for (size_t i = 0; i < asking->granted; i++)
		apply(budgets, &asking->grants[i]);
	for (struct bucket *b = budgets->buckets; b != NULL && !again; b = b->hh.next)
		again = b->wants;
	if (again && asking->err.code == ERR_NONE)
		loop_timer_set(budgets->asking_soon, 0);
	talloc_free(asking);
}

static void
ask_in_pool(void *arg)
{
	struct asking *asking = arg;
	struct node *node = asking->budgets->node;
	struct db *db;

	if (db_acquire(node->control, &db, &asking->err) == 0) {
		if (budget_lease(asking, db, asking->asks, asking->count, &asking->grants,
				 &asking->granted, &asking->err) == 0)
			asking->err.code = ERR_NONE;
		db_release(db);
	}
	loop_post(asking->budgets->loop, answered, asking);
}

static void
add_ask(struct asking *asking, struct bucket *bucket, int64_t count)
{
	size_t i = asking->count++;

	asking->asks[i] =
	    (struct budget_ask){.key = talloc_strdup(asking, bucket->key),
				.take_us = count * bucket->shape.period_us,
				.back_us = bucket->back_count * bucket->shape.period_us,
				.epoch = bucket->back_epoch};
	bucket->asked_count = count;
	bucket->asked_period_us = bucket->shape.period_us;
	bucket->back_count = 0;
	bucket->is_asked = true;
}

static void
start_asking(void *arg)
{
	struct budgets *budgets = arg;
	unsigned most = HASH_COUNT(budgets->buckets);
	int64_t now = budgets->now_us();
	struct asking *asking;

	if (budgets->is_asking || most == 0)
		return;
	asking = talloc_zero(NULL, struct asking);
	asking->budgets = budgets;
	asking->asks = talloc_zero_array(asking, struct budget_ask, most);
	for (struct bucket *b = budgets->buckets; b != NULL; b = b->hh.next) {
		int64_t need = b->wants ? bucket_need(b, now) : 0;

		if (need > 0 || (b->wants && b->back_count > 0))
			add_ask(asking, b, need);
		b->wants = false;
	}
	if (asking->count == 0) {
		talloc_free(asking);
		return;
	}
	budgets->is_asking = true;
	if (pool_submit(budgets->pool, ask_in_pool, asking) < 0) {
		budgets->is_asking = false;
		forget(budgets, asking);
		talloc_free(asking);
		loop_timer_set(budgets->asking_soon, AGAIN_MS);
	}
}

/* In a turn of its own: what else comes in this one goes with it. */
static void
ask_soon(struct budgets *budgets)
{
	if (!budgets->is_asking)
		loop_timer_set(budgets->asking_soon, 0);
}

/* ---- blocks ---- */

static void
blocked(void *arg)
{
	struct blocking *blocking = arg;
	struct bucket *bucket = bucket_of(blocking->budgets, blocking->key);

	if (blocking->err.code != ERR_NONE)
		log_warn("budget", "the other nodes do not know that %s is blocked: %s",
			 blocking->key, blocking->err.message);
	else if (bucket != NULL)
		bucket->is_unwritten = false;
	talloc_free(blocking);
}

static void
block_in_pool(void *arg)
{
	struct blocking *blocking = arg;
	struct node *node = blocking->budgets->node;
	int64_t late = clock_monotonic_us() - blocking->sent_us;
	struct db *db;

	if (db_acquire(node->control, &db, &blocking->err) == 0) {
		if (budget_block(db, blocking->key,
				 blocking->wait_us > late ? blocking->wait_us - late : 0,
				 blocking->tau_us, node->id, &blocking->err) == 0)
			blocking->err.code = ERR_NONE;
		db_release(db);
	}
	loop_post(blocking->budgets->loop, blocked, blocking);
}

static void
write_block(struct bucket *bucket, int64_t wait_ms)
{
	struct blocking *blocking = talloc_zero(NULL, struct blocking);

	blocking->budgets = bucket->owner;
	blocking->key = talloc_strdup(blocking, bucket->key);
	blocking->wait_us = wait_ms * 1000;
	blocking->tau_us = bucket->shape.tau_us;
	blocking->sent_us = clock_monotonic_us();
	if (pool_submit(bucket->owner->pool, block_in_pool, blocking) < 0)
		talloc_free(blocking);
}

/* ---- looking at the blocks of all nodes ---- */

static void
heed(struct budgets *budgets, const struct looking *looking)
{
	int64_t now = budgets->now_us();
	struct bucket *bucket, *next;

	budgets->looks++;
	for (size_t i = 0; i < looking->count; i++) {
		int64_t until = now + looking->blocks[i].left_ms * 1000;

		bucket = bucket_make(budgets, looking->blocks[i].key);
		bucket->seen = budgets->looks;
		if (bucket->is_unwritten && bucket->blocked_until_us > until)
			continue;
		bucket_block(bucket, until);
		budget_run(bucket);
	}
	/* Those that are in force no more: the row was changed, or the database's clock. */
	HASH_ITER (hh, budgets->buckets, bucket, next) {
		if (!bucket->is_blocked || bucket->is_unwritten ||
		    bucket->seen == budgets->looks)
			continue;
		bucket_unblock(bucket);
		budget_run(bucket);
	}
}

static void
looked(void *arg)
{
	struct looking *looking = arg;
	struct budgets *budgets = looking->budgets;

	budgets->is_looking = false;
	if (looking->err.code == ERR_NONE)
		heed(budgets, looking);
	loop_timer_set(budgets->look, budgets->look_again ? 0 : BUDGET_LOOK_MS);
	budgets->look_again = false;
	talloc_free(looking);
}

static void
look_in_pool(void *arg)
{
	struct looking *looking = arg;
	struct node *node = looking->budgets->node;
	struct db *db;

	if (db_acquire(node->control, &db, &looking->err) == 0) {
		if (budget_blocks(looking, db, &looking->blocks, &looking->count,
				  &looking->err) == 0 &&
		    (!looking->sweep || budget_sweep(db, &looking->err) == 0))
			looking->err.code = ERR_NONE;
		db_release(db);
	}
	loop_post(looking->budgets->loop, looked, looking);
}

static void
on_look(void *arg)
{
	struct budgets *budgets = arg;
	struct looking *looking;

	if (budgets->is_looking) {
		budgets->look_again = true;
		return;
	}
	looking = talloc_zero(NULL, struct looking);
	looking->budgets = budgets;
	looking->sweep = budgets->now_us() - budgets->swept_us > SWEEP_US;
	if (looking->sweep)
		budgets->swept_us = budgets->now_us();
	budgets->is_looking = true;
	if (pool_submit(budgets->pool, look_in_pool, looking) < 0) {
		budgets->is_looking = false;
		talloc_free(looking);
		loop_timer_set(budgets->look, BUDGET_LOOK_MS);
	}
}

/* ---- the node's ---- */

int
budget_open(struct node *node, struct loop *loop, struct budget **out, struct error *err)
{
	struct budgets *budgets = talloc_zero(NULL, struct budgets);

	if (budgets == NULL)
		abort();
	if (pool_new(&budgets->pool, "budget", 1, QUEUE_MAX, err) < 0) {
		talloc_free(budgets);
		return -1;
	}
	budgets_init(budgets, loop);
	budgets->node = node;
	budgets->ask = ask_soon;
	budgets->block = write_block;
	budgets->swept_us = budgets->now_us();
	budgets->look = loop_timer_new(loop, on_look, budgets);
	budgets->asking_soon = loop_timer_new(loop, start_asking, budgets);
	loop_timer_set(budgets->look, 0);
	budgets->loop = loop;
	*out = &budgets->head;
	return 0;
}

void
budget_look(struct budget *budget)
{
	if (budget != NULL)
		on_look(budget);
}

void
budget_end(struct budget *budget)
{
	if (budget != NULL)
		pool_end(((struct budgets *)budget)->pool);
}

void
budget_close(struct budget **budget)
{
	struct budgets *budgets = (struct budgets *)*budget;

	if (budgets == NULL)
		return;
	budgets_done(budgets);
	loop_timer_free(budgets->look);
	loop_timer_free(budgets->asking_soon);
	pool_free(budgets->pool);
	*budget = NULL;
	talloc_free(budgets);
}
