/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_store -- the three calls of the queue that the benchmark measures, in the server's own
 * store. What they are named there is known to queue_store.c alone.
 */
#ifndef NANGO_BENCH_QUEUE_STORE_H
#define NANGO_BENCH_QUEUE_STORE_H

#include "db/db.h"

struct bench_claim {
	int64_t run_id, token;
};

/* Each in one transaction of its own. */
MUST_CHECK int bench_enqueue(struct db *db, const char *const *syncs, size_t count,
			     struct error *err);
MUST_CHECK int bench_claim(struct db *db, struct bench_claim *out, size_t max, size_t *count,
			   struct error *err);
MUST_CHECK int bench_complete(struct db *db, const struct bench_claim *claims, size_t count,
			      struct error *err);

#endif
