/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/manifest -- what a dataset holds, in memory: a hash of each id and of its record. With
 * it an unchanged record costs no round trip.
 *
 * It is derived data of one run, as of one sequence number of the head; whoever finds the head
 * elsewhere catches up first. All manifests of a node share a budget of bytes; one that does
 * not fit is not made, and the run asks Postgres for each page instead. One thread at a time;
 * the budget may be shared.
 */
#ifndef NANGO_ENGINE_MANIFEST_H
#define NANGO_ENGINE_MANIFEST_H

#include "store/record.h"

#include <stdatomic.h>

#define MANIFEST_KEY_BYTES 16

struct manifest_budget {
	int64_t limit_bytes;
	_Atomic int64_t used_bytes;
};

struct manifest;

/* NULL when the budget has no room for that many. */
struct manifest *manifest_new(struct manifest_budget *budget, size_t expected);
void manifest_free(struct manifest *manifest); /* NULL is fine */

/* The hash of an id, under the dataset's secret. Two ids of one key are one to a manifest. */
void manifest_key(unsigned char out[MANIFEST_KEY_BYTES], const char *id, size_t length,
		  const unsigned char *secret);

/* It is looked up soon: its slot, most of what that costs, is fetched meanwhile. */
void manifest_prefetch(const struct manifest *manifest,
		       const unsigned char key[MANIFEST_KEY_BYTES]);
#define MANIFEST_AHEAD 16 /* as many look-ups before */

void manifest_find(const struct manifest *manifest, const unsigned char key[MANIFEST_KEY_BYTES],
		   struct record_state *out);

/* -1 when it has to grow and the budget has no room: it is of no use any more. */
MUST_CHECK int manifest_put(struct manifest *manifest,
			    const unsigned char key[MANIFEST_KEY_BYTES],
			    const struct record_state *state);

#endif
