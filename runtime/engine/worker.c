/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/worker -- see worker.h.
 *
 * One look at a time: a tick that comes while a look is under way asks for another one after
 * it.
 */
#include "engine/worker.h"
#include "engine/job.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/cause.h"
#include "store/plugin.h"
#include "store/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUE_MAX 1000 /* schedules that one look queues */

struct worker {
	struct node *node;
	struct loop_timer *tick, *heartbeat;
	struct job *jobs;
	size_t jobs_count;
	bool is_looking, look_again, is_beating, is_stopping;
	size_t next_environment; /* where the round goes on */
	loop_fn *stopped;
	void *stopped_arg;
};

/* What a look brings back to the loop. */
struct look {
	struct worker *worker;
	size_t room; /* runs that still fit */
	struct job **jobs;
	size_t count;
	struct error err;
	bool is_full; /* there may be more at once */
};

struct beat {
	struct worker *worker;
	char *claims; /* [[run, token], …] */
	int64_t *held;
	size_t held_count;
	int result;
	struct error err;
};

struct load {
	struct job *job;
	const void *bytes;
	size_t length;
	int result;
	struct error err;
};

char *
worker_checkpoint_key(TALLOC_CTX *mem, const char *sync, const char *variant)
{
	if (strcmp(variant, "base") == 0)
		return talloc_asprintf(mem, "sync:%s", sync);
	return talloc_asprintf(mem, "sync:%s:%s", sync, variant);
}

static void
maybe_stopped(struct worker *worker)
{
	if (!worker->is_stopping || worker->jobs_count > 0 || worker->is_looking ||
	    worker->is_beating || worker->stopped == NULL)
		return;
	worker->stopped(worker->stopped_arg);
	worker->stopped = NULL;
}

static void
job_freed(struct job *job)
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
	maybe_stopped(worker);
	if (!worker->is_stopping)
		worker_wake(worker->node); /* there is room again */
}

/* ---- starting a job: the build may have to be fetched first ---- */

static void
finish_unstarted(struct job *job, enum cause_row cause, const struct error *err)
{
	job_fail(job, cause, err);
	if (pool_submit(job->node->worker_pool, job_finish, job) < 0)
		job_freed(job); /* its lease runs out and another look finds it */
}

static void
build_loaded(void *arg)
{
	struct load *load = arg;
	struct job *job = load->job;
	int result = load->result;

	if (result == 0)
		result = run_host_add(job->node->host, job->build_key, load->bytes,
				      load->length, &load->err);
	if (result == 0)
		job_start(job);
	else
		finish_unstarted(job, CAUSE_LOAD, &load->err);
	talloc_free(load);
}

static void
load_build(void *arg)
{
	struct load *load = arg;
	struct db *db;

	load->result = db_acquire(load->job->node->control, &db, &load->err);
	if (load->result == 0) {
		load->result = plugin_build_bytes(load, db, load->job->sha256, &load->bytes,
						  &load->length, &load->err);
		db_release(db);
	}
	loop_post(load->job->node->loop, build_loaded, load);
}

static void
begin_job(struct worker *worker, struct job *job)
{
	struct load *load;
	struct error err;

	job->on_freed = job_freed;
	job->next = worker->jobs;
	if (worker->jobs != NULL)
		worker->jobs->previous = job;
	worker->jobs = job;
	worker->jobs_count++;
	if (worker->is_stopping && !job->is_over)
		job_fail(job, CAUSE_CANCELLED, NULL);
	if (job->is_over || job->end.cause[0] != '\0') {
		if (pool_submit(worker->node->worker_pool, job_finish, job) < 0)
			job_freed(job);
		return;
	}
	if (run_host_has(worker->node->host, job->build_key)) {
		job_start(job);
		return;
	}
	load = talloc_zero(NULL, struct load);
	load->job = job;
	if (pool_submit(worker->node->worker_pool, load_build, load) < 0) {
		error_set(&err, ERR_BUSY, "all workers are busy");
		finish_unstarted(job, CAUSE_CANCELLED, &err);
		talloc_free(load);
	}
}

/* ---- looking for work ---- */

static int
claim_environment(struct look *look, struct db *control, struct db *data,
		  int64_t environment_id)
{
	struct node *node = look->worker->node;
	size_t limit = look->room < WORKER_CLAIM_MAX ? look->room : WORKER_CLAIM_MAX;
	struct run_claim *claims;
	size_t count;

	if (run_claim(look, control, environment_id, (int64_t)limit, node->config->lease_ms,
		      &claims, &count, &look->err) < 0)
		return -1;
	look->is_full |= count == limit;
	look->room -= count;
	look->jobs =
	    talloc_realloc(look, look->jobs, struct job *, (unsigned)(look->count + count + 1));
	for (size_t i = 0; i < count; i++) {
		struct job *job = talloc_zero(NULL, struct job);

		job->node = node;
		job->claim = claims[i];
		job->claim.sync_id = talloc_strdup(job, claims[i].sync_id);
		if (job_prepare(job, control, data) < 0)
			log_debug("worker", "%s: %s", job->label, job->end.message);
		look->jobs[look->count++] = job;
	}
	return 0;
}

static int
claim_all(struct look *look, struct db *control, struct db *data)
{
	int64_t *environments;
	size_t count, start = look->worker->next_environment++;

	if (run_due_environments(look, control, &environments, &count, &look->err) < 0)
		return -1;
	for (size_t i = 0; i < count && look->room > 0; i++)
		if (claim_environment(look, control, data, environments[(start + i) % count]) <
		    0)
			return -1;
	return 0;
}

