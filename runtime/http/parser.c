/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser -- see parser.h. Lines are collected whole and then judged, so a line that comes
 * byte by byte meets the same rules as one that comes at once; only limits are looked at
 * earlier.
 */
#include "http/parser.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 15 /* far over HTTP_BODY_MAX, far under 2^63 */
#define CHUNK_DIGITS_MAX 8

/* What a method must be: the IANA registry, less CONNECT (no tunnels) and TRACE (echoes
 * secrets). */
static const char *const methods[] = {
    "GET",	"POST",	  "PUT",       "PATCH",	      "DELETE",	    "HEAD",   "OPTIONS",
    "PROPFIND", "REPORT", "PROPPATCH", "MKCOL",	      "MKCALENDAR", "COPY",   "MOVE",
    "LOCK",	"UNLOCK", "SEARCH",    "ACL",	      "BIND",	    "REBIND", "UNBIND",
    "LINK",	"UNLINK", "MERGE",     "CHECKOUT",    "MKACTIVITY", "PURGE",  "SUBSCRIBE",
    "NOTIFY",	"SOURCE", "M-SEARCH",  "UNSUBSCRIBE", "QUERY",
};

static int
parse_method(struct http_parser *p, char *line, char *end)
{
	if (end == line || !http_is_token(line, (size_t)(end - line)))
		return error_set(&p->error, ERR_BAD_REQUEST, "the request line has no method");
	*end = '\0';
	p->method = line;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i], line) == 0)
			return 0;
	return error_set(&p->error, ERR_UNSUPPORTED, "the method is not known here");
}

static int
parse_version(struct http_parser *p, const char *text)
{
	if (strncmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' ||
	    text[6] != '.' || text[7] < '0' || text[7] > '9' || text[8] != '\0')
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "the request line does not end with an HTTP version");
	if (text[5] != '1' || text[7] > '1')
		return error_set(&p->error, ERR_HTTP_VERSION,
				 "only HTTP/1.0 and HTTP/1.1 are spoken here");
	p->minor = text[7] - '0';
	return 0;
}

static int
parse_target(struct http_parser *p, char *target)
{
	for (const char *c = target; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '#')
			return error_set(
			    &p->error, ERR_BAD_REQUEST,
			    "the request target holds a byte that must be encoded");
	p->target_at = (uint32_t)(target - p->head.data);
	if (target[0] == '/')
		return 0;
	if (strcmp(target, "*") == 0 && strcmp(p->method, "OPTIONS") == 0)
		return 0;
	if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0)
		return 0; /* the authority is held against Host when that is known */
	return error_set(&p->error, ERR_BAD_REQUEST,
			 "the request target must begin with a slash");
}

static int
parse_request_line(struct http_parser *p, char *line, char *end)
{
	char *first = memchr(line, ' ', (size_t)(end - line));
	char *second;

	if (first == NULL)
		return error_set(&p->error, ERR_BAD_REQUEST, "the request line has no target");
	second = memchr(first + 1, ' ', (size_t)(end - first - 1));
	if (second == NULL || second == first + 1)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "the request line is not method, target and version with one "
				 "space between");
	*second = '\0';
	if (parse_version(p, second + 1) < 0)
		return -1;
	if (parse_method(p, line, first) < 0 || parse_target(p, first + 1) < 0)
		return -1;
	p->state = PARSER_FIELD;
	return 0;
}

/* Splits "Name: value" in place; also used for trailers. */
static int
split_field(struct http_parser *p, char *line, char *end, char **name, char **value)
{
	char *colon = memchr(line, ':', (size_t)(end - line));
	char *from, *to = end;

	if (*line == ' ' || *line == '\t')
		return error_set(&p->error, ERR_BAD_REQUEST, "folded header lines are refused");
	if (colon == NULL)
		return error_set(&p->error, ERR_BAD_REQUEST, "a header line has no colon");
	if (colon == line || !http_is_token(line, (size_t)(colon - line)))
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "a header name holds a byte that does not belong there");
	from = colon + 1;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	if (!http_is_field_value(from, (size_t)(to - from)))
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "a header value holds a control byte");
	*colon = *to = '\0';
	for (char *c = line; c < colon; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	*name = line;
	*value = from;
	return 0;
}

