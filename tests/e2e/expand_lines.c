/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand-lines -- for the test against an expansion written in JavaScript: a line of JSON
 * {template, mode, now, random, values, credentials, …} is answered by {"text"} or {"error"}.
 */
#include "lines.h"
#include "provider/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Joins what it is given: the real one needs a request. */
static int
sign(void *arg, TALLOC_CTX *mem, char *const *arguments, size_t count, char **out,
     struct error *err)
{
	char *text = talloc_strdup(mem, "signed");

	(void)arg;
	(void)err;
	for (size_t i = 0; i < count; i++)
		text = talloc_asprintf(mem, "%s;%s", text, arguments[i]);
	*out = text;
	return 0;
}

static enum expand_mode
mode_of(struct json_object *row)
{
	const char *mode = json_string(row, "mode");

	if (mode == NULL || strcmp(mode, "text") == 0)
		return EXPAND_TEXT;
	return strcmp(mode, "url") == 0 ? EXPAND_URL : EXPAND_WHOLE;
}

static void
answer(TALLOC_CTX *mem, struct json_object *row)
{
	struct expand_moment moment = {.now_ms = json_integer(row, "now", 0)};
	struct expand_scope scope = {
	    .values = json_object_in(row, "values"),
	    .credentials = json_object_in(row, "credentials"),
	    .connection_config = json_object_in(row, "connectionConfig"),
	    .metadata = json_object_in(row, "metadata"),
	    .assertion_option = json_object_in(row, "assertionOption"),
	    .steps = json_array_in(row, "steps"),
	    .moment = &moment,
	    .sign = sign,
	};
	struct json_object *out = json_own(mem, json_object_new_object());
	struct error err;
	char *text;

	snprintf(moment.random, sizeof(moment.random), "%s", json_string(row, "random"));
	if (expand(mem, json_string(row, "template"), &scope, mode_of(row), &text, &err) == 0)
		json_add(out, "text", text);
	else
		json_add(out, "error", error_name(err.code));
	puts(json_text(mem, out));
}

int
main(void)
{
	return lines_answer(answer);
}
