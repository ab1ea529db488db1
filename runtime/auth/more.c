/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/more -- see more.h.
 */
#include "auth/more.h"
#include "auth/ask.h"
#include "base/clock.h"
#include "base/log.h"

#include <string.h>

struct json_object *
more_rules(const struct auth_grant *grant, bool is_refresh)
{
	struct json_object *refresh = ask_rules(grant, "refresh_request");

	return is_refresh && refresh != NULL ? refresh : ask_rules(grant, "token_request");
}

int
more_request(struct auth_grant *grant, const struct expand_scope *scope, bool is_refresh,
	     struct token_request *request, struct error *err)
{
	return ask_apply(grant, scope, more_rules(grant, is_refresh), request, err);
}

/* ---- requests that follow ---- */

/* What the next request may name: ${credentials.raw.…}, and the token so far. */
static int
take_so_far(struct auth_grant *grant, struct json_object *answer, struct expand_scope *scope,
	    struct error *err)
{
	struct json_object *so_far = json_own(grant->mem, json_object_new_object());
	struct json_object *tokens;

	if (token_object(grant, answer, err) < 0 ||
	    token_mapped(grant, answer, &tokens, err) < 0)
		return -1;
	json_object_object_foreach (tokens, key, value)
		if (value != NULL)
			json_object_object_add(so_far, key, json_object_get(value));
	json_object_object_add(so_far, "raw", json_object_get(answer));
	auth_keep(so_far, grant->credentials);
	grant->credentials = so_far;
	auth_scope(grant, scope);
	return 0;
}

int
more_answers(struct auth_grant *grant, const struct auth_scheme *scheme, bool is_refresh,
	     struct json_object **answer, struct error *err)
{
	struct json_object *list = json_array_in(more_rules(grant, is_refresh), "then");
	struct json_object *before = grant->credentials;
	int result = 0;

	for (size_t i = 0; result == 0 && list != NULL && i < json_object_array_length(list);
	     i++) {
		struct json_object *rules = json_object_array_get_idx(list, i), *next;
		struct json_object *all = json_own(grant->mem, json_object_new_object());
		struct expand_scope scope;

		if (take_so_far(grant, *answer, &scope, err) < 0 ||
		    ask_send(grant, scheme, &scope, rules, &next, err) < 0 ||
		    token_object(grant, next, err) < 0) {
			result = error_prefix(err, "request %zu after the token: ", i + 1);
			break;
		}
		auth_keep(all, next);
		auth_keep(all, *answer);
		*answer = all;
	}
	grant->credentials = before;
	return result;
}

/* ---- further tokens ---- */

/* Where it is: in an answer of its own, or in that of the token endpoint. */
static int
find_token(struct auth_grant *grant, const struct auth_scheme *scheme,
	   struct json_object *rules, struct json_object *had, struct json_object *answer,
	   struct json_object **out, struct error *err)
{
	struct json_object *refresh = json_object_in(rules, "refresh");
	struct json_object *request = json_object_in(rules, "request");
	const char *at = json_string(rules, "at");
	struct expand_scope scope;

	if (refresh == NULL || json_string(had, "refresh_token") == NULL)
		refresh = NULL;
	else
		request = refresh;
	*out = answer;
	if (request != NULL) {
		auth_scope(grant, &scope);
		if (ask_send(grant, scheme, &scope, request, &answer, err) < 0 ||
		    token_mapped(grant, answer, out, err) < 0)
			return -1;
	}
	if (at != NULL && (refresh == NULL || token_at(answer, at) != NULL))
		*out = token_at(answer, at);
	return 0;
}

static void
keep_token(struct auth_grant *grant, const char *name, struct json_object *had,
	   struct json_object *found, struct json_object *into)
{
	struct json_object *made = json_object_new_object();
	const char *access = json_string(found, "access_token");
	const char *refresh = json_string(found, "refresh_token");
	int64_t expires_ms = token_expiry(grant, found);
	char iso[CLOCK_ISO_MAX];

	if (refresh == NULL || refresh[0] == '\0')
		refresh = json_string(had, "refresh_token");
	json_add(made, "access_token", access);
	if (refresh != NULL)
		json_add(made, "refresh_token", refresh);
	if (expires_ms > 0) {
		clock_iso(iso, expires_ms);
		json_add(made, "expires_at", iso);
		if (grant->expires_ms == 0 || expires_ms < grant->expires_ms) {
			grant->expires_ms = expires_ms;
			json_add(grant->credentials, "expires_at", iso);
		}
	}
	json_object_object_add(into, name, made);
}

/* The one there is stays when an answer has none. */
static int
add_token(struct auth_grant *grant, const struct auth_scheme *scheme, const char *name,
	  struct json_object *rules, struct json_object *had, struct json_object *answer,
	  struct error *err)
{
	struct json_object *into = json_object_in(grant->credentials, "extra"), *found;
	const char *access;

	if (find_token(grant, scheme, rules, had, answer, &found, err) < 0)
		return json_boolean(rules, "optional", false)
			   ? 0
			   : error_prefix(err, "the token \"%s\": ", name);
	access = json_string(found, "access_token");
	if (access != NULL && access[0] != '\0')
		keep_token(grant, name, had, found, into);
	else if (had != NULL)
		json_object_object_add(into, name, json_object_get(had));
	else if (!json_boolean(rules, "optional", false))
		return error_set(err, ERR_PROVIDER, "the provider's answer holds no \"%s\": %s",
				 name, token_describe(grant, found));
	return 0;
}

int
more_tokens(struct auth_grant *grant, const struct auth_scheme *scheme,
	    struct json_object *before, struct json_object *answer, struct error *err)
{
	struct json_object *list = ask_rules(grant, "extra_tokens");
	struct json_object *had = json_object_in(before, "extra"), *extra;

	if (list == NULL)
		return 0;
	extra = json_object_new_object();
	auth_keep(extra, had); /* a request may name ${credentials.extra.NAME.refresh_token} */
	json_object_object_add(grant->credentials, "extra", extra);
	json_object_object_foreach (list, name, rules)
		if (add_token(grant, scheme, name, rules, json_object_in(had, name), answer,
			      err) < 0)
			return -1;
	return 0;
}

/* ---- how long ---- */

int
more_expiry(struct auth_grant *grant, const struct auth_scheme *scheme, struct error *err)
{
	struct json_object *rules = ask_rules(grant, "introspection"), *answer;
	const char *active = json_string(rules, "active"), *expires, *text;
	struct expand_scope scope;
	char iso[CLOCK_ISO_MAX];
	int64_t ms;

	if (rules == NULL)
		return 0;
	expires = json_string(rules, "expires");
	auth_scope(grant, &scope);
	if (ask_send(grant, scheme, &scope, json_object_in(rules, "request"), &answer, err) <
	    0) {
		log_warn("auth", "provider %s does not say how long a token lasts: %s",
			 template_name(grant->template), err->message);
		return 0; /* the token is there, and may be good */
	}
	text = token_text_at(grant->mem, answer, active == NULL ? "active" : active);
	if (text != NULL && strcmp(text, "false") == 0)
		return error_set(err, ERR_PROVIDER,
				 "the provider calls its new token inactive");
	ms = token_moment(token_at(answer, expires == NULL ? "exp" : expires));
	if (ms <= grant->now_ms || (grant->expires_ms != 0 && grant->expires_ms < ms))
		return 0;
	grant->expires_ms = ms;
	clock_iso(iso, ms);
	json_add(grant->credentials, "expires_at", iso);
	return 0;
}
