/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job -- a run while it runs and when it ends; its beginning is job_prepare.c, its pages
 * are in job_commit.c, its last transaction in job_close.c.
 *
 * The end is two transactions: the data family closes the fence with the outcome, then the run
 * leaves the queue (writeoff.c). A node that dies between them leaves a closed fence, and the
 * next claim of the run finds it and only does the second.
 */
#include "engine/job_internal.h"
#include "engine/hooks_out.h"
#include "engine/lookup.h"
#include "engine/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/cause.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETURN_FIRST_MS 500 /* before a run is begun again; doubles with each attempt */
#define RETURN_MAX_MS 60000
#define RETURN_PASSING_MS 2000 /* when the database was away before it began */

/* One request on its way; the session is owed exactly one answer to it. */
struct job_fetch {
	struct job *job;
	struct job_fetch *next;
	struct run_request request;
	bool is_sent;	  /* or it waits for credentials */
	bool was_refused; /* once; then the answer is the plugin's */
	run_fetch_done *done;
	void *arg;
};

static void send_waiting(struct job *job, const struct error *err);

/* 401 to credentials that can be made anew, and are not new: once. */
static bool
goes_again(struct job_fetch *fetch, const struct run_response *response)
{
	if (response == NULL || response->status != 401 || fetch->was_refused ||
	    !job_target_is_renewable(fetch->job))
		return false;
	fetch->was_refused = true;
	fetch->is_sent = false;
	if (job_target_replace(fetch->job, send_waiting) == 0)
		return true;
	fetch->is_sent = true;
	return false;
}

static void
fetch_answered(void *arg, const struct run_response *response, const struct error *err)
{
	struct job_fetch *fetch = arg;
	struct job_fetch **link = &fetch->job->pending;
	run_fetch_done *done = fetch->done;
	void *done_arg = fetch->arg;

	if (goes_again(fetch, response))
		return;
	while (*link != fetch)
		link = &(*link)->next;
	*link = fetch->next;
	free(fetch);
	done(done_arg, response, err);
}

static void
send_one(struct job_fetch *fetch)
{
	struct job *job = fetch->job;

	fetch->is_sent = true;
	fetch_send(job->node->fetcher, job->fetches, job->target, &fetch->request,
		   fetch_answered, fetch);
}

/* With new credentials, or with those that are left: the provider then says what it thinks. */
static void
send_waiting(struct job *job, const struct error *err)
{
	if (err != NULL)
		log_warn("worker", "%s goes on with old credentials: %s", job->label,
			 err->message);
	for (struct job_fetch *one = job->pending; one != NULL; one = one->next)
		if (!one->is_sent)
			send_one(one);
}

static void
job_fetch(void *host, const struct run_request *request, run_fetch_done *done, void *arg)
{
	struct job *job = host;
	struct job_fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL)
		abort();
	*fetch = (struct job_fetch){
	    .job = job, .next = job->pending, .request = *request, .done = done, .arg = arg};
	job->pending = fetch;
	if (job_target_is_due(job) && job_target_renew(job, send_waiting) == 0)
		return;
	send_one(fetch);
}

/* Ends the requests of a run that is over; what it still waits for is answered here. */
static void
end_fetches(struct job *job)
{
	struct error err;

	job_target_leave(job);
	fetch_scope_free(job->fetches);
	job->fetches = NULL;
	error_set(&err, ERR_NETWORK, "the run is over");
	while (job->pending != NULL)
		fetch_answered(job->pending, NULL, &err);
}

/* The wait for the provider goes on without a process, behind the last page. */
static bool
park(void *arg, int64_t wait_ms, const char *message)
{
	struct job *job = arg;

	if (job->run == NULL || !run_is_waiting(job->run))
		return false;
	job->park_ms = wait_ms;
	snprintf(job->park_message, sizeof(job->park_message), "%s", message);
	run_cancel(job->run, cause_text(CAUSE_PARKED));
	return true;
}

static void
job_lookup(void *host, const struct run_lookup *asked, run_lookup_done *done, void *arg)
{
	struct job *job = host;

	lookup_start(job->node, job->ingest, asked, done, arg);
}

static void
job_log(void *host, int level, const char *text, size_t length)
{
	static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
	struct job *job = host;

	log_write(levels[level < 0 || level > 3 ? 1 : level], "plugin", "%s: %.*s", job->label,
		  (int)length, text);
}

/* They are trees of their own, as pool threads work in them. */
static void
drop_ingest(struct job *job)
{
	talloc_free(job->prepared);
	job->prepared = NULL;
	talloc_free(job->ingest);
	job->ingest = NULL;
}

void
job_leave(struct job *job)
{
	drop_ingest(job);
	job->on_freed(job);
}

static void
job_ended(void *host, const struct run_end *end)
{
	struct job *job = host;

	uint64_t sent, received;

	job->run = NULL;
	fetch_scope_bytes(job->fetches, &sent, &received);
	end_fetches(job);
	job->end = *end;
	job->end.request_bytes = sent;
	job->end.response_bytes = received;
	if (cause_fits(end->cause, CAUSE_PARKED)) {
		job->end.park_ms = job->park_ms;
		snprintf(job->end.message, sizeof(job->end.message), "%s", job->park_message);
	}
	job->end.payload = talloc_strdup(job, end->payload);
	job->end.output = talloc_strdup(job, end->output);
	if (pool_submit(job->node->worker_pool, job_finish, job) < 0) {
		log_warn("worker",
			 "%s ended, but no worker is free for it: it will be taken up again",
			 job->label);
		job_leave(job);
	}
}

