/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser_line -- what a whole line of a message means: request or status line, field,
 * chunk size, trailer. Each refusal says in its message which rule was broken.
 */
#include "http/parser_line.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/*
 * "HTTP/1.1 200 OK"; the words behind the status are for people, and may be missing with their
 * space (RFC 9112 4).
 */
static int
parse_status_line(struct http_parser *p, char *line, char *end)
{
	char *space = memchr(line, ' ', (size_t)(end - line));
	char *status = space == NULL ? end : space + 1;

	if (space != NULL)
		*space = '\0';
	if (parse_version(p, line) < 0)
		return -1;
	if (strspn(status, "0123456789") != 3 || (status[3] != '\0' && status[3] != ' ') ||
	    status[0] == '0' || !http_is_field_value(status, (size_t)(end - status)))
		return error_set(&p->error, ERR_BAD_REQUEST, "the status line has no status");
	p->status = (int)strtol(status, NULL, 10);
	p->state = PARSER_FIELD;
	return 0;
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

static int
check_framing(struct http_parser *p)
{
	if (p->is_chunked && p->has_length)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "Content-Length and Transfer-Encoding exclude each other");
	if (p->is_chunked && p->minor == 0)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "HTTP/1.0 has no Transfer-Encoding");
	return 0;
}

static void
enter_body(struct http_parser *p)
{
	p->is_complete = true;
	p->remaining = p->content_length;
	if (!p->has_body)
		p->state = PARSER_END;
	else
		p->state = p->is_chunked ? PARSER_CHUNK_SIZE : PARSER_BODY;
}

/* An interim answer: the next one is read in its place. */
static int
drop_interim(struct http_parser *p)
{
	if (p->status == 101)
		return error_set(
		    &p->error, ERR_BAD_REQUEST,
		    "the answer changes to another protocol, which nobody asked for");
	if (p->interims++ == HTTP_INTERIM_MAX)
		return error_set(&p->error, ERR_BAD_REQUEST,
				 "there are over %d interim answers", HTTP_INTERIM_MAX);
	p->state = PARSER_START;
	p->fields_count = p->fields_bytes = 0;
	p->has_length = p->is_chunked = p->wants_close = p->wants_keep_alive = false;
	p->content_length = 0;
	buf_reset(&p->head);
	return 0;
}

/* RFC 9112 6.3: where an answer ends. */
static int
finish_answer(struct http_parser *p)
{
	if (check_framing(p) < 0)
		return -1;
	if (p->status < 200)
		return drop_interim(p);
	parser_field_place(p);
	if (p->is_bodiless || p->status == 204 || p->status == 304) {
		p->has_body = false;
	} else {
		p->has_body = p->is_chunked || !p->has_length || p->content_length > 0;
	}
	enter_body(p);
	if (p->has_body && !p->is_chunked && !p->has_length)
		p->state = PARSER_CLOSE;
	return 0;
}

/* What only the whole header can tell. */
static int
finish_head(struct http_parser *p)
{
	char *question;

	if (p->is_answer)
		return finish_answer(p);
	p->method = p->head.data; /* the bytes may have moved while they were collected */
	p->target = p->head.data + p->target_at;
	parser_field_place(p);
	if (!p->has_host && p->minor == 1)
		return error_set(&p->error, ERR_BAD_REQUEST, "Host is missing");
	if (check_framing(p) < 0)
		return -1;
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
	enter_body(p);
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
	return parser_field_split(p, line, end, &name,
				  &value); /* dropped: nobody here may trust one */
}

int
parser_line_judge(struct http_parser *p, char *line, char *end)
{
	if (memchr(line, '\0', (size_t)(end - line)) != NULL)
		return error_set(&p->error, ERR_BAD_REQUEST, "there is a NUL byte");
	if (memchr(line, '\r', (size_t)(end - line)) != NULL)
		return error_set(&p->error, ERR_BAD_REQUEST, "a CR stands without its LF");
	switch (p->state) {
	case PARSER_START:
		if (line != end)
			return p->is_answer ? parse_status_line(p, line, end)
					    : parse_request_line(p, line, end);
		if (p->seen_empty_line)
			return error_set(&p->error, ERR_BAD_REQUEST,
					 "there are empty lines before the request");
		p->seen_empty_line = true;
		buf_reset(&p->head);
		return 0;
	case PARSER_FIELD:
		return line == end ? finish_head(p) : parser_field_add(p, line, end);
	case PARSER_CHUNK_SIZE:
		return parse_chunk_size(p, line, end);
	default:
		return parse_trailer(p, line, end);
	}
}
