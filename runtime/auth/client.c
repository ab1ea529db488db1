/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/client -- see client.h.
 */
#include "auth/client.h"
#include "auth/jwt.h"
#include "base/id.h"

#include <string.h>

#define ASSERTION_LIFE_S 300

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
	if (way != NULL && strcmp(way, "private_key_jwt") == 0) {
		out->client = TOKEN_CLIENT_ASSERTION;
		if (json_string(grant->credentials, "client_private_key") != NULL)
			out->client_secret =
			    json_string(grant->credentials, "client_private_key");
		return out->client_secret != NULL
			   ? 0
			   : error_set(err, ERR_CREDENTIALS,
				       "the client's private key (client_private_key) is "
				       "needed");
	}
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

void
client_named(const char *word, struct token_request *out)
{
	static const struct {
		const char *word;
		enum token_client client;
	} ways[] = {{"none", TOKEN_CLIENT_NONE},   {"body", TOKEN_CLIENT_BODY},
		    {"basic", TOKEN_CLIENT_BASIC}, {"basic_form", TOKEN_CLIENT_BASIC_FORM},
		    {"login", TOKEN_CLIENT_LOGIN}, {"private_key_jwt", TOKEN_CLIENT_ASSERTION}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].word, word) == 0)
			out->client = ways[i].client;
	if (strcmp(word, "id") == 0) {
		out->client = TOKEN_CLIENT_BODY;
		out->client_secret = NULL;
	} else if (strcmp(word, "basic_secret") == 0) {
		out->client = TOKEN_CLIENT_BASIC;
		out->client_id = out->client_secret;
		out->client_secret = NULL;
	}
}

int
client_assertion(struct auth_grant *grant, const struct token_request *request,
		 struct json_object *params, struct error *err)
{
	struct json_object *header = json_own(grant->mem, json_object_new_object());
	struct json_object *payload = json_own(grant->mem, json_object_new_object());
	struct jwt_key key = {.text = request->client_secret};
	const char *kid = json_string(grant->credentials, "key_id");
	char *token, id[ID_UUID_MAX];

	if (key.text[0] == '{') {
		if (json_parse(grant->mem, key.text, strlen(key.text), &key.jwk, err) < 0)
			return error_set(err, ERR_CREDENTIALS,
					 "the client's private key is no JWK");
		key.text = NULL;
		if (json_string(key.jwk, "kid") != NULL)
			kid = json_string(key.jwk, "kid");
	}
	json_add(header, "alg", "RS256");
	json_add(header, "typ", "JWT");
	if (kid != NULL)
		json_add(header, "kid", kid);
	id_uuid4(id);
	json_add(payload, "iss", request->client_id);
	json_add(payload, "sub", request->client_id);
	json_add(payload, "aud", request->url);
	json_add(payload, "jti", id);
	json_add_integer(payload, "iat", grant->now_ms / 1000);
	json_add_integer(payload, "exp", grant->now_ms / 1000 + ASSERTION_LIFE_S);
	if (jwt_sign(grant->mem, header, payload, &key, &token, err) < 0)
		return -1;
	token_put(params, "client_id", request->client_id);
	token_put(params, "client_assertion_type",
		  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	token_put(params, "client_assertion", token);
	return 0;
}

static enum expand_mode
url_mode(struct json_object *body)
{
	struct json_object *list = json_array_in(body, "token_url_skip_encode");

	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)),
			   "base_url") == 0)
			return EXPAND_TEXT;
	return EXPAND_URL;
}

int
client_url(struct auth_grant *grant, const struct expand_scope *scope, bool is_refresh,
	   struct token_request *out, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	struct json_object *several = json_object_in(body, "token_url");
	const char *from = is_refresh ? json_string(body, "refresh_url") : NULL;
	char *url;

	out->format = json_string(body, "body_format");
	if (out->headers == NULL &&
	    token_fill(grant, scope, EXPAND_TEXT, false, json_object_in(body, "token_headers"),
		       &out->headers, err) < 0)
		return -1;
	if (grant->token_url != NULL) {
		out->url = grant->token_url;
		return 0;
	}
	if (from == NULL)
		from = several != NULL ? json_string(several, "OAUTH2")
				       : json_string(body, "token_url");
	if (from == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no token_url",
				 template_name(grant->template));
	if (expand(grant->mem, from, scope, url_mode(body), &url, err) < 0)
		return error_prefix(
		    err, "the token URL of provider %s: ", template_name(grant->template));
	out->url = url;
	return 0;
}

int
client_override(struct json_object *given, struct json_object *out, struct error *err)
{
	struct json_object *override = json_object_in(given, "config_override");
	struct json_object *kept;
	const char *id, *secret;

	if (override == NULL)
		return 0;
	if (auth_text_if(override, "client_id", 255, &id, err) < 0 ||
	    auth_text_if(override, "client_secret", TOKEN_TEXT_MAX, &secret, err) < 0)
		return -1;
	kept = json_object_new_object();
	if (id != NULL)
		json_add(kept, "client_id", id);
	if (secret != NULL)
		json_add(kept, "client_secret", secret);
	json_object_object_add(out, "config_override", kept);
	return 0;
}
