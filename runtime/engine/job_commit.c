/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job_commit -- a run's pages: from the loop to pool threads and back. While one page is
 * being committed, another thread reads and hashes the records of the next.
 */
#include "engine/job_internal.h"

#include <stdlib.h>

static void
commit_answered(void *arg)
{
	struct job *job = arg;
	run_commit_done *done = job->commit_done;

	job->commit_done = NULL;
	done(job->commit_arg, job->commit_result < 0 ? &job->commit_err : NULL);
}

static void
commit_in_pool(void *arg)
{
	struct job *job = arg;
	struct ingest_prepared *prepared = job->committing;

	job->committing = NULL;
	job->commit_result = ingest_page(job->ingest, job->page, prepared, &job->commit_err);
	loop_post(job->node->loop, commit_answered, job);
}

static void
commit_begin(struct job *job)
{
	/* Handed over here: the next page may be prepared before a thread takes this one up. */
	job->committing = job->prepared;
	job->prepared = NULL;
	if (pool_submit(job->node->worker_pool, commit_in_pool, job) == 0)
		return;
	talloc_free(job->committing);
	job->committing = NULL;
	job->commit_result = error_set(&job->commit_err, ERR_BUSY,
				       "all workers are busy; the page was not stored");
	commit_answered(job);
}

void
job_commit(void *host, const struct run_page *page, run_commit_done *done, void *arg)
{
	struct job *job = host;

	job->page = page;
	job->commit_done = done;
	job->commit_arg = arg;
	job->pages_begun++;
	if (job->prepare_done == NULL) /* or it begins when that is done */
		commit_begin(job);
}

/* The run may end with the answer, and the job with it, unless its commit waits for this. */
static void
prepare_answered(void *arg)
{
	struct job *job = arg;
	run_prepare_done *done = job->prepare_done;
	bool is_awaited = job->commit_done != NULL && job->page == job->prepare_page;

	job->prepared = job->preparing;
	job->preparing = NULL;
	job->prepare_done = NULL;
	done(job->prepare_arg);
	if (is_awaited)
		commit_begin(job);
}

static void
prepare_in_pool(void *arg)
{
	struct job *job = arg;

	job->preparing = ingest_prepare(job->ingest, job->prepare_page, job->prepare_behind);
	loop_post(job->node->loop, prepare_answered, job);
}

void
job_prepare_page(void *host, const struct run_page *page, run_prepare_done *done, void *arg)
{
	struct job *job = host;

	job->prepare_page = page;
	job->prepare_behind = job->pages_begun;
	job->prepare_done = done;
	job->prepare_arg = arg;
	if (pool_submit(job->node->worker_pool, prepare_in_pool, job) == 0)
		return;
	job->prepare_done = NULL; /* all are busy: it is done with the commit */
	done(arg);
}