static int
see_length(struct http_parser *p, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (p->has_length)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "there are two Content-Length fields");
	if (digits == 0 || value[digits] != '\0' || digits > LENGTH_DIGITS_MAX)
		return error_set(&p->error, ERR_BAD_REQUEST, "Content-Length is not a number");
	p->has_length = true;
	p->content_length = strtoull(value, NULL, 10);
	return 0;
}

static int
see_coding(struct http_parser *p, const char *value)
{
	if (p->is_chunked)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "there are two Transfer-Encoding fields");
	if (strcasecmp(value, "chunked") != 0)
		return error_set(&p->error, ERR_UNSUPPORTED,
				 "the only transfer coding understood is chunked");
	p->is_chunked = true;
	return 0;
}

static int
see_host(struct http_parser *p, const char *value)
{
	if (p->has_host)
		return error_set(&p->error, ERR_BAD_REQUEST, "there are two Host fields");
	if (!http_is_host(value))
		return error_set(&p->error, ERR_BAD_REQUEST, "Host is not a name with a port");
	p->has_host = true;
	return 0;
}

static int
see_connection(struct http_parser *p, const char *value)
{
	p->wants_close |= http_list_has(value, "close");
	p->wants_keep_alive |= http_list_has(value, "keep-alive");
	return 0;
}

static int
see_expect(struct http_parser *p, const char *value)
{
	if (strcasecmp(value, "100-continue") != 0)
		return error_set(&p->error, ERR_EXPECTATION,
				 "the only expectation understood is 100-continue");
	p->expects_continue = true;
	return 0;
}

/* The fields that the parser itself acts upon. */
static const struct {
	const char *name;
	int (*see)(struct http_parser *p, const char *value);
} known[] = {
    {"content-length", see_length},
    {"transfer-encoding", see_coding},
    {"host", see_host},
    {"connection", see_connection},
    {"expect", see_expect},
};

static int
parse_field(struct http_parser *p, char *line, char *end)
{
	char *name, *value;

	if (p->fields_count == HTTP_HEADER_FIELDS_MAX)
		return error_set(&p->error, ERR_HEADERS_TOO_LARGE,
				 "there are over %d header fields", HTTP_HEADER_FIELDS_MAX);
	if (split_field(p, line, end, &name, &value) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0 && known[i].see(p, value) < 0)
			return -1;
	p->places[p->fields_count][0] = (uint32_t)(name - p->head.data);
	p->places[p->fields_count][1] = (uint32_t)(value - p->head.data);
	p->fields_count++;
	return 0;
}

static void
place_fields(struct http_parser *p)
{
	p->fields =
	    talloc_array(p->head.owner, struct http_field, (unsigned)p->fields_count + 1);
	if (p->fields == NULL)
		abort();
	for (size_t i = 0; i < p->fields_count; i++) {
		p->fields[i].name = p->head.data + p->places[i][0];
		p->fields[i].value = p->head.data + p->places[i][1];
		if (strcmp(p->fields[i].name, "host") == 0)
			p->host = p->fields[i].value;
	}
	p->fields[p->fields_count] = (struct http_field){NULL, NULL};
}

/*
 * "http://host/path": RFC 9112 3.2.2 lets the target's authority win over Host. Whoever checked
 * Host before us would have checked another name, so the two must be the same.
 */
static int
split_absolute(struct http_parser *p)
{
	char *authority = strstr(p->path, "://") + 3;
	size_t length = strcspn(authority, "/?");

	if (p->host == NULL || strlen(p->host) != length ||
	    strncasecmp(p->host, authority, length) != 0)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "the request target names another host than Host does");
	p->path = authority + length;
	if (p->path[0] != '/')
		return error_set(&p->error, ERR_BAD_REQUEST, "the request target has no path");
	return 0;
}

/* What only the whole header can tell. */
static int
finish_head(struct http_parser *p)
{
	char *question;

	p->method = p->head.data; /* the bytes may have moved while they were collected */
	p->target = p->head.data + p->target_at;
	place_fields(p);
	if (!p->has_host && p->minor == 1)
		return error_set(&p->error, ERR_BAD_REQUEST, "Host is missing");
	if (p->is_chunked && p->has_length)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "Content-Length and Transfer-Encoding exclude each other");
	if (p->is_chunked && p->minor == 0)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "HTTP/1.0 has no Transfer-Encoding");
	p->path = talloc_strdup(p->head.owner, p->target);
	if (p->path == NULL)
		abort();
	if (p->path[0] != '/' && p->path[0] != '*' && split_absolute(p) < 0)
		return -1;
	question = strchr(p->path, '?');
	if (question != NULL) {
		*question = '\0';
		p->query = question + 1;
	}
	p->has_body = p->is_chunked || p->content_length > 0;
	p->remaining = p->content_length;
	if (!p->has_body)
		p->state = PARSER_END;
	else
		p->state = p->is_chunked ? PARSER_CHUNK_SIZE : PARSER_BODY;
	return 0;
}

