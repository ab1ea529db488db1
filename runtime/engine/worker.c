/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/worker -- see worker.h. Here: looking for work.
 *
 * One look at a time: a tick that comes while a look is under way asks for another one after
 * it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engine/job_internal.h"
#include "engine/worker_internal.h"
#include "run/cause.h"
#include "store/sync.h"

#include <stdlib.h>
#include <string.h>

#define DUE_MAX 1000	 /* schedules that one statement moves */
#define DUE_ROUNDS 10	 /* of such statements in one look */
#define UNREAD_MS 600000 /* before a missing time zone is looked for again */

/* What a look brings back to the loop. */
struct look {
	struct worker *worker;
	size_t room; /* runs that still fit */
	bool with_schedules;
	struct job **jobs;
	size_t count;
	struct error err;
	bool is_full;	   /* there may be more at once */
	bool has_more_due; /* schedules */
};

char *
worker_checkpoint_key(TALLOC_CTX *mem, const char *sync, const char *variant)
{
	if (strcmp(variant, "base") == 0)
		return talloc_asprintf(mem, "sync:%s", sync);
	return talloc_asprintf(mem, "sync:%s:%s", sync, variant);
}

void
worker_maybe_stopped(struct worker *worker)
{
	if (!worker->is_stopping || worker->jobs_count > 0 || worker->is_looking ||
	    worker->is_beating || worker->is_sweeping || worker->stopped == NULL)
		return;
	worker->stopped(worker->stopped_arg);
	worker->stopped = NULL;
}

void
worker_job_freed(struct job *job)
{
	struct worker *worker = job->node->worker;

	if (job->previous != NULL)
		job->previous->next = job->next;
	else
		worker->jobs = job->next;
	if (job->next != NULL)
		job->next->previous = job->previous;
	worker->jobs_count--;
	talloc_free(job);
	worker_maybe_stopped(worker);
	if (!worker->is_stopping)
		worker_look(worker); /* there is room again */
}

/* ---- looking for work ---- */

static void
keep_claims(struct look *look, const struct run_claim *claims, size_t count)
{
	look->room -= count;
	look->jobs =
	    talloc_realloc(look, look->jobs, struct job *, (unsigned)(look->count + count + 1));
	for (size_t i = 0; i < count; i++) {
		struct job *job = talloc_zero(NULL, struct job);

		job->node = look->worker->node;
		job->claim = claims[i];
		job->claim.sync_id = talloc_strdup(job, claims[i].sync_id);
		look->jobs[look->count++] = job;
	}
}

/* Turn after turn until the room is used up, or as many turns in a row as there are
 * environments gave nothing. */
static int
claim_all(struct look *look, struct db *control)
{
	const struct config *config = look->worker->node->config;
	struct queue_limits limits = {.lease_ms = config->lease_ms,
				      .environment_max = config->environment_runs_max,
				      .provider_max = config->provider_runs_max,
				      .connection_max = config->connection_runs_max};
	int64_t environments, empty = 0;

	while (look->room > 0) {
		struct run_claim *claims;
		size_t count;

		limits.room =
		    (int64_t)(look->room < WORKER_CLAIM_MAX ? look->room : WORKER_CLAIM_MAX);
		if (queue_claim(look, control, &limits, &look->worker->front, &claims, &count,
				&environments, &look->err) < 0)
			return -1;
		keep_claims(look, claims, count);
		empty = count > 0 ? 0 : empty + 1;
		if (empty >= environments)
			return 0;
	}
	look->is_full = true;
	return 0;
}

/* Zones that were found missing are looked for again after a while: somebody may have brought
 * them. */
static size_t
known_unread(struct worker *worker)
{
	if (clock_monotonic_ms() - worker->unread_ms >= UNREAD_MS) {
		worker->unread_ms = clock_monotonic_ms();
		worker->unread.count = 0;
	}
	return worker->unread.count;
}

static int
move_schedules(struct look *look, struct db *control)
{
	struct sync_zones *unread = &look->worker->unread;
	size_t known = known_unread(look->worker);
	int64_t moved = DUE_MAX, queued, all = 0;

	for (int i = 0; i < DUE_ROUNDS && moved == DUE_MAX; i++) {
		if (sync_enqueue_due(control, DUE_MAX, unread, &moved, &queued, &look->err) < 0)
			return -1;
		all += queued;
	}
	for (; known < unread->count; known++)
		log_warn("worker",
			 "the tz database of this system has no zone \"%s\": what is due in it "
			 "is left to other nodes",
			 unread->names[known]);
	if (all > 0)
		notices_send(look->worker->node, "due");
	look->is_full |= all > 0;
	look->has_more_due = moved == DUE_MAX;
	return 0;
}

static void looked(void *arg);

