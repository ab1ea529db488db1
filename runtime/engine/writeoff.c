/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/writeoff -- runs that ended leave the queue. While one statement is under way those
 * that end meanwhile gather, and go together with the next: a lone run does not wait, ten
 * thousand do not commit one by one.
 *
 * What runs used that are not this node's any more is added on a thread of its own: who took
 * such a run away may hold its row still, and no end of another run waits for that.
 */
#include "base/log.h"
#include "engine/worker_internal.h"

#include <stdlib.h>

#define BATCH_MAX 500

struct writeoff {
	struct worker *worker;
	struct job *jobs[BATCH_MAX];
	size_t count;
	enum writeoff_kind kind;
	struct run_outcome outcomes[BATCH_MAX];
	struct queue_return returns[BATCH_MAX];
};

static int
write_outcomes(struct writeoff *w, struct db *db, size_t count, struct error *err)
{
	size_t held;

	if (count == 0)
		return 0;
	if (queue_complete(db, w->outcomes, count, w->worker->node->config->failing_max_ms,
			   &held, err) < 0)
		return -1;
	if (held < count)
		log_info(
		    "worker",
		    "%zu of %zu runs were taken over or cancelled before they were written "
		    "off",
		    count - held, count);
	return 0;
}

/* Each once, whatever becomes of the others. */
static void
write_usage(struct writeoff *w, struct db *db)
{
	struct error err;

	for (size_t i = 0; i < w->count; i++)
		if (queue_add_usage(db, w->jobs[i]->claim.run_id, &w->jobs[i]->outcome.used,
				    &err) < 0)
			log_warn("worker", "%s: what it used is not added: %s",
				 w->jobs[i]->label, err.message);
}

static int
write_batch(struct writeoff *w, struct db *db, struct error *err)
{
	size_t outcomes = 0, returns = 0;

	for (size_t i = 0; i < w->count; i++) {
		const struct job *job = w->jobs[i];

		if (job->after == JOB_COMPLETE)
			w->outcomes[outcomes++] = job->outcome;
		else
			w->returns[returns++] = (struct queue_return){
			    .run_id = job->claim.run_id,
			    .token = job->claim.token,
			    .delay_ms = job->return_ms,
			    .is_parked = job->is_parked,
			    .is_free =
				job->is_parked || cause_fits(job->end.cause, CAUSE_CANCELLED),
			    .used = job->outcome.used};
	}
	if (write_outcomes(w, db, outcomes, err) < 0)
		return -1;
	return returns == 0 ? 0 : queue_give_back(db, w->returns, returns, err);
}

/* One by one, so that a row that cannot be stored does not keep the others back. */
static void
write_singly(struct writeoff *w, struct db *db)
{
	struct writeoff *one = calloc(1, sizeof(*one));
	struct error err;

	if (one == NULL)
		abort();
	one->worker = w->worker;
	one->count = 1;
	for (size_t i = 0; i < w->count; i++) {
		one->jobs[0] = w->jobs[i];
		if (write_batch(one, db, &err) < 0)
			log_warn("worker",
				 "%s ended but could not be written off (it will be taken up "
				 "again): %s",
				 w->jobs[i]->label, err.message);
	}
	free(one);
}

static void written(void *arg);

static void
write_in_pool(void *arg)
{
	struct writeoff *w = arg;
	struct node *node = w->worker->node;
	struct error err;
	struct db *db;

	if (db_acquire(node->control, &db, &err) < 0) {
		log_warn("worker",
			 "%zu runs ended but could not be written off (they will be "
			 "taken up again): %s",
			 w->count, err.message);
	} else {
		if (w->kind == WRITEOFF_USAGE) {
			write_usage(w, db);
		} else if (write_batch(w, db, &err) < 0) {
			db_release(db);
			db = NULL;
			if (db_acquire(node->control, &db, &err) == 0)
				write_singly(w, db);
		}
		db_release(db);
	}
	loop_post(node->loop, written, w);
}

static void
write_off(struct worker *worker, enum writeoff_kind kind)
{
	struct job **ended = &worker->ended[kind];
	struct writeoff *w;

	if (worker->is_writing_off[kind] || *ended == NULL)
		return;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		abort();
	w->worker = worker;
	w->kind = kind;
	while (*ended != NULL && w->count < BATCH_MAX) {
		struct job *job = *ended;

		*ended = job->next_ended;
		w->jobs[w->count++] = job;
	}
	worker->is_writing_off[kind] = true;
	if (pool_submit(worker->node->worker_pool, write_in_pool, w) < 0)
		written(w); /* their leases run out, and another look finds them */
}

static void
written(void *arg)
{
	struct writeoff *w = arg;
	struct worker *worker = w->worker;
	enum writeoff_kind kind = w->kind;

	worker->is_writing_off[kind] = false;
	for (size_t i = 0; i < w->count; i++)
		worker_job_freed(w->jobs[i]);
	free(w);
	write_off(worker, kind);
	worker_maybe_stopped(worker);
}

void
writeoff_add(struct job *job)
{
	struct worker *worker = job->node->worker;
	enum writeoff_kind kind = job->after == JOB_ADD_USAGE ? WRITEOFF_USAGE : WRITEOFF_END;

	job->is_written_off = true; /* its lease is not renewed: the row is about to go */
	if (kind == WRITEOFF_USAGE && job->outcome.used.requests == 0 &&
	    job->outcome.used.max_rss_kb == 0) { /* it never ran */
		worker_job_freed(job);
		return;
	}
	job->next_ended = worker->ended[kind];
	worker->ended[kind] = job;
	write_off(worker, kind);
}
