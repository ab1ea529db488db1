/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/retention -- what is past its time: payloads, datasets without runs, the data of
 * deleted connections. Everything in bounded pieces; a piece that was done twice does no harm.
 */
#ifndef NANGO_STORE_RETENTION_H
#define NANGO_STORE_RETENTION_H

#include "store/dataset.h"

/* Datasets whose oldest payload was last changed over age_ms ago; *out belongs to mem. */
MUST_CHECK int dataset_list_prunable(TALLOC_CTX *mem, struct db *db, int64_t age_ms,
				     int64_t limit, struct dataset **out, size_t *count,
				     struct error *err);

/* Datasets that no run has used for age_ms. */
MUST_CHECK int dataset_list_unused(TALLOC_CTX *mem, struct db *db, int64_t age_ms,
				   int64_t limit, struct dataset **out, size_t *count,
				   struct error *err);

/*
 * Removes the head of an unused dataset, with what hangs on it, and clears the connection's
 * checkpoints of that age; nothing happens when a run has used it meanwhile. A run that goes on
 * finds a new head, so what it writes is not mixed with the records that are still to go.
 */
MUST_CHECK int dataset_remove(struct db *db, const struct dataset *dataset, int64_t age_ms,
			      struct error *err);

/* Datasets whose records are still to go. */
MUST_CHECK int dataset_list_removed(TALLOC_CTX *mem, struct db *db, int64_t limit,
				    struct dataset **out, size_t *count, struct error *err);
/* Deletes at most limit of them; *count is how many, 0: none was left, and it is forgotten. */
MUST_CHECK int dataset_delete_records(struct db *db, const struct dataset *dataset,
				      int64_t limit, int64_t *count, struct error *err);

/* The time that lies age_ms back by the database's clock, in ms since 1970. */
MUST_CHECK int retention_cutoff(struct db *db, int64_t age_ms, int64_t *out_ms,
				struct error *err);

/* Connections (control family) that were deleted over age_ms ago and whose data is still there.
 */
MUST_CHECK int connection_list_purgeable(TALLOC_CTX *mem, struct db *db, int64_t age_ms,
					 int64_t limit, int64_t **out, size_t *count,
					 struct error *err);
/* Deletes at most limit records of a connection; all the rest of it once none is left. */
MUST_CHECK int connection_purge(struct db *db, int64_t connection_row, int64_t limit,
				int64_t *count, struct error *err);
MUST_CHECK int connection_set_purged(struct db *db, int64_t connection_row, struct error *err);

#endif
