/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/two_step -- the mode TWO_STEP: a login of the provider's own, described by the template:
 * one request or several, each with what those before answered.
 */
#include "auth/assertion.h"
#include "auth/jwt.h"
#include "auth/jwt_made.h"
#include "base/buf.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 8

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "TWO_STEP");
	return auth_fields(template, given, *out, err);
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_bearer(mem, json_string(credentials, "token"));
}

/* ---- requests ---- */

/* One request as rules describe it; params and headers are named for those of a refresh. */
static int
ask(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *rules,
    const char *url, const char *params, const char *headers, struct json_object **answer,
    struct error *err)
{
	struct json_object *body = template_body(grant->template);
	struct token_request request = {.format = json_string(rules, "body_format"),
					.method = json_string(rules, "token_request_method")};
	char *filled;

	if (request.format == NULL)
		request.format = json_string(body, "body_format");
	if (request.format == NULL)
		request.format = "json";
	if (url == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no token_url",
				 template_name(grant->template));
	if (expand(grant->mem, url, scope, EXPAND_URL, &filled, err) < 0)
		return error_prefix(
		    err, "the token URL of provider %s: ", template_name(grant->template));
	request.url = filled;
	if (token_fill(grant, scope, EXPAND_TEXT, false, json_object_in(rules, params),
		       &request.params, err) < 0 ||
	    token_fill(grant, scope, EXPAND_TEXT, false, json_object_in(rules, headers),
		       &request.headers, err) < 0)
		return -1;
	return token_send(grant, &request, answer, err);
}

/* ${credentials.assertion} or ${token}, where the template wants one. */
static int
add_signed(struct auth_grant *grant, struct expand_scope *scope, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	int64_t expires_ms;
	char *token;

	if (assertion_made(grant, scope, err) < 0)
		return -1;
	if (json_object_in(body, "token") == NULL || json_object_in(body, "signature") == NULL)
		return 0;
	if (jwt_made(grant, scope, &token, &expires_ms, err) < 0)
		return -1;
	json_add(scope->values, "token", token);
	return 0;
}

static int
log_in(struct auth_grant *grant, struct json_object **answer, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	struct json_object *more = json_array_in(body, "additional_steps");
	struct json_object *steps = json_own(grant->mem, json_object_new_array());
	size_t count = more == NULL ? 0 : json_object_array_length(more);
	struct expand_scope scope;

	auth_scope(grant, &scope);
	scope.steps = steps;
	if (count > STEPS_MAX)
		return error_set(err, ERR_TEMPLATE, "provider %s has over %d steps",
				 template_name(grant->template), STEPS_MAX);
	if (add_signed(grant, &scope, err) < 0 ||
	    ask(grant, &scope, body, json_string(body, "token_url"), "token_params",
		"token_headers", answer, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *step = json_object_array_get_idx(more, i);

		json_object_array_add(steps, json_object_get(*answer));
		if (ask(grant, &scope, step, json_string(step, "token_url"), "token_params",
			"token_headers", answer, err) < 0)
			return error_prefix(err, "step %zu: ", i + 2);
	}
	return 0;
}

/* ---- answers ---- */

/* "2 days", "90 minutes", d:hh:mm, seconds. 0: none of them. */
static int64_t
duration_ms(const char *text)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"second", 1000},
		     {"minute", 60000},
		     {"hour", 3600000},
		     {"day", 86400000},
		     {"week", 604800000}};
	long long days, hours, minutes, n;
	char *end;

	if (sscanf(text, "%9lld:%9lld:%9lld", &days, &hours, &minutes) == 3)
		return ((days * 24 + hours) * 60 + minutes) * 60000;
	n = strtoll(text, &end, 10);
	if (end == text || n <= 0 || n > INT32_MAX)
		return 0;
	end += strspn(end, " ");
	if (*end == '\0')
		return n * 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strncmp(end, units[i].name, strlen(units[i].name)) == 0)
			return n * units[i].ms;
	return 0;
}

