/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/pattern -- see pattern.h.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "provider/pattern.h"

#include <pcre2.h>
#include <stdio.h>
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
