/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/discovery -- where an MCP server's authorization server is and what it takes (RFC 9728,
 * RFC 8414), and how a client is registered with it (RFC 7591).
 */
#ifndef NANGO_AUTH_DISCOVERY_H
#define NANGO_AUTH_DISCOVERY_H

#include "auth/token.h"

/*
 * {resource, issuer, authorization_endpoint, token_endpoint, registration_endpoint?,
 * takes_client_document} of the server at a URL; *out belongs to the grant. Only https and
 * names, unless the grant allows http. ERR_PROVIDER says which document was not there or not
 * right.
 */
MUST_CHECK int discovery_find(struct auth_grant *grant, const char *server_url,
			      struct json_object **out, struct error *err);

/* A public client; *out is {client_id, client_secret?} and belongs to the grant. */
MUST_CHECK int discovery_register(struct auth_grant *grant, const char *registration_url,
				  const char *redirect_uri, struct json_object *more,
				  struct json_object **out, struct error *err);

#endif
