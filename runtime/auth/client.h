/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/client -- whose app asks: id, secret and how both are sent, for the OAuth modes.
 */
#ifndef NANGO_AUTH_CLIENT_H
#define NANGO_AUTH_CLIENT_H

#include "auth/token.h"

/* The integration's app, or the connection's own (config_override). ERR_CREDENTIALS: no id. */
MUST_CHECK int client_of_app(struct auth_grant *grant, struct token_request *out,
			     struct error *err);
/* How the template wants id and secret to be sent; without a secret the id is in the body. */
MUST_CHECK int client_way(const struct auth_grant *grant, struct token_request *out,
			  struct error *err);
/* A way by its word in templates: none, id, body, basic, basic_form, basic_secret (as the user
 * name), login, private_key_jwt. */
void client_named(const char *word, struct token_request *out);
/* client_assertion of RFC 7523 2.2 into params; the key is a PEM or a JWK. */
MUST_CHECK int client_assertion(struct auth_grant *grant, const struct token_request *request,
				struct json_object *params, struct error *err);
/* token_url, or refresh_url where a refresh has one, and token_headers; placeholders filled. */
MUST_CHECK int client_url(struct auth_grant *grant, const struct expand_scope *scope,
			  bool is_refresh, struct token_request *out, struct error *err);
/* config_override of what was given, checked, into out; absent is fine. ERR_INVALID_BODY. */
MUST_CHECK int client_override(struct json_object *given, struct json_object *out,
			       struct error *err);

#endif
