/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/used -- when keys and connections were last used; for many at once.
 */
#ifndef NANGO_STORE_USED_H
#define NANGO_STORE_USED_H

#include "db/db.h"

/* Does not wait for the disk: a use that a crash forgets is no loss. */
MUST_CHECK int used_note(struct db *db, const int64_t *keys, size_t keys_count,
			 const int64_t *connections, size_t connections_count,
			 struct error *err);

#endif
