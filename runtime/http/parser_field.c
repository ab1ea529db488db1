/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser_field -- the fields of a header: how one is written, and those that say where the
 * message ends. Each refusal says in its message which rule was broken.
 */
#include "http/parser_line.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 15 /* far over HTTP_BODY_MAX, far under 2^63 */

/* Splits "Name: value" in place; also used for trailers. */
int
parser_field_split(struct http_parser *p, char *line, char *end, char **name, char **value)
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
	if (p->is_answer)
		return 0;
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
	if (p->is_answer)
		return 0;
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

int
parser_field_add(struct http_parser *p, char *line, char *end)
{
	char *name, *value;

	if (p->fields_count == HTTP_HEADER_FIELDS_MAX)
		return error_set(&p->error, ERR_HEADERS_TOO_LARGE,
				 "there are over %d header fields", HTTP_HEADER_FIELDS_MAX);
	if (parser_field_split(p, line, end, &name, &value) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].name[0] == name[0] && strcmp(known[i].name, name) == 0 &&
		    known[i].see(p, value) < 0)
			return -1;
	p->places[p->fields_count][0] = (uint32_t)(name - p->head.data);
	p->places[p->fields_count][1] = (uint32_t)(value - p->head.data);
	p->fields_count++;
	return 0;
}

void
parser_field_place(struct http_parser *p)
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
