/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/worker_internal -- what the worker's files share: worker.c (looking for work),
 * lease.c (heartbeats), writeoff.c (the ends of runs), notice.c (between nodes).
 */
#ifndef NANGO_ENGINE_WORKER_INTERNAL_H
#define NANGO_ENGINE_WORKER_INTERNAL_H

#include "engine/job.h"
#include "engine/worker.h"

struct notices;

struct worker {
	struct node *node;
	struct loop_timer *tick, *heartbeat, *sweep;
	struct job *jobs;
	size_t jobs_count;
	size_t preparing;
	int64_t asked_ms;  /* when leases were renewed last */
	struct job *ended; /* to be written off, linked by next_ended */
	bool is_looking, look_again, tick_again, is_beating, is_writing_off, is_sweeping,
	    is_stopping;
	struct notices *notices;
	loop_fn *stopped;
	void *stopped_arg;
};

/* worker.c; the loop's thread */
void worker_look(struct worker *worker);
void worker_maybe_stopped(struct worker *worker);
void worker_job_freed(struct job *job);

/* lease.c; the loop's thread */
void lease_timer(void *worker);
void lease_ask(struct worker *worker); /* now, or soon when one was just answered */

/* writeoff.c; the loop's thread: a job whose data family is in order */
void writeoff_add(struct job *job);

/* notice.c */
struct notices *notices_start(struct node *node);
void notices_send(struct node *node, const char *what); /* any thread */
void notices_stop(struct notices *notices);

#endif
