/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connect -- connect sessions, and the flows of people through providers' pages.
 */
#ifndef NANGO_STORE_CONNECT_H
#define NANGO_STORE_CONNECT_H

#include "db/db.h"

#define CONNECT_SESSION_MS (30 * 60 * 1000)
#define AUTH_FLOW_MS (60 * 60 * 1000)

struct connect_session {
	int64_t id, account_id, environment_id;
	const char *end_user;		  /* JSON object or NULL */
	const char *tags;		  /* JSON object */
	const char *allowed_integrations; /* JSON array of unique keys; NULL: all */
	const char *defaults, *overrides; /* JSON objects by unique key, or NULL */
	const char *webhook_url_override; /* or NULL */
	int64_t connection_row;		  /* that is made anew; 0: a new one is made */
	int64_t expires_ms;
};

/* Sets id and expires_ms. Expired ones go. */
MUST_CHECK int connect_session_insert(struct db *db, struct connect_session *session,
				      const void *hash, size_t length, struct error *err);
/* ERR_UNKNOWN_SESSION when there is none, or none any more. */
MUST_CHECK int connect_session_find(TALLOC_CTX *mem, struct db *db, const void *hash,
				    size_t length, struct connect_session **out,
				    struct error *err);
MUST_CHECK int connect_session_delete(struct db *db, int64_t id, struct error *err);

struct auth_flow_row {
	const char *state; /* a UUID */
	int64_t environment_id, integration_id, session_id;
	const char *connection_id;
	const char *end_user, *tags, *webhook_url_override; /* as of the session */
	const void *sealed;
	size_t sealed_length;
};

MUST_CHECK int auth_flow_insert(struct db *db, const struct auth_flow_row *flow,
				struct error *err);
/* It is used up. ERR_NOT_FOUND. */
MUST_CHECK int auth_flow_take(TALLOC_CTX *mem, struct db *db, const char *state,
			      struct auth_flow_row **out, struct error *err);

#endif
