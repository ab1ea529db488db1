/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/client -- see client.h.
 */
#include "auth/client.h"

#include <string.h>

int
client_of_app(struct auth_grant *grant, struct token_request *out, struct error *err)
{
	struct json_object *override = json_object_in(grant->credentials, "config_override");

	out->client_id = json_string(override, "client_id");
	out->client_secret = json_string(override, "client_secret");
	if (out->client_id == NULL) {
		out->client_id = json_string(grant->app, "client_id");
		out->client_secret = json_string(grant->app, "client_secret");
	}
	if (out->client_id == NULL || out->client_id[0] == '\0')
		return error_set(err, ERR_CREDENTIALS,
				 "the integration has no client_id: give it the credentials of "
				 "an app of %s",
				 template_display_name(grant->template));
	if (out->client_secret != NULL && out->client_secret[0] == '\0')
		out->client_secret = NULL; /* a public client */
	return client_way(grant, out, err);
}

int
client_way(const struct auth_grant *grant, struct token_request *out, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	const char *way = json_string(body, "token_request_auth_method");
	const char *method = json_string(body, "authorization_method");

	out->client = TOKEN_CLIENT_BODY;
	if (way != NULL && strcmp(way, "private_key_jwt") == 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "token requests with private_key_jwt are not made yet");
	if (out->client_secret == NULL)
		return 0;
	if (way != NULL && strcmp(way, "basic") == 0)
		out->client = TOKEN_CLIENT_BASIC;
	else if (way != NULL && strcmp(way, "custom") == 0)
		out->client = TOKEN_CLIENT_LOGIN;
	else if (method != NULL && strcmp(method, "header") == 0)
		out->client = TOKEN_CLIENT_BASIC_FORM;
	return 0;
}

int
client_url(struct auth_grant *grant, const struct expand_scope *scope, bool is_refresh,
	   struct token_request *out, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	struct json_object *several = json_object_in(body, "token_url");
	const char *from = is_refresh ? json_string(body, "refresh_url") : NULL;
	char *url;

	if (from == NULL)
		from = several != NULL ? json_string(several, "OAUTH2")
				       : json_string(body, "token_url");
	if (from == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no token_url",
				 template_name(grant->template));
	if (expand(grant->mem, from, scope, EXPAND_URL, &url, err) < 0)
		return error_prefix(
		    err, "the token URL of provider %s: ", template_name(grant->template));
	out->url = url;
	out->format = json_string(body, "body_format");
	return 0;
}
