/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth2 -- OAuth 2.0 with an authorization code (RFC 6749 4.1), PKCE (RFC 7636) and
 * refresh tokens. The way to the provider's page is oauth2_begin.c.
 */
#include "auth/app.h"
#include "auth/client.h"
#include "auth/more.h"
#include "auth/oauth2.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <string.h>

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	struct json_object *made = json_own(mem, json_object_new_object());
	struct json_object *raw = json_object_in(given, "raw");
	const char *access, *refresh;

	(void)template;
	json_add(made, "type", "OAUTH2");
	if (auth_text(given, "access_token", 1, TOKEN_TEXT_MAX, &access, err) < 0 ||
	    auth_text_if(given, "refresh_token", TOKEN_TEXT_MAX, &refresh, err) < 0)
		return -1;
	json_add(made, "access_token", access);
	if (refresh != NULL)
		json_add(made, "refresh_token", refresh);
	if (token_given_expiry(given, made, err) < 0 || client_override(given, made, err) < 0)
		return -1;
	json_object_object_add(made, "raw",
			       raw != NULL ? json_object_get(raw) : json_object_new_object());
	*out = made;
	return 0;
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_bearer(mem, json_string(credentials, "access_token"));
}

/* ---- answers ---- */

/* Where the tokens are: in the answer, or in the part of it that the template names. */
static struct json_object *
tokens_in(struct auth_grant *grant, struct json_object *answer)
{
	const char *path =
	    json_string(template_body(grant->template), "alternate_access_token_response_path");
	struct json_object *part;

	if (json_string(answer, "access_token") != NULL || path == NULL)
		return answer;
	part = token_at(answer, path);
	if (json_object_is_type(part, json_type_string)) {
		struct json_object *made = json_own(grant->mem, json_object_new_object());

		json_add(made, "access_token", json_object_get_string(part));
		return made;
	}
	return json_object_is_type(part, json_type_object) ? part : answer;
}

int
oauth2_take(struct auth_grant *grant, struct json_object *answer, struct error *err)
{
	struct json_object *before = grant->credentials, *override;
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	struct json_object *tokens;
	const char *access, *refresh;
	char iso[CLOCK_ISO_MAX];

	if (token_mapped(grant, answer, &tokens, err) < 0)
		return -1;
	if (json_string(tokens, "access_token") == NULL)
		tokens = tokens_in(grant, answer);
	access = json_string(tokens, "access_token");
	refresh = json_string(tokens, "refresh_token");
	if (access == NULL || access[0] == '\0')
		return error_set(err, ERR_PROVIDER,
				 "the provider's answer holds no access_token: %s",
				 token_describe(grant, answer));
	if (refresh == NULL || refresh[0] == '\0')
		refresh = json_string(before, "refresh_token");
	grant->expires_ms = token_expiry(grant, tokens);
	json_add(made, "type", "OAUTH2");
	json_add(made, "access_token", access);
	if (refresh != NULL)
		json_add(made, "refresh_token", refresh);
	if (grant->expires_ms > 0) {
		clock_iso(iso, grant->expires_ms);
		json_add(made, "expires_at", iso);
	}
	json_object_object_add(made, "raw", json_object_get(answer));
	override = json_object_in(before, "config_override");
	if (override != NULL)
		json_object_object_add(made, "config_override", json_object_get(override));
	grant->credentials = made;
	return 0;
}

/* ---- token requests ---- */

static int
ask(struct auth_grant *grant, const struct expand_scope *scope, struct token_request *request,
    bool is_refresh, struct error *err)
{
	struct json_object *before = is_refresh ? grant->credentials : NULL, *answer;

	if (grant->resource != NULL)
		token_put(request->params, "resource", grant->resource);
	if (client_of_app(grant, request, err) < 0 ||
	    client_url(grant, scope, is_refresh, request, err) < 0 ||
	    more_request(grant, scope, is_refresh, request, err) < 0 ||
	    token_send(grant, request, &answer, err) < 0 ||
	    more_answers(grant, &auth_oauth2, is_refresh, &answer, err) < 0)
		return -1;
	if (!is_refresh)
		token_keep_metadata(grant, answer);
	if (oauth2_take(grant, answer, err) < 0 ||
	    more_tokens(grant, &auth_oauth2, before, answer, err) < 0)
		return -1;
	return more_expiry(grant, &auth_oauth2, err);
}

/* What the provider said instead of a code. */
static int
refused(struct auth_grant *grant, struct json_object *query, const char *param,
	struct error *err)
{
	const char *error = json_string(query, "error");
	const char *description = json_string(query, "error_description");

	if (error == NULL && description == NULL)
		return error_set(err, ERR_PROVIDER,
				 "%s sent the browser back without the parameter %s",
				 template_display_name(grant->template), param);
	return error_set(err, ERR_PROVIDER, "%s refused: %.100s%s%.300s",
			 template_display_name(grant->template), error == NULL ? "" : error,
			 error == NULL || description == NULL ? "" : ": ",
			 description == NULL ? "" : description);
}

static int
complete(struct auth_grant *grant, const struct auth_flow *flow, struct json_object *query,
	 struct error *err)
{
	struct json_object *body = template_body(grant->template);
	const char *param = json_string(body, "authorization_code_param_in_callback"), *code;
	struct token_request request = {0};
	struct expand_scope scope;

	if (param == NULL)
		param = "code";
	code = json_string(query, param);
	if (code == NULL || code[0] == '\0')
		return refused(grant, query, param, err);
	app_keep_callback(grant, query);
	auth_scope(grant, &scope);
	if (token_params(grant, &scope, "token_params", true, &request.params, err) < 0)
		return -1;
	token_put(request.params, "grant_type", "authorization_code");
	token_put(request.params, "code", code);
	token_put(request.params, "redirect_uri", flow->redirect_uri);
	if (grant->needs_pkce || !json_boolean(body, "disable_pkce", false))
		token_put(request.params, "code_verifier", flow->verifier);
	return ask(grant, &scope, &request, false, err);
}

static bool
is_renewable(const struct auth_grant *grant)
{
	if (json_boolean(more_rules(grant, true), "without_refresh_token", false))
		return json_string(grant->credentials, "access_token") != NULL;
	return json_string(grant->credentials, "refresh_token") != NULL;
}

/* Without parameters of its own a refresh takes those of the token request. */
static int
renew(struct auth_grant *grant, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	bool has_own = json_object_in(body, "refresh_params") != NULL;
	struct token_request request = {0};
	struct expand_scope scope;

	auth_scope(grant, &scope);
	if (token_params(grant, &scope, has_own ? "refresh_params" : "token_params", true,
			 &request.params, err) < 0)
		return -1;
	token_put(request.params, "grant_type", "refresh_token");
	token_put(request.params, "refresh_token",
		  json_string(grant->credentials, "refresh_token"));
	return ask(grant, &scope, &request, true, err);
}

const struct auth_scheme auth_oauth2 = {
    .mode = "OAUTH2",
    .doc = "OAuth 2.0: a person signs in at the provider and agrees.",
    .validate = validate,
    .authorization = authorization,
    .is_renewable = is_renewable,
    .renew = renew,
    .begin = oauth2_begin,
    .complete = complete,
};
