/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job_internal -- what the parts of a job share: job.c, job_commit.c.
 */
#ifndef NANGO_ENGINE_JOB_INTERNAL_H
#define NANGO_ENGINE_JOB_INTERNAL_H

#include "engine/job.h"
#include "store/refresh.h"

/* ---- job_commit.c: the backend's calls of their names ---- */
void job_commit(void *host, const struct run_page *page, run_commit_done *done, void *arg);
void job_prepare_page(void *host, const struct run_page *page, run_prepare_done *done,
		      void *arg);

/* ---- job_target.c ---- */

/* Pool thread, once. job->is_stale: it is to be renewed before the run starts. */
MUST_CHECK int job_target_open(struct job *job, const struct connection *c,
			       const struct refresh_state *state, struct error *err);

/* Loop. Whether a request has to wait for a renewal, under way or to be begun. */
bool job_target_is_due(const struct job *job);
/* Whether credentials that were refused can be made anew, and are not new. */
bool job_target_is_renewable(const struct job *job);
/* In any case, if nobody did meanwhile: they were refused. As job_target_renew. */
MUST_CHECK int job_target_replace(struct job *job,
				  void (*on_renewed)(struct job *job, const struct error *err));
/* on_renewed comes on the loop, unless the job left; -1: no thread is free. */
MUST_CHECK int job_target_renew(struct job *job,
				void (*on_renewed)(struct job *job, const struct error *err));
void job_target_leave(struct job *job);
/* The same, and on_renewed comes at once, as if it had been done. */
void job_target_stop(struct job *job);

#endif
