/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job_close -- the last transaction of a run in the data family: the fence is closed
 * with the outcome, and the webhooks are due. Also of a run that failed before it was prepared:
 * its app is told like that of any other.
 */
#include "engine/hooks_message.h"
#include "engine/job.h"
#include "engine/outcome.h"
#include "engine/worker.h"
#include "base/clock.h"
#include "run/cause.h"
#include "store/checkpoint.h"
#include "store/fence.h"
#include "store/outbox.h"

#include <string.h>

static int64_t
cpu_us(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * INT64_C(1000000) +
	       usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
}

struct run_outcome
job_outcome(struct job *job)
{
	const struct run_end *end = &job->end;
	struct run_outcome o = {
	    .run_id = job->claim.run_id,
	    .token = job->claim.token,
	    .state = end->is_done ? "success" : "failed",
	    .cause = end->cause,
	    .code = end->code,
	    .message = end->message,
	    .result = "{}",
	    .used = {.requests = (int64_t)end->requests,
		     .request_bytes = (int64_t)end->request_bytes,
		     .response_bytes = (int64_t)end->response_bytes,
		     .cpu_us = cpu_us(&end->usage),
		     .max_rss_kb = end->usage.ru_maxrss},
	};

	if (job->ingest == NULL)
		return o;
	o.result = ingest_result(job, job->ingest);
	o.pages = job->ingest->pages;
	for (size_t i = 0; i < job->ingest->models_count; i++) {
		o.added += job->ingest->models[i].added;
		o.updated += job->ingest->models[i].updated;
		o.deleted += job->ingest->models[i].deleted;
	}
	return o;
}

/* Who failed, for a run that ended before its facts were made. */
static char *
facts_unprepared(TALLOC_CTX *mem, const struct job *job, const char *checkpoint)
{
	const struct hooks_run run = {.connection_id = job->sync->connection_id,
				      .integration_key = job->sync->integration_key,
				      .sync = job->sync->name,
				      .variant = job->sync->variant,
				      .checkpoint = checkpoint,
				      .started_ms = clock_wall_ms()};

	return hooks_run_facts(mem, &run);
}

/* The models of the sync; where the build does not tell them, one event names none. */
static const char *const *
models_told(const struct job *job)
{
	static const char *const unknown[] = {"", NULL};

	return job->start.models == NULL ? unknown : job->start.models;
}

/* The webhooks of a run are due with its end. */
static int
release_webhooks(void *arg, TALLOC_CTX *mem, struct db *db, struct error *err)
{
	const struct job *job = arg;
	const struct run_end *end = &job->end;
	const char *key = worker_checkpoint_key(mem, job->sync->name, job->sync->variant);
	struct hooks_run_end told = {.from = job->start.checkpoint,
				     .failed_ms = clock_wall_ms()};
	struct outbox_release release = {.connection_row = job->claim.connection_row,
					 .environment_id = job->claim.environment_id,
					 .run_id = job->claim.run_id,
					 .state = end->is_done ? "success" : "failed",
					 .models = models_told(job)};
	int64_t version;

	if (!end->is_done) {
		told.error_type = end->code[0] != '\0' ? end->code : end->cause;
		told.error_description = end->message[0] != '\0' ? end->message : end->cause;
		told.error_payload = end->payload;
	}
	if (checkpoint_get(mem, db, job->claim.connection_row, key, &told.to, &version, err) <
	    0)
		return -1;
	release.facts = job->ingest == NULL ? NULL : job->ingest->facts;
	if (release.facts == NULL) {
		told.from = told.to;
		release.facts = facts_unprepared(mem, job, told.to);
	}
	release.outcome = hooks_run_outcome(mem, &told);
	return outbox_release(db, &release, err);
}

/* The end of the data family: the fence, and the deletions of a full refresh. */
static int
finish_data(struct job *job, struct error *err)
{
	struct run_outcome o = job_outcome(job);
	const struct ingest_end end = {
	    .state = o.state,
	    .outcome = outcome_json(job, &o),
	    .closes = job->end.is_done && job->tracks_deletes ? job->start.models : NULL,
	    .models = job->start.models,
	    .leaves_walk = job->end.leaves_walk,
	    .release = release_webhooks,
	    .arg = job,
	};

	return ingest_finish(job->ingest, &end, err);
}

static int
close_data(struct job *job, struct error *err)
{
	if (job->end.is_done && job->tracks_deletes && !job->end.is_walk_complete) {
		error_set(err, ERR_RUN_FAILED,
			  "a list was left before its last page, so nobody can say what is "
			  "gone: walk it to its end, or do not set track_deletes");
		job->end.is_done = false;
		job_fail(job, CAUSE_FAILED, err);
	}
	if (finish_data(job, err) == 0)
		return 0;
	if (err->code != ERR_DELETE_GUARD)
		return -1;
	job->end.is_done = false;
	job_fail(job, CAUSE_GUARD, err);
	return finish_data(job, err);
}

/* An earlier attempt had closed the fence, or the sync is gone: there is nobody to be told of
 * a failure. What its pages committed is announced. */
static int
release_pages(const struct run_claim *claim, struct db *db, struct error *err)
{
	static const char *const none[] = {NULL};
	const struct outbox_release release = {.connection_row = claim->connection_row,
					       .environment_id = claim->environment_id,
					       .run_id = claim->run_id,
					       .state = "cancelled",
					       .models = none,
					       .facts = "{}",
					       .outcome = "{}"};

	return outbox_release(db, &release, err);
}

/* A run that never began this time keeps the pages of its earlier attempts, and, if one of them
 * had ended it, that one's outcome. */
static int
close_unprepared_run(struct db *db, void *arg, struct error *err)
{
	struct job *job = arg;
	const struct run_claim *claim = &job->claim;
	struct run_outcome own = job_outcome(job), before = own;
	struct fence_end end;
	struct fence fence;

	if (fence_raise(job, db, claim->connection_row, claim->run_id, claim->token, &fence,
			err) < 0 ||
	    outcome_read(job, &fence, &before, err) < 0)
		return -1;
	job->outcome = before;
	if (strcmp(fence.state, "open") != 0)
		return release_pages(claim, db, err);
	job->outcome.state = own.state;
	job->outcome.cause = own.cause;
	job->outcome.code = own.code;
	job->outcome.message = own.message;
	end = (struct fence_end){"failed", fence.result, outcome_json(job, &job->outcome),
				 fence.pages};
	if (fence_close(db, claim->connection_row, claim->run_id, claim->token, &end, err) < 0)
		return -1;
	return job->sync != NULL ? release_webhooks(job, job, db, err)
				 : release_pages(claim, db, err);
}

static int
close_unprepared(struct job *job, struct error *err)
{
	const struct db_work work = {.run = close_unprepared_run, .arg = job};

	return db_transaction(job->node->data, &work, err);
}

int
job_close(struct job *job, struct error *err)
{
	if (job->ingest == NULL)
		return close_unprepared(job, err);
	if (close_data(job, err) < 0)
		return -1;
	job->outcome = job_outcome(job); /* with the deletions of its end */
	return 0;
}
