/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/grant -- a connection's grant with what its auth mode needs: template, the app of its
 * integration, settings, unsealed credentials, and a way to the provider.
 */
#ifndef NANGO_ENGINE_GRANT_H
#define NANGO_ENGINE_GRANT_H

#include "auth/auth.h"
#include "engine/node.h"
#include "store/connection.h"
#include "store/integration.h"

#define GRANT_TIMEOUT_MS 30000 /* of one request to a provider */

struct grant_sender;

struct grant {
	struct auth_grant auth;
	const struct auth_scheme *scheme;
	struct grant_sender *sender;
};

/* What a grant is made of; credentials NULL: none yet. */
struct grant_of {
	const char *provider, *auth_mode; /* auth_mode NULL: the template's */
	int64_t environment_id;
	const char *integration_key;
	const void *app; /* sealed credentials of the integration, or NULL */
	size_t app_length;
	const char *settings, *config; /* JSON objects */
	struct json_object *credentials;
};

/* Of an integration, for a connection that is yet to be made. */
struct grant_of grant_of_integration(const struct integration *integration);

/* All of it belongs to mem; secret settings of the integration are among its settings.
 * ERR_TEMPLATE, ERR_UNSUPPORTED, ERR_DECRYPT. */
MUST_CHECK int grant_open(TALLOC_CTX *mem, struct node *node, const struct grant_of *of,
			  struct grant *out, struct error *err);

/* No request of it begins after this moment of the monotonic clock, or lasts longer. */
void grant_set_deadline(struct grant *grant, int64_t deadline_ms);

/* That of a stored connection, its credentials unsealed. */
struct refresh_state;
MUST_CHECK int grant_of_connection(TALLOC_CTX *mem, struct node *node,
				   const struct connection *connection,
				   const struct refresh_state *state, struct grant *out,
				   struct error *err);

/* Where a connection's credentials are sealed to, and what they are, unsealed. */
struct vault_place grant_place(TALLOC_CTX *mem, int64_t environment_id, int64_t integration_id,
			       const char *connection_id);
MUST_CHECK int grant_credentials(TALLOC_CTX *mem, struct node *node,
				 const struct connection *connection, struct json_object **out,
				 struct error *err);

/* Where an integration's credentials are sealed to. */
struct vault_place grant_app_place(int64_t environment_id, const char *integration_key);
/* Unsealed; an empty object when there are none. */
MUST_CHECK int grant_app(TALLOC_CTX *mem, struct node *node, int64_t environment_id,
			 const char *integration_key, const void *sealed, size_t length,
			 struct json_object **out, struct error *err);

#endif
