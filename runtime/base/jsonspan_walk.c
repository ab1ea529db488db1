/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan_walk -- from value to value through bytes that were checked; see jsonspan.h. On
 * others it stops early, and never reads outside.
 */
#include "base/jsonspan_internal.h"

struct jsonspan
jsonspan_trim(const char *data, size_t length)
{
	const byte *at = (const byte *)data, *end = at + length;

	if (data == NULL)
		return (struct jsonspan){0};
	at = skip_space(at, end);
	while (end > at &&
	       (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	return (struct jsonspan){(const char *)at, (size_t)(end - at)};
}

enum jsonspan_type
jsonspan_type(struct jsonspan value)
{
	if (value.data == NULL || value.length == 0)
		return JSONSPAN_NONE;
	switch (value.data[0]) {
	case '{':
		return JSONSPAN_OBJECT;
	case '[':
		return JSONSPAN_ARRAY;
	case '"':
		return JSONSPAN_STRING;
	case 't':
	case 'f':
		return JSONSPAN_BOOLEAN;
	case 'n':
		return JSONSPAN_NULL;
	default:
		return JSONSPAN_NUMBER;
	}
}

/* at is an opening quote; behind the closing one, or end. */
static const byte *
skip_string(const byte *at, const byte *end)
{
	for (at++; at < end; at++) {
		at = skip_plain(at, end);
		if (at >= end)
			return end;
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return end;
}

static const byte *
skip_container(const byte *at, const byte *end)
{
	size_t depth = 0;

	while (at < end) {
		byte c = *at;

		if (c == '"') {
			at = skip_string(at, end);
			continue;
		}
		at++;
		if ((c | 0x20) == '{')
			depth++;
		else if ((c | 0x20) == '}' && --depth == 0)
			return at;
	}
	return end;
}

static const byte *
skip_value(const byte *at, const byte *end)
{
	if (at >= end)
		return end;
	if (*at == '"')
		return skip_string(at, end);
	if ((*at | 0x20) == '{')
		return skip_container(at, end);
	while (at<end && * at> ' ' && *at != ',' && *at != ']' && *at != '}' && *at != ':')
		at++;
	return at;
}

const char *
jsonspan_skip(const char *at, const char *end)
{
	return (const char *)skip_value((const byte *)at, (const byte *)end);
}

/*
 * Moves the cursor to the next element of a container and says where it begins; NULL at the
 * end. The cursor is 0 only before the first one: the opening bracket is byte 0.
 */
static const byte *
walk_to(struct jsonspan container, char open, size_t *cursor, const byte **end)
{
	const byte *start = (const byte *)container.data, *at;

	if (container.data == NULL || container.length < 2 || container.data[0] != open)
		return NULL;
	*end = start + container.length;
	at = skip_space(start + (*cursor == 0 ? 1 : *cursor), *end);
	if (*cursor != 0 && at < *end && *at == ',')
		at = skip_space(at + 1, *end);
	if (at >= *end || *at == ']' || *at == '}' || *at == ',')
		return NULL;
	return at;
}

bool
jsonspan_next_item(struct jsonspan array, size_t *cursor, struct jsonspan *item)
{
	const byte *end, *at = walk_to(array, '[', cursor, &end), *stop;

	if (at == NULL)
		return false;
	stop = skip_value(at, end);
	if (stop == at)
		return false;
	*item = (struct jsonspan){(const char *)at, (size_t)(stop - at)};
	*cursor = (size_t)((const char *)stop - array.data);
	return true;
}

bool
jsonspan_next_member(struct jsonspan object, size_t *cursor, struct jsonspan *key,
		     struct jsonspan *value)
{
	const byte *end, *at = walk_to(object, '{', cursor, &end), *key_end, *stop;

	if (at == NULL || *at != '"')
		return false;
	key_end = skip_string(at, end);
	stop = skip_space(key_end, end);
	if (stop >= end || *stop != ':')
		return false;
	*key = (struct jsonspan){(const char *)at, (size_t)(key_end - at)};
	at = skip_space(stop + 1, end);
	stop = skip_value(at, end);
	if (stop == at)
		return false;
	*value = (struct jsonspan){(const char *)at, (size_t)(stop - at)};
	*cursor = (size_t)((const char *)stop - object.data);
	return true;
}

struct jsonspan
jsonspan_member(struct jsonspan object, const char *name)
{
	struct jsonspan key, value, found = {0};
	size_t cursor = 0, length = strlen(name);

	while (jsonspan_next_member(object, &cursor, &key, &value)) {
		if (jsonspan_text_is(key, name, length))
			found = value;
	}
	return found;
}
