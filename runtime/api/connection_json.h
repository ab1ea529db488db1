/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connection_json -- a connection as the API shows it, in its two forms.
 */
#ifndef NANGO_API_CONNECTION_JSON_H
#define NANGO_API_CONNECTION_JSON_H

#include "api/api.h"
#include "base/json.h"
#include "store/connection.h"

/* The reference writes times of one connection with +00:00 and of all others with Z. */
enum connection_time { CONNECTION_TIME_Z, CONNECTION_TIME_OFFSET };

/* As lists show it. The caller puts *out. */
MUST_CHECK int connection_simple_json(struct call *call, const struct connection *connection,
				      struct json_object **out, struct error *err);
/* With its credentials if the key may read them. The caller puts *out. */
MUST_CHECK int connection_full_json(struct call *call, const struct connection *connection,
				    enum connection_time form, bool with_refresh_token,
				    struct json_object **out, struct error *err);

#endif