const struct run_backend job_backend = {.fetch = job_fetch,
					.commit = job_commit,
					.prepare = job_prepare_page,
					.lookup = job_lookup,
					.log = job_log,
					.ended = job_ended};

void
job_start(struct job *job)
{
	struct error err;

	job->is_beginning = false;
	job->fetches = fetch_scope_new(job->node->fetcher);
	if (job->start.may_park)
		fetch_scope_may_park(job->fetches, job->node->config->park_ms, park, job);
	if (run_host_start(job->node->host, job->build_key, &job->start, &job_backend, job,
			   &job->run, &err) == 0) {
		log_debug("worker", "%s: attempt %" PRId64, job->label, job->claim.attempts);
		return;
	}
	fetch_scope_free(job->fetches);
	job->fetches = NULL;
	job_fail(job, CAUSE_RUNNER, &err);
	if (pool_submit(job->node->worker_pool, job_finish, job) < 0)
		job_leave(job);
}

void
job_fail(struct job *job, enum cause_row cause, const struct error *err)
{
	snprintf(job->end.cause, sizeof(job->end.cause), "%s", cause_text(cause));
	if (err == NULL)
		return;
	snprintf(job->end.code, sizeof(job->end.code), "%s", error_name(err->code));
	snprintf(job->end.message, sizeof(job->end.message), "%s", err->message);
}

/* ---- the end ---- */

static void
finished_on_loop(void *arg)
{
	struct job *job = arg;

	job->on_finished(job);
}

/* The database was away or busy: that passes, and says nothing about the run. */
static bool
is_passing(const char *name)
{
	for (int code = ERR_NONE + 1; code < ERR_COUNT; code++)
		if (strcmp(name, error_name((enum error_code)code)) == 0)
			return db_error_may_pass((enum error_code)code);
	return false;
}

/* Not ended by itself: the run goes on from its last page, here or elsewhere. */
static bool
goes_on(const struct job *job)
{
	const struct run_end *end = &job->end;

	if (end->is_done)
		return false;
	if (cause_fits(end->cause, CAUSE_CANCELLED) || cause_fits(end->cause, CAUSE_PARKED))
		return true;
	if (job->claim.attempts >= job->node->config->run_attempts_max)
		return false;
	return cause_fits(end->cause, CAUSE_RUNNER) ||
	       (cause_fits(end->cause, CAUSE_STORE) && is_passing(end->code));
}

/* At once after a clean stop, when the provider said after a parking, else with back-off. */
static int64_t
return_delay_ms(const struct job *job)
{
	int64_t delay = RETURN_FIRST_MS;

	if (job->is_parked)
		return job->end.park_ms;
	if (cause_fits(job->end.cause, CAUSE_CANCELLED))
		return is_passing(job->end.code) ? RETURN_PASSING_MS : 0;
	for (int64_t i = 1; i < job->claim.attempts && delay < RETURN_MAX_MS; i++)
		delay *= 2;
	return delay > RETURN_MAX_MS ? RETURN_MAX_MS : delay;
}

static int
finish(struct job *job, struct error *err)
{
	if (job->is_over) { /* job->outcome is that of its end */
		job->after = JOB_COMPLETE;
		return 0;
	}
	job->outcome = job_outcome(job);
	job->after = JOB_ADD_USAGE;
	if (job->is_gone || cause_fits(job->end.cause, CAUSE_LOST_LEASE))
		return 0;
	job->is_parked = cause_fits(job->end.cause, CAUSE_PARKED);
	if (goes_on(job)) {
		job->return_ms = return_delay_ms(job);
		job->after = JOB_RETURN;
		return 0;
	}
	if (job_close(job, err) == 0) {
		job->after = JOB_COMPLETE;
		return 0;
	}
	if (err->code != ERR_DB_RETRY)
		return -1;
	log_warn("worker", "%s: %s", job->label, err->message);
	job->return_ms = return_delay_ms(job);
	job->after = JOB_RETURN;
	return 0;
}

static void
report(const struct job *job, int result, const struct error *err)
{
	const struct run_end *end = &job->end;

	if (job->is_gone || (result < 0 && err->code == ERR_FENCED))
		log_info("worker", "%s: the lease is gone (%s), nothing more is written",
			 job->label, end->cause);
	else if (result < 0)
		log_warn("worker",
			 "%s ended but could not be written off (it will be taken up again): "
			 "%s",
			 job->label, err->message);
	else if (end->is_done)
		log_info("worker", "%s: success, %" PRId64 " pages", job->label,
			 job->ingest == NULL ? 0 : job->ingest->pages);
	else if (job->is_parked)
		log_info("worker", "%s is parked for %" PRId64 " ms: %s", job->label,
			 job->return_ms, end->message);
	else if (!job->is_over)
		log_warn("worker", "%s ended with cause \"%s\": %s", job->label, end->cause,
			 end->message);
}

void
job_finish(void *arg)
{
	struct job *job = arg;
	struct error err = {0};
	int result;

	talloc_free(
	    job->prepared); /* a page that was never committed: its transaction is undone */
	job->prepared = NULL;
	result = finish(job, &err);
	report(job, result, &err);
	hooks_out_wake(job->node);
	drop_ingest(job);
	loop_post(job->node->loop, finished_on_loop, job);
}
