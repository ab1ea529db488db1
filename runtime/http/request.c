/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/request -- what a handler may ask of its request.
 *
 * A request is one talloc pool, so the many small strings of a header cost one malloc.
 */
#include "http/internal.h"
#include "http/syntax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REQUEST_POOL_BYTES (8 * 1024)

struct request *
request_new(struct http_server *server, const char *peer)
{
	struct request *req = talloc_pooled_object(NULL, struct request, 8, REQUEST_POOL_BYTES);
	size_t length;

	if (req == NULL)
		abort();
	http_parser_init(&req->parser, req);
	req->server = server;
	req->conn = NULL;
	req->queries = NULL;
	req->queries_count = 0;
	req->body = (struct buf){0};
	req->body_charge = 0;
	req->keeps_alive = false;
	req->relay_arg = NULL;
	req->is_held = req->is_clogged = req->is_replying = req->is_reply_chunked = false;
	req->has_gone_on = false;
	req->match.route = NULL;
	req->match.params[0] = (struct http_field){NULL, NULL};
	req->match.allow[0] = '\0';
	length = strnlen(peer, sizeof(req->peer) - 1);
	memcpy(req->peer, peer, length);
	req->peer[length] = '\0';
	id_uuid4(req->id);
	response_init(&req->res, req);
	server->requests_count++;
	return req;
}

void
request_free(struct request *req)
{
	struct http_server *server = req->server;

	if (req->res.stream != NULL) {
		pthread_mutex_destroy(&req->res.stream->mutex);
		pthread_cond_destroy(&req->res.stream->room);
	}
	server->bodies_charge -= req->body_charge;
	talloc_free(req);
	server->requests_count--;
	server_release(server);
}

static int
charge(struct request *req, size_t bytes, struct error *err)
{
	struct http_server *server = req->server;

	if (bytes <= req->body_charge)
		return 0;
	if (server->bodies_charge + (bytes - req->body_charge) > server->limits.bodies_budget)
		return error_set(
		    err, ERR_BUSY,
		    "the memory for request bodies is in use; try again in a second");
	server->bodies_charge += bytes - req->body_charge;
	req->body_charge = bytes;
	return 0;
}

/*
 * Memory is taken as bytes arrive, not as they are announced: a Content-Length costs its sender
 * nothing, so it must not hold the shared budget.
 */
int
request_keep(struct request *req, struct buf *body, const char *data, size_t length,
	     struct error *err)
{
	size_t need = body->length + length, room;

	if (need >= body->capacity) {
		room = body->capacity * 2 > need ? body->capacity * 2 : need + 1;
		if (!req->parser.is_chunked && room > req->parser.content_length + 1)
			room = req->parser.content_length + 1;
		if (charge(req, room, err) < 0)
			return -1;
		body->data = talloc_realloc_size(body->owner, body->data, room);
		body->capacity = room;
		if (body->data == NULL)
			abort();
	}
	buf_add(body, data, length);
	return 0;
}

void
request_forget(struct request *req, struct buf *body)
{
	buf_done(body);
	req->server->bodies_charge -= req->body_charge;
	req->body_charge = 0;
}

static int
parse_pair(char *pair, struct http_field *out, struct error *err)
{
	char *equals = strchr(pair, '=');
	char *value = pair + strlen(pair);

	if (equals != NULL) {
		*equals = '\0';
		value = equals + 1;
	}
	if (http_percent_decode(pair, true) < 0 || http_percent_decode(value, true) < 0)
		return error_set(err, ERR_INVALID_QUERY,
				 "the query is not percent-encoded UTF-8 text");
	*out = (struct http_field){pair, value};
	return 0;
}

int
request_parse_query(struct request *req, struct error *err)
{
	char *rest = req->parser.query, *pair;
	struct http_field *pairs;

	if (rest == NULL)
		return 0;
	pairs = talloc_array(req, struct http_field, HTTP_QUERY_PAIRS_MAX + 1);
	if (pairs == NULL)
		abort();
	while ((pair = strsep(&rest, "&")) != NULL) {
		if (*pair == '\0')
			continue;
		if (req->queries_count == HTTP_QUERY_PAIRS_MAX)
			return error_set(err, ERR_INVALID_QUERY,
					 "there are over %d query parameters",
					 HTTP_QUERY_PAIRS_MAX);
		if (parse_pair(pair, &pairs[req->queries_count], err) < 0)
			return -1;
		req->queries_count++;
	}
	pairs[req->queries_count] = (struct http_field){NULL, NULL};
	req->queries = pairs;
	return 0;
}

TALLOC_CTX *
request_mem(struct request *req)
{
	return req;
}

void *
request_app(struct request *req)
{
	return req->server->config.app;
}

const char *
request_id(const struct request *req)
{
	return req->id;
}

const char *
request_method(const struct request *req)
{
	return req->parser.method;
}

const char *
request_path(const struct request *req)
{
	return req->parser.path;
}

const char *
request_target(const struct request *req)
{
	return req->parser.target;
}

const char *
request_peer(const struct request *req)
{
	return req->peer;
}

static const char *
field_value(const struct http_field *fields, const char *name)
{
	for (const struct http_field *f = fields; f != NULL && f->name != NULL; f++)
		if (f->name[0] == name[0] && strcmp(f->name, name) == 0)
			return f->value;
	return NULL;
}

const char *
request_header(const struct request *req, const char *lower_name)
{
	return field_value(req->parser.fields, lower_name);
}

const struct http_field *
request_headers(const struct request *req)
{
	return req->parser.fields;
}

const char *
request_query(const struct request *req, const char *name)
{
	return field_value(req->queries, name);
}

const struct http_field *
request_queries(const struct request *req, size_t *count)
{
	static const struct http_field none = {NULL, NULL};

	*count = req->queries_count;
	return req->queries == NULL ? &none : req->queries;
}

const char *
request_param(const struct request *req, const char *name)
{
	return field_value(req->match.params, name);
}

const char *
request_body(const struct request *req, size_t *length)
{
	*length = req->body.length;
	return req->body.data == NULL ? "" : req->body.data;
}

static bool
is_json_type(const char *type)
{
	static const char json[] = "application/json";

	if (strncasecmp(type, json, sizeof(json) - 1) != 0)
		return false;
	type += sizeof(json) - 1;
	return *type == '\0' || strchr("; \t", *type) != NULL;
}

int
request_json(struct request *req, struct json_object **out, struct error *err)
{
	const char *type = request_header(req, "content-type");
	struct json_object *tree;

	if (type != NULL && !is_json_type(type))
		return error_set(err, ERR_CONTENT_TYPE,
				 "the content type must be application/json, not %.100s", type);
	if (req->body.length == 0) {
		*out = NULL;
		return 0;
	}
	if (json_parse(req, req->body.data, req->body.length, &tree, err) < 0)
		return -1;
	if (!json_object_is_type(tree, json_type_object) &&
	    !json_object_is_type(tree, json_type_array))
		return error_set(err, ERR_INVALID_JSON,
				 "the request body must be a JSON object or array");
	*out = tree;
	return 0;
}
