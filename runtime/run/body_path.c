/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/body_path -- see body_path.h.
 */
#include "run/body_path.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* "-1" is the last: some APIs go on behind the id of what they gave last. */
static struct jsonspan
nth_item(struct jsonspan array, const char *digits)
{
	struct jsonspan item = {NULL, 0};
	size_t cursor = 0, n;

	if (jsonspan_type(array) != JSONSPAN_ARRAY)
		return item;
	if (strcmp(digits, "-1") == 0) {
		while (jsonspan_next_item(array, &cursor, &item))
			continue;
		return item;
	}
	n = strtoul(digits, NULL, 10);
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
		else if (strspn(part, "0123456789") == strlen(part) || strcmp(part, "-1") == 0)
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

/* The object with this value for its member `name`, in its old place or behind the others. */
static char *
put_member(TALLOC_CTX *mem, struct jsonspan object, const char *name, struct jsonspan value)
{
	struct jsonspan old = jsonspan_member(object, name), any;
	const char *end = object.data + object.length;
	size_t cursor = 0;
	struct buf out;

	buf_init(&out, mem, object.length + value.length + 64);
	if (old.data != NULL) {
		buf_add(&out, object.data, (size_t)(old.data - object.data));
		buf_add(&out, value.data, value.length);
		buf_add(&out, old.data + old.length, (size_t)(end - (old.data + old.length)));
		return out.data;
	}
	buf_add(&out, object.data, object.length - 1);
	if (jsonspan_next_member(object, &cursor, &any, &any))
		buf_addc(&out, ',');
	buf_add_json_str(&out, name);
	buf_addc(&out, ':');
	buf_add(&out, value.data, value.length);
	buf_addc(&out, '}');
	return out.data;
}

char *
body_path_put(TALLOC_CTX *mem, struct jsonspan object, const char *path, struct jsonspan value)
{
	struct jsonspan at[BODY_PATH_DEPTH_MAX] = {object}, inner;
	char *names[BODY_PATH_DEPTH_MAX], *copy = talloc_strdup(mem, path), *rest = copy;
	int depth = 0;
	char *out;

	if (jsonspan_member(object, path).data != NULL)
		return put_member(mem, object, path, value);
	while (depth < BODY_PATH_DEPTH_MAX - 1 && (names[depth] = strsep(&rest, ".")) != NULL) {
		inner = jsonspan_member(at[depth], names[depth]);
		at[++depth] = jsonspan_type(inner) == JSONSPAN_OBJECT
				  ? inner
				  : (struct jsonspan){"{}", 2};
	}
	out = put_member(copy, at[depth - 1], names[depth - 1], value);
	for (depth -= 2; depth >= 0; depth--)
		out = put_member(copy, at[depth], names[depth],
				 (struct jsonspan){out, strlen(out)});
	out = talloc_steal(mem, out);
	talloc_free(copy);
	return out;
}
