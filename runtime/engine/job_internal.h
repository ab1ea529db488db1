/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job_internal -- what the parts of a job share: job.c, job_commit.c.
 */
#ifndef NANGO_ENGINE_JOB_INTERNAL_H
#define NANGO_ENGINE_JOB_INTERNAL_H

#include "engine/job.h"

/* ---- job_commit.c: the backend's calls of their names ---- */
void job_commit(void *host, const struct run_page *page, run_commit_done *done, void *arg);
void job_prepare_page(void *host, const struct run_page *page, run_prepare_done *done,
		      void *arg);

#endif
