/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz provider/expand: any text as a template, in each mode and as a visit. What holds no
 * placeholder comes out as it is; what has a value for each name, and no fault, comes out.
 */
#include "provider/expand.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char values[] =
    "{\"apiKey\":\"k&/"
    "\",\"a.b\":\"flat\",\"a\":{\"c\":1},\"host\":\"h:1\",\"empty\":\"\",\"pem\":"
    "\"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\"}";

static void
note_name(void *arg, const char *name)
{
	(void)name;
	(*(int *)arg)++;
}

static void
note_fault(void *arg, const char *text)
{
	if (text[0] == '\0')
		abort();
	(*(int *)arg)++;
}

static int
sign(void *arg, TALLOC_CTX *mem, char *const *arguments, size_t count, char **out,
     struct error *err)
{
	(void)arg;
	if (count < 4 || count > 5)
		abort();
	if (arguments[0][0] == '-')
		return error_set(err, ERR_TEMPLATE, "no");
	*out = talloc_strdup(mem, arguments[count - 1]);
	return 0;
}

static void
try_mode(TALLOC_CTX *mem, const char *template, enum expand_mode mode,
	 const struct expand_scope *scope)
{
	int noted = 0;
	bool is_plain = strstr(template, "${") == NULL && strstr(template, "||") == NULL;
	struct error err = {0};
	char *out = NULL;
	int result = expand(mem, template, scope, mode, &out, &err);

	expand_visit(template, &(struct expand_visitor){note_name, note_fault, &noted});
	if (result < 0 &&
	    (out != NULL || (err.code != ERR_NOT_FOUND && err.code != ERR_TEMPLATE)))
		abort();
	if (is_plain && strlen(template) <= EXPAND_TEMPLATE_MAX &&
	    (result < 0 || noted > 0 || strcmp(out, template) != 0))
		abort();
	if (result < 0 && err.code == ERR_NOT_FOUND && noted == 0 &&
	    strstr(template, "awsSigV4") == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct expand_moment moment = {1769900709007,
					     "11111111-2222-4333-8444-555555555555"};
	struct json_object *object;
	struct error err;
	char *template = talloc_strndup(mem, (const char *)data, size);

	if (json_parse(mem, values, strlen(values), &object, &err) < 0)
		abort();
	for (int mode = EXPAND_TEXT; mode <= EXPAND_WHOLE; mode++)
		try_mode(mem, template, (enum expand_mode)mode,
			 &(struct expand_scope){.credentials = object,
						.connection_config = object,
						.moment = &moment,
						.sign = sign});
	talloc_free(mem);
	return 0;
}
