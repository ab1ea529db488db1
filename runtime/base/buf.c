/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf -- see buf.h. Growth doubles, so that adding a byte at a time stays linear.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)256 * 1024 * 1024 - 1) /* talloc has no larger block */

void
buf_init(struct buf *buf, TALLOC_CTX *owner, size_t capacity)
{
	buf->owner = owner;
	buf->capacity = capacity < 64 ? 64 : capacity;
	buf->length = 0;
	buf->data = talloc_size(owner, buf->capacity);
	if (buf->data == NULL)
		abort();
	buf->data[0] = '\0';
}

void
buf_reset(struct buf *buf)
{
	buf->length = 0;
	buf->data[0] = '\0';
}

void
buf_done(struct buf *buf)
{
	talloc_free(buf->data);
	*buf = (struct buf){0};
}

char *
buf_reserve(struct buf *buf, size_t length)
{
	size_t need = buf->length + length + 1;

	if (need > buf->capacity) {
		while (buf->capacity < need)
			buf->capacity *= 2;
		if (buf->capacity > BYTES_MAX && need <= BYTES_MAX)
			buf->capacity = BYTES_MAX;
		buf->data = talloc_realloc_size(buf->owner, buf->data, buf->capacity);
		if (buf->data == NULL)
			abort();
	}
	return buf->data + buf->length;
}

void
buf_add(struct buf *buf, const void *data, size_t length)
{
	char *at = buf_reserve(buf, length);

	if (length > 0)
		memcpy(at, data, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
}

void
buf_adds(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void
buf_addc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void
buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		vsnprintf(buf_reserve(buf, (size_t)n), (size_t)n + 1, fmt, again);
		buf->length += (size_t)n;
	}
	va_end(again);
}

static void
buf_add_json_char(struct buf *buf, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
		if (c == (unsigned char)shorts[i]) {
			buf_addc(buf, '\\');
			buf_addc(buf, shorts[i + 1]);
			return;
		}
	}
	buf_addf(buf, "\\u%04x", c);
}

void
buf_add_json(struct buf *buf, const char *text, size_t length)
{
	size_t from = 0;

	buf_addc(buf, '"');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(buf, text + from, i - from);
		buf_add_json_char(buf, c);
		from = i + 1;
	}
	buf_add(buf, text + from, length - from);
	buf_addc(buf, '"');
}

void
buf_add_json_str(struct buf *buf, const char *text)
{
	if (text == NULL)
		buf_adds(buf, "null");
	else
		buf_add_json(buf, text, strlen(text));
}

void
buf_add_url(struct buf *buf, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		int is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			       (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;

		if (is_plain)
			buf_addc(buf, (char)c);
		else
			buf_addf(buf, "%%%02X", c);
	}
}

void
buf_add_be16(struct buf *buf, uint16_t value)
{
	unsigned char b[2] = {(unsigned char)(value >> 8), (unsigned char)value};

	buf_add(buf, b, sizeof(b));
}

void
buf_add_be32(struct buf *buf, uint32_t value)
{
	buf_add_be16(buf, (uint16_t)(value >> 16));
	buf_add_be16(buf, (uint16_t)value);
}

void
buf_add_be64(struct buf *buf, uint64_t value)
{
	buf_add_be32(buf, (uint32_t)(value >> 32));
	buf_add_be32(buf, (uint32_t)value);
}
