/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/page -- the one statement that makes a page count: under the fence, with the heads as
 * they were seen, the checkpoint as it was read. It moves the heads, marks what was seen,
 * writes the checkpoint and counts the page, or does nothing at all.
 *
 * A page that moves no head does not wait for the disk: nobody is told of it, and the next one
 * that does, or the run's end, makes it durable, too. A crash of Postgres may undo such pages,
 * the newest; then the fence counts fewer pages than the run (fence_is_behind), which can write
 * nothing more and begins anew behind the last that is there.
 *
 * A page without changes is this statement alone; one with changes writes its records and ends
 * its transaction with it. Its heads are locked before the records, or taken here: then
 * ERR_CONFLICT says that somebody else holds them.
 */
#ifndef NANGO_STORE_PAGE_H
#define NANGO_STORE_PAGE_H

#include "store/dataset.h"

enum page_checkpoint { PAGE_CHECKPOINT_KEEP = 0, PAGE_CHECKPOINT_PUT, PAGE_CHECKPOINT_CLEAR };

struct page_head {
	const struct dataset *before, *after;
	const void *marks; /* of records seen unchanged, for the window that is open after */
	size_t marks_length;
	int64_t added, updated, deleted; /* for the webhook of the run's end */
};

struct page_write {
	int64_t connection_row, run_id, token, number;
	const char *result; /* counts by model, JSON */
	const struct page_head *heads;
	size_t heads_count;
	enum page_checkpoint checkpoint;
	const char *checkpoint_key, *checkpoint_body;
	size_t checkpoint_length;
	int64_t checkpoint_version; /* as it was read */
	bool takes_heads;
	int64_t environment_id; /* whose webhooks tell of it */
	const char *facts;
};

/* Why it was not written. Nothing is touched unless all three hold. */
struct page_verdict {
	bool is_fence_held, are_heads_held, is_checkpoint_held;
};

MUST_CHECK int page_write(struct db *db, const struct page_write *page,
			  struct page_verdict *out, struct error *err);

#endif
