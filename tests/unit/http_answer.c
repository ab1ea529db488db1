/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of providers on the parser: fed whole, byte by byte and in odd pieces, each must give
 * what its row says. What two readers could understand differently is refused.
 */
#include "http/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

enum { TO_HEAD = 1 };

/* "status fields|body" and how it ended: "." complete, "+" not yet, "!" refused; what is left.
 */
static const struct {
	const char *why, *raw, *seen;
	int flags;
} rows[] = {
    {"a known length", OK "Content-Length: 2\r\n\r\nhi", "200 1|hi.", 0},
    {"bytes behind it are not its own", OK "Content-Length: 2\r\n\r\nhiHTTP", "200 1|hi. HTTP",
     0},
    {"no body", OK "Content-Length: 0\r\n\r\n", "200 1|.", 0},
    {"until the connection ends", OK "\r\nhi", "200 0|hi+.", 0},
    {"chunks", CHUNKED "2\r\nhi\r\n3;a=b\r\n!!!\r\n0\r\nX: y\r\n\r\n", "200 1|hi!!!.", 0},
    {"cut off within its length", OK "Content-Length: 3\r\n\r\nhi", "200 1|hi+!", 0},
    {"cut off within a chunk", CHUNKED "3\r\nhi", "200 1|hi+!", 0},
    {"cut off between chunks", CHUNKED "2\r\nhi\r\n", "200 1|hi+!", 0},
    {"cut off within the header", OK "Conte", "+!", 0},
    {"204 has no body, whatever it says", "HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n",
     "204 1|.", 0},
    {"304 neither", "HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", "304 1|.", 0},
    {"an answer to HEAD has the length only", OK "Content-Length: 9\r\n\r\n", "200 1|.",
     TO_HEAD},
    {"and no chunks", CHUNKED, "200 1|.", TO_HEAD},
    {"interim answers are dropped",
     "HTTP/1.1 100 Go\r\nX: y\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" OK
     "Content-Length: 1\r\n\r\na",
     "200 1|a.", 0},
    {"not without end",
     "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\n"
     "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\n"
     "HTTP/1.1 100 a\r\n\r\n",
     "!", 0},
    {"nobody asked for another protocol", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "!",
     0},
    {"words may be missing", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 1|.", 0},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", "200 0|hi+.", 0},
    {"Host and Expect mean nothing here",
     OK "Host: a\r\nHost: b\r\nExpect: x\r\nContent-Length: 0\r\n\r\n", "200 4|.", 0},
    {"two lengths", OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", "!", 0},
    {"a length and chunks", OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "!",
     0},
    {"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "!", 0},
    {"another coding", OK "Transfer-Encoding: gzip\r\n\r\n", "!", 0},
    {"a length that is no number", OK "Content-Length: +2\r\n\r\n", "!", 0},
    {"a header without CR", OK "X: a\nY: b\r\n\r\n", "!", 0},
    {"a folded header", OK "X: a\r\n b\r\n\r\n", "!", 0},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n", "!", 0},
    {"HTTP/2 in the clear", "HTTP/2.0 200 OK\r\n\r\n", "!", 0},
    {"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "!", 0},
    {"a status of four", "HTTP/1.1 2000 OK\r\n\r\n", "!", 0},
    {"a status below 100", "HTTP/1.1 099 OK\r\n\r\n", "!", 0},
    {"a control byte in the words", "HTTP/1.1 200 O\x01K\r\n\r\n", "!", 0},
    {"a chunk that is longer than it says", CHUNKED "1\r\nhi\r\n", "200 1|h!", 0},
};

static void
note(struct buf *log, const struct http_parser *p, const struct http_event *event)
{
	if (event->type == HTTP_EVENT_HEAD)
		buf_addf(log, "%d %zu|", p->status, p->fields_count);
	if (event->type == HTTP_EVENT_BODY)
		buf_add(log, event->data, event->length);
	if (event->type == HTTP_EVENT_FAULT)
		buf_addc(log, '!');
}

static char *
transcript(TALLOC_CTX *mem, const char *raw, int flags, size_t step)
{
	struct http_parser *p = talloc(mem, struct http_parser);
	size_t used = 0, length = strlen(raw);
	struct http_event event = {HTTP_EVENT_MORE, NULL, 0};
	struct buf log;

	buf_init(&log, mem, 256);
	http_parser_init_answer(p, mem, (flags & TO_HEAD) != 0);
	while (used < length && event.type != HTTP_EVENT_FAULT && !http_parser_is_done(p)) {
		size_t n = length - used < step ? length - used : step;

		used += http_parser_feed(p, raw + used, n, &event);
		note(&log, p, &event);
	}
	if (event.type == HTTP_EVENT_FAULT)
		return log.data;
	if (!http_parser_is_done(p))
		buf_adds(&log, http_parser_eof(p) == 0 ? "+." : "+!");
	else
		buf_addc(&log, '.');
	if (used < length)
		buf_addf(&log, " %s", raw + used);
	return log.data;
}

static void
test_rows(void **state)
{
	static const size_t steps[] = {SIZE_MAX, 1, 2, 7};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);

		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
			const char *got = transcript(mem, rows[i].raw, rows[i].flags, steps[k]);

			if (strcmp(got, rows[i].seen) != 0)
				fail_msg("%s, %zu bytes at a time: got %s", rows[i].why,
					 steps[k], got);
		}
		talloc_free(mem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
