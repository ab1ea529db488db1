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
#include "store/queue.h"
#include "store/sync.h"

/* What is left to do in the control family once the data family is in order. */
enum job_after {
	JOB_ADD_USAGE, /* the lease is gone: it is another's, but for what it used here */
	JOB_COMPLETE,  /* off the queue, with job->outcome */
	JOB_RETURN,    /* back to the queue, due in job->return_ms */
};

struct job {
	struct job *previous, *next; /* the worker's list; loop's thread */
	struct node *node;
	struct run_claim claim;
	char label[160]; /* "run 12 (issues of acme)" for logs */

	bool is_beginning; /* the loop's: claimed, and neither started nor given up yet */
	bool is_gone;	   /* the queue said so; the loop's, until the run ended */
	enum cause_row gone_cause; /* cancelled, or taken over */

	/* Made by job_prepare. */
	const struct sync *sync; /* NULL: it, or its connection, is gone */
	unsigned char sha256[32];
	char build_key[65];
	struct run_start start;
	struct fetch_target *target;
	bool is_stale; /* its credentials have to be renewed before it starts */
	struct ingest *ingest;
	bool tracks_deletes; /* a full refresh: what it does not see is deleted at its end */
	bool is_over; /* an earlier attempt had ended the run: only the control row is left */
	bool force_deletes; /* the guard of a closing delete window does not hold */

	/* While it runs. */
	struct run *run;
	struct fetch_scope *fetches;
	int64_t
	    park_ms; /* how long the provider asked to wait, when the run is parked for it */
	char park_message[256];
	struct job_fetch *pending; /* asked for and not answered yet */
	int64_t target_due_ms;	   /* monotonic: the target's credentials are near their end */
	int64_t target_born_ms;	   /* monotonic: they were made */
	int64_t target_version;
	struct job_renewal *renewal; /* of the target, under way; NULL: none */
	void (*on_renewed)(struct job *job, const struct error *err);
	const struct run_page *page;
	run_commit_done *commit_done;
	void *commit_arg;
	const struct run_page *prepare_page; /* the next page; the loop's, as prepare_done */
	int64_t pages_begun;		     /* pages whose commit was asked for; the loop's */
	int64_t prepare_behind;		     /* the last of them when prepare_page came */
	run_prepare_done *prepare_done;	     /* NULL: none is being prepared */
	void *prepare_arg;
	struct ingest_prepared *preparing;  /* a pool thread's, until it is */
	struct ingest_prepared *prepared;   /* the loop's, until its page's commit begins */
	struct ingest_prepared *committing; /* of the page that is committed: its thread's */
	struct error commit_err;
	int commit_result;

	/* Once it ended. */
	struct run_end end;
	bool is_parked; /* its wait for the provider goes on without a process */
	enum job_after after;
	struct run_outcome outcome;
	int64_t return_ms;
	struct job *next_ended; /* the worker's list of those to be written off */
	bool is_written_off;
	void (*on_freed)(struct job *job);
	void (*on_finished)(struct job *job); /* on the loop, once `after` is known */
};

/* Pool thread. -1: job->end says why; it is to be finished without having run. */
int job_prepare(struct job *job, struct db *control, struct db *data);

/* Loop. The build must be at hand. */
void job_start(struct job *job);

/* Pool thread: the last transaction of the data family; on_finished follows. */
void job_finish(void *arg);

/* Loop: no thread takes its end up, or the node is about to be gone. Its lease runs out. */
void job_leave(struct job *job);

/* Ends a job that never ran, with a cause. */
void job_fail(struct job *job, enum cause_row cause, const struct error *err);

/* Pool thread: closes the fence with job->end (a guard that holds changes that), and makes
 * job->outcome. */
MUST_CHECK int job_close(struct job *job, struct error *err);
struct run_outcome job_outcome(struct job *job);

extern const struct run_backend job_backend;

#endif