static int64_t
expiry(struct auth_grant *grant, struct json_object *answer, const char *token)
{
	struct json_object *body = template_body(grant->template), *claims;
	struct json_object *rules = json_object_in(body, "token_response");
	const char *path = json_string(rules, "token_expiration");
	const char *strategy = json_string(rules, "token_expiration_strategy");
	const char *unit = json_string(body, "expires_in_unit"), *text;
	int64_t fixed = json_integer(body, "token_expires_in_ms", 0), ms = 0;
	struct error none;

	if (path != NULL && (text = token_text_at(grant->mem, answer, path)) != NULL) {
		if (strategy != NULL && strcmp(strategy, "expireAt") == 0)
			ms = token_moment(token_at(answer, path));
		if (ms == 0 && (ms = duration_ms(text)) > 0)
			ms = token_end(grant, unit != NULL && strcmp(unit, "milliseconds") == 0
						  ? ms / 1000
						  : ms);
	}
	if (ms == 0 && fixed > 0)
		ms = token_end(grant, fixed);
	if (ms == 0 && jwt_claims(grant->mem, token, &claims, &none) == 0)
		ms = token_moment(json_member(claims, "exp"));
	return ms;
}

/* Headers that the template names; cookies as a request sends them back. */
static void
keep_headers(struct auth_grant *grant, struct json_object *made)
{
	struct json_object *names =
	    json_array_in(template_body(grant->template), "token_response_headers");
	struct json_object *kept = json_object_new_object(), *cookies;
	struct buf out;

	for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));
		struct json_object *value = json_member(grant->answer_headers, name);

		if (value != NULL)
			json_object_object_add(kept, name, json_object_get(value));
	}
	cookies = json_member(kept, "set-cookie");
	if (json_object_object_length(kept) > 0)
		json_object_object_add(made, "headers", kept);
	else
		json_object_put(kept);
	if (cookies == NULL)
		return;
	buf_init(&out, grant->mem, 256);
	for (size_t i = 0; i < (json_object_is_type(cookies, json_type_array)
				    ? json_object_array_length(cookies)
				    : 1);
	     i++) {
		const char *text =
		    json_object_get_string(json_object_is_type(cookies, json_type_array)
					       ? json_object_array_get_idx(cookies, i)
					       : cookies);

		buf_addf(&out, "%s%.*s", i == 0 ? "" : "; ", (int)strcspn(text, ";"), text);
	}
	json_add(made, "_cookies", out.data);
}

static int
take(struct auth_grant *grant, struct json_object *answer, struct error *err)
{
	struct json_object *rules =
	    json_object_in(template_body(grant->template), "token_response");
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	const char *path = json_string(rules, "token"), *refresh = NULL;
	const char *token = path == NULL ? NULL : token_text_at(grant->mem, answer, path);
	char iso[CLOCK_ISO_MAX];

	if (token == NULL || token[0] == '\0')
		return error_set(err, ERR_PROVIDER,
				 "the provider's answer holds no token at \"%s\": %s",
				 path == NULL ? "" : path, token_describe(grant, answer));
	if (json_string(rules, "refresh_token") != NULL)
		refresh =
		    token_text_at(grant->mem, answer, json_string(rules, "refresh_token"));
	grant->expires_ms = expiry(grant, answer, token);
	json_add(made, "type", "TWO_STEP");
	json_add(made, "token", token);
	if (refresh != NULL)
		json_add(made, "refresh_token", refresh);
	if (grant->expires_ms > 0) {
		clock_iso(iso, grant->expires_ms);
		json_add(made, "expires_at", iso);
	} else { /* not that of the token before */
		json_object_object_del(grant->credentials, "expires_at");
	}
	keep_headers(grant, made);
	json_object_object_add(made, "raw", json_object_get(answer));
	token_keep_metadata(grant, answer);
	auth_keep(made, grant->credentials);
	grant->credentials = made;
	return 0;
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	struct json_object *answer;

	if (log_in(grant, &answer, err) < 0)
		return -1;
	return take(grant, answer, err);
}

/* With the refresh token where the template says how, else by logging in again. */
static int
renew(struct auth_grant *grant, struct error *err)
{
	struct json_object *body = template_body(grant->template), *answer;
	bool has_own = json_object_in(body, "refresh_token_params") != NULL ||
		       json_object_in(body, "refresh_token_headers") != NULL;
	const char *url = json_string(body, "refresh_url");
	struct expand_scope scope;

	if (!has_own || json_string(grant->credentials, "refresh_token") == NULL)
		return obtain(grant, err);
	auth_scope(grant, &scope);
	if (ask(grant, &scope, body, url != NULL ? url : json_string(body, "token_url"),
		"refresh_token_params", "refresh_token_headers", &answer, err) < 0)
		return -1;
	return take(grant, answer, err);
}

const struct auth_scheme auth_two_step = {
    .mode = "TWO_STEP",
    .doc = "A login of the provider's own: what was typed in is traded for a token.",
    .validate = validate,
    .authorization = authorization,
    .obtain = obtain,
    .renew = renew,
};
