/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/post_connect -- see post_connect.h.
 */
#include "auth/post_connect.h"
#include "auth/ask.h"
#include "auth/jwt.h"

#include <string.h>

struct step {
	struct auth_grant *grant;
	const struct auth_scheme *scheme;
	struct expand_scope scope;
	struct json_object *rules;
};

/* Where a step looks: an answer, the token endpoint's answer, or the claims of the token. */
static int
find_source(struct step *step, struct json_object **out, struct error *err)
{
	struct json_object *credentials = step->grant->credentials;
	const char *source = json_string(step->rules, "source");
	const char *token = json_string(credentials, "access_token");

	if (json_object_in(step->rules, "request") != NULL)
		return ask_send(step->grant, step->scheme, &step->scope,
				json_object_in(step->rules, "request"), out, err);
	if (source != NULL && strcmp(source, "claims") == 0) {
		if (token == NULL)
			token = json_string(credentials, "token");
		return jwt_claims(step->grant->mem, token == NULL ? "" : token, out, err);
	}
	*out = json_object_in(credentials, "raw");
	return *out != NULL ? 0 : error_set(err, ERR_PROVIDER, "there is no answer to read");
}

/* The first of a list, or the first that a condition holds for. */
static int
pick(struct step *step, struct json_object *list, struct json_object **out, struct error *err)
{
	struct json_object *where = json_object_in(step->rules, "where");
	const char *path = json_string(where, "path"), *template = json_string(where, "equals");
	char *wanted = NULL;

	if (where != NULL &&
	    expand(step->grant->mem, template, &step->scope, EXPAND_TEXT, &wanted, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		wanted = NULL; /* nothing was wished for: the first */
	}
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *text =
		    wanted == NULL ? NULL : token_text_at(step->grant->mem, item, path);

		if (wanted == NULL || (text != NULL && strcmp(text, wanted) == 0)) {
			*out = item;
			return 0;
		}
	}
	return wanted == NULL
		   ? error_set(err, ERR_PROVIDER, "the provider lists nothing")
		   : error_set(err, ERR_PROVIDER,
			       "the provider lists nothing whose %s is \"%s\"", path, wanted);
}

static int
set_all(struct step *step, struct json_object *found, struct error *err)
{
	struct json_object *set = json_object_in(step->rules, "set");
	struct json_object *config = step->grant->config;

	json_object_object_foreach (set, key, path) {
		const char *have = json_string(config, key);
		const char *text =
		    token_text_at(step->grant->mem, found, json_object_get_string(path));

		if (have != NULL && have[0] != '\0')
			continue;
		if (text == NULL)
			return error_set(err, ERR_PROVIDER, "the provider's answer has no %s",
					 json_object_get_string(path));
		json_add(config, key, text);
	}
	return 0;
}

static int
run(struct step *step, struct error *err)
{
	const char *at = json_string(step->rules, "at");
	struct json_object *found;

	auth_scope(step->grant, &step->scope); /* with what steps before have set */
	if (find_source(step, &found, err) < 0)
		return -1;
	if (at != NULL)
		found = token_at(found, at);
	if (json_object_is_type(found, json_type_array) && pick(step, found, &found, err) < 0)
		return -1;
	return set_all(step, found, err);
}

int
post_connect(struct auth_grant *grant, const struct auth_scheme *scheme, struct error *err)
{
	struct json_object *list =
	    json_array_in(json_object_in(template_body(grant->template), "x"), "post_connect");

	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct step step = {.grant = grant,
				    .scheme = scheme,
				    .rules = json_object_array_get_idx(list, i)};

		if (run(&step, err) < 0 && !json_boolean(step.rules, "optional", false))
			return error_prefix(err, "after signing in: ");
	}
	return 0;
}
