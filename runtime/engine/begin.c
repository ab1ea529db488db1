/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/begin -- a claimed run's way to its start: it is prepared on a pool thread, beside
 * others, its build is fetched if it is not at hand, and it is started on the loop. What fails
 * on the way is finished without having run.
 */
#include "base/log.h"
#include "engine/job_internal.h"
#include "engine/worker_internal.h"
#include "run/cause.h"
#include "store/plugin.h"

struct load {
	struct job *job;
	const void *bytes;
	size_t length;
	int result;
	struct error err;
};

static void
finish_unstarted(struct job *job)
{
	job->is_beginning = false;
	if (pool_submit(job->node->worker_pool, job_finish, job) < 0)
		job_leave(job); /* another look finds it */
}

/* Whether it is not to be started any more. */
static bool
gives_up(struct job *job)
{
	if (job->is_gone)
		job_fail(job, job->gone_cause, NULL);
	else if (job->node->worker->is_stopping)
		job_fail(job, CAUSE_CANCELLED, NULL);
	return job->end.cause[0] != '\0';
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
	if (gives_up(job)) {
		finish_unstarted(job);
	} else if (result == 0) {
		job_start(job);
	} else {
		job_fail(job, CAUSE_LOAD, &load->err);
		finish_unstarted(job);
	}
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
start_job(struct worker *worker, struct job *job)
{
	struct load *load;
	struct error err;

	if (job->is_over || gives_up(job)) {
		finish_unstarted(job);
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
		job_fail(job, CAUSE_CANCELLED, &err);
		finish_unstarted(job);
		talloc_free(load);
	}
}

/* The credentials are fresh, or cannot be made so. */
static void
job_renewed(struct job *job, const struct error *err)
{
	if (err != NULL)
		job_fail(job, CAUSE_SETUP, err);
	start_job(job->node->worker, job);
}

static void
job_prepared(void *arg)
{
	struct job *job = arg;
	struct worker *worker = job->node->worker;

	worker->preparing--;
	if (job->is_stale && !gives_up(job) && job_target_renew(job, job_renewed) == 0)
		log_debug("worker", "%s waits for its credentials", job->label);
	else
		start_job(worker, job);
	if (worker->preparing == WORKER_PREPARING_MAX / 2)
		worker_look(worker);
}

static void
prepare_in_pool(void *arg)
{
	struct job *job = arg;
	struct node *node = job->node;
	struct db *control = NULL, *data = NULL;
	struct error err;

	if (db_acquire(node->control, &control, &err) < 0 ||
	    (node->data != node->control && db_acquire(node->data, &data, &err) < 0))
		job_fail(job, CAUSE_CANCELLED, &err);
	else if (job_prepare(job, control, data == NULL ? control : data) < 0)
		log_debug("worker", "%s: %s", job->label, job->end.message);
	db_release(data);
	db_release(control);
	loop_post(node->loop, job_prepared, job);
}

void
begin_job(struct worker *worker, struct job *job)
{
	job->on_freed = worker_job_freed;
	job->on_finished = writeoff_add;
	job->is_beginning = true;
	job->next = worker->jobs;
	if (worker->jobs != NULL)
		worker->jobs->previous = job;
	worker->jobs = job;
	worker->jobs_count++;
	worker->preparing++;
	if (pool_submit(worker->node->worker_pool, prepare_in_pool, job) < 0) {
		worker->preparing--;
		worker_job_freed(job);
	}
}
