/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/feed -- the records of a dataset as a reader sees them: in order, and opened where
 * they are sealed. Any thread.
 */
#ifndef NANGO_ENGINE_FEED_H
#define NANGO_ENGINE_FEED_H

#include "engine/node.h"
#include "engine/payload.h"
#include "store/environment.h"
#include "store/feed.h"

/* How the environment's records are written and read; wipe it with crypto_wipe. */
MUST_CHECK int feed_codec(const struct node *node, const struct environment *env,
			  struct payload_codec *out, struct error *err);

/* As record_stream; the payloads that fn gets are JSON. */
MUST_CHECK int feed_stream(const struct node *node, const struct environment *env,
			   struct db *db, const struct dataset *dataset,
			   const struct record_query *query, record_fn *fn, void *arg,
			   struct error *err);

/* Empties payloads (see record_prune), under the dataset's head. */
MUST_CHECK int feed_prune(const struct node *node, struct dataset *dataset,
			  const struct prune *prune, int64_t *count, bool *has_more,
			  struct error *err);

#endif
