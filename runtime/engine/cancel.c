/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cancel -- see cancel.h.
 */
#include "engine/cancel.h"
#include "engine/outcome.h"
#include "run/cause.h"
#include "store/outbox.h"

#include <stdlib.h>
#include <string.h>

struct ending {
	struct db *data;
	TALLOC_CTX *mem;
	const char *why;
};

/* What its pages committed is announced. (Cut in two by a crash, cleaning does it.) A run that
 * had ended and only waited for its row keeps its outcome. */
static int
close_one(const struct ending *e, const struct run_queued *run, struct run_outcome *out,
	  struct error *err)
{
	static const char *const none[] = {NULL};
	const struct outbox_release release = {.connection_row = run->connection_row,
					       .run_id = run->run_id,
					       .state = "cancelled",
					       .models = none,
					       .facts = "{}",
					       .outcome = "{}"};
	struct fence fence;

	if (fence_cancel(e->mem, e->data, run->connection_row, run->run_id, &fence, err) < 0 ||
	    outcome_read(e->mem, &fence, out, err) < 0)
		return -1;
	out->run_id = run->run_id;
	if (strcmp(fence.state, "cancelled") != 0)
		return 0;
	out->cause = cause_text(CAUSE_CANCELLED);
	out->message = e->why;
	return outbox_release(e->data, &release, err);
}

static int
close_fences(struct node *node, struct ending *e, const struct run_queued *runs, size_t count,
	     struct run_outcome *outcomes, struct error *err)
{
	int result = 0;

	if (count == 0)
		return 0;
	if (db_acquire(node->data, &e->data, err) < 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++)
		result = close_one(e, &runs[i], &outcomes[i], err);
	db_release(e->data);
	return result;
}

int
cancel_runs(struct node *node, struct db *control, const struct run_scope *scope,
	    const char *why, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct ending ending = {.mem = mem, .why = why};
	struct run_outcome *outcomes = NULL;
	struct run_queued *runs;
	size_t count = 0;
	int result = queue_lock(mem, control, scope, &runs, &count, err);

	if (result == 0) {
		outcomes = talloc_zero_array(mem, struct run_outcome, (unsigned)count + 1);
		if (outcomes == NULL)
			abort();
		result = close_fences(node, &ending, runs, count, outcomes, err);
	}
	if (result == 0)
		result = queue_end_locked(control, outcomes, count,
					  node->config->failing_max_ms, err);
	talloc_free(mem);
	return result;
}
