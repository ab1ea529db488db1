/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/budget -- whether a call may leave now, by what its provider allows to all who share it.
 *
 * Whoever calls a provider takes before every try and notes every answer:
 *
 *	ticket = budget_take(budget, &call, ready, arg);   NULL: go; else wait for ready
 *	budget_note(budget, &call, status, headers, asked_ms);
 *
 * Limits are declared by the template (x.limits) for an integration's OAuth app, a connection
 *or an environment, and shared by all nodes; engine/budget keeps them. A refusal (429, or what
 *the template's proxy.retry calls one) blocks its scope on all nodes until the time told.
 *Without limits, and with no block in force, a take is one comparison and touches nothing.
 *
 * All calls on the thread of the loop that the budget was made with; none blocks. A budget of
 * NULL has no limits: nango-plugin has none.
 */
#ifndef NANGO_RUN_BUDGET_H
#define NANGO_RUN_BUDGET_H

#include "base/error.h"
#include "http/server.h" /* struct http_field */
#include "run/budget_limit.h"

struct budget;
struct budget_ticket; /* a call that waits; gone once ready is called or it is cancelled */

/* What identifies the scopes of a target's calls. Made once with the target, which it must not
 * outlive; not changed after, so any thread may read it. */
struct budget_scopes {
	const struct budget_limit *limits; /* as the template has them */
	size_t limits_count;
	const char *connection;	   /* key of what a refusal blocks where no limit is declared */
	const char *group;	   /* whose turn it is: the waiting of one scope go in turns */
	const char *base_url;	   /* what paths are relative to */
	struct json_object *retry; /* the template's proxy.retry, or NULL */
};

/* One try. It must live until the take is over (ready, or cancelled). */
struct budget_call {
	const struct budget_scopes *scopes; /* NULL: no limits, no blocks */
	const char *method, *url;	    /* whole URL; a redirect's is another call */
};

/* err is NULL: go now. Else ERR_BUSY: the node is stopping. Never from within budget_take. */
typedef void budget_ready(void *arg, const struct error *err);

/* What engine/budget fills in. */
struct budget_ops {
	struct budget_ticket *(*take)(struct budget *budget, const struct budget_call *call,
				      budget_ready *ready, void *arg);
	void (*cancel)(struct budget_ticket *ticket);
	int64_t (*wait_ms)(const struct budget_ticket *ticket);
	void (*note)(struct budget *budget, const struct budget_call *call,
		     int64_t wait_ms); /* of a refusal; -1: it tells none */
};

struct budget { /* the head of the engine's own */
	const struct budget_ops *ops;
	size_t blocks; /* in force, of any scope */
};

/* May it go without asking anybody? */
static inline bool
budget_is_free(const struct budget *budget, const struct budget_scopes *scopes)
{
	return budget == NULL || scopes == NULL ||
	       (scopes->limits_count == 0 && budget->blocks == 0);
}

/* NULL: go now; ready is not called. */
static inline struct budget_ticket *
budget_take(struct budget *budget, const struct budget_call *call, budget_ready *ready,
	    void *arg)
{
	if (budget_is_free(budget, call->scopes))
		return NULL;
	return budget->ops->take(budget, call, ready, arg);
}

/* ready is not called any more. NULL is fine. */
static inline void
budget_cancel(struct budget *budget, struct budget_ticket *ticket)
{
	if (ticket != NULL)
		budget->ops->cancel(ticket);
}

/*
 * How long it is likely to wait from now: for the end of a block, and for those before it. An
 * answer that is due earlier is 429 with this in Retry-After (in seconds, rounded up).
 */
static inline int64_t
budget_wait_ms(const struct budget *budget, const struct budget_ticket *ticket)
{
	return budget->ops->wait_ms(ticket);
}

/*
 * After every answer. asked_ms: the wait that the template's rules found in it
 * (fetch_asked_ms); -1: none, then the usual headers are looked at (Retry-After,
 * X-RateLimit-Reset, RateLimit).
 */
void budget_note(struct budget *budget, const struct budget_call *call, int status,
		 const struct http_field *headers, int64_t asked_ms);

/* The wait that the usual headers of a refusal tell of; -1: none. */
int64_t budget_told_ms(const struct http_field *headers, int64_t now_wall_ms);

#endif
