/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/sweep -- forgets runs that are old enough, a thousand rows a statement.
 */
#include "base/log.h"
#include "engine/worker_internal.h"
#include "store/run.h"

#define SWEEP_MS 60000	/* between two looks */
#define SWEEP_ROWS 1000 /* that one statement looks at */

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
	int64_t keep_ms = node->config->runs_keep_days * INT64_C(86400000), after = 0, deleted;
	struct error err;
	struct db *db;

	do {
		if (db_acquire(node->control, &db, &err) < 0)
			break;
		if (run_forget(db, keep_ms, SWEEP_ROWS, &after, &deleted, &err) < 0) {
			log_warn("worker", "cannot forget old runs: %s", err.message);
			after = 0;
		}
		db_release(db);
	} while (after != 0 && !atomic_load(&node->is_stopping));
	loop_post(node->loop, swept, worker);
}

void
sweep_timer(void *arg)
{
	struct worker *worker = arg;

	loop_timer_set(worker->sweep, SWEEP_MS);
	if (worker->is_sweeping || (worker->node->roles & ROLE_SCHEDULER) == 0)
		return;
	worker->is_sweeping = true;
	if (pool_submit(worker->node->worker_pool, sweep_in_pool, worker) < 0)
		worker->is_sweeping = false;
}
