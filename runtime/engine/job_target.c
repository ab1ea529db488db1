/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/job_target -- a run's way to its provider: opened before it starts, and again, on a
 * thread that may wait, when its credentials are about to expire. Requests that come meanwhile
 * wait for it.
 */
#include "engine/freshen.h"
#include "engine/job_internal.h"
#include "engine/target.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS FRESHEN_BACKOFF_MS /* after a renewal in mid-run that failed */

struct opened {
	struct fetch_target *target;
	const char *paginate;
	int64_t due_ms, born_ms; /* monotonic */
	int64_t version;
};

/* A renewal under way. Only its own members are the pool thread's; job is the loop's. */
struct job_renewal {
	struct job *job; /* NULL: it ended meanwhile */
	struct node *node;
	int64_t connection_row;
	TALLOC_CTX *mem;
	struct opened opened;
	int64_t refused; /* the version of those that were refused, or -1 */
	int result;
	struct error err;
};

static int64_t
due_at(int64_t left_ms)
{
	return left_ms == INT64_MAX ? INT64_MAX : clock_monotonic_ms() + left_ms;
}

static int
open_target(struct node *node, TALLOC_CTX *mem, const struct connection *c,
	    const struct refresh_state *state, struct opened *out, struct error *err)
{
	int64_t left;

	out->target = talloc_zero(mem, struct fetch_target);
	if (out->target == NULL)
		abort();
	if (freshen_due_ms(node, mem, c, state, &left, err) < 0)
		return -1;
	out->due_ms = due_at(left);
	out->born_ms = clock_monotonic_ms() - state->age_ms;
	out->version = state->version;
	return target_open(mem, node, c, state, out->target, &out->paginate, err);
}

static void
take(struct job *job, const struct opened *opened)
{
	job->target = opened->target;
	job->start.paginate = opened->paginate;
	job->target_born_ms = opened->born_ms;
	job->target_version = opened->version;
}

int
job_target_open(struct job *job, const struct connection *c, const struct refresh_state *state,
		struct error *err)
{
	struct opened opened;

	if (open_target(job->node, job, c, state, &opened, err) < 0)
		return -1;
	take(job, &opened);
	job->target_due_ms = opened.due_ms;
	job->is_stale = job->target_due_ms <= clock_monotonic_ms();
	return 0;
}

/* ---- renewing, on the auth pool ---- */

static int
find(struct job_renewal *r, struct connection **c, struct refresh_state *state)
{
	struct db *db;
	int result;

	if (db_acquire(r->node->control, &db, &r->err) < 0)
		return -1;
	result = refresh_find(r->mem, db, r->connection_row, c, state, &r->err);
	db_release(db);
	return result;
}

static int
open_anew(struct job_renewal *r)
{
	enum freshen_why why = FRESHEN_DUE;
	struct refresh_state state;
	struct connection *c;

	if (r->refused >= 0) {
		if (find(r, &c, &state) < 0)
			return -1;
		if (state.version == r->refused)
			why = FRESHEN_FORCED;
	}
	if (freshen(r->node, r->mem, r->connection_row, why, &c, &r->err) < 0 ||
	    find(r, &c, &state) < 0)
		return -1;
	return open_target(r->node, r->mem, c, &state, &r->opened, &r->err);
}

static void
renewed(void *arg)
{
	struct job_renewal *r = arg;
	struct job *job = r->job;

	if (job == NULL) {
		talloc_free(r->mem);
		free(r);
		return;
	}
	job->renewal = NULL;
	if (r->result == 0) {
		talloc_steal(job, r->mem);
		take(job, &r->opened);
	} else {
		talloc_free(r->mem);
	}
	/* One that is still near its end was not renewed: the provider is failing. */
	job->target_due_ms = r->opened.due_ms;
	if (r->result < 0 || r->opened.due_ms <= clock_monotonic_ms())
		job->target_due_ms = clock_monotonic_ms() + AGAIN_MS;
	job->on_renewed(job, r->result < 0 ? &r->err : NULL);
	free(r);
}

static void
renew_in_pool(void *arg)
{
	struct job_renewal *r = arg;

	r->result = open_anew(r);
	loop_post(r->node->loop, renewed, r);
}

bool
job_target_is_due(const struct job *job)
{
	return job->renewal != NULL || job->target_due_ms <= clock_monotonic_ms();
}

static int
begin(struct job *job, int64_t refused, void (*on_renewed)(struct job *, const struct error *))
{
	struct job_renewal *r;

	if (job->renewal != NULL)
		return 0;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		abort();
	*r = (struct job_renewal){.job = job,
				  .node = job->node,
				  .connection_row = job->claim.connection_row,
				  .refused = refused,
				  .mem = talloc_new(NULL)};
	job->on_renewed = on_renewed;
	if (pool_submit(job->node->auth_pool, renew_in_pool, r) < 0) {
		talloc_free(r->mem);
		free(r);
		return -1;
	}
	job->renewal = r;
	return 0;
}

int
job_target_renew(struct job *job, void (*on_renewed)(struct job *, const struct error *))
{
	return begin(job, -1, on_renewed);
}

bool
job_target_is_renewable(const struct job *job)
{
	return job->target->is_renewable &&
	       clock_monotonic_ms() - job->target_born_ms >= FRESHEN_AGAIN_MS;
}

int
job_target_replace(struct job *job, void (*on_renewed)(struct job *, const struct error *))
{
	return begin(job, job->target_version, on_renewed);
}

void
job_target_leave(struct job *job)
{
	if (job->renewal != NULL)
		job->renewal->job = NULL;
	job->renewal = NULL;
}

void
job_target_stop(struct job *job)
{
	if (job->renewal == NULL)
		return;
	job_target_leave(job);
	job->on_renewed(job, NULL);
}
