/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth -- the table of auth modes; see auth.h.
 */
#include "auth/auth.h"

#include <stdio.h>
#include <string.h>

static const struct auth_scheme *const schemes[] = {&auth_api_key, &auth_basic, &auth_none};

const struct auth_scheme *const *
auth_schemes(size_t *count)
{
	*count = sizeof(schemes) / sizeof(schemes[0]);
	return schemes;
}

const struct auth_scheme *
auth_scheme_find(const char *mode)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strcmp(schemes[i]->mode, mode) == 0)
			return schemes[i];
	return NULL;
}

int
auth_text(struct json_object *given, const char *key, size_t min, size_t max, const char **out,
	  struct error *err)
{
	const char *text = json_string(given, key);
	char at[ERROR_AT_MAX];

	snprintf(at, sizeof(at), "credentials.%s", key);
	if (text == NULL)
		return error_set_at(err, ERR_INVALID_BODY, at, "%s is required", at);
	if (strlen(text) < min || strlen(text) > max)
		return error_set_at(err, ERR_INVALID_BODY, at, "%s must have %zu to %zu bytes",
				    at, min, max);
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) /* it goes into a header */
			return error_set_at(err, ERR_INVALID_BODY, at,
					    "%s holds a control character", at);
	*out = text;
	return 0;
}
