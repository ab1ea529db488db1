/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/budget -- the buckets of shared rate budgets: slices for a node, blocks for all.
 */
#ifndef NANGO_STORE_BUDGET_H
#define NANGO_STORE_BUDGET_H

#include "db/db.h"

#define BUDGET_BLOCKS_MAX 10000 /* that one look reads */

struct budget_ask {
	const char *key;
	int64_t take_us, back_us; /* slots times their period */
	int64_t epoch;		  /* of those that come back */
};

struct budget_grant { /* times of the database's clock */
	const char *key;
	int64_t now_us, base_us, epoch;
	int64_t blocked_us; /* 0: it is not */
	bool is_granted;
};

struct budget_block {
	const char *key;
	int64_t left_ms;
};

/* One statement for all of them; the answers in no order. */
MUST_CHECK int budget_lease(TALLOC_CTX *mem, struct db *db, const struct budget_ask *asks,
			    size_t count, struct budget_grant **out, size_t *granted,
			    struct error *err);

/* From now on; the other nodes are told. A block in force is not shortened. */
MUST_CHECK int budget_block(struct db *db, const char *key, int64_t wait_us, int64_t tau_us,
			    const char *node_id, struct error *err);

/* All that are in force. */
MUST_CHECK int budget_blocks(TALLOC_CTX *mem, struct db *db, struct budget_block **out,
			     size_t *count, struct error *err);

/* Buckets that have rested for a day. */
MUST_CHECK int budget_sweep(struct db *db, struct error *err);

#endif
