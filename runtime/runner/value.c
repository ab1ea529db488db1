/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/value -- reading JSON in place: spans of what was received, no tree.
 *
 * Bytes that are no JSON (a body of another kind) are walked without harm: jsonspan never
 * leaves its span, and finds nothing.
 */
#include "runner/bridge.h"

#include "base/jsonspan.h"

static struct jsonspan
span_of(const struct nango_value *value)
{
	return (struct jsonspan){value->data, value->data == NULL ? 0 : value->length};
}

static void
value_set(struct nango_value *out, struct jsonspan span)
{
	*out = (struct nango_value){bridge.run.calls, span.data, span.length};
}

int
value_type(const struct nango_value *value)
{
	static const int types[] = {
	    [JSONSPAN_NONE] = NANGO_ABSENT,	[JSONSPAN_NULL] = NANGO_NULL,
	    [JSONSPAN_BOOLEAN] = NANGO_BOOLEAN, [JSONSPAN_NUMBER] = NANGO_NUMBER,
	    [JSONSPAN_STRING] = NANGO_STRING,	[JSONSPAN_ARRAY] = NANGO_ARRAY,
	    [JSONSPAN_OBJECT] = NANGO_OBJECT,
	};

	return types[jsonspan_type(span_of(value))];
}

static struct jsonspan
array_item(struct jsonspan array, const char *digits)
{
	struct jsonspan item = {0};
	size_t cursor = 0;
	unsigned long index = 0;

	for (const char *p = digits; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || index > 100000000)
			return (struct jsonspan){0};
		index = index * 10 + (unsigned long)(*p - '0');
	}
	do {
		if (!jsonspan_next_item(array, &cursor, &item))
			return (struct jsonspan){0};
	} while (index-- > 0);
	return item;
}

static struct jsonspan
step_into(struct jsonspan value, const char *name)
{
	if (jsonspan_type(value) == JSONSPAN_ARRAY && name[0] != '\0')
		return array_item(value, name);
	return jsonspan_member(value, name);
}

bool
value_at(const struct nango_value *value, const char *path, struct nango_value *out)
{
	struct jsonspan at = span_of(value);
	char name[256];
	size_t length;

	for (const char *from = path; *path != '\0' && at.data != NULL; from += length + 1) {
		length = strcspn(from, ".");
		if (length < sizeof(name)) {
			memcpy(name, from, length);
			name[length] = '\0';
			at = step_into(at, name);
		} else {
			at = step_into(at, arena_text(bridge_arena(), from, length));
		}
		if (from[length] == '\0')
			break;
	}
	value_set(out, at);
	return at.data != NULL;
}

/* The item handed out last says where the walk stands. */
static size_t
cursor_behind(struct jsonspan container, const struct nango_value *last)
{
	if (last->data == NULL || last->data < container.data ||
	    last->data + last->length > container.data + container.length)
		return 0;
	return (size_t)(last->data - container.data) + last->length;
}

bool
value_next(const struct nango_value *array, struct nango_value *item)
{
	struct jsonspan container = span_of(array), next = {0};
	size_t cursor = cursor_behind(container, item);
	bool is_there = jsonspan_next_item(container, &cursor, &next);

	value_set(item, next);
	return is_there;
}

bool
value_next_member(const struct nango_value *object, struct nango_value *key,
		  struct nango_value *value)
{
	struct jsonspan container = span_of(object), name = {0}, next = {0};
	size_t cursor = cursor_behind(container, value);
	bool is_there = jsonspan_next_member(container, &cursor, &name, &next);

	value_set(key, name);
	value_set(value, next);
	return is_there;
}

const char *
value_string(const struct nango_value *value)
{
	struct jsonspan span = span_of(value);
	enum jsonspan_type type = jsonspan_type(span);
	char *text;

	if (type == JSONSPAN_NUMBER)
		return arena_text(bridge_arena(), span.data, span.length);
	if (type != JSONSPAN_STRING)
		return NULL;
	text = arena_take(bridge_arena(), span.length + 1);
	return jsonspan_unescape(span, text) < 0 ? NULL : text;
}

bool
value_integer(const struct nango_value *value, int64_t *out)
{
	return jsonspan_integer(span_of(value), out);
}

bool
value_number(const struct nango_value *value, double *out)
{
	return jsonspan_number(span_of(value), out);
}

bool
value_boolean(const struct nango_value *value, bool *out)
{
	struct jsonspan span = span_of(value);

	if (jsonspan_type(span) != JSONSPAN_BOOLEAN)
		return false;
	*out = span.data[0] == 't';
	return true;
}
