/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/quarantine -- records that their model does not allow, with where and why: the newest
 * of each id. One leaves when a good record of its id is saved or its id is deleted, or when it
 * did not come again in a complete walk, or for long.
 *
 * Writing calls belong in a transaction that holds the dataset's head, whose `quarantined`
 * they count.
 */
#ifndef NANGO_STORE_QUARANTINE_H
#define NANGO_STORE_QUARANTINE_H

#include "store/record.h"

#define QUARANTINE_PATH_MAX 256
#define QUARANTINE_REASON_MAX 512
#define QUARANTINE_LIST_BYTES (8 * 1024 * 1024)

struct quarantine_write {
	const char *key; /* "i" and the id, or "h" and a hash where there is none */
	const char *path, *reason;
	const char *bytes;
	size_t bytes_length;
	enum record_codec codec;
};
MUST_CHECK int quarantine_put(struct db *db, struct dataset *head, int64_t run_id,
			      const struct quarantine_write *rows, size_t count,
			      struct error *err);

/* Good records of these ids came, or they were deleted. */
MUST_CHECK int quarantine_drop(struct db *db, struct dataset *head,
			       struct record_write *const *rows, size_t count,
			       struct error *err);

/* The dataset's window, which is complete, saw nothing of them. */
MUST_CHECK int quarantine_drop_unseen(struct db *db, struct dataset *head, struct error *err);

/* A transaction of its own, without a lock held before: of one dataset those that did not come
 * for age_ms; *count is how many, 0: there is no such dataset any more. */
MUST_CHECK int quarantine_forget(struct db *db, int64_t age_ms, int64_t *count,
				 struct error *err);

struct quarantine_row {
	int64_t id, run_id, times, first_seen_ms, last_seen_ms;
	const char *key, *path, *reason, *bytes;
	size_t bytes_length;
	enum record_codec codec;
};
/* After an id, in order, and no further one once they have QUARANTINE_LIST_BYTES; *out belongs
 * to mem. */
MUST_CHECK int quarantine_list(TALLOC_CTX *mem, struct db *db, const struct dataset *dataset,
			       int64_t after_id, int64_t limit, struct quarantine_row **out,
			       size_t *count, bool *has_more, struct error *err);

#endif
