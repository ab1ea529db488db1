/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connection_store -- a connection that was imported, or made by a person, is stored.
 */
#ifndef NANGO_API_CONNECTION_STORE_H
#define NANGO_API_CONNECTION_STORE_H

#include "api/api.h"
#include "engine/grant.h"

/* Tags, end user and webhook override of a body, into *c. ERR_INVALID_BODY. */
MUST_CHECK int connection_owner(struct call *call, struct json_object *body,
				struct connection *c, struct error *err);

/*
 * Seals the grant's credentials and stores the connection under c's integration and id.
 * Connection, schedules and webhook are one transaction: there is no connection that never
 * syncs, and none that nobody hears of. call->env must be there.
 */
MUST_CHECK int connection_store(struct call *call, const struct grant *grant,
				struct connection *c, struct connection **stored,
				struct error *err);

/* The app that a connection brings along (oauth_client_id_override, …) is a secret of it, not a
 * setting: out of config into credentials.config_override. */
void connection_move_override(struct json_object *config, struct json_object *credentials);

#endif
