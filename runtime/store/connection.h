/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connection -- one customer's access to one integration.
 */
#ifndef NANGO_STORE_CONNECTION_H
#define NANGO_STORE_CONNECTION_H

#include "db/db.h"

struct connection {
	int64_t id, account_id, environment_id, integration_id;
	const char *connection_id, *integration_key, *provider, *auth_mode;
	const void *credentials; /* sealed */
	size_t credentials_length;
	const char *credentials_expire_at; /* for upsert: ISO, or NULL: they do not */
	const char *config;		   /* JSON object */
	const char *metadata;		   /* JSON object or NULL */
	const char *tags;		   /* JSON object */
	const char *end_user;		   /* JSON object or NULL */
	const char *webhook_url_override;
	const char *errors; /* JSON: [{"type":"sync","log_id":"12"}], of failing syncs */
	int64_t created_ms, updated_ms, last_fetched_ms; /* 0: never */
	const char *integration_config;			 /* JSON object of its integration */
};

struct connection_filter {
	int64_t environment_id;
	const char *connection_id;    /* exactly, or NULL */
	const char *search;	      /* part of connection id or end user, or NULL */
	const char *integration_keys; /* JSON array of unique keys, or NULL */
	const char *end_user_id, *organization_id;
	const char *tags; /* JSON object that the tags must contain, or NULL */
	int64_t limit, offset;
};

MUST_CHECK int connection_list(TALLOC_CTX *mem, struct db *db,
			       const struct connection_filter *filter, struct connection **out,
			       size_t *count, struct error *err);
/* ERR_UNKNOWN_INTEGRATION or ERR_NOT_FOUND. */
MUST_CHECK int connection_find(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
			       const char *integration_key, const char *connection_id,
			       struct connection **out, struct error *err);
MUST_CHECK int connection_find_id(TALLOC_CTX *mem, struct db *db, int64_t id,
				  struct connection **out, struct error *err);
/* Inserts, or replaces what is given of an existing one; sets id, times; *was_new tells. */
MUST_CHECK int connection_upsert(struct db *db, struct connection *connection, bool *was_new,
				 struct error *err);
MUST_CHECK int connection_set_metadata(struct db *db, int64_t id, const char *metadata,
				       struct error *err);
/* Tags, end user, webhook override as they stand in *connection. */
MUST_CHECK int connection_update(struct db *db, const struct connection *connection,
				 struct error *err);
/* With its schedules; its runs are the caller's (engine/cancel). */
MUST_CHECK int connection_delete(struct db *db, int64_t id, struct error *err);

#endif
