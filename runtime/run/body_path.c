/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/body_path -- see body_path.h.
 */
#include "run/body_path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct jsonspan
nth_item(struct jsonspan array, const char *digits)
{
	struct jsonspan item = {NULL, 0};
	size_t cursor = 0, n = strtoul(digits, NULL, 10);

	if (jsonspan_type(array) != JSONSPAN_ARRAY)
		return item;
	do {
		if (!jsonspan_next_item(array, &cursor, &item))
			return (struct jsonspan){NULL, 0};
	} while (n-- > 0);
	return item;
}

struct jsonspan
body_path_find(TALLOC_CTX *mem, struct jsonspan value, const char *path)
{
	char *rest = talloc_strdup(mem, path), *part;
	int depth = 0;

	if (jsonspan_type(value) == JSONSPAN_OBJECT) {
		struct jsonspan whole = jsonspan_member(value, path);

		if (whole.data != NULL)
			return whole;
	}
	while ((part = strsep(&rest, ".[]")) != NULL && value.data != NULL) {
		if (*part == '\0')
			continue;
		if (++depth > BODY_PATH_DEPTH_MAX)
			return (struct jsonspan){NULL, 0};
		if (jsonspan_type(value) == JSONSPAN_OBJECT)
			value = jsonspan_member(value, part);
		else if (strspn(part, "0123456789") == strlen(part))
			value = nth_item(value, part);
		else
			return (struct jsonspan){NULL, 0};
	}
	return value;
}

int64_t
body_count(struct jsonspan items)
{
	struct jsonspan item;
	size_t cursor = 0;
	int64_t count = 0;

	if (jsonspan_type(items) != JSONSPAN_ARRAY)
		return 0;
	while (jsonspan_next_item(items, &cursor, &item))
		count++;
	return count;
}

char *
body_text(TALLOC_CTX *mem, struct jsonspan value)
{
	enum jsonspan_type type = jsonspan_type(value);
	char *text;
	long length;

	if (value.length > BODY_TEXT_MAX)
		return NULL;
	if (type == JSONSPAN_NUMBER)
		return talloc_strndup(mem, value.data, value.length);
	if (type != JSONSPAN_STRING)
		return NULL;
	text = talloc_size(mem, value.length + 1);
	if (text == NULL)
		abort();
	length = jsonspan_unescape(value, text);
	if (length < 0 || strlen(text) != (size_t)length || text[strspn(text, " \t")] == '\0')
		return NULL;
	return text;
}
