/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sync_internal -- what sync.c and sync_due.c share.
 */
#ifndef NANGO_STORE_SYNC_INTERNAL_H
#define NANGO_STORE_SYNC_INTERNAL_H

#include "store/sync.h"

/* Schedules that were marked by next_due_at = 'infinity' get their next slot. */
MUST_CHECK int sync_replan(struct db *db, int64_t integration_id, int64_t connection_row,
			   struct error *err);

#endif
