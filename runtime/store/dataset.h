/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/dataset -- the head of each dataset: the records of one model and variant of one
 * connection. It orders commits (whoever writes locks it and takes sequence numbers from it),
 * counts the live records, and holds the delete window that is open.
 */
#ifndef NANGO_STORE_DATASET_H
#define NANGO_STORE_DATASET_H

#include "db/db.h"

struct dataset {
	int64_t connection_row, id, epoch, seq, live;
	int64_t window_id; /* 0: no delete window is open */
	int64_t window_seq, window_run_id;
	int64_t window_live;	/* records that were live when it was opened */
	bool window_is_partial; /* within it, a run left a list before its last page */
	int64_t window_model;	/* of all pages since; 0: of several, or unknown */
	int64_t quarantined, pruned_seq;
	int64_t
	    model_hash; /* of the model that every live record passed, or is in quarantine */
	/* Database clock at the read, in Postgres' own count; never before the last change. */
	int64_t now_us2000;
};

/*
 * The heads of models (strings in byte order, count of them), one for each, made where they are
 * missing. With is_locked they are locked, in that order, until the transaction's end.
 */
MUST_CHECK int dataset_heads(struct db *db, int64_t connection_row, const char *variant,
			     const char *const *models, size_t count, bool is_locked,
			     struct dataset *out, struct error *err);

/* Reads a head again, locked until the transaction's end. ERR_NOT_FOUND: it is gone. */
MUST_CHECK int dataset_lock(struct db *db, struct dataset *head, struct error *err);

/* The database's clock, as in a head. */
MUST_CHECK int dataset_now(struct db *db, int64_t *us2000, struct error *err);

/* ERR_NOT_FOUND when nothing was ever saved. */
MUST_CHECK int dataset_find(struct db *db, int64_t connection_row, const char *model,
			    const char *variant, struct dataset *out, struct error *err);

/* A transaction of its own: a new epoch of a connection's models, and nothing in it. */
MUST_CHECK int dataset_empty(struct db *db, int64_t connection_row, const char *models_json,
			     const char *variant, struct error *err);

/* [{"model","variant","records","quarantined"}] of a connection, as JSON. */
MUST_CHECK int dataset_counts(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			      const char **json, struct error *err);

/* ---- delete windows of several models; of one: store/window ---- */
/* Whatever is open of models: a run that leaves a list before its last page is at its end. */
MUST_CHECK int window_set_partial(struct db *db, int64_t connection_row, const char *variant,
				  const char *const *models, struct error *err);
/* A transaction of its own: no window of a connection's models is open any more, and nothing is
 * deleted. */
MUST_CHECK int window_drop(struct db *db, int64_t connection_row, const char *models_json,
			   const char *variant, struct error *err);

/* Writes a locked head's sequence, counts, model and (closed) window. */
MUST_CHECK int dataset_advance(struct db *db, const struct dataset *head, struct error *err);

/* A run begins, or ended: its datasets and its checkpoint are in use. Models that have none are
 * passed over. */
MUST_CHECK int dataset_touch(struct db *db, int64_t connection_row, const char *variant,
			     const char *const *models, const char *checkpoint_key,
			     struct error *err);

/* All cursors of all datasets become stale: after a restore, or a promotion that lost commits.
 */
MUST_CHECK int dataset_bump_epochs(struct db *db, int64_t *count, struct error *err);

#endif
