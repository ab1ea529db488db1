/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/worker_internal -- what the worker's files share: worker.c (looking for work),
 * begin.c (up to the start of a run), lease.c (heartbeats), writeoff.c (the ends of runs),
 * sweep.c (old runs), notice.c (between nodes).
 */
#ifndef NANGO_ENGINE_WORKER_INTERNAL_H
#define NANGO_ENGINE_WORKER_INTERNAL_H

#include "engine/job.h"
#include "engine/worker.h"

struct notices;

/* What is written of runs that ended; each kind has a statement of its own under way. */
enum writeoff_kind {
	WRITEOFF_END,	/* they leave the queue, or go back to it */
	WRITEOFF_USAGE, /* what they used here: the rest is another's */
	WRITEOFF_KINDS
};

struct worker {
	struct node *node;
	struct loop_timer *tick, *heartbeat, *sweep;
	struct job *jobs;
	size_t jobs_count;
	size_t preparing;
	struct queue_front front; /* of claims; a pool thread's while is_looking */
	struct sync_zones unread; /* a pool thread's while is_looking */
	int64_t unread_ms;	  /* when they were looked for, all of them */
	int64_t asked_ms;	  /* when leases were renewed last */
	int64_t swept_all_ms;	  /* when a sweep began at the oldest run */
	int64_t swept_to;	  /* run_sweep.settled; a pool thread's while is_sweeping */
	struct job *ended[WRITEOFF_KINDS]; /* to be written off, linked by next_ended */
	bool is_writing_off[WRITEOFF_KINDS];
	bool is_looking, look_again, tick_again, is_beating, is_sweeping, is_stopping;
	struct notices *notices;
	loop_fn *stopped;
	void *stopped_arg;
};

/* worker.c; the loop's thread */
void worker_look(struct worker *worker);
void worker_maybe_stopped(struct worker *worker);
void worker_job_freed(struct job *job);

/* begin.c; the loop's thread: a job that was claimed, the worker's from here on */
void begin_job(struct worker *worker, struct job *job);

/* lease.c; the loop's thread */
void lease_timer(void *worker);
void lease_ask(struct worker *worker); /* now, or soon when one was just answered */

/* writeoff.c; the loop's thread: a job whose data family is in order */
void writeoff_add(struct job *job);

/* sweep.c; the loop's thread */
#define SWEEP_FIRST_MS 1000
void sweep_timer(void *worker);

/* notice.c */
struct notices *notices_start(struct node *node);
void notices_send(struct node *node, const char *what); /* any thread */
void notices_stop(struct notices *notices);

#endif
