/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job -- one claimed run, from its claim to its last transaction.
 *
 * A job is a talloc tree that belongs to one thread at a time: a pool thread while it is
 * prepared and finished, the loop in between. Its ingest is a tree of its own, used by one
 * commit at a time on pool threads.
 */
#ifndef NANGO_ENGINE_JOB_H
#define NANGO_ENGINE_JOB_H

#include "engine/ingest.h"
#include "engine/node.h"
#include "run/cause.h"
#include "run/fetch.h"
#include "run/host.h"
#include "store/run.h"

struct job {
	struct job *previous, *next; /* the worker's list; loop's thread */
	struct node *node;
	struct run_claim claim;
	char label[160]; /* "run 12 (issues of acme)" for logs */

	/* Made by job_prepare. */
	unsigned char sha256[32];
	char build_key[65];
	struct run_start start;
	struct fetch_target target;
	struct ingest *ingest;
	bool tracks_deletes; /* a full refresh: what it does not see is deleted at its end */
	bool is_over; /* an earlier attempt had ended the run: only the control row is left */
	const char *old_state; /* of that attempt */

	/* While it runs. */
	struct run *run;
	struct fetch_scope *fetches;
	struct job_fetch *pending; /* asked for and not answered yet */
	const struct run_page *page;
	run_commit_done *commit_done;
	void *commit_arg;
	struct error commit_err;
	int commit_result;

	/* Once it ended. */
	struct run_end end;
	void (*on_freed)(struct job *job);
};

/* Pool thread. -1: job->end says why; it is to be finished without having run. */
int job_prepare(struct job *job, struct db *control, struct db *data);

/* Loop. The build must be at hand. */
void job_start(struct job *job);

/* Pool thread: the last transaction and the control row. */
void job_finish(void *arg);

/* Ends a job that never ran, with a cause. */
void job_fail(struct job *job, enum cause_row cause, const struct error *err);

extern const struct run_backend job_backend;

#endif