static void
look_for_work(void *arg)
{
	struct look *look = arg;
	struct node *node = look->worker->node;
	struct db *control;

	if (db_acquire(node->control, &control, &look->err) == 0) {
		int result = 0;

		/* What waits goes first; what the schedules add is found by the next look. */
		if ((node->roles & ROLE_WORKER) != 0)
			result = claim_all(look, control);
		if (result == 0 && look->with_schedules && (node->roles & ROLE_SCHEDULER) != 0)
			move_schedules(look, control);
		db_release(control);
	}
	loop_post(node->loop, looked, look);
}

static size_t
room_for(const struct worker *worker)
{
	size_t max = (size_t)worker->node->config->runs_max, room;

	room = max > worker->jobs_count ? max - worker->jobs_count : 0;
	if (worker->preparing >= WORKER_PREPARING_MAX)
		return 0;
	return room < WORKER_PREPARING_MAX - worker->preparing
		   ? room
		   : WORKER_PREPARING_MAX - worker->preparing;
}

static void
look(struct worker *worker, bool with_schedules)
{
	struct look *look;

	if (worker->is_stopping)
		return;
	if (worker->is_looking) {
		worker->look_again = true;
		worker->tick_again |= with_schedules;
		return;
	}
	look = talloc_zero(NULL, struct look);
	look->worker = worker;
	look->with_schedules = with_schedules;
	look->room = room_for(worker);
	if (look->room == 0 && !with_schedules) {
		talloc_free(look);
		return; /* a job that ends, or is prepared, looks again */
	}
	worker->is_looking = true;
	if (pool_submit(worker->node->worker_pool, look_for_work, look) < 0) {
		worker->is_looking = false;
		talloc_free(look);
		loop_timer_set(worker->tick, worker->node->config->tick_ms);
	}
}

void
worker_look(struct worker *worker)
{
	look(worker, false);
}

static void
looked(void *arg)
{
	struct look *look_done = arg;
	struct worker *worker = look_done->worker;
	bool again = worker->look_again || look_done->is_full;

	worker->is_looking = false;
	worker->look_again = false;
	if (look_done->err.code != ERR_NONE)
		log_warn("worker", "cannot look for work: %s", look_done->err.message);
	for (size_t i = 0; i < look_done->count; i++)
		begin_job(worker, look_done->jobs[i]);
	if (look_done->err.code != ERR_NONE)
		again = false;
	/* A tick that came meanwhile is over with this look, too, if none follows it. */
	if ((look_done->with_schedules || (worker->tick_again && !again)) &&
	    !worker->is_stopping)
		loop_timer_set(worker->tick,
			       look_done->has_more_due ? 0 : worker->node->config->tick_ms);
	talloc_free(look_done);
	worker_maybe_stopped(worker);
	if (again)
		look(worker, worker->tick_again);
	worker->tick_again = false;
}

static void
on_tick(void *arg)
{
	look(arg, true);
}

/* ---- the worker ---- */

static void
wake(void *arg)
{
	struct node *node = arg;

	if (node->worker != NULL)
		look(node->worker, true); /* a new connection's schedules are due */
}

void
worker_wake(struct node *node)
{
	loop_post(node->loop, wake, node);
	notices_send(node, "due");
}

static void
ask(void *arg)
{
	struct node *node = arg;

	if (node->worker != NULL)
		lease_ask(node->worker);
}

void
worker_cancelled(struct node *node)
{
	loop_post(node->loop, ask, node);
	notices_send(node, "gone");
}

void
worker_start(struct node *node)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		abort();
	worker->node = node;
	node->worker = worker;
	worker->tick = loop_timer_new(node->loop, on_tick, worker);
	worker->heartbeat = loop_timer_new(node->loop, lease_timer, worker);
	worker->sweep = loop_timer_new(node->loop, sweep_timer, worker);
	loop_timer_set(worker->tick, 0);
	loop_timer_set(worker->heartbeat, node->config->lease_ms / 3);
	loop_timer_set(worker->sweep, SWEEP_FIRST_MS);
	worker->notices = notices_start(node);
}

void
worker_stop(struct node *node, loop_fn *done, void *arg)
{
	struct worker *worker = node->worker;

	worker->is_stopping = true;
	worker->stopped = done;
	worker->stopped_arg = arg;
	loop_timer_cancel(worker->tick);
	loop_timer_cancel(worker->heartbeat);
	loop_timer_cancel(worker->sweep);
	for (struct job *job = worker->jobs, *next; job != NULL; job = next) {
		next = job->next;
		if (job->run != NULL)
			run_cancel(job->run, cause_text(CAUSE_CANCELLED));
		else
			job_target_stop(job); /* no stop waits for a provider */
	}
	worker_maybe_stopped(worker);
}

void
worker_free(struct node *node)
{
	struct worker *worker = node->worker;

	if (worker == NULL)
		return;
	notices_stop(worker->notices);
	loop_timer_free(worker->tick);
	loop_timer_free(worker->heartbeat);
	loop_timer_free(worker->sweep);
	free(worker);
	node->worker = NULL;
}
