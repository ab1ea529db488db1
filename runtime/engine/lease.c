/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lease -- heartbeats: one statement renews the leases of all runs of this node, and
 * tells which of them were cancelled or lost. They have a thread to themselves: behind the
 * pages of ten thousand runs a lease would run out before its turn came.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engine/job_internal.h"
#include "engine/worker_internal.h"
#include "run/cause.h"

#include <stdlib.h>

#define ASK_APART_MS 250 /* cancelling many runs one by one asks a node so often at most */

struct beat {
	struct worker *worker;
	struct queue_held *held;
	size_t held_count;
	struct queue_gone *gone;
	size_t gone_count;
	int result;
	struct error err;
};

static int
compare_gone(const void *a, const void *b)
{
	const struct queue_gone *x = a, *y = b;

	if (x->run_id != y->run_id)
		return x->run_id < y->run_id ? -1 : 1;
	return x->token < y->token ? -1 : x->token > y->token;
}

/* One that is on its way to its start has no process to be ended: it does not start. */
static void
end_gone(struct job *job, enum cause_row cause)
{
	if (job->run == NULL && !job->is_beginning)
		return; /* over */
	job->is_gone = true;
	job->gone_cause = cause;
	if (job->run != NULL)
		run_cancel(job->run, cause_text(cause));
	else
		job_target_stop(job);
}

/* A run that ended while the answer was on its way is not on the list any more, and one that
 * was claimed again meanwhile is there with another token: the answer says nothing of it. */
static void
heed_gone(struct worker *worker, const struct beat *beat)
{
	qsort(beat->gone, beat->gone_count, sizeof(*beat->gone), compare_gone);
	for (struct job *job = worker->jobs, *next; job != NULL; job = next) {
		const struct queue_gone key = {.run_id = job->claim.run_id,
					       .token = job->claim.token},
					*gone;

		next = job->next;
		gone = bsearch(&key, beat->gone, beat->gone_count, sizeof(*beat->gone),
			       compare_gone);
		if (gone != NULL)
			end_gone(job, gone->is_cancelled ? CAUSE_CANCELLED : CAUSE_LOST_LEASE);
	}
}

static void
beaten(void *arg)
{
	struct beat *beat = arg;
	struct worker *worker = beat->worker;

	worker->is_beating = false;
	if (beat->result < 0)
		log_warn("worker", "cannot renew leases: %s", beat->err.message);
	else if (beat->gone_count > 0)
		heed_gone(worker, beat);
	talloc_free(beat);
	worker_maybe_stopped(worker);
}

static void
beat_in_pool(void *arg)
{
	struct beat *beat = arg;
	struct node *node = beat->worker->node;
	struct db *db;

	beat->result = db_acquire(node->control, &db, &beat->err);
	if (beat->result == 0) {
		beat->result = queue_heartbeat(beat, db, beat->held, beat->held_count,
					       node->config->lease_ms, &beat->gone,
					       &beat->gone_count, &beat->err);
		db_release(db);
	}
	loop_post(node->loop, beaten, beat);
}

static void
send_beat(struct worker *worker)
{
	struct beat *beat;

	if (worker->is_beating || worker->jobs == NULL)
		return;
	beat = talloc_zero(NULL, struct beat);
	beat->worker = worker;
	beat->held = talloc_array(beat, struct queue_held, (unsigned)worker->jobs_count);
	for (const struct job *job = worker->jobs; job != NULL; job = job->next)
		if (!job->is_written_off)
			beat->held[beat->held_count++] =
			    (struct queue_held){job->claim.run_id, job->claim.token};
	worker->is_beating = true;
	if (pool_submit(worker->node->lease_pool, beat_in_pool, beat) < 0) {
		worker->is_beating = false;
		talloc_free(beat);
	}
}

void
lease_timer(void *arg)
{
	struct worker *worker = arg;

	/* One that is under way does not know of what was cancelled since: another follows. */
	loop_timer_set(worker->heartbeat,
		       worker->is_beating ? ASK_APART_MS : worker->node->config->lease_ms / 3);
	worker->asked_ms = clock_monotonic_ms();
	send_beat(worker);
}

void
lease_ask(struct worker *worker)
{
	int64_t since = clock_monotonic_ms() - worker->asked_ms;

	if (worker->is_stopping)
		return;
	loop_timer_set(worker->heartbeat,
		       since >= ASK_APART_MS && !worker->is_beating ? 0 : ASK_APART_MS);
}
