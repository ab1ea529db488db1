/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cancel -- ends runs that are queued or under way, so that they write nothing more.
 *
 * Called inside a transaction of the control database in which the caller has made sure that no
 * new run is queued (the sync is locked, paused or deleted). The fences are closed first, on a
 * connection of their own: when that fails the caller's transaction is undone and can be tried
 * again; when only the caller's COMMIT fails, the runs find their fences closed and end. After
 * its COMMIT the caller says worker_cancelled, so that their processes end at once.
 *
 * Until its fence is closed a run's row in the queue is not locked, so its lease goes on and
 * nothing else waits; from then on it is not begun again, whoever claims it: a closed fence is
 * all that is left of it. What may take long therefore comes between cancel_begin and
 * cancel_end.
 *
 * A run whose fence was closed already had ended: its row is written with its own outcome.
 */
#ifndef NANGO_ENGINE_CANCEL_H
#define NANGO_ENGINE_CANCEL_H

#include "engine/node.h"
#include "store/queue.h"

struct cancelled {
	struct run_outcome *outcomes; /* the caller's mem's */
	size_t count;
};

/* Closes the fences: nothing more is written. why: for the people who look at a run
 * afterwards. */
MUST_CHECK int cancel_begin(TALLOC_CTX *mem, struct node *node, struct db *control,
			    const struct run_scope *scope, const char *why,
			    struct cancelled *out, struct error *err);
/* Takes the runs off the queue. */
MUST_CHECK int cancel_end(struct node *node, struct db *control, struct cancelled *cancelled,
			  struct error *err);

/* Both, with nothing between them. */
MUST_CHECK int cancel_runs(struct node *node, struct db *control, const struct run_scope *scope,
			   const char *why, struct error *err);

#endif
