/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, as requests and as an answer: the parser gives the same events whole and in
 * pieces, stays within its limits, and never hands out a message that breaks what the rest of
 * the server relies on.
 */
#include "http/parser.h"
#include "http/syntax.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_head(const struct http_parser *p)
{
	if (p->is_answer) {
		assert(p->status >= 200 && p->status <= 999);
	} else {
		assert(http_is_token(p->method, strlen(p->method)));
		assert(p->path[0] == '/' || strcmp(p->path, "*") == 0);
		assert(strpbrk(p->target, " \r\n\t#") == NULL);
		assert(p->minor == 0 || p->host != NULL);
	}
	assert(p->fields_count <= HTTP_HEADER_FIELDS_MAX);
	assert(p->fields[p->fields_count].name == NULL);
	assert(!p->is_chunked || p->content_length == 0);
	for (const struct http_field *f = p->fields; f->name != NULL; f++) {
		assert(http_is_token(f->name, strlen(f->name)));
		assert(http_is_field_value(f->value, strlen(f->value)));
	}
}

/* Events as text; the first byte of the input chooses how it is cut. */
static char *
transcript(TALLOC_CTX *mem, const char *raw, size_t length, size_t step, bool is_answer)
{
	struct http_parser *p = talloc(mem, struct http_parser);
	struct http_event event;
	struct buf log;
	size_t used = 0;

	buf_init(&log, mem, 256);
	if (is_answer)
		http_parser_init_answer(p, mem, length % 5 == 0);
	else
		http_parser_init(p, mem);
	while (used < length) {
		size_t n = length - used < step ? length - used : step;

		used += http_parser_feed(p, raw + used, n, &event);
		if (event.type == HTTP_EVENT_HEAD) {
			check_head(p);
			buf_addf(&log, "%d %s %zu ", p->status, is_answer ? "" : p->target,
				 p->fields_count);
		}
		if (event.type == HTTP_EVENT_BODY)
			buf_add(&log, event.data, event.length);
		if (event.type == HTTP_EVENT_FAULT) {
			buf_addf(&log, "! %s", p->error.message);
			break;
		}
		if (http_parser_is_done(p) && is_answer)
			break;
		if (http_parser_is_done(p)) {
			buf_addc(&log, '\n');
			http_parser_init(p, mem);
		}
	}
	buf_addc(&log, '.');
	return log.data;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem;
	const char *raw = (const char *)data + 1;
	char *whole, *pieces;

	if (size < 2)
		return 0;
	for (int is_answer = 0; is_answer < 2; is_answer++) {
		mem = talloc_new(NULL);
		whole = transcript(mem, raw, size - 1, size, is_answer);
		pieces = transcript(mem, raw, size - 1, 1 + data[0] % 32, is_answer);
		assert(strcmp(whole, pieces) == 0);
		talloc_free(mem);
	}
	return 0;
}
