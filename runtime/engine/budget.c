/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget -- see budget.h. Here: taking, waiting, and what a refusal does.
 *
 * A ticket stands in one queue, that of a bucket which has no slot for it. When its turn comes
 * there it leaves if its other buckets have slots, too, and else goes on to one that has none,
 * to its place by age.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engine/budget_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WANTED_FOR_US 5000000 /* a slot is kept so long for calls that wait elsewhere */
#define STRIKES_FOR_US (BUDGET_STRIKE_MAX_MS * INT64_C(1000)) /* after the end of a block */

/* The buckets that count this call; only a block makes that of a connection without limits. */
static size_t
buckets_of(struct budgets *budgets, const struct budget_call *call,
	   struct bucket *out[LIMITS_MAX])
{
	const struct budget_scopes *scopes = call->scopes;
	uint32_t mask = budget_matches(scopes->limits, scopes->limits_count, scopes->base_url,
				       call->method, call->url);
	size_t count = 0;

	for (size_t i = 0; i < scopes->limits_count; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		out[count] = bucket_make(budgets, scopes->limits[i].key);
		bucket_shape(out[count++], &scopes->limits[i].shape);
	}
	if (mask == 0) {
		out[0] = bucket_of(budgets, scopes->connection);
		count = out[0] != NULL;
	}
	return count;
}

/* ---- the timer and the next statement of a bucket ---- */

static void
wake_at(struct bucket *bucket, int64_t at_us, int64_t now_us)
{
	int64_t wait = at_us > now_us ? (at_us - now_us + 999) / 1000 : 0;

	loop_timer_set(bucket->timer, wait < BUDGET_BLOCK_MAX_MS ? wait : BUDGET_BLOCK_MAX_MS);
}

static void
ask_for(struct bucket *bucket)
{
	if (bucket->wants)
		return;
	bucket->wants = true;
	bucket->owner->ask(bucket->owner);
}

/* Nobody waits: slots that are left go back once they are too late, or far off; then it goes.
 */
static void
schedule_idle(struct bucket *bucket, int64_t now_us)
{
	int64_t kept = bucket->shape.hold_us + (bucket->want > 0 ? WANTED_FOR_US : 0);
	int64_t slots = bucket_slots(bucket);

	if (slots > 0 && bucket_slot_us(bucket, slots - 1) + kept > now_us &&
	    (bucket->want > 0 || bucket_slot_us(bucket, slots - 1) <= now_us + kept)) {
		wake_at(bucket, bucket_slot_us(bucket, slots - 1) + kept + 1, now_us);
		return;
	}
	bucket->want = 0;
	bucket_give_back(bucket);
	if (bucket->back_count > 0)
		ask_for(bucket);
	else if (bucket->wants || bucket->is_asked)
		return; /* its answer comes by here */
	else if (bucket->blocked_until_us + STRIKES_FOR_US > now_us && bucket->strikes > 0)
		wake_at(bucket, bucket->blocked_until_us + STRIKES_FOR_US, now_us);
	else if (bucket->refused_until_us > now_us)
		wake_at(bucket, bucket->refused_until_us, now_us);
	else {
		bucket->is_idle = true;
		wake_at(bucket, now_us, now_us);
	}
}

static void
schedule(struct bucket *bucket, int64_t now_us)
{
	bucket->is_idle = false;
	if (bucket->is_blocked) {
		wake_at(bucket, bucket->blocked_until_us, now_us);
		return;
	}
	if (bucket->waiting == 0) {
		schedule_idle(bucket, now_us);
		return;
	}
	if (bucket_need(bucket, now_us) > 0)
		ask_for(bucket);
	if (!bucket->has_shape)
		wake_at(bucket, bucket->free_at_us, now_us);
	else if (bucket_slots(bucket) > 0)
		wake_at(bucket, bucket_slot_us(bucket, 0), now_us);
}

/* ---- leaving ---- */

