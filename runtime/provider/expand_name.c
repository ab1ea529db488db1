/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand_name -- what a name in ${…} stands for.
 */
#include "provider/expand_parts.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 32

/* As a dotted path, else as one key that has dots in its name. */
static struct json_object *
by_path(struct json_object *object, const char *path)
{
	struct json_object *flat = json_member(object, path);
	char part[256];

	while (*path != '\0' && object != NULL) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(part))
			return flat;
		memcpy(part, path, n);
		part[n] = '\0';
		object = json_member(object, part);
		path += n + (path[n] == '.');
	}
	return object != NULL ? object : flat;
}

static const struct {
	const char *prefix;
	size_t offset;
} sources[] = {
    {"credentials.", offsetof(struct expand_scope, credentials)},
    {"connectionConfig.", offsetof(struct expand_scope, connection_config)},
    {"metadata.", offsetof(struct expand_scope, metadata)},
    {"assertionOption.", offsetof(struct expand_scope, assertion_option)},
};

/* Flat names: those of a credential's form, and those that the caller knows (scope.values). */
static const char *const flat_names[] = {
    "apiKey",	     "accessToken",
    "username",	     "password",
    "refresh_token", "token",
    "clientId",	     "clientSecret",
    "method",	     "host",
    "path",	     "params",
    "endpoint",	     "bodyCanonicalParams",
    "contentType",   "urlCanonicalParams",
};

/* "step2.data.id": the item and the path in it; NULL when the name is no such thing. */
static const char *
step_path(const char *name, size_t *index)
{
	char *end;
	unsigned long number;

	if (strncmp(name, "step", 4) != 0 || name[4] < '1' || name[4] > '9')
		return NULL;
	number = strtoul(name + 4, &end, 10);
	if (number > STEPS_MAX || end[0] != '.' || end[1] == '\0')
		return NULL;
	*index = number - 1;
	return end + 1;
}

static struct json_object *
look_up(const struct expand_scope *scope, const char *name)
{
	struct json_object *found;
	const char *path;
	size_t index;

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		size_t n = strlen(sources[i].prefix);

		if (strncmp(name, sources[i].prefix, n) == 0)
			return by_path(*(struct json_object *const *)((const char *)scope +
								      sources[i].offset),
				       name + n);
	}
	path = step_path(name, &index);
	if (path != NULL)
		return scope->steps == NULL
			   ? NULL
			   : by_path(json_object_array_get_idx(scope->steps, index), path);
	found = by_path(scope->values, name);
	if (found == NULL)
		found = by_path(scope->credentials,
				strcmp(name, "accessToken") == 0 ? "access_token" : name);
	return found != NULL ? found : by_path(scope->connection_config, name);
}

/* An empty setting is one that was not made; an empty credential (a password) may be meant. */
static bool
may_be_empty(const char *name)
{
	return strncmp(name, "connectionConfig.", 17) != 0 &&
	       strncmp(name, "metadata.", 9) != 0;
}

int
expand_name(struct expansion *x, const char *name, const char **out)
{
	struct json_object *value = look_up(x->scope, name);
	const char *text = NULL;

	if (value == NULL && strcmp(name, "random") == 0) {
		*out = x->moment.random;
		return 0;
	}
	if (value == NULL && expand_now(x->mem, name, x->moment.now_ms, out))
		return 0;
	if (value != NULL && !json_object_is_type(value, json_type_object) &&
	    !json_object_is_type(value, json_type_array))
		text = json_object_get_string(value);
	if (text == NULL || (text[0] == '\0' && !may_be_empty(name)))
		return error_set_at(x->err, ERR_NOT_FOUND, name, "${%s} has no value", name);
	*out = text;
	return 0;
}

bool
expand_knows_name(const char *name)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *text;
	size_t index;
	bool is_known = strcmp(name, "random") == 0 || step_path(name, &index) != NULL ||
			expand_now(mem, name, 0, &text);

	talloc_free(mem);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		is_known |= strncmp(name, sources[i].prefix, strlen(sources[i].prefix)) == 0;
	for (size_t i = 0; i < sizeof(flat_names) / sizeof(flat_names[0]); i++)
		is_known |= strcmp(name, flat_names[i]) == 0;
	return is_known;
}
