/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connect_flow -- what all ways to connect with a session have in common: which
 * integration, which connection, what its settings are, and how it is stored.
 */
#ifndef NANGO_API_CONNECT_FLOW_H
#define NANGO_API_CONNECT_FLOW_H

#include "api/connection_store.h"

struct connect_flow {
	struct integration *integration;
	struct json_object *defaults; /* of the session for this integration; may be NULL */
	struct connection connection; /* whose it is, and its id */
	struct grant grant;
};

/*
 * Of the path's providerConfigKey, for call->session: is it allowed, and settings from
 * params[…] under those that the session presets. ERR_NOT_FOUND, ERR_NOT_ALLOWED,
 * ERR_INVALID_BODY at a setting.
 */
MUST_CHECK int connect_flow_open(struct call *call, struct connect_flow *out,
				 struct error *err);

/* Members of the query such as params[a]=1, as an object; is_null: "undefined" becomes null. */
struct json_object *connect_query(struct call *call, const char *name, bool is_null);

/* The scopes that are asked for: the session's, else the query's, else NULL. */
const char *connect_scopes(struct call *call, const struct connect_flow *flow);

/* Are they the session's, which a browser cannot change? */
bool connect_presets_scopes(const struct connect_flow *flow);

/* Tells the app that nothing came of it. Failures are logged. */
void connect_failed(struct call *call, const struct connect_flow *flow,
		    const struct error *why);

#endif
