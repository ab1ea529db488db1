/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/mcp -- the modes MCP_OAUTH2, whose endpoints are in the template, and
 * MCP_OAUTH2_GENERIC, whose are found from the address of an MCP server. OAuth 2.0 with PKCE
 * always; a client registers itself where none is given. The connection keeps the client and
 * the endpoints that its tokens came from.
 */
#include "auth/discovery.h"
#include "auth/oauth2.h"

#include <string.h>

#define FOUND "mcp_oauth" /* in the connection's settings */

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	if (auth_oauth2.validate(mem, template, given, out, err) < 0)
		return -1;
	json_add(*out, "type", template_auth_mode(template));
	return 0;
}

static void
use_found(struct auth_grant *grant)
{
	struct json_object *found = json_object_in(grant->config, FOUND);

	grant->needs_pkce = true;
	grant->authorization_url = json_string(found, "authorization_endpoint");
	grant->token_url = json_string(found, "token_endpoint");
	grant->resource = json_string(found, "resource");
}

/* The integration's client, or the document that describes us (a client by its URL), or one
 * that registers itself now. */
static int
ensure_client(struct auth_grant *grant, const struct auth_flow *flow, bool takes_document,
	      const char *registration, struct error *err)
{
	struct json_object *body = template_body(grant->template), *client;

	if (json_object_in(grant->credentials, "config_override") != NULL ||
	    json_string(grant->app, "client_id") != NULL)
		return 0;
	if (takes_document && flow->client_metadata_url != NULL) {
		client = json_object_new_object();
		json_add(client, "client_id", flow->client_metadata_url);
		json_object_object_add(grant->credentials, "config_override", client);
		return 0;
	}
	if (registration == NULL)
		return error_set(err, ERR_CREDENTIALS,
				 "%s lets no client register itself: give the integration a "
				 "client_id",
				 template_display_name(grant->template));
	if (discovery_register(grant, registration, flow->redirect_uri,
			       json_object_in(body, "registration_params"), &client, err) < 0)
		return -1;
	json_object_object_add(grant->credentials, "config_override", json_object_get(client));
	return 0;
}

static int
begin(struct auth_grant *grant, const struct auth_flow *flow, char **url, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	const char *from = json_string(body, "registration_url");
	const char *way = json_string(body, "client_registration");
	char *registration = NULL;
	struct expand_scope scope;

	auth_scope(grant, &scope);
	if (from != NULL &&
	    expand(grant->mem, from, &scope, EXPAND_URL, &registration, err) < 0)
		return -1;
	use_found(grant);
	if (ensure_client(grant, flow, way != NULL && strcmp(way, "cimd") == 0, registration,
			  err) < 0)
		return -1;
	return oauth2_begin(grant, flow, url, err);
}

static int
begin_generic(struct auth_grant *grant, const struct auth_flow *flow, char **url,
	      struct error *err)
{
	const char *server = json_string(grant->config, "mcp_server_url");
	struct json_object *found;

	if (server == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "connection_config.mcp_server_url",
				    "mcp_server_url is required");
	if (discovery_find(grant, server, &found, err) < 0)
		return -1;
	json_object_object_add(grant->config, FOUND, json_object_get(found));
	use_found(grant);
	if (ensure_client(grant, flow, json_boolean(found, "takes_client_document", false),
			  json_string(found, "registration_endpoint"), err) < 0)
		return -1;
	return oauth2_begin(grant, flow, url, err);
}

static int
complete(struct auth_grant *grant, const struct auth_flow *flow, struct json_object *query,
	 struct error *err)
{
	use_found(grant);
	if (auth_oauth2.complete(grant, flow, query, err) < 0)
		return -1;
	json_add(grant->credentials, "type", template_auth_mode(grant->template));
	return 0;
}

static int
renew(struct auth_grant *grant, struct error *err)
{
	use_found(grant);
	if (auth_oauth2.renew(grant, err) < 0)
		return -1;
	json_add(grant->credentials, "type", template_auth_mode(grant->template));
	return 0;
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_oauth2.authorization(mem, credentials);
}

static bool
is_renewable(const struct auth_grant *grant)
{
	return auth_oauth2.is_renewable(grant);
}

const struct auth_scheme auth_mcp_oauth2 = {
    .mode = "MCP_OAUTH2",
    .doc = "OAuth 2.0 of an MCP server; a client registers itself.",
    .validate = validate,
    .authorization = authorization,
    .is_renewable = is_renewable,
    .renew = renew,
    .begin = begin,
    .complete = complete,
};

const struct auth_scheme auth_mcp_oauth2_generic = {
    .mode = "MCP_OAUTH2_GENERIC",
    .doc = "OAuth 2.0 of any MCP server, found from its address.",
    .validate = validate,
    .authorization = authorization,
    .is_renewable = is_renewable,
    .renew = renew,
    .begin = begin_generic,
    .complete = complete,
};