/* One chunk extension, ";name" or ";name=value" (RFC 9112 7.1.1); the byte behind it, or NULL.
 */
static const char *
skip_extension(const char *c)
{
	size_t n = http_token_length(c + 1);

	if (*c != ';' || n == 0)
		return NULL;
	c += 1 + n;
	if (*c != '=')
		return c;
	if (*++c != '"') {
		n = http_token_length(c);
		return n == 0 ? NULL : c + n;
	}
	for (c++; *c != '"'; c++) {
		if (*c == '\\')
			c++;
		if (*c == '\0')
			return NULL;
	}
	return c + 1;
}

static int
parse_chunk_size(struct http_parser *p, char *line, char *end)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");
	const char *c = line + digits;

	if (digits == 0 || digits > CHUNK_DIGITS_MAX)
		return error_set(&p->error, ERR_BAD_REQUEST, "a chunk has no usable size");
	p->extension_bytes += (size_t)(end - c);
	if (p->extension_bytes > HTTP_CHUNK_EXTENSIONS_MAX)
		return error_set(&p->error, ERR_BAD_REQUEST, "too many chunk extensions");
	if (!http_is_field_value(line, (size_t)(end - line)))
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "a chunk size holds a control byte");
	while (*c != '\0') {
		c = skip_extension(c);
		if (c == NULL)
			return error_set(&p->error, ERR_BAD_REQUEST,
					 "a chunk size is followed by something that is not an "
					 "extension");
	}
	p->remaining = strtoull(line, NULL, 16);
	p->state = p->remaining > 0 ? PARSER_CHUNK_DATA : PARSER_TRAILER;
	return 0;
}

static int
parse_trailer(struct http_parser *p, char *line, char *end)
{
	char *name, *value;

	if (line == end) {
		p->state = PARSER_END;
		return 0;
	}
	return split_field(p, line, end, &name,
			   &value); /* dropped: nobody here may trust one */
}

/* A whole line without its CR LF, NUL-terminated. */
static int
judge_line(struct http_parser *p, char *line, char *end)
{
	if (memchr(line, '\0', (size_t)(end - line)) != NULL)
		return error_set(&p->error, ERR_BAD_REQUEST, "there is a NUL byte");
	if (memchr(line, '\r', (size_t)(end - line)) != NULL)
		return error_set(&p->error, ERR_BAD_REQUEST, "a CR stands without its LF");
	switch (p->state) {
	case PARSER_START:
		if (line != end)
			return parse_request_line(p, line, end);
		if (p->seen_empty_line)
			return error_set(&p->error, ERR_BAD_REQUEST,
					 "there are empty lines before the request");
		p->seen_empty_line = true;
		buf_reset(&p->head);
		return 0;
	case PARSER_FIELD:
		return line == end ? finish_head(p) : parse_field(p, line, end);
	case PARSER_CHUNK_SIZE:
		return parse_chunk_size(p, line, end);
	default:
		return parse_trailer(p, line, end);
	}
}

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
	bool is_head = p->path == NULL;
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
	if (judge_line(p, line, end) < 0)
		return -1;
	if (!is_head)
		buf_reset(buf);
	p->line = p->path == NULL ? buf->length : 0;
	return 0;
}

/* A piece of the body, as much as is there. */
static size_t
take_body(struct http_parser *p, const char *data, size_t length, struct http_event *event)
{
	size_t n = length < p->remaining ? length : (size_t)p->remaining;

	*event = (struct http_event){HTTP_EVENT_BODY, data, n};
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
	if (p->path == NULL)
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
	bool was_complete = p->path != NULL;
	size_t used = 0, taken = 0;

	*event = (struct http_event){HTTP_EVENT_MORE, NULL, 0};
	while (!pass_through(p, event) && used < length) {
		switch (p->state) {
		case PARSER_BODY:
		case PARSER_CHUNK_DATA:
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
			if (!was_complete && p->path != NULL) {
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