static void
use_all(struct bucket *const *buckets, size_t count, int64_t now_us)
{
	for (size_t i = 0; i < count; i++) {
		bucket_use(buckets[i], now_us);
		if (buckets[i]->has_shape && bucket_need(buckets[i], now_us) > 0)
			ask_for(buckets[i]);
	}
}

/* At the head of its bucket's queue, which has a slot. */
static void
let_go(struct budget_ticket *ticket, int64_t now_us)
{
	struct bucket *at = ticket->at, *buckets[LIMITS_MAX];
	size_t count = buckets_of(at->owner, ticket->call, buckets);

	if (ticket->group->waiting > 1)
		bucket_turned(at, ticket->group);
	bucket_leave(ticket);
	for (size_t i = 0; i < count; i++) {
		if (buckets[i] == at || bucket_is_ready(buckets[i], now_us, true))
			continue;
		bucket_queue(buckets[i], ticket);
		schedule(buckets[i], now_us);
		if (at->has_shape)
			bucket_want(at);
		return;
	}
	use_all(buckets, count, now_us);
	ticket->ready(ticket->arg, NULL);
	talloc_free(ticket);
}

void
budget_run(struct bucket *bucket)
{
	int64_t now = bucket->owner->now_us();
	struct budget_ticket *ticket;

	if (bucket->is_blocked && bucket->blocked_until_us <= now)
		bucket_unblock(bucket);
	while ((ticket = bucket_next(bucket)) != NULL && bucket_is_ready(bucket, now, true))
		let_go(ticket, now);
	schedule(bucket, now);
}

/* Nobody looks at a bucket while the timers have their turn: only here one goes. */
void
budget_timer(void *arg)
{
	struct bucket *bucket = arg;

	budget_run(bucket);
	if (bucket->is_idle)
		bucket_free(bucket);
}

/* ---- what callers see ---- */

static struct budget_ticket *
take(struct budget *budget, const struct budget_call *call, budget_ready *ready, void *arg)
{
	struct budgets *budgets = (struct budgets *)budget;
	struct bucket *buckets[LIMITS_MAX], *lacking = NULL;
	size_t count = buckets_of(budgets, call, buckets);
	int64_t now = budgets->now_us();
	struct budget_ticket *ticket;

	for (size_t i = 0; i < count; i++) {
		if (bucket_is_ready(buckets[i], now, buckets[i]->want > 0) &&
		    buckets[i]->waiting == 0)
			continue;
		if (lacking == NULL)
			lacking = buckets[i];
		else if (buckets[i]->has_shape)
			bucket_want(buckets[i]);
	}
	if (lacking == NULL) {
		use_all(buckets, count, now);
		return NULL;
	}
	ticket = talloc_zero(NULL, struct budget_ticket);
	if (ticket == NULL)
		abort();
	*ticket = (struct budget_ticket){.owner = budgets,
					 .call = call,
					 .number = ++budgets->tickets,
					 .ready = ready,
					 .arg = arg};
	bucket_queue(lacking, ticket);
	schedule(lacking, now);
	return ticket;
}

static void
cancel(struct budget_ticket *ticket)
{
	struct bucket *bucket = ticket->at;

	if (bucket != NULL) { /* else it is leaving just now */
		bucket_leave(ticket);
		schedule(bucket, bucket->owner->now_us());
	}
	talloc_free(ticket);
}

static int64_t
wait_ms(const struct budget_ticket *ticket)
{
	return (bucket_wait_us(ticket, ticket->owner->now_us()) + 999) / 1000;
}

/* ---- refusals ---- */

/* A refusal that tells no time: longer each time it comes again soon. */
static int64_t
strike_ms(struct bucket *bucket, int64_t now_us)
{
	int64_t wait = BUDGET_STRIKE_MS;

	if (bucket->blocked_until_us + STRIKES_FOR_US < now_us)
		bucket->strikes = 0;
	for (unsigned i = 0; i < bucket->strikes && wait < BUDGET_STRIKE_MAX_MS; i++)
		wait *= 2;
	bucket->strikes++;
	return wait < BUDGET_STRIKE_MAX_MS ? wait : BUDGET_STRIKE_MAX_MS;
}

