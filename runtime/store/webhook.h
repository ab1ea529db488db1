/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/webhook -- where an environment's app wants to be told, and of what.
 */
#ifndef NANGO_STORE_WEBHOOK_H
#define NANGO_STORE_WEBHOOK_H

#include "db/db.h"

struct webhook_settings {
	int64_t environment_id, account_id;
	const char *environment;		 /* its name; read only */
	const char *primary_url, *secondary_url; /* or NULL */
	bool on_auth_creation, on_auth_refresh_error, on_sync_completion_always, on_sync_error,
	    on_async_action_completion;
	const void *signing_key; /* sealed */
	size_t signing_key_length;
};

/* ERR_NOT_FOUND until webhook_settings_insert was called for the environment. */
MUST_CHECK int webhook_settings_find(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
				     struct webhook_settings **out, struct error *err);
/* With the switches as they are by default; nothing happens when there are some. */
MUST_CHECK int webhook_settings_insert(struct db *db, int64_t environment_id,
				       const void *signing_key, size_t length,
				       struct error *err);
/* URLs and switches as they stand in *settings. */
MUST_CHECK int webhook_settings_update(struct db *db, const struct webhook_settings *settings,
				       struct error *err);
MUST_CHECK int webhook_settings_set_key(struct db *db, int64_t environment_id,
					const void *signing_key, size_t length,
					struct error *err);

/* Connections that have a URL of their own, of those asked for, deleted ones too. */
struct webhook_override {
	int64_t connection_row;
	const char *url;
};
MUST_CHECK int webhook_overrides(TALLOC_CTX *mem, struct db *db, const char *rows_json,
				 struct webhook_override **out, size_t *count,
				 struct error *err);

#endif