static int
look_with(struct look *look, struct db *control, struct db *data)
{
	const struct node *node = look->worker->node;
	int64_t queued;

	if ((node->roles & ROLE_SCHEDULER) != 0 &&
	    sync_enqueue_due(control, DUE_MAX, &queued, &look->err) < 0)
		return -1;
	if ((node->roles & ROLE_WORKER) == 0 || look->room == 0)
		return 0;
	return claim_all(look, control, data);
}

static void looked(void *arg);

static void
look_for_work(void *arg)
{
	struct look *look = arg;
	struct node *node = look->worker->node;
	struct db *control = NULL, *data = NULL;

	if (db_acquire(node->control, &control, &look->err) == 0) {
		if (node->data == node->control)
			look_with(look, control, control);
		else if (db_acquire(node->data, &data, &look->err) == 0)
			look_with(look, control, data);
	}
	db_release(data);
	db_release(control);
	loop_post(node->loop, looked, look);
}

static void
look(struct worker *worker)
{
	struct look *look;

	if (worker->is_stopping)
		return;
	if (worker->is_looking) {
		worker->look_again = true;
		return;
	}
	look = talloc_zero(NULL, struct look);
	look->worker = worker;
	look->room = (size_t)worker->node->config->runs_max > worker->jobs_count
			 ? (size_t)worker->node->config->runs_max - worker->jobs_count
			 : 0;
	worker->is_looking = true;
	if (pool_submit(worker->node->worker_pool, look_for_work, look) < 0) {
		worker->is_looking = false;
		talloc_free(look);
		loop_timer_set(worker->tick, worker->node->config->tick_ms);
	}
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
	talloc_free(look_done);
	maybe_stopped(worker);
	if (worker->is_stopping)
		return;
	loop_timer_set(worker->tick, worker->node->config->tick_ms);
	if (again)
		look(worker);
}

static void
on_tick(void *arg)
{
	look(arg);
}

/* ---- leases ---- */

static bool
is_held(const struct beat *beat, int64_t run_id)
{
	for (size_t i = 0; i < beat->held_count; i++)
		if (beat->held[i] == run_id)
			return true;
	return false;
}

static bool
was_asked(const struct beat *beat, const struct job *job)
{
	char mark[64];

	snprintf(mark, sizeof(mark), "[%" PRId64 ",%" PRId64 "]", job->claim.run_id,
		 job->claim.token);
	return strstr(beat->claims, mark) != NULL;
}

static void
beaten(void *arg)
{
	struct beat *beat = arg;
	struct worker *worker = beat->worker;

	worker->is_beating = false;
	if (beat->result < 0)
		log_warn("worker", "cannot renew leases: %s", beat->err.message);
	for (struct job *job = worker->jobs; job != NULL && beat->result == 0; job = job->next)
		if (job->run != NULL && was_asked(beat, job) &&
		    !is_held(beat, job->claim.run_id))
			run_cancel(job->run, cause_text(CAUSE_LOST_LEASE));
	talloc_free(beat);
	maybe_stopped(worker);
}

static void
beat_in_pool(void *arg)
{
	struct beat *beat = arg;
	struct node *node = beat->worker->node;
	struct db *db;

	beat->result = db_acquire(node->control, &db, &beat->err);
	if (beat->result == 0) {
		beat->result = run_heartbeat(beat, db, beat->claims, node->config->lease_ms,
					     &beat->held, &beat->held_count, &beat->err);
		db_release(db);
	}
	loop_post(node->loop, beaten, beat);
}

static void
on_heartbeat(void *arg)
{
	struct worker *worker = arg;
	struct beat *beat;
	struct buf claims;

	loop_timer_set(worker->heartbeat, worker->node->config->lease_ms / 3);
	if (worker->is_beating || worker->jobs == NULL)
		return;
	beat = talloc_zero(NULL, struct beat);
	beat->worker = worker;
	buf_init(&claims, beat, worker->jobs_count * 32 + 16);
	for (const struct job *job = worker->jobs; job != NULL; job = job->next)
		buf_addf(&claims, "%s[%" PRId64 ",%" PRId64 "]", claims.length == 0 ? "[" : ",",
			 job->claim.run_id, job->claim.token);
	buf_addc(&claims, ']');
	beat->claims = claims.data;
	worker->is_beating = true;
	if (pool_submit(worker->node->worker_pool, beat_in_pool, beat) < 0) {
		worker->is_beating = false;
		talloc_free(beat);
	}
}

/* ---- the worker ---- */

static void
wake(void *arg)
{
	struct node *node = arg;

	if (node->worker != NULL)
		look(node->worker);
}

void
worker_wake(struct node *node)
{
	loop_post(node->loop, wake, node);
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
	worker->heartbeat = loop_timer_new(node->loop, on_heartbeat, worker);
	loop_timer_set(worker->tick, 0);
	loop_timer_set(worker->heartbeat, node->config->lease_ms / 3);
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
	for (struct job *job = worker->jobs; job != NULL; job = job->next)
		if (job->run != NULL)
			run_cancel(job->run, cause_text(CAUSE_CANCELLED));
	maybe_stopped(worker);
}

void
worker_free(struct node *node)
{
	struct worker *worker = node->worker;

	if (worker == NULL)
		return;
	loop_timer_free(worker->tick);
	loop_timer_free(worker->heartbeat);
	free(worker);
	node->worker = NULL;
}
