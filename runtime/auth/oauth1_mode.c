/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth1_mode -- the mode OAUTH1 (RFC 5849): a request token, the provider's page, an
 * access token, and from then on a signature with every request.
 */
#include "auth/oauth1_mode.h"
#include "auth/app.h"
#include "auth/oauth2.h"
#include "auth/wire.h"

#include <string.h>
#include <strings.h>

#define FORM "application/x-www-form-urlencoded"

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	struct json_object *made = json_own(mem, json_object_new_object());
	struct json_object *raw = json_object_in(given, "raw");
	const char *token, *secret;

	(void)template;
	if (auth_text(given, "oauth_token", 1, TOKEN_TEXT_MAX, &token, err) < 0 ||
	    auth_text(given, "oauth_token_secret", 1, TOKEN_TEXT_MAX, &secret, err) < 0)
		return -1;
	json_add(made, "type", "OAUTH1");
	json_add(made, "oauth_token", token);
	json_add(made, "oauth_token_secret", secret);
	json_object_object_add(made, "raw",
			       raw != NULL ? json_object_get(raw) : json_object_new_object());
	*out = made;
	return client_override(given, made, err);
}

/* ---- signing ---- */

int
oauth1_consumer(struct auth_grant *grant, struct oauth1 *out, struct error *err)
{
	struct token_request client = {0};

	if (client_of_app(grant, &client, err) < 0)
		return -1;
	out->consumer_key = client.client_id;
	out->consumer_secret = client.client_secret;
	return 0;
}

static bool
is_form(const struct auth_wire *request)
{
	const struct auth_field *field = request->headers;

	for (; field->name != NULL; field++)
		if (strcasecmp(field->name, "content-type") == 0)
			return strncasecmp(field->value, FORM, strlen(FORM)) == 0 &&
			       strchr("; \t", field->value[strlen(FORM)]) != NULL;
	return false;
}

int
oauth1_sign(TALLOC_CTX *mem, struct oauth1 *oauth, const struct auth_wire *request,
	    struct auth_field out[AUTH_SIGNED_MAX + 1], struct error *err)
{
	struct oauth1_request what = {.method = request->method, .url = request->url};
	char nonce[OAUTH1_NONCE_MAX], *header;

	if (request->body_length > 0 && is_form(request)) {
		what.form = request->body;
		what.form_length = request->body_length;
	}
	oauth1_fresh(nonce, &oauth->timestamp_s);
	oauth->nonce = nonce;
	if (oauth1_header(mem, oauth, &what, &header, err) < 0)
		return -1;
	out[0] = (struct auth_field){"authorization", header};
	out[1] = (struct auth_field){NULL, NULL};
	return 0;
}

static enum oauth1_method
method_of(const struct auth_grant *grant)
{
	const char *name = json_string(template_body(grant->template), "signature_method");

	if (name != NULL && strcmp(name, "PLAINTEXT") == 0)
		return OAUTH1_PLAINTEXT;
	return name != NULL && strcmp(name, "HMAC-SHA256") == 0 ? OAUTH1_HMAC_SHA256
								: OAUTH1_HMAC_SHA1;
}

static int
sign(const struct auth_grant *grant, TALLOC_CTX *mem, const struct auth_wire *request,
     struct auth_field out[AUTH_SIGNED_MAX + 1], struct error *err)
{
	struct auth_grant own = *grant;
	struct oauth1 oauth = {.method = method_of(grant),
			       .token = json_string(grant->credentials, "oauth_token"),
			       .token_secret =
				   json_string(grant->credentials, "oauth_token_secret")};

	own.mem = mem;
	if (oauth1_consumer(&own, &oauth, err) < 0)
		return -1;
	return oauth1_sign(mem, &oauth, request, out, err);
}

/* ---- token requests ---- */

static int
sign_form(void *arg, TALLOC_CTX *mem, struct auth_request *request, struct error *err)
{
	const struct auth_wire wire = wire_of(mem, request);
	struct auth_field signature[AUTH_SIGNED_MAX + 1];

	if (oauth1_sign(mem, arg, &wire, signature, err) < 0)
		return -1;
	wire_put(request, signature);
	return 0;
}

