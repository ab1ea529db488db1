/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/queue -- what is to be done and what is under way.
 *
 * A row lives from its enqueueing to its end, when it becomes a row of nango.run. due_at is
 * also the lease: a claim moves it ahead, a heartbeat moves it on, and a run whose node fell
 * silent becomes due again. A claim draws a token, which is the run's fence. Claim and
 * completion are separate transactions (one that did both deadlocked); whatever locks several
 * rows locks them in the order of their ids.
 *
 * What a client was told of is on the disk before: enqueueing and cancelling. A claim, a
 * heartbeat and a completion do not wait for it: a crash of Postgres that takes one away
 * repeats only what the run's fence, which is durable, makes harmless.
 */
#ifndef NANGO_STORE_QUEUE_H
#define NANGO_STORE_QUEUE_H

#include "db/db.h"

#define QUEUE_KIND_SYNC 1 /* enum nango_kind of the SDK; a webhook is the server's own */
#define QUEUE_KIND_ACTION 2
#define QUEUE_KIND_EVENT 3
#define QUEUE_KIND_WEBHOOK 4

/* ---- in ---- */
struct queue_request {
	const char *const *syncs; /* uuids */
	size_t count;
	bool is_forced; /* the guard of a closing delete window does not hold */
	bool has_locks; /* the caller keeps the syncs from being paused or deleted */
};
/*
 * Queues runs of syncs, durably. A sync has one row in the queue at a time, so *queued may be
 * less than the count. *last is one of the runs, or 0.
 */
MUST_CHECK int queue_enqueue(struct db *db, const struct queue_request *request, int64_t *last,
			     int64_t *queued, struct error *err);

/* ---- out ---- */
struct run_claim {
	int64_t run_id, token, environment_id, connection_row, attempts;
	const char *sync_id; /* uuid or NULL */
	int64_t kind;
	int64_t waited_ms;  /* since it was queued */
	int64_t started_ms; /* how long ago it was begun first */
	bool force_deletes;
	bool has_build; /* chosen at the first claim; without a deployment there is none */
	unsigned char sha256[32];
};
struct queue_limits {
	int64_t room; /* at most so many */
	int64_t lease_ms;
	/* In flight at once in all nodes; 0: no limit. */
	int64_t environment_max, provider_max, connection_max;
};
/* Where a claim found the oldest run of its environment: the next one looks from there on, and
 * not past what is left in the index of all that were claimed since. Zeroed at first. */
struct queue_front {
	int64_t environment_id, from_us;
	int64_t looked_ms; /* when that environment was looked through from its beginning */
};
#define QUEUE_FRONT_MS 1000 /* so long a run may wait that was committed after younger ones */
/*
 * Claims runs of one environment, the one whose turn it is. Each gets its share of the room,
 * so *count may be less than that although there is more, or 0 when limits or another node
 * left nothing: claim again, up to *environments times in a row without an answer.
 */
MUST_CHECK int queue_claim(TALLOC_CTX *mem, struct db *db, const struct queue_limits *limits,
			   struct queue_front *front, struct run_claim **out, size_t *count,
			   int64_t *environments, struct error *err);

/* ---- while it runs ---- */
struct queue_held {
	int64_t run_id, token;
};
/* A claim that is not held any more. */
struct queue_gone {
	int64_t run_id, token; /* as it was held: the run may have been claimed anew since */
	bool is_cancelled;     /* by a person or a deletion; otherwise lost to another node */
};
/* Renews the leases; gives back those that are gone. A row that somebody holds is left to the
 * next beat: waiting for it would cost all the others theirs. */
MUST_CHECK int queue_heartbeat(TALLOC_CTX *mem, struct db *db, const struct queue_held *held,
			       size_t held_count, int64_t lease_ms, struct queue_gone **out,
			       size_t *count, struct error *err);

/* ---- the end ---- */
struct run_usage { /* of one attempt */
	int64_t requests, request_bytes, response_bytes, cpu_us, max_rss_kb;
};
struct run_outcome {
	int64_t run_id, token;
	const char *state;		    /* success, failed, cancelled */
	const char *cause, *code, *message; /* NULL: empty */
	const char *result;		    /* JSON: {"Model":{"added","updated","deleted"}} */
	int64_t pages, added, updated, deleted;
	struct run_usage used; /* is added to what earlier attempts used */
};
/*
 * Takes runs from the queue whose token still holds them, and writes them to the history. A
 * failed sync is counted, and from the third failure in a row on its next run is put off: by
 * its interval times 2, 4, 8 …, at most quiet_max_ms. *held is how many were still held. Sorts
 * the outcomes. A crash of Postgres may undo it: then it is done again from the closed fence.
 */
MUST_CHECK int queue_complete(struct db *db, struct run_outcome *outcomes, size_t count,
			      int64_t quiet_max_ms, size_t *held, struct error *err);

struct queue_return {
	int64_t run_id, token, delay_ms;
	bool is_parked;
	bool is_free; /* the attempt does not count */
	struct run_usage used;
};
/* Due again after delay_ms, for this or another node. */
MUST_CHECK int queue_give_back(struct db *db, const struct queue_return *returns, size_t count,
			       struct error *err);

/* What an attempt used whose lease is gone, added to the run wherever it is now. */
MUST_CHECK int queue_add_usage(struct db *db, int64_t run_id, const struct run_usage *used,
			       struct error *err);

/* Runs that are queued or under way: one, or those of a sync, a connection, an integration, or
 * of an integration's deleted syncs. The other members are NULL or 0. */
struct run_scope {
	const char *sync_id;
	int64_t connection_row, integration_id, deleted_syncs_of, run_id;
};
struct run_queued {
	int64_t run_id, connection_row;
};
/* Locks nothing: who held their rows while something waits would hold up all their node's. */
MUST_CHECK int queue_find(TALLOC_CTX *mem, struct db *db, const struct run_scope *scope,
			  struct run_queued **out, size_t *count, struct error *err);
/* Ends those of them that are there still, whatever their token, durably. Their fences were
 * closed, and the caller's COMMIT is near. Sorts the outcomes. */
MUST_CHECK int queue_end_found(struct db *db, struct run_outcome *outcomes, size_t count,
			       int64_t quiet_max_ms, struct error *err);

#endif
