/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/feed -- a dataset's records in the order of their changes, and the pruning of payloads
 * that were read.
 */
#ifndef NANGO_STORE_FEED_H
#define NANGO_STORE_FEED_H

#include "store/record.h"

struct record_query {
	int64_t connection_row, dataset_id;
	int64_t after_seq;
	int64_t limit;
	bool with_added, with_updated, with_deleted;
	int64_t modified_after_ms; /* 0: any time */
	/* 0: any number. So many bytes of payloads, and no record behind the one that makes it
	 * that many; not with ids or a time. */
	int64_t bytes_max;
	const char *ids_json; /* JSON array of external ids, or NULL */
};
struct record_read {
	int64_t seq;
	const char *external_id, *payload; /* payload NULL: pruned */
	size_t payload_length;
	enum record_codec codec;
	int64_t first_seen_us, last_modified_us, deleted_us, pruned_us; /* Unix epoch; 0: not */
	int64_t action;
};
typedef int record_fn(void *arg, const struct record_read *record, struct error *err);
/* In order of seq, row by row. */
MUST_CHECK int record_stream(struct db *db, const struct record_query *query, record_fn *fn,
			     void *arg, struct error *err);

/*
 * Of rows that are stored, in their order, id, payload and codec alone: of the first ones, up
 * to the one whose payload makes bytes_max of theirs together.
 */
MUST_CHECK int record_stored(struct db *db, const struct dataset *dataset,
			     struct record_write *const *rows, size_t count, int64_t bytes_max,
			     record_fn *fn, void *arg, struct error *err);

/*
 * Empties the payloads of at most limit records from the oldest change on, up to and with
 * until_seq and (modified_before_ms, 0: any) older than that. *count is how many, *has_more
 * whether that left some.
 */
struct prune {
	int64_t until_seq, modified_before_ms, limit;
};
MUST_CHECK int record_prune(struct db *db, const struct dataset *dataset,
			    const struct prune *prune, int64_t *count, bool *has_more,
			    struct error *err);

#endif
