/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/checkpoint -- where a sync goes on. Written by pages (store/page), compared by version;
 * a cleared one keeps its row, so that its version goes on.
 */
#ifndef NANGO_STORE_CHECKPOINT_H
#define NANGO_STORE_CHECKPOINT_H

#include "db/db.h"

/* *body is NULL when there is none; *version is what the next write has to name. */
MUST_CHECK int checkpoint_get(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			      const char *key, const char **body, int64_t *version,
			      struct error *err);
MUST_CHECK int checkpoint_clear(struct db *db, int64_t connection_row, const char *key,
				struct error *err);

#endif
