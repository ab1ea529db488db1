/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out_internal -- what hooks_out.c and hooks_out_flight.c (the loop's side: when
 * to do what, and one request) and, on pool threads, hooks_out_batch.c (what is due),
 * hooks_out_share.c (how many of whom) and hooks_out_settle.c (what became of it) share. Each
 * struct here that goes from one side to the other is a talloc tree of its own.
 */
#ifndef NANGO_ENGINE_HOOKS_OUT_INTERNAL_H
#define NANGO_ENGINE_HOOKS_OUT_INTERNAL_H

#include "base/buf.h"
#include "engine/hooks_forward.h"
#include "engine/hooks_message.h"
#include "engine/node.h"

#include <stdbool.h>
#include <sys/queue.h>

#define HOOKS_LEASE_BEYOND_MS 40000 /* over the time a receiver has */
#define HOOKS_SIFT_MAX 64	    /* claimed to find what is not for a slow destination */
#define HOOKS_CLEAN_MAX 1000	    /* rows a statement */
#define HOOKS_SLOW_MS 1000	    /* a receiver that takes longer is slow */

struct http_call;
struct hooks_out;

/* One request on its way. */
struct hooks_delivery {
	TAILQ_ENTRY(hooks_delivery) entry;
	struct hooks_out *hooks;
	enum outbox_family family;
	int64_t connection_row, id, token, environment_id, attempts, age_ms, sent_ms;
	char *event_id, *url, *body;
	struct http_field headers[HOOKS_HEADERS_MAX + HOOKS_FORWARD_HEADERS_MAX + 1];
	struct http_call *call;
};

TAILQ_HEAD(deliveries, hooks_delivery);

struct hooks_out {
	struct node *node;
	struct loop_timer *tick, *clean, *drain;
	struct deliveries flying;
	size_t flying_count, turn;
	struct buf results[OUTBOX_FAMILIES];
	bool is_looking, look_again, is_settling, is_cleaning, is_stopping;
	bool is_over; /* freed while a pool thread still had work of it */
	loop_fn *stopped;
	void *stopped_arg;
};

struct hooks_busy { /* what an environment has in flight to one of its destinations */
	int64_t environment_id;
	const char *url;
	size_t count;
	int64_t oldest_ms; /* age of the oldest */
};

/* A look for what is due. */
struct hooks_look {
	struct hooks_out *hooks;
	struct node *node;
	size_t room;		 /* places that are free */
	struct hooks_busy *busy; /* grows by what the look adds */
	size_t busy_count, turn; /* turn: where the round of environments begins */
	struct hooks_delivery **deliveries;
	size_t count;
	bool is_full; /* there may be more at once */
	struct error err;
};

/* Results on their way to the outboxes, a JSON array each. */
struct hooks_settling {
	struct hooks_out *hooks;
	struct node *node;
	char *results[OUTBOX_FAMILIES]; /* NULL: none */
	bool has_failed[OUTBOX_FAMILIES];
	struct error err;
};

struct hooks_cleaning {
	struct hooks_out *hooks;
	struct node *node;
	struct error err;
};

/* One member of such an array, without what separates it from the one before. */
struct hooks_result {
	int64_t connection_row, id, token, attempts, wait_ms;
	const char *state, *error; /* error may be NULL */
	int status;
};

/* ---- hooks_out.c ---- */
/* Writes the results that wait, unless others are being written. */
void hooks_settle(struct hooks_out *hooks);

/* ---- hooks_out_flight.c ---- */
/* Sends it off, its memory included; what comes of it is a result. */
void hooks_flight_begin(struct hooks_out *hooks, struct hooks_delivery *delivery);
void hooks_flight_result(struct hooks_delivery *delivery, const char *state, int64_t wait_ms,
			 int64_t attempts, int status, const char *why);
void hooks_flight_end(struct hooks_delivery *delivery);

/* ---- hooks_out_share.c ---- */
/* What an environment has in flight: in all, to its busiest destination, and is that slow? */
struct hooks_load {
	size_t total, top;
	bool is_slow;
};

/* Most deliveries in flight of an environment, and to one of its destinations. */
size_t hooks_environment_max(const struct config *config);
size_t hooks_destination_max(const struct config *config);

/* The row of busy for a destination, made when there is none. */
struct hooks_busy *hooks_busy_row(struct hooks_look *look, int64_t environment_id,
				  const char *url);

struct hooks_load hooks_load_of(const struct hooks_look *look, int64_t environment_id);
/* How many events to claim of an environment; 0: none now. */
size_t hooks_share(const struct hooks_look *look, int64_t environment_id);

/* ---- hooks_out_settle.c ---- */
void hooks_result_add(struct buf *buf, const struct hooks_result *result);
/* Both families' connections; data is control when they share a database. */
MUST_CHECK int hooks_acquire(struct node *node, struct db **control, struct db **data,
			     struct error *err);
void hooks_release(struct db *control, struct db *data);

/* Pool threads; they end on the loop with the function that hooks_out.c has for it. */
void hooks_look_in_pool(void *look);
void hooks_settle_in_pool(void *settling);
void hooks_clean_in_pool(void *cleaning);
void hooks_looked(void *look);
void hooks_settled(void *settling);
void hooks_cleaned(void *cleaning);

#endif
