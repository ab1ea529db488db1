/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of tests/e2e/data/http-requests.json on the parser alone: fed whole, byte by byte
 * and in odd pieces, each must give what the row says, and all the same thing.
 */
#include "base/json.h"
#include "http/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ROWS_MIN 40

/* JSON texts stand for Latin-1 bytes. */
static size_t
to_latin1(char *out, const char *text, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80)
			c = (unsigned char)((c & 3) << 6 | (text[++i] & 0x3f));
		out[n++] = (char)c;
	}
	return n;
}

static void
note_event(struct buf *log, const struct http_parser *p, const struct http_event *event)
{
	if (event->type == HTTP_EVENT_HEAD)
		buf_addf(log, "%s %s ", p->method, p->target);
	if (event->type == HTTP_EVENT_BODY)
		buf_add(log, event->data, event->length);
	if (event->type == HTTP_EVENT_FAULT)
		buf_addf(log, "! %d %s", error_status(p->error.code), p->error.message);
}

/* All requests in the bytes, fed `step` bytes at a time, as text. */
static char *
transcript(TALLOC_CTX *mem, const char *raw, size_t length, size_t step)
{
	struct http_parser *p = talloc(mem, struct http_parser);
	struct http_event event;
	struct buf log;
	size_t used = 0, n;

	buf_init(&log, mem, 256);
	http_parser_init(p, mem);
	while (used < length) {
		n = length - used < step ? length - used : step;
		used += http_parser_feed(p, raw + used, n, &event);
		note_event(&log, p, &event);
		if (event.type == HTTP_EVENT_FAULT)
			break;
		if (!http_parser_is_done(p))
			continue;
		buf_addc(&log, '\n');
		if (p->wants_close || (p->minor == 0 && !p->wants_keep_alive))
			break;
		http_parser_init(p, mem);
	}
	return log.data;
}

static char *
expected(TALLOC_CTX *mem, struct json_object *row)
{
	struct json_object *requests = json_array_in(row, "requests");
	struct buf text;

	buf_init(&text, mem, 256);
	for (size_t i = 0; i < json_object_array_length(requests); i++) {
		struct json_object *r = json_object_array_get_idx(requests, i);

		buf_addf(&text, "%s %s %s\n", json_string(r, "method"),
			 json_string(r, "target"), json_string(r, "body"));
	}
	return text.data;
}

static void
check_row(struct json_object *row)
{
	static const size_t steps[] = {1, 2, 3, 7, 64, 1000};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *text = json_member(row, "raw");
	size_t length = (size_t)json_object_get_string_len(text);
	char *raw = talloc_size(mem, length + 1);
	char *whole, *want = expected(mem, row), *mark;
	int64_t status = json_integer(row, "status", 0);
	bool ends_early = json_boolean(row, "eof", false);

	length = to_latin1(raw, json_object_get_string(text), length);
	whole = transcript(mem, raw, length, length);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		assert_string_equal(whole, transcript(mem, raw, length, steps[i]));
	mark = strstr(whole, "! ");
	if (ends_early || status == 0)
		assert_null(mark);
	else
		assert_non_null(mark);
	if (mark != NULL)
		assert_int_equal(strtol(mark + 2, NULL, 10), status);
	/* What comes before the refusal: whole requests, then at most a head. */
	if (strncmp(whole, want, strlen(want)) != 0)
		fail_msg("%s: got %s", json_string(row, "why"), whole);
	talloc_free(mem);
}

static void
test_rows(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *rows = json_object_from_file(talloc_asprintf(
	    mem, "%s/tests/e2e/data/http-requests.json", getenv("NANGO_TOP_SRCDIR")));

	(void)state;
	assert_non_null(rows);
	assert_true(json_object_array_length(rows) >= ROWS_MIN);
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		check_row(json_object_array_get_idx(rows, i));
	json_object_put(rows);
	talloc_free(mem);
}

/* Limits are kept while a line is still arriving: nobody makes us collect without end. */
static void
test_endless_lines(void **state)
{
	static const struct {
		const char *why, *before, *endless;
		enum error_code code;
		size_t most;
	} cases[] = {
	    {"a request line without an end", "GET /", "a", ERR_URI_TOO_LONG,
	     HTTP_REQUEST_LINE_MAX + 32},
	    {"a field without an end", "GET / HTTP/1.1\r\nX: ", "a", ERR_HEADERS_TOO_LARGE,
	     HTTP_HEADER_BYTES_MAX + 32},
	    {"fields without an end", "GET / HTTP/1.1\r\n", "X: a\r\n", ERR_HEADERS_TOO_LARGE,
	     6 * HTTP_HEADER_FIELDS_MAX + 32},
	    {"a chunk size line without an end",
	     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a",
	     ERR_BAD_REQUEST, HTTP_CHUNK_LINE_MAX + 128},
	    {"extensions on every chunk",
	     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
	     "1;abcdefgh\r\nx\r\n", ERR_BAD_REQUEST, 2 * HTTP_CHUNK_EXTENSIONS_MAX},
	    {"trailers without an end",
	     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
	     "X: a\r\n", ERR_HEADERS_TOO_LARGE, HTTP_TRAILER_BYTES_MAX + 128},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct http_parser *p = talloc(mem, struct http_parser);
		struct http_event event = {HTTP_EVENT_MORE, NULL, 0};
		const char *piece = cases[i].before;
		size_t fed = 0;

		http_parser_init(p, mem);
		while (event.type != HTTP_EVENT_FAULT && fed <= cases[i].most + 1) {
			for (size_t n = strlen(piece), used = 0;
			     used < n && event.type != HTTP_EVENT_FAULT;)
				used += http_parser_feed(p, piece + used, n - used, &event);
			fed += strlen(piece);
			piece = cases[i].endless;
		}
		if (event.type != HTTP_EVENT_FAULT)
			fail_msg("%s: %zu bytes were taken", cases[i].why, fed);
		assert_int_equal(p->error.code, cases[i].code);
		talloc_free(mem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_endless_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
