/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser -- see parser.h. Lines are collected whole and then judged (parser_line.c), so a
 * line that comes byte by byte meets the same rules as one that comes at once; only limits are
 * looked at earlier.
 */
#include "http/parser.h"
#include "http/parser_line.h"

#include <string.h>

/* Limits hold for lines that have not ended yet, so that nobody makes us collect without end.
 */
static int
check_limits(struct http_parser *p, size_t line_length, size_t added)
{
	switch (p->state) {
	case PARSER_START:
		if (line_length > HTTP_REQUEST_LINE_MAX)
			return error_set(&p->error, ERR_URI_TOO_LONG,
					 "the request line is over %d bytes",
					 HTTP_REQUEST_LINE_MAX);
		return 0;
	case PARSER_FIELD:
		p->fields_bytes += added;
		if (p->fields_bytes > HTTP_HEADER_BYTES_MAX)
			return error_set(&p->error, ERR_HEADERS_TOO_LARGE,
					 "the header is over %d bytes", HTTP_HEADER_BYTES_MAX);
		return 0;
	case PARSER_CHUNK_SIZE:
		if (line_length > HTTP_CHUNK_LINE_MAX)
			return error_set(&p->error, ERR_BAD_REQUEST,
					 "a chunk size line is over %d bytes",
					 HTTP_CHUNK_LINE_MAX);
		return 0;
	default:
		p->trailer_bytes += added;
		if (p->trailer_bytes > HTTP_TRAILER_BYTES_MAX)
			return error_set(&p->error, ERR_HEADERS_TOO_LARGE,
					 "the trailers are over %d bytes",
					 HTTP_TRAILER_BYTES_MAX);
		return 0;
	}
}

/* Collects up to the next LF; the line is judged once it is there. -1: fault. */
static int
take_line(struct http_parser *p, const char *data, size_t length, size_t *taken)
{
	bool is_head = !p->is_complete;
	struct buf *buf = is_head ? &p->head : &p->tail;
	const char *newline = memchr(data, '\n', length);
	size_t n = newline == NULL ? length : (size_t)(newline - data) + 1;
	char *line, *end;

	*taken = n;
	if (buf->data == NULL)
		buf_init(buf, p->head.owner, HTTP_CHUNK_LINE_MAX);
	if (check_limits(p, buf->length - p->line + n, n) < 0)
		return -1;
	buf_add(buf, data, n);
	if (newline == NULL)
		return 0;
	line = buf->data + p->line;
	end = buf->data + buf->length - 1;
	if (end == line || end[-1] != '\r')
		return error_set(&p->error, ERR_BAD_REQUEST, "a line ends without CR");
	*--end = '\0';
	if (parser_line_judge(p, line, end) < 0)
		return -1;
	if (!is_head)
		buf_reset(buf);
	p->line = p->is_complete ? 0 : buf->length;
	return 0;
}

/* A piece of the body, as much as is there. */
static size_t
take_body(struct http_parser *p, const char *data, size_t length, struct http_event *event)
{
	bool has_end = p->state != PARSER_CLOSE;
	size_t n = has_end && length > p->remaining ? (size_t)p->remaining : length;

	*event = (struct http_event){HTTP_EVENT_BODY, data, n};
	if (!has_end)
		return n;
	p->remaining -= n;
	if (p->remaining == 0)
		p->state = p->is_chunked ? PARSER_CHUNK_CR : PARSER_END;
	return n;
}

static int
take_chunk_end(struct http_parser *p, char c)
{
	if (c != (p->state == PARSER_CHUNK_CR ? '\r' : '\n'))
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "a chunk is not followed by CR LF where its size says");
	p->state = p->state == PARSER_CHUNK_CR ? PARSER_CHUNK_LF : PARSER_CHUNK_SIZE;
	return 0;
}

static size_t
fault(struct http_parser *p, size_t taken, struct http_event *event)
{
	p->state = PARSER_FAULT;
	if (!p->is_complete)
		p->method = NULL; /* its bytes may have moved */
	*event = (struct http_event){HTTP_EVENT_FAULT, NULL, 0};
	return taken;
}

void
http_parser_init(struct http_parser *parser, TALLOC_CTX *mem)
{
	memset(parser, 0, offsetof(struct http_parser, places));
	memset((char *)parser + offsetof(struct http_parser, remaining), 0,
	       sizeof(*parser) - offsetof(struct http_parser, remaining));
	buf_init(&parser->head, mem, 1024);
}

void
http_parser_init_answer(struct http_parser *parser, TALLOC_CTX *mem, bool is_to_head)
{
	http_parser_init(parser, mem);
	parser->is_answer = true;
	parser->is_bodiless = is_to_head;
}

int
http_parser_eof(struct http_parser *parser)
{
	if (parser->state == PARSER_CLOSE)
		parser->state = PARSER_END;
	if (parser->state == PARSER_END)
		return 0;
	if (parser->state == PARSER_FAULT)
		return -1;
	parser->state = PARSER_FAULT;
	return error_set(&parser->error, ERR_BAD_REQUEST, "the message is cut off");
}

/* States that go on without a byte of input. True: the event is set. */
static bool
pass_through(struct http_parser *p, struct http_event *event)
{
	switch (p->state) {
	case PARSER_FAULT:
		event->type = HTTP_EVENT_FAULT;
		return true;
	case PARSER_END:
		event->type = HTTP_EVENT_END;
		return true;
	default:
		return false;
	}
}

size_t
http_parser_feed(struct http_parser *p, const char *data, size_t length,
		 struct http_event *event)
{
	bool was_complete = p->is_complete;
	size_t used = 0, taken = 0;

	*event = (struct http_event){HTTP_EVENT_MORE, NULL, 0};
	while (!pass_through(p, event) && used < length) {
		switch (p->state) {
		case PARSER_BODY:
		case PARSER_CHUNK_DATA:
		case PARSER_CLOSE:
			return used + take_body(p, data + used, length - used, event);
		case PARSER_CHUNK_CR:
		case PARSER_CHUNK_LF:
			if (take_chunk_end(p, data[used++]) < 0)
				return fault(p, used, event);
			break;
		default:
			if (take_line(p, data + used, length - used, &taken) < 0)
				return fault(p, used + taken, event);
			used += taken;
			if (!was_complete && p->is_complete) {
				event->type = HTTP_EVENT_HEAD;
				return used;
			}
			break;
		}
	}
	return used;
}

bool
http_parser_is_done(const struct http_parser *parser)
{
	return parser->state == PARSER_END;
}

bool
http_parser_has_begun(const struct http_parser *parser)
{
	return parser->state != PARSER_START || parser->head.length > 0;
}
