/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget_bucket -- one bucket of a node: the slots it has leased, and whose turn it is.
 */
#include "engine/budget_internal.h"

#include <stdlib.h>
#include <string.h>

#define WANT_MAX 8	    /* some of those that wait elsewhere may be gone */
#define USED_FOR_US 1000000 /* over so long is counted how fast slots go */

struct bucket *
bucket_of(struct budgets *budgets, const char *key)
{
	struct bucket *bucket;

	HASH_FIND_STR(budgets->buckets, key, bucket);
	return bucket;
}

struct bucket *
bucket_make(struct budgets *budgets, const char *key)
{
	struct bucket *bucket = bucket_of(budgets, key);

	if (bucket != NULL)
		return bucket;
	bucket = talloc_zero(NULL, struct bucket);
	if (bucket == NULL)
		abort();
	bucket->owner = budgets;
	bucket->key = talloc_strdup(bucket, key);
	bucket->timer = loop_timer_new(budgets->loop, budget_timer, bucket);
	TAILQ_INIT(&bucket->turns);
	HASH_ADD_KEYPTR(hh, budgets->buckets, bucket->key, strlen(bucket->key), bucket);
	return bucket;
}

void
bucket_free(struct bucket *bucket)
{
	bucket_unblock(bucket);
	HASH_DEL(bucket->owner->buckets, bucket);
	loop_timer_free(bucket->timer);
	talloc_free(bucket);
}

void
bucket_shape(struct bucket *bucket, const struct budget_shape *shape)
{
	if (bucket->has_shape && memcmp(&bucket->shape, shape, sizeof(*shape)) == 0)
		return;
	bucket->has_shape = true; /* or its template was changed: old slots go */
	bucket->shape = *shape;
	bucket->leases_count = 0;
	bucket->back_count = 0;
	bucket->pace_us = shape->period_us;
}

/* ---- slots ---- */

static int64_t
slot_us(const struct bucket *bucket, const struct lease *lease, int64_t i)
{
	int64_t at = lease->base_us + i * bucket->shape.period_us - bucket->shape.tau_us;

	return at > lease->floor_us ? at : lease->floor_us;
}

int64_t
bucket_slots(const struct bucket *bucket)
{
	int64_t slots = 0;

	for (size_t i = 0; i < bucket->leases_count; i++)
		slots += bucket->leases[i].count - bucket->leases[i].next;
	return slots;
}

int64_t
bucket_slot_us(const struct bucket *bucket, int64_t nth)
{
	for (size_t i = 0; i < bucket->leases_count; i++) {
		const struct lease *lease = &bucket->leases[i];

		if (nth < lease->count - lease->next)
			return slot_us(bucket, lease, lease->next + nth);
		nth -= lease->count - lease->next;
	}
	return INT64_MAX;
}

static void
drop_lease(struct bucket *bucket)
{
	bucket->leases_count--;
	memmove(bucket->leases, bucket->leases + 1,
		bucket->leases_count * sizeof(bucket->leases[0]));
}

static void
take_slot(struct bucket *bucket)
{
	if (++bucket->leases[0].next == bucket->leases[0].count)
		drop_lease(bucket);
}

/* What was given out when the bucket had not rested since can be given out again. */
static void
note_unused(struct bucket *bucket, int64_t epoch, int64_t count)
{
	if (bucket->back_epoch != epoch)
		bucket->back_count = 0;
	bucket->back_epoch = epoch;
	bucket->back_count += count;
}

static void
drop_late(struct bucket *bucket, int64_t now_us, bool keep_last)
{
	int64_t left = bucket_slots(bucket);

	for (; left > (keep_last ? 1 : 0) &&
	       bucket_slot_us(bucket, 0) + bucket->shape.hold_us < now_us;
	     left--) {
		note_unused(bucket, bucket->leases[0].epoch, 1);
		take_slot(bucket);
	}
}

