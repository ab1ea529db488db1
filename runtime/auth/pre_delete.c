/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/pre_delete -- see pre_delete.h.
 */
#include "auth/pre_delete.h"
#include "auth/ask.h"

#include <string.h>

static struct json_object *
list_of(const struct auth_grant *grant)
{
	return json_array_in(json_object_in(template_body(grant->template), "x"), "pre_delete");
}

/* A text that resolves to anything but "" and "false". */
static bool
is_told_not_to(struct auth_grant *grant, const struct expand_scope *scope,
	       struct json_object *rules)
{
	const char *unless = json_string(rules, "unless");
	struct error none;
	char *text;

	if (unless == NULL || expand(grant->mem, unless, scope, EXPAND_TEXT, &text, &none) < 0)
		return false;
	return text[0] != '\0' && strcmp(text, "false") != 0;
}

bool
pre_delete_is_needed(const struct auth_grant *grant)
{
	return list_of(grant) != NULL;
}

int
pre_delete(struct auth_grant *grant, const struct auth_scheme *scheme, struct error *err)
{
	struct json_object *list = list_of(grant);
	struct expand_scope scope;
	struct error now;
	int result = 0;

	auth_scope(grant, &scope);
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *rules = json_object_array_get_idx(list, i);

		if (is_told_not_to(grant, &scope, rules) ||
		    ask_send(grant, scheme, &scope, json_object_in(rules, "request"), NULL,
			     &now) == 0)
			continue;
		if (result == 0)
			*err = now;
		result = -1;
	}
	return result;
}