static void
refuse(struct bucket *bucket, int64_t wait, bool is_wide)
{
	struct budgets *budgets = bucket->owner;
	int64_t now = budgets->now_us(), most, until;

	if (wait < 0 && bucket->is_blocked && bucket->blocked_until_us > now)
		return; /* another answer to those that left before */
	if (wait < 0)
		wait = strike_ms(bucket, now);
	most = is_wide ? BUDGET_WIDE_BLOCK_MAX_MS : BUDGET_BLOCK_MAX_MS;
	if (wait > most)
		wait = most;
	until = now + wait * 1000;
	if (bucket->is_blocked && until <= bucket->blocked_until_us + BUDGET_LOOK_MS * 1000)
		return;
	log_info("budget", "%s: the provider refuses calls; none is sent for %lld ms",
		 bucket->key, (long long)wait);
	bucket_block(bucket, until);
	bucket->is_unwritten = true;
	budgets->block(bucket, wait);
	schedule(bucket, now);
}

/* The narrowest limit, and of two the one with a class. */
static size_t
narrowest(const struct budget_limit *limits, size_t count, uint32_t mask)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		if ((mask & 1u << i) == 0)
			continue;
		if (best == count || limits[i].per < limits[best].per ||
		    (limits[i].per == limits[best].per && limits[best].path == NULL &&
		     limits[best].methods[0] == NULL))
			best = i;
	}
	return best;
}

/* A wider scope remembers whose refusal it was, until that is over; true for another's. */
static bool
refused_before(struct bucket *wide, const char *group, int64_t wait, int64_t now_us)
{
	bool is_other = wide->refused_until_us > now_us &&
			strncmp(wide->refused, group, sizeof(wide->refused) - 1) != 0;

	snprintf(wide->refused, sizeof(wide->refused), "%s", group);
	wide->refused_until_us = now_us + (wait < 0 ? BUDGET_STRIKE_MS : wait) * 1000;
	return is_other;
}

static void
note(struct budget *budget, const struct budget_call *call, int64_t wait)
{
	struct budgets *budgets = (struct budgets *)budget;
	const struct budget_scopes *scopes = call->scopes;
	const struct budget_limit *limits = scopes->limits;
	uint32_t mask = budget_matches(limits, scopes->limits_count, scopes->base_url,
				       call->method, call->url);
	size_t best = narrowest(limits, scopes->limits_count, mask);
	struct bucket *bucket;

	if (best == scopes->limits_count) {
		refuse(bucket_make(budgets, scopes->connection), wait, false);
		return;
	}
	for (size_t i = 0; i < scopes->limits_count; i++) {
		if ((mask & 1u << i) == 0 || limits[i].per <= limits[best].per)
			continue;
		bucket = bucket_make(budgets, limits[i].key);
		bucket_shape(bucket, &limits[i].shape);
		if (scopes->group != NULL &&
		    refused_before(bucket, scopes->group, wait, budgets->now_us()))
			refuse(bucket, wait, true);
	}
	bucket = bucket_make(budgets, limits[best].key);
	bucket_shape(bucket, &limits[best].shape);
	refuse(bucket, wait, limits[best].per != BUDGET_PER_CONNECTION);
}

const struct budget_ops budgets_ops = {take, cancel, wait_ms, note};

void
budgets_init(struct budgets *budgets, struct loop *loop)
{
	budgets->head.ops = &budgets_ops;
	budgets->loop = loop;
	budgets->now_us = clock_monotonic_us;
}

void
budgets_done(struct budgets *budgets)
{
	struct bucket *bucket, *next;
	struct budget_ticket *ticket;

	HASH_ITER (hh, budgets->buckets, bucket, next) {
		while ((ticket = bucket_next(bucket)) != NULL) {
			bucket_leave(ticket);
			talloc_free(ticket);
		}
		bucket_free(bucket);
	}
}
