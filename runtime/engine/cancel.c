/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cancel -- see cancel.h.
 */
#include "engine/cancel.h"
#include "store/fence.h"
#include "store/outbox.h"

/* What its pages committed is announced. (Cut in two by a crash, cleaning does it.) */
static int
close_one(struct db *data, const struct run_queued *run, struct error *err)
{
	static const char *const none[] = {NULL};
	const struct outbox_release release = {.connection_row = run->connection_row,
					       .run_id = run->run_id,
					       .state = "cancelled",
					       .models = none,
					       .facts = "{}",
					       .outcome = "{}"};

	if (fence_cancel(data, run->connection_row, run->run_id, err) < 0)
		return -1;
	return outbox_release(data, &release, err);
}

static int
close_fences(struct node *node, const struct run_queued *runs, size_t count, struct error *err)
{
	struct db *data;
	int result = 0;

	if (count == 0)
		return 0;
	if (db_acquire(node->data, &data, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++)
		result = close_one(data, &runs[i], err);
	db_release(data);
	return result;
}

int
cancel_runs(struct node *node, struct db *control, const struct run_scope *scope,
	    const char *why, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct run_queued *runs;
	size_t count = 0;
	int result = queue_lock(mem, control, scope, &runs, &count, err);

	if (result == 0)
		result = close_fences(node, runs, count, err);
	if (result == 0)
		result = queue_cancel(control, runs, count, why, err);
	talloc_free(mem);
	return result;
}
