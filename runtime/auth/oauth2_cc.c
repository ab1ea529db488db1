/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth2_cc -- OAuth 2.0 client credentials (RFC 6749 4.4): each connection is a client.
 */
#include "auth/client.h"
#include "auth/more.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define LIFE_DEFAULT_MS (55 * 60 * 1000)
#define TEXT_MAX 4096
#define KEY_MAX 16384

/* They have several lines, which no header carries: an own rule. */
static int
read_pem(struct json_object *given, const char *key, bool is_required, struct json_object *made,
	 struct error *err)
{
	const char *text = json_string(given, key);
	char at[ERROR_AT_MAX];

	snprintf(at, sizeof(at), "credentials.%s", key);
	if (text == NULL)
		return is_required
			   ? error_set_at(err, ERR_INVALID_BODY, at, "%s is required", at)
			   : 0;
	if (strlen(text) > KEY_MAX)
		return error_set_at(err, ERR_INVALID_BODY, at, "%s must have at most %d bytes",
				    at, KEY_MAX);
	json_add(made, key, text);
	return 0;
}

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	static const struct {
		const char *key;
		bool is_required;
	} texts[] = {{"client_id", true}, {"client_secret", false}, {"token", false}};
	struct json_object *made = json_own(mem, json_object_new_object());
	bool is_mutual =
	    json_boolean(template_body(template), "require_client_certificate", false);
	const char *text;

	json_add(made, "type", "OAUTH2_CC");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if ((texts[i].is_required
			 ? auth_text(given, texts[i].key, 1, TEXT_MAX, &text, err)
			 : auth_text_if(given, texts[i].key, TEXT_MAX, &text, err)) < 0)
			return -1;
		if (text != NULL)
			json_add(made, texts[i].key, text);
	}
	if (token_given_expiry(given, made, err) < 0 ||
	    auth_text_if(given, "key_id", TEXT_MAX, &text, err) < 0)
		return -1;
	if (text != NULL)
		json_add(made, "key_id", text);
	*out = made;
	if (read_pem(given, "client_certificate", is_mutual, made, err) < 0 ||
	    read_pem(given, "client_private_key", is_mutual, made, err) < 0)
		return -1;
	return auth_fields(template, given, made, err);
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_bearer(mem, json_string(credentials, "token"));
}

/* Scopes of the connection, else of the integration; then what the connection puts over. */
static void
add_connection(struct auth_grant *grant, struct json_object *params)
{
	struct json_object *more = json_object_in(grant->config, "authorization_params");
	const char *separator = json_string(template_body(grant->template), "scope_separator");
	const char *scopes = json_string(grant->config, "oauth_scopes");
	char *joined = NULL;

	if (scopes == NULL)
		scopes = json_string(grant->app, "scopes");
	while (scopes != NULL && *scopes != '\0') {
		size_t length = strcspn(scopes, ", ");

		if (length > 0)
			joined = joined == NULL
				     ? talloc_strndup(grant->mem, scopes, length)
				     : talloc_asprintf(grant->mem, "%s%s%.*s", joined,
						       separator == NULL ? " " : separator,
						       (int)length, scopes);
		scopes += length + (scopes[length] != '\0');
	}
	if (joined != NULL)
		token_put(params, "scope", joined);
	if (more != NULL) {
		json_object_object_foreach (more, key, value)
			json_object_object_add(params, key, json_object_get(value));
	}
}

static int
take(struct auth_grant *grant, struct json_object *answer, struct error *err)
{
	static const char *const paths[] = {"access_token", "data.token", "jwt"};
	struct json_object *before = grant->credentials, *tokens;
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	const char *token = NULL;
	char iso[CLOCK_ISO_MAX];

	if (token_mapped(grant, answer, &tokens, err) < 0)
		return -1;
	for (size_t i = 0; token == NULL && i < sizeof(paths) / sizeof(paths[0]); i++)
		token = token_text_at(grant->mem, tokens, paths[i]);
	if (token == NULL)
		return error_set(err, ERR_PROVIDER,
				 "the provider's answer holds no access_token: %s",
				 token_describe(grant, answer));
	grant->expires_ms = token_expiry(grant, tokens);
	if (grant->expires_ms == 0)
		grant->expires_ms = grant->now_ms + LIFE_DEFAULT_MS;
	json_add(made, "type", "OAUTH2_CC");
	json_add(made, "token", token);
	clock_iso(iso, grant->expires_ms);
	json_add(made, "expires_at", iso);
	json_object_object_add(made, "raw", json_object_get(answer));
	auth_keep(made, before);
	grant->credentials = made;
	return 0;
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	struct token_request request = {
	    .client_id = json_string(grant->credentials, "client_id"),
	    .client_secret = json_string(grant->credentials, "client_secret")};
	struct json_object *answer;
	struct expand_scope scope;

	auth_scope(grant, &scope);
	if (client_way(grant, &request, err) < 0 ||
	    client_url(grant, &scope, false, &request, err) < 0 ||
	    token_params(grant, &scope, "token_params", true, &request.params, err) < 0)
		return -1;
	if (json_member(request.params, "grant_type") == NULL)
		token_put(request.params, "grant_type", "client_credentials");
	add_connection(grant, request.params);
	if (more_request(grant, &scope, false, &request, err) < 0 ||
	    token_send(grant, &request, &answer, err) < 0 ||
	    more_answers(grant, &auth_oauth2_cc, false, &answer, err) < 0)
		return -1;
	token_keep_metadata(grant, answer);
	return take(grant, answer, err);
}

static bool
is_renewable(const struct auth_grant *grant)
{
	return json_string(grant->credentials, "client_id") != NULL;
}

const struct auth_scheme auth_oauth2_cc = {
    .mode = "OAUTH2_CC",
    .doc = "OAuth 2.0 client credentials: id and secret of the customer's own client.",
    .validate = validate,
    .authorization = authorization,
    .obtain = obtain,
    .is_renewable = is_renewable,
    .renew = obtain,
};
