/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget_internal -- what the budget's files share: budget.c (taking and noting),
 * budget_bucket.c (slots and turns; knows no database), budget_lease.c (statements),
 * budget_scope.c (templates). All on the loop's thread, but for what budget_lease.c says.
 */
#ifndef NANGO_ENGINE_BUDGET_INTERNAL_H
#define NANGO_ENGINE_BUDGET_INTERNAL_H

#include "engine/budget.h"
#include "store/budget.h"

#include <sys/queue.h>
#include <uthash.h>

#define BUCKET_LEASES_MAX 4
#define BUCKET_AFTER_BLOCK_US                                          \
	50000 /* between calls that waited for a block without a limit \
	       */

TAILQ_HEAD(turn_tickets, budget_ticket);

struct lease {		  /* slots, in order */
	int64_t base_us;  /* nominal time of slot 0, by the monotonic clock */
	int64_t floor_us; /* none is earlier: when it was granted */
	int64_t next, count;
	int64_t epoch;
};

struct turn_group { /* the waiting of one connection */
	TAILQ_ENTRY(turn_group) entry;
	struct turn_tickets tickets;
	UT_hash_handle hh;
	size_t waiting;
	char name[];
};

struct bucket {
	UT_hash_handle hh; /* of budgets->buckets, by key */
	struct budgets *owner;
	const char *key;
	bool has_shape; /* false: it is only ever blocked */
	struct budget_shape shape;
	struct lease leases[BUCKET_LEASES_MAX];
	size_t leases_count;
	int64_t back_count, back_epoch; /* slots to be given back */
	int64_t used, used_since_us;	/* how fast they go */
	int64_t pace_us; /* between two slots of this node, when it waits for them */
	int64_t last_slot_us;
	TAILQ_HEAD(, turn_group) turns;
	struct turn_group *groups;
	size_t waiting;
	struct loop_timer *timer;
	bool wants;    /* is in the next statement */
	bool is_asked; /* is in the one under way, for so many of this period */
	int64_t asked_count, asked_period_us;
	int64_t want;  /* beside its own waiting: calls that wait at another bucket */
	bool is_idle;  /* nothing is left to wait for: it goes with its timer's turn */
	uint64_t seen; /* the look that found it blocked */

	bool is_blocked;
	bool is_unwritten; /* the block is not in the row yet */
	int64_t blocked_until_us, free_at_us;
	unsigned strikes;
	char refused[64]; /* whose narrower scope was blocked last, until then */
	int64_t refused_until_us;
};

struct budget_ticket {
	TAILQ_ENTRY(budget_ticket) entry;
	struct budgets *owner;
	struct bucket *at;
	struct turn_group *group;
	const struct budget_call *call;
	uint64_t number; /* who came first */
	budget_ready *ready;
	void *arg;
};

struct budgets {
	struct budget head; /* first: what callers see */
	struct loop *loop;
	struct bucket *buckets;
	uint64_t tickets;
	int64_t (*now_us)(void);
	void (*ask)(struct budgets *budgets); /* some bucket wants slots */
	void (*block)(struct bucket *bucket, int64_t wait_ms);

	/* budget_lease.c */
	struct node *node;
	struct pool *pool; /* one thread */
	struct loop_timer *look, *asking_soon;
	bool is_asking, is_looking, look_again;
	uint64_t looks;
	int64_t swept_us;
};

/* ---- budget_bucket.c ---- */
struct bucket *bucket_of(struct budgets *budgets, const char *key); /* NULL: none */
struct bucket *bucket_make(struct budgets *budgets, const char *key);
void bucket_free(struct bucket *bucket); /* nobody waits in it */
void bucket_shape(struct bucket *bucket, const struct budget_shape *shape);

/* Could a call leave now, if it were its turn? Slots that are too late are dropped; with
 * keep_last the last one is not: somebody waited for it. */
bool bucket_is_ready(struct bucket *bucket, int64_t now_us, bool keep_last);
void bucket_use(struct bucket *bucket, int64_t now_us);
/* Notes that one more slot is needed here. */
void bucket_want(struct bucket *bucket);

void bucket_queue(struct bucket *bucket, struct budget_ticket *ticket);
void bucket_leave(struct budget_ticket *ticket);
struct budget_ticket *bucket_next(struct bucket *bucket); /* whose turn it is; stays */
/* Its group goes behind the others. */
void bucket_turned(struct bucket *bucket, struct turn_group *group);

int64_t bucket_slots(const struct bucket *bucket);
int64_t bucket_slot_us(const struct bucket *bucket, int64_t nth); /* 0: the next */
/* How many to ask for now; 0: enough are there. */
int64_t bucket_need(struct bucket *bucket, int64_t now_us);
void bucket_grant(struct bucket *bucket, int64_t count, int64_t delay_us, int64_t epoch,
		  int64_t now_us);
/* Slots that were not used are taken out, to be given back. */
void bucket_give_back(struct bucket *bucket);
void bucket_block(struct bucket *bucket, int64_t until_us);
void bucket_unblock(struct bucket *bucket);
int64_t bucket_wait_us(const struct budget_ticket *ticket, int64_t now_us);

/* ---- budget.c ---- */
extern const struct budget_ops budgets_ops;
void budgets_init(struct budgets *budgets, struct loop *loop);
void budgets_done(struct budgets *budgets); /* who still waits hears nothing */
void budget_run(struct bucket *bucket);	    /* something changed: who may leave does */
void budget_timer(void *bucket);

#endif
