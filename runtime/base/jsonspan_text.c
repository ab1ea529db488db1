/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan_text -- what a value says: texts without their escapes, numbers; and the place of a
 * fault for people. See jsonspan.h.
 */
#include "base/jsonspan_internal.h"

#include <stdlib.h>

static char *
put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* at is behind a backslash; the byte behind the escape, or NULL. */
static const byte *
unescape_one(const byte *at, const byte *end, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	long c, low;

	if (at >= end)
		return NULL;
	if (*at != 'u') {
		found = *at == '\0' ? NULL : strchr(from, *at);
		if (found == NULL)
			return NULL;
		*(*out)++ = to[found - from];
		return at + 1;
	}
	c = hex4(++at, end);
	if (c < 0)
		return NULL;
	at += 4;
	if (c >= 0xd800 && c <= 0xdfff) {
		low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2, end) : -1;
		if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
			return NULL;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		at += 6;
	}
	*out = put_utf8(*out, (unsigned long)c);
	return at;
}

long
jsonspan_unescape(struct jsonspan string, char *out)
{
	const byte *at, *end, *slash;
	char *to = out;

	if (jsonspan_type(string) != JSONSPAN_STRING || string.length < 2)
		return -1;
	at = (const byte *)string.data + 1;
	end = at + string.length - 2;
	while (at < end) {
		slash = memchr(at, '\\', (size_t)(end - at));
		if (slash == NULL)
			slash = end;
		memcpy(to, at, (size_t)(slash - at));
		to += slash - at;
		if (slash == end)
			break;
		at = unescape_one(slash + 1, end, &to);
		if (at == NULL)
			return -1;
	}
	*to = '\0';
	return to - out;
}

bool
jsonspan_escaped_is(struct jsonspan text, const char *plain, size_t length)
{
	char small[64], *room = small;
	bool is_same;
	long n;

	if (text.length > sizeof(small)) {
		if (text.length > 6 * length + 2)
			return false; /* no escape is longer than six bytes a byte */
		room = malloc(text.length);
		if (room == NULL)
			return false;
	}
	n = jsonspan_unescape(text, room);
	is_same = n == (long)length && memcmp(room, plain, length) == 0;
	if (room != small)
		free(room);
	return is_same;
}

bool
jsonspan_integer(struct jsonspan number, int64_t *out)
{
	bool is_negative;
	uint64_t value = 0;
	size_t i;

	if (jsonspan_type(number) != JSONSPAN_NUMBER)
		return false;
	is_negative = number.data[0] == '-';
	i = is_negative;
	if (i == number.length)
		return false;
	for (; i < number.length; i++) {
		unsigned digit = (unsigned)(number.data[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (value > (uint64_t)INT64_MAX + is_negative)
		return false;
	*out = (int64_t)(is_negative ? 0 - value : value);
	return true;
}

bool
jsonspan_number(struct jsonspan number, double *out)
{
	char small[128], *text = small, *end;
	double value;
	bool is_ok;

	if (jsonspan_type(number) != JSONSPAN_NUMBER)
		return false;
	if (number.length >= sizeof(small) && (text = malloc(number.length + 1)) == NULL)
		return false;
	memcpy(text, number.data, number.length);
	text[number.length] = '\0';
	value = strtod(text, &end);
	is_ok = end == text + number.length && __builtin_isfinite(value);
	if (text != small)
		free(text);
	if (is_ok)
		*out = value;
	return is_ok;
}

void
jsonspan_place(const char *data, size_t offset, int *line, int *column)
{
	const char *at = data, *end = data + offset, *found;
	int lines = 1;

	while ((found = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		lines++;
		at = found + 1;
	}
	*line = lines;
	*column = (int)(end - at) + 1;
}
