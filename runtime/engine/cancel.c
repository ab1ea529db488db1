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
	const char *outcome; /* JSON: why */
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

	if (fence_cancel(e->mem, e->data, run->connection_row, run->run_id, e->outcome, &fence,
			 err) < 0 ||
	    outcome_read(e->mem, &fence, out, err) < 0)
		return -1;
	out->run_id = run->run_id;
	return strcmp(fence.state, "cancelled") == 0 ? outbox_release(e->data, &release, err)
						     : 0;
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
cancel_begin(TALLOC_CTX *mem, struct node *node, struct db *control,
	     const struct run_scope *scope, const char *why, struct cancelled *out,
	     struct error *err)
{
	const struct run_outcome cancelled = {
	    .cause = cause_text(CAUSE_CANCELLED), .code = "", .message = why};
	struct ending ending = {.mem = mem, .outcome = outcome_json(mem, &cancelled)};
	struct run_queued *runs;

	if (queue_find(mem, control, scope, &runs, &out->count, err) < 0)
		return -1;
	out->outcomes = talloc_zero_array(mem, struct run_outcome, (unsigned)out->count + 1);
	if (out->outcomes == NULL)
		abort();
	return close_fences(node, &ending, runs, out->count, out->outcomes, err);
}

int
cancel_end(struct node *node, struct db *control, struct cancelled *cancelled,
	   struct error *err)
{
	return queue_end_found(control, cancelled->outcomes, cancelled->count,
			       node->config->failing_max_ms, err);
}

int
cancel_runs(struct node *node, struct db *control, const struct run_scope *scope,
	    const char *why, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct cancelled cancelled;
	int result = cancel_begin(mem, node, control, scope, why, &cancelled, err);

	if (result == 0)
		result = cancel_end(node, control, &cancelled, err);
	talloc_free(mem);
	return result;
}
