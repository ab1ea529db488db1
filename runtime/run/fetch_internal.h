/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_internal -- what fetch.c (tries and answers) and fetch_park.c (a run that does
 * nothing but wait) share.
 */
#ifndef NANGO_RUN_FETCH_INTERNAL_H
#define NANGO_RUN_FETCH_INTERNAL_H

#include "run/fetch.h"

struct fetcher {
	struct loop *loop;
	struct http_client *client;
	struct budget *budget; /* NULL: no limits */
	int64_t hurry;
};

struct fetch_scope {
	struct fetcher *fetcher;
	struct loop_timer *parking; /* looks, in a turn of its own, whether all wait */
	int64_t park_after_ms;	    /* 0: never */
	fetch_park *park;
	void *park_arg;
	size_t active;	       /* requests under way */
	struct fetch *waiting; /* those of them that wait long, linked */
	uint64_t sent, received;
};

struct fetch {
	struct fetcher *fetcher;
	struct fetch_scope *scope;
	struct fetch *next_waiting;
	bool is_waiting;
	int64_t until_ms;	      /* of a long wait, by the monotonic clock */
	int status;		      /* that asked for it */
	struct budget_call asking;    /* of the try that is next, or under way */
	int64_t asked_ms;	      /* for its turn, by the monotonic clock */
	struct budget_ticket *ticket; /* while it waits for its turn within the limits */
	const struct fetch_target *target;
	struct run_request request; /* its strings live until done */
	run_fetch_done *done;
	void *arg;
	struct http_call *call;	  /* during a try */
	struct loop_timer *timer; /* between two */
	char *url;
	struct http_field *headers;
	TALLOC_CTX *try;	       /* of what one is signed with */
	const struct http_field *with; /* NULL: not signed */
	unsigned attempt, hops;
	struct error err; /* that was found before anything was sent */
};

/* ---- fetch_park.c ---- */
void fetch_enter_waiting(struct fetch *fetch); /* for its turn, by its ticket */
void fetch_leave_waiting(struct fetch *fetch); /* if it is among them */

/* An answer asks for a wait, or the back-off is one. */
void fetch_note_long_wait(struct fetch *fetch, const struct http_incoming *answer,
			  const char *told, int64_t wait_ms);
void fetch_look_to_park(void *scope); /* a timer's turn */

#endif
