/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/pattern -- see pattern.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "provider/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 100000 /* of PCRE2's steps */
#define FAULT_MAX 128

static pcre2_code *
compile(const char *pattern, int *code, PCRE2_SIZE *offset)
{
	return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
			     PCRE2_DOLLAR_ENDONLY | PCRE2_UTF, code, offset, NULL);
}

bool
pattern_matches(const char *pattern, const char *text)
{
	int code;
	PCRE2_SIZE offset;
	bool result;
	pcre2_code *re = compile(pattern, &code, &offset);

	if (re == NULL)
		return true;
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);

	pcre2_set_match_limit(context, MATCH_LIMIT);
	result = pcre2_match(re, (PCRE2_SPTR)text, strlen(text), 0, 0, data, context) >= 0;
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	pcre2_code_free(re);
	return result;
}

static char *
first_group(TALLOC_CTX *mem, pcre2_code *re, const char *text)
{
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
	char *out = NULL;
	int count;

	pcre2_set_match_limit(context, MATCH_LIMIT);
	count = pcre2_match(re, (PCRE2_SPTR)text, strlen(text), 0, 0, data, context);
	if (count > 1)
		at += 2;
	if (count > 0 && at[0] != PCRE2_UNSET && at[1] >= at[0]) {
		out = talloc_strndup(mem, text + at[0], at[1] - at[0]);
		if (out == NULL)
			abort();
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return out;
}

char *
pattern_capture(TALLOC_CTX *mem, const char *pattern, const char *text)
{
	size_t length = strlen(pattern);
	bool has_slashes = length >= 2 && pattern[0] == '/' && pattern[length - 1] == '/';
	char *bare = talloc_strndup(mem, pattern + has_slashes, length - 2 * has_slashes);
	char *out = NULL;
	int code;
	PCRE2_SIZE offset;
	pcre2_code *re;

	if (bare == NULL)
		abort();
	re = compile(bare, &code, &offset);
	if (re != NULL)
		out = first_group(mem, re, text);
	pcre2_code_free(re);
	talloc_free(bare);
	return out;
}

bool
pattern_check(const char *pattern, char *text, size_t size)
{
	PCRE2_UCHAR fault[FAULT_MAX] = "";
	int code;
	PCRE2_SIZE offset;
	pcre2_code *re = compile(pattern, &code, &offset);

	if (re != NULL) {
		pcre2_code_free(re);
		return true;
	}
	pcre2_get_error_message(code, fault, sizeof(fault));
	snprintf(text, size, "%s, behind \"%.*s\"", (const char *)fault, (int)offset, pattern);
	return false;
}