/* Both endpoints answer with a token and its secret. */
static int
ask(struct auth_grant *grant, const struct expand_scope *scope, const char *url_key,
    const char *params_key, struct oauth1 *oauth, struct json_object **out, struct error *err)
{
	const char *from = json_string(template_body(grant->template), url_key);
	struct token_request request = {.format = "form", .sign = sign_form, .sign_arg = oauth};
	const char *token, *secret;
	char *url;

	if (from == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no %s",
				 template_name(grant->template), url_key);
	if (expand(grant->mem, from, scope, EXPAND_URL, &url, err) < 0)
		return error_prefix(err, "the %s of provider %s: ", url_key,
				    template_name(grant->template));
	request.url = url;
	oauth->method = method_of(grant);
	if (token_params(grant, scope, params_key, true, &request.params, err) < 0 ||
	    oauth1_consumer(grant, oauth, err) < 0 || token_send(grant, &request, out, err) < 0)
		return -1;
	token = json_string(*out, "oauth_token");
	secret = json_string(*out, "oauth_token_secret");
	if (token == NULL || token[0] == '\0' || secret == NULL || secret[0] == '\0')
		return error_set(err, ERR_PROVIDER,
				 "the provider's answer holds no oauth_token with its "
				 "oauth_token_secret: %s",
				 token_describe(grant, *out));
	return 0;
}

/* ---- the way there and back ---- */

static int
page(struct auth_grant *grant, const struct auth_flow *flow, const struct expand_scope *scope,
     const char *token, char **url, struct error *err)
{
	const char *scopes = oauth2_scopes(grant, flow);
	struct json_object *params;

	if (token_params(grant, scope, "authorization_params", true, &params, err) < 0)
		return -1;
	if (scopes[0] != '\0' && json_member(params, "scope") == NULL)
		json_add(params, "scope", scopes);
	if (flow->params != NULL) {
		json_object_object_foreach (flow->params, name, given)
			token_put(params, name,
				  given == NULL ? NULL : json_object_get_string(given));
	}
	json_add(params, "oauth_token", token); /* put over by nobody */
	return oauth2_page(grant, scope, params, url, err);
}

static int
begin(struct auth_grant *grant, const struct auth_flow *flow, char **url, struct error *err)
{
	struct oauth1 oauth = {.callback = talloc_asprintf(grant->mem, "%s?state=%s",
							   flow->redirect_uri, flow->state)};
	struct json_object *answer, *kept;
	struct expand_scope scope;

	auth_scope(grant, &scope);
	if (ask(grant, &scope, "request_url", "request_params", &oauth, &answer, err) < 0)
		return -1;
	kept = json_object_new_object();
	json_add(kept, "token", json_string(answer, "oauth_token"));
	json_add(kept, "secret", json_string(answer, "oauth_token_secret"));
	json_object_object_add(grant->credentials, "request", kept);
	return page(grant, flow, &scope, json_string(kept, "token"), url, err);
}

static int
refused(struct auth_grant *grant, struct json_object *query, struct error *err)
{
	const char *problem = json_string(query, "oauth_problem");

	if (problem == NULL && json_string(query, "denied") != NULL)
		problem = "denied";
	if (problem != NULL)
		return error_set(err, ERR_PROVIDER, "%s refused: %.100s",
				 template_display_name(grant->template), problem);
	return error_set(err, ERR_PROVIDER,
			 "%s sent the browser back without the oauth_token of this flow and an "
			 "oauth_verifier",
			 template_display_name(grant->template));
}

static int
complete(struct auth_grant *grant, const struct auth_flow *flow, struct json_object *query,
	 struct error *err)
{
	struct json_object *request = json_object_in(grant->credentials, "request"), *made;
	struct json_object *override = json_object_in(grant->credentials, "config_override");
	const char *token = json_string(query, "oauth_token");
	struct oauth1 oauth = {.token = json_string(request, "token"),
			       .token_secret = json_string(request, "secret"),
			       .verifier = json_string(query, "oauth_verifier")};
	struct json_object *answer;
	struct expand_scope scope;

	(void)flow;
	/* A token of another flow would connect the account of whoever agreed to that. */
	if (token == NULL || oauth.token == NULL || strcmp(token, oauth.token) != 0 ||
	    oauth.verifier == NULL || oauth.verifier[0] == '\0')
		return refused(grant, query, err);
	app_keep_callback(grant, query);
	auth_scope(grant, &scope);
	if (ask(grant, &scope, "token_url", "token_params", &oauth, &answer, err) < 0)
		return -1;
	token_keep_metadata(grant, answer);
	made = json_own(grant->mem, json_object_new_object());
	json_add(made, "type", "OAUTH1");
	json_add(made, "oauth_token", json_string(answer, "oauth_token"));
	json_add(made, "oauth_token_secret", json_string(answer, "oauth_token_secret"));
	json_object_object_add(made, "raw", json_object_get(answer));
	if (override != NULL)
		json_object_object_add(made, "config_override", json_object_get(override));
	grant->credentials = made;
	return 0;
}

const struct auth_scheme auth_oauth1 = {
    .mode = "OAUTH1",
    .doc = "OAuth 1.0: a person signs in at the provider and agrees; requests are signed.",
    .validate = validate,
    .sign = sign,
    .begin = begin,
    .complete = complete,
};
