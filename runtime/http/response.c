/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/response -- what a handler answers with, and the bytes of a reply's head.
 */
#include "http/internal.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {424, "Failed Dependency"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *
response_phrase(int status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Status";
}

void
response_init(struct response *res, struct request *req)
{
	*res = (struct response){.req = req};
	buf_init(&res->fields, req, 192);
}

/* A body, even an empty one: not for 204 and 304 (RFC 9110 8.6). */
bool
response_may_have_body(const struct response *res)
{
	return res->status >= 200 && res->status != 204 && res->status != 304;
}

static void
add_framing(struct buf *out, const struct response *res)
{
	if (res->stream == NULL) {
		if (response_may_have_body(res))
			buf_addf(out, "Content-Length: %zu\r\n", res->body.length);
	} else if (res->req->parser.minor == 1) {
		buf_adds(out, "Transfer-Encoding: chunked\r\n");
	}
}

void
response_add_head(struct buf *out, struct response *res, bool keeps_alive)
{
	const struct http_server *server = res->req->server;

	buf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", res->status,
		 response_phrase(res->status), server_date(res->req->server));
	if (server->config.server_name != NULL)
		buf_addf(out, "Server: %s\r\n", server->config.server_name);
	buf_addf(out, "X-Request-Id: %s\r\n", res->req->id);
	buf_add(out, res->fields.data, res->fields.length);
	add_framing(out, res);
	if (!keeps_alive)
		buf_adds(out, "Connection: close\r\n");
	else if (res->req->parser.minor == 0)
		buf_adds(out, "Connection: keep-alive\r\n");
	buf_adds(out, "\r\n");
}

/* A control byte in a value would be a line of its own: it becomes a space. */
void
response_header(struct response *res, const char *name, const char *value)
{
	size_t from;

	buf_adds(&res->fields, name);
	buf_adds(&res->fields, ": ");
	from = res->fields.length;
	buf_adds(&res->fields, value);
	for (char *c = res->fields.data + from; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	buf_adds(&res->fields, "\r\n");
}

int
response_bytes(struct response *res, int status, const char *content_type, const void *data,
	       size_t length)
{
	res->status = status;
	if (content_type != NULL)
		response_header(res, "Content-Type", content_type);
	buf_init(&res->body, res->req, length + 1);
	buf_add(&res->body, data, length);
	return 0;
}

int
response_json(struct response *res, int status, struct json_object *tree)
{
	size_t length;
	const char *text = json_object_to_json_string_length(
	    tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	response_bytes(res, status, "application/json; charset=utf-8", text, length);
	json_object_put(tree);
	return 0;
}

int
response_empty(struct response *res, int status)
{
	return response_bytes(res, status, NULL, "", 0);
}

static bool
is_validation(enum error_code code)
{
	return code == ERR_INVALID_BODY || code == ERR_INVALID_QUERY ||
	       code == ERR_INVALID_PARAMS || code == ERR_INVALID_HEADERS;
}

/* "credentials.type" as ["credentials","type"]. */
static void
add_path(struct buf *out, const char *at)
{
	buf_addc(out, '[');
	while (*at != '\0') {
		size_t n = strcspn(at, ".");

		buf_add_json(out, at, n);
		at += n + (at[n] == '.');
		if (*at != '\0')
			buf_addc(out, ',');
	}
	buf_addc(out, ']');
}

/* A message that was cut, or quotes a header, need not be UTF-8; JSON has to be. */
static char *
clean_text(TALLOC_CTX *mem, const char *text)
{
	char *copy = talloc_strdup(mem, text);

	if (copy == NULL)
		abort();
	if (!http_is_utf8(copy))
		for (char *c = copy; *c != '\0'; c++)
			if ((unsigned char)*c >= 0x80)
				*c = '?';
	return copy;
}

int
response_error(struct response *res, const struct error *err)
{
	const char *message = clean_text(res->req, err->message);
	struct buf out;

	buf_init(&out, res->req, 256);
	buf_adds(&out, "{\"error\":{\"code\":");
	buf_add_json_str(&out, error_name(err->code));
	buf_adds(&out, ",\"message\":");
	buf_add_json_str(&out, message);
	if (is_validation(err->code)) {
		buf_adds(&out, ",\"errors\":[{\"code\":\"custom\",\"message\":");
		buf_add_json_str(&out, message);
		buf_adds(&out, ",\"path\":");
		add_path(&out, clean_text(res->req, err->at));
		buf_adds(&out, "}]");
	}
	buf_adds(&out, "}}");
	if (err->code == ERR_METHOD)
		response_header(res, "Allow", res->req->match.allow);
	if (error_status(err->code) == 503)
		response_header(res, "Retry-After", "1");
	return response_bytes(res, error_status(err->code), "application/json; charset=utf-8",
			      out.data, out.length);
}
