/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/sweep -- forgets runs that are old enough, a thousand rows a statement. A look begins
 * where the one before found the first young run, or each minute would read all that stay; once
 * an hour it begins at the oldest, for those that do not stay any more.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engine/worker_internal.h"
#include "store/run.h"

#define SWEEP_MS 60000	     /* between two looks */
#define SWEEP_ALL_MS 3600000 /* between two that begin at the oldest run */
#define SWEEP_ROWS 1000	     /* that one statement looks at */

static void
swept(void *arg)
{
	struct worker *worker = arg;

	worker->is_sweeping = false;
	worker_maybe_stopped(worker);
}

static void
sweep_in_pool(void *arg)
{
	struct worker *worker = arg;
	struct node *node = worker->node;
	int64_t keep_ms = node->config->runs_keep_days * INT64_C(86400000);
	struct run_sweep sweep = {.after = worker->swept_to, .settled = worker->swept_to};
	struct error err;
	struct db *db;

	while (!sweep.is_over && !atomic_load(&node->is_stopping)) {
		if (db_acquire(node->control, &db, &err) < 0)
			break;
		if (run_forget(db, keep_ms, SWEEP_ROWS, &sweep, &err) < 0) {
			log_warn("worker", "cannot forget old runs: %s", err.message);
			sweep.is_over = true;
		}
		db_release(db);
	}
	worker->swept_to = sweep.settled;
	loop_post(node->loop, swept, worker);
}

void
sweep_timer(void *arg)
{
	struct worker *worker = arg;

	loop_timer_set(worker->sweep, SWEEP_MS);
	if (worker->is_sweeping || (worker->node->roles & ROLE_SCHEDULER) == 0)
		return;
	if (worker->swept_all_ms == 0 ||
	    clock_monotonic_ms() - worker->swept_all_ms >= SWEEP_ALL_MS) {
		worker->swept_all_ms = clock_monotonic_ms();
		worker->swept_to = 0;
	}
	worker->is_sweeping = true;
	if (pool_submit(worker->node->worker_pool, sweep_in_pool, worker) < 0)
		worker->is_sweeping = false;
}
