/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/sync_target -- which syncs a request means, and what the files about syncs share.
 */
#ifndef NANGO_API_SYNC_TARGET_H
#define NANGO_API_SYNC_TARGET_H

#include "api/check.h"
#include "store/sync.h"

/* What a command acts upon, from body, headers or query. */
struct sync_target {
	const char *integration, *connection;
	const char *names; /* JSON [[name, variant], …] or NULL for all */
	bool reset, empty, force_deletes;
};

/* Reads a list of names, name::variant or {name, variant} into t->names. */
MUST_CHECK int sync_target_names(struct call *call, struct json_object *list,
				 struct sync_target *t, struct error *err);
/* The integration must exist, and so must the connection when one is named. */
MUST_CHECK int sync_target_find(struct call *call, struct db *db, const struct sync_target *t,
				struct sync **out, size_t *count, struct error *err);

char *sync_checkpoint_key(TALLOC_CTX *mem, const struct sync *sync);

/* Forgets the checkpoint, what open delete windows saw and, when it empties, the records of its
 * variant. */
MUST_CHECK int sync_forget_data(struct call *call, struct db *db, const struct sync *sync,
				bool empties, struct error *err);

/* "every 15m", or "0 6 * * 1-5 (Europe/Berlin)". */
char *sync_frequency_text(TALLOC_CTX *mem, int64_t interval_ms, const char *cron,
			  const char *time_zone);

#endif
