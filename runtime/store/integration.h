/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/integration -- a provider, configured for one environment under a unique key.
 */
#ifndef NANGO_STORE_INTEGRATION_H
#define NANGO_STORE_INTEGRATION_H

#include "db/db.h"

struct integration {
	int64_t id, account_id, environment_id;
	const char *unique_key, *provider, *display_name; /* display_name may be NULL */
	bool forward_webhooks;
	const char *config;	 /* JSON object */
	const void *credentials; /* sealed, or NULL */
	size_t credentials_length;
	int64_t created_ms, updated_ms;
};

MUST_CHECK int integration_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
				struct integration **out, size_t *count, struct error *err);
/* ERR_NOT_FOUND when there is none. */
MUST_CHECK int integration_find(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
				const char *unique_key, struct integration **out,
				struct error *err);
MUST_CHECK int integration_find_id(TALLOC_CTX *mem, struct db *db, int64_t id,
				   struct integration **out, struct error *err);
/* Sets id and times. ERR_CONFLICT when the key is taken. */
MUST_CHECK int integration_insert(struct db *db, struct integration *integration,
				  struct error *err);
MUST_CHECK int integration_update(struct db *db, struct integration *integration,
				  struct error *err);
/* With its connections and schedules; its runs are the caller's (engine/cancel). */
MUST_CHECK int integration_delete(struct db *db, int64_t id, struct error *err);
MUST_CHECK int integration_connections(struct db *db, int64_t id, int64_t *count,
				       struct error *err);

#endif
