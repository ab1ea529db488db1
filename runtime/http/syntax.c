/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/syntax -- see syntax.h.
 */
#include "http/syntax.h"

#include <string.h>
#include <strings.h>

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_tchar(unsigned char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

size_t
http_token_length(const char *text)
{
	size_t n = 0;

	while (is_tchar((unsigned char)text[n]))
		n++;
	return n;
}

bool
http_is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_tchar((unsigned char)text[i]))
			return false;
	return length > 0;
}

bool
http_is_field_value(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool
http_is_host(const char *text)
{
	const char *c = text, *from;

	if (*c == '[') {
		from = ++c;
		c += strspn(c, "0123456789abcdefABCDEF:.");
		if (c == from || *c++ != ']')
			return false;
	} else {
		while (is_alnum((unsigned char)*c) ||
		       (*c != '\0' && strchr("-._~%", *c) != NULL))
			c++;
		if (c == text)
			return false;
	}
	if (*c == ':') {
		from = ++c;
		c += strspn(c, "0123456789");
		if (c - from > 5)
			return false;
	}
	return *c == '\0';
}

bool
http_list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list != '\0') {
		size_t n;

		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n == length && strncasecmp(list, word, n) == 0)
			return true;
		list += n;
	}
	return false;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
http_percent_decode(char *text, bool plus_is_space)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		int high, low;

		if (*in != '%') {
			*out++ = plus_is_space && *in == '+' ? ' ' : *in;
			continue;
		}
		high = hex_value(in[1]);
		low = high < 0 ? -1 : hex_value(in[2]);
		if (low < 0 || (high | low) == 0)
			return -1;
		*out++ = (char)(high << 4 | low);
		in += 2;
	}
	*out = '\0';
	return http_is_utf8(text) ? 0 : -1;
}

/* Bytes that follow a first byte, and the least code point that may need so many. */
static int
utf8_tail(unsigned char c, unsigned *point, unsigned *least)
{
	if (c >= 0xf0 && c <= 0xf4) {
		*point = c & 7;
		*least = 0x10000;
		return 3;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*point = c & 15;
		*least = 0x800;
		return 2;
	}
	if (c >= 0xc2 && c < 0xe0) {
		*point = c & 31;
		*least = 0x80;
		return 1;
	}
	return -1;
}

bool
http_is_utf8(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		unsigned point, least;
		int tail;

		if (*c < 0x80)
			continue;
		tail = utf8_tail(*c, &point, &least);
		if (tail < 0)
			return false;
		for (; tail > 0; tail--) {
			if ((*++c & 0xc0) != 0x80)
				return false;
			point = point << 6 | (*c & 0x3f);
		}
		if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return false;
	}
	return true;
}

bool
http_name_is_among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (http_names_equal(names[i], name))
			return true;
	return false;
}