bool
bucket_is_ready(struct bucket *bucket, int64_t now_us, bool keep_last)
{
	if (bucket->is_blocked && bucket->blocked_until_us > now_us)
		return false;
	if (!bucket->has_shape)
		return bucket->free_at_us <= now_us;
	drop_late(bucket, now_us, keep_last);
	return bucket_slot_us(bucket, 0) <= now_us;
}

void
bucket_use(struct bucket *bucket, int64_t now_us)
{
	if (!bucket->has_shape) {
		if (bucket->waiting > 0)
			bucket->free_at_us = now_us + BUCKET_AFTER_BLOCK_US;
		return;
	}
	take_slot(bucket);
	if (bucket->want > 0)
		bucket->want--;
	if (now_us - bucket->used_since_us > USED_FOR_US) {
		bucket->used /= 2;
		bucket->used_since_us = now_us - USED_FOR_US / 2;
	}
	bucket->used++;
}

void
bucket_want(struct bucket *bucket)
{
	if (bucket->want < WANT_MAX)
		bucket->want++;
	if (bucket->wants)
		return;
	bucket->wants = true;
	bucket->owner->ask(bucket->owner);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * Those that wait, and as many as are likely to come while a slot may be held: where that is
 * less than one, each call asks. No more than a slice, and not before half of it is gone.
 */
int64_t
bucket_need(struct bucket *bucket, int64_t now_us)
{
	int64_t period = bucket->shape.period_us, slots = bucket_slots(bucket);
	int64_t hold = least(bucket->shape.hold_us, BUDGET_SLICE_US);
	int64_t slice = BUDGET_SLICE_US / period, coming = 0, need;

	if (slice < 1)
		slice = 1;
	if (!bucket->has_shape || bucket->is_blocked ||
	    bucket->leases_count == BUCKET_LEASES_MAX)
		return 0;
	if (now_us - bucket->used_since_us < 2 * USED_FOR_US)
		coming = least(bucket->used * hold / USED_FOR_US, hold / period);
	need = (int64_t)bucket->waiting + bucket->want + coming;
	if (need <= slots || slots > slice / 2)
		return 0;
	return least(need - slots, slice);
}

void
bucket_grant(struct bucket *bucket, int64_t count, int64_t delay_us, int64_t epoch,
	     int64_t now_us)
{
	struct lease *lease = &bucket->leases[bucket->leases_count];
	int64_t last;

	if (bucket->leases_count == BUCKET_LEASES_MAX) /* it changed its shape meanwhile */
		return;
	bucket->leases_count++;
	*lease = (struct lease){
	    .base_us = now_us + delay_us, .floor_us = now_us, .count = count, .epoch = epoch};
	last = slot_us(bucket, lease, count - 1);
	bucket->pace_us = bucket->shape.period_us;
	if (bucket->last_slot_us > now_us - BUDGET_SLICE_US && last > bucket->last_slot_us &&
	    (last - bucket->last_slot_us) / count > bucket->pace_us)
		bucket->pace_us = (last - bucket->last_slot_us) / count;
	bucket->last_slot_us = last;
}

void
bucket_give_back(struct bucket *bucket)
{
	for (; bucket->leases_count > 0; drop_lease(bucket))
		note_unused(bucket, bucket->leases[0].epoch,
			    bucket->leases[0].count - bucket->leases[0].next);
}

/* ---- turns ---- */

static struct turn_group *
group_of(struct bucket *bucket, const char *name)
{
	size_t length = strlen(name);
	struct turn_group *group;

	HASH_FIND(hh, bucket->groups, name, length, group);
	if (group != NULL)
		return group;
	group = talloc_zero_size(bucket, sizeof(*group) + length + 1);
	if (group == NULL)
		abort();
	memcpy(group->name, name, length + 1);
	TAILQ_INIT(&group->tickets);
	HASH_ADD_KEYPTR(hh, bucket->groups, group->name, length, group);
	TAILQ_INSERT_TAIL(&bucket->turns, group, entry);
	return group;
}

void
bucket_queue(struct bucket *bucket, struct budget_ticket *ticket)
{
	const char *name = ticket->call->scopes->group;
	struct turn_group *group = group_of(bucket, name == NULL ? "" : name);
	struct budget_ticket *before = TAILQ_LAST(&group->tickets, turn_tickets);

	/* One that waited elsewhere goes before those that came after it. */
	while (before != NULL && before->number > ticket->number)
		before = TAILQ_PREV(before, turn_tickets, entry);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&group->tickets, ticket, entry);
	else
		TAILQ_INSERT_AFTER(&group->tickets, before, ticket, entry);
	ticket->at = bucket;
	ticket->group = group;
	group->waiting++;
	bucket->waiting++;
}

