/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/window -- the delete window of a dataset: it is part of the head (store/dataset), and
 * what was seen unchanged since it was opened is in rows of its own, a page's marks in one.
 *
 * Writing calls belong in a transaction that holds the dataset's head.
 */
#ifndef NANGO_STORE_WINDOW_H
#define NANGO_STORE_WINDOW_H

#include "store/dataset.h"

#define WINDOW_SPARE 1000 /* marks that are not worth a look */

MUST_CHECK int window_next_id(struct db *db, int64_t *id, struct error *err);
/* Opens one for a run on a locked head, whatever was open; one that this run opened goes on. */
MUST_CHECK int window_open_for(struct db *db, struct dataset *head, int64_t run_id,
			       int64_t model_hash, struct error *err);
/* The marks of a window, row by row. */
typedef int window_fn(void *arg, const void *marks, size_t length, struct error *err);
MUST_CHECK int window_seen(struct db *db, int64_t connection_row, int64_t window_id,
			   window_fn *fn, void *arg, struct error *err);
/* How many marks those are. */
MUST_CHECK int window_count(struct db *db, int64_t connection_row, int64_t window_id,
			    int64_t *count, struct error *err);
MUST_CHECK int window_forget(struct db *db, int64_t connection_row, int64_t window_id,
			     struct error *err);

/* Walks that end before they may close a window leave their marks, each time. Are there over
 * twice as many as records could have been seen, and as many since they were packed as then? */
MUST_CHECK int window_is_crowded(struct db *db, const struct dataset *head, bool *is_crowded,
				 struct error *err);
/* Each mark once; of a locked head. */
MUST_CHECK int window_pack(struct db *db, const struct dataset *head, struct error *err);

#endif