void
bucket_leave(struct budget_ticket *ticket)
{
	struct bucket *bucket = ticket->at;
	struct turn_group *group = ticket->group;

	TAILQ_REMOVE(&group->tickets, ticket, entry);
	ticket->at = NULL;
	ticket->group = NULL;
	bucket->waiting--;
	if (--group->waiting > 0)
		return;
	TAILQ_REMOVE(&bucket->turns, group, entry);
	HASH_DEL(bucket->groups, group);
	talloc_free(group);
}

struct budget_ticket *
bucket_next(struct bucket *bucket)
{
	struct turn_group *group = TAILQ_FIRST(&bucket->turns);

	return group == NULL ? NULL : TAILQ_FIRST(&group->tickets);
}

void
bucket_turned(struct bucket *bucket, struct turn_group *group)
{
	TAILQ_REMOVE(&bucket->turns, group, entry);
	TAILQ_INSERT_TAIL(&bucket->turns, group, entry);
}

/* ---- blocks ---- */

void
bucket_block(struct bucket *bucket, int64_t until_us)
{
	if (!bucket->is_blocked)
		bucket->owner->head.blocks++;
	bucket->is_blocked = true;
	bucket->blocked_until_us = until_us;
	bucket->leases_count = 0; /* the row was emptied with them */
	bucket->back_count = 0;
	bucket->pace_us = bucket->shape.period_us;
}

void
bucket_unblock(struct bucket *bucket)
{
	if (bucket->is_blocked)
		bucket->owner->head.blocks--;
	bucket->is_blocked = false;
	bucket->is_unwritten = false;
}

/* ---- how long ---- */

/* How many leave before it: its group's, and about as many of each other group. */
static int64_t
place_of(const struct budget_ticket *ticket)
{
	const struct bucket *bucket = ticket->at;
	size_t place = 0, before;

	for (const struct budget_ticket *t = TAILQ_FIRST(&ticket->group->tickets); t != ticket;
	     t = TAILQ_NEXT(t, entry))
		place++;
	before = HASH_COUNT(bucket->groups) * place;
	if (TAILQ_FIRST(&bucket->turns) != ticket->group)
		before += HASH_COUNT(bucket->groups) - 1;
	return least((int64_t)before, (int64_t)bucket->waiting - 1);
}

int64_t
bucket_wait_us(const struct budget_ticket *ticket, int64_t now_us)
{
	const struct bucket *bucket = ticket->at;
	int64_t place = place_of(ticket), slots = bucket_slots(bucket), from = now_us, pace;

	if (bucket->is_blocked && bucket->blocked_until_us > now_us)
		from = bucket->blocked_until_us;
	pace = bucket->has_shape ? bucket->pace_us : BUCKET_AFTER_BLOCK_US;
	if (place < slots)
		return bucket_slot_us(bucket, place) > now_us
			   ? bucket_slot_us(bucket, place) - now_us
			   : 0;
	if (slots > 0)
		from = bucket_slot_us(bucket, slots - 1);
	return (from > now_us ? from - now_us : 0) + (place - slots) * pace;
}
