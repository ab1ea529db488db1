/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-echo -- the real HTTP server with routes that tell what arrived. A program of its own,
 * so that tests can speak to it over raw sockets.
 *
 * Prints {"port":N} once it listens; ends at end of file on standard input.
 */
#include "base/clock.h"
#include "base/loop.h"
#include "base/pool.h"
#include "http/server.h"
#include "http_echo_relay.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ECHO_BODY_MAX (1024 * 1024)
#define ECHO_THREADS 4

static struct json_object *
fields_json(const struct http_field *fields)
{
	struct json_object *array = json_object_new_array();

	for (; fields != NULL && fields->name != NULL; fields++) {
		struct json_object *pair = json_object_new_array();

		json_object_array_add(pair, json_object_new_string(fields->name));
		json_object_array_add(pair, json_object_new_string(fields->value));
		json_object_array_add(array, pair);
	}
	return array;
}

static int
handle_echo(struct request *req, struct response *res, struct error *err)
{
	struct json_object *out = json_object_new_object();
	size_t length, count;
	const char *body = request_body(req, &length);

	(void)err;
	json_add(out, "method", request_method(req));
	json_add(out, "target", request_target(req));
	json_add(out, "path", request_path(req));
	json_add(out, "peer", request_peer(req));
	json_add(out, "id", request_param(req, "id"));
	json_object_object_add(out, "body", json_object_new_string_len(body, (int)length));
	json_object_object_add(out, "query", fields_json(request_queries(req, &count)));
	json_object_object_add(out, "headers", fields_json(request_headers(req)));
	return response_json(res, 200, out);
}

static int
handle_tiny(struct request *req, struct response *res, struct error *err)
{
	(void)req;
	(void)err;
	return response_bytes(res, 200, "application/json", "{\"ok\":true}", 11);
}

static int
handle_json(struct request *req, struct response *res, struct error *err)
{
	struct json_object *body;

	if (request_json(req, &body, err) < 0)
		return -1;
	if (json_string(body, "name") == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "credentials.name",
				    "name is required");
	return response_json(res, 201, json_object_get(body));
}

/* ?bytes=N in pieces of ?piece=N; ?break=1 fails at the end. */
static int
handle_stream(struct request *req, struct response *res, struct error *err)
{
	const char *bytes = request_query(req, "bytes"), *size = request_query(req, "piece");
	size_t left = bytes == NULL ? 0 : strtoul(bytes, NULL, 10);
	size_t piece = size == NULL ? 1000 : strtoul(size, NULL, 10);
	char *data = talloc_size(request_mem(req), piece);

	memset(data, 'x', piece);
	response_begin(res, 200, "text/plain");
	while (left > 0) {
		size_t n = left < piece ? left : piece;

		if (response_write(res, data, n, err) < 0)
			return -1;
		left -= n;
	}
	if (request_query(req, "break") != NULL)
		return error_set(err, ERR_INTERNAL, "broken on purpose");
	return 0;
}

static int
handle_big(struct request *req, struct response *res, struct error *err)
{
	size_t length = strtoul(request_param(req, "bytes"), NULL, 10);
	char *data = talloc_size(request_mem(req), length + 1);

	(void)err;
	memset(data, 'y', length);
	return response_bytes(res, 200, "text/plain", data, length);
}

static int
handle_none(struct request *req, struct response *res, struct error *err)
{
	(void)req;
	(void)err;
	response_header(res, "X-Split", "a\r\nX-Injected: b");
	return response_empty(res, 204);
}

/* Holds a worker until ?ms= is over: for tests of the queue and of closing clients. */
static int
handle_slow(struct request *req, struct response *res, struct error *err)
{
	const char *ms = request_query(req, "ms");

	(void)err;
	usleep((useconds_t)(ms == NULL ? 50 : strtoul(ms, NULL, 10)) * 1000);
	return response_empty(res, 200);
}

static int
handle_silent(struct request *req, struct response *res, struct error *err)
{
	(void)req;
	(void)res;
	(void)err;
	return 0;
}

typedef int echo_handler(struct request *req, struct response *res, struct error *err);

static const struct {
	echo_handler *fn;
} handlers[] = {
    {handle_echo}, {handle_tiny}, {handle_json}, {handle_stream},
    {handle_big},  {handle_none}, {handle_slow}, {handle_silent},
};

#define ROW(method, pattern, max, i)               \
	{                                          \
		method, pattern, max, &handlers[i] \
	}

static const struct http_route routes[] = {
    ROW("GET", "/", 0, 0),
    ROW("GET", "/echo", ECHO_BODY_MAX, 0),
    ROW("POST", "/echo", ECHO_BODY_MAX, 0),
    ROW("PUT", "/echo", ECHO_BODY_MAX, 0),
    ROW("DELETE", "/echo", ECHO_BODY_MAX, 0),
    ROW("PROPFIND", "/echo", ECHO_BODY_MAX, 0),
    ROW("REPORT", "/echo", ECHO_BODY_MAX, 0),
    ROW("M-SEARCH", "/echo", ECHO_BODY_MAX, 0),
    ROW("GET", "/echo/:id", 0, 0),
    ROW("POST", "/echo/:id", 0, 0),
    ROW("GET", "/tiny", 0, 1),
    ROW("POST", "/json", 4096, 2),
    ROW("GET", "/stream", 0, 3),
    ROW("GET", "/big/:bytes", 0, 4),
    ROW("GET", "/none", 0, 5),
    ROW("GET", "/slow", 0, 6),
    ROW("GET", "/silent", 0, 7),
    {"*", "/relay", HTTP_BODY_MAX, .relay = &echo_relay},
};

static int
handle(struct request *req, const struct http_route *route, struct response *res,
       struct error *err)
{
	echo_handler *const *fn = route->data;

	return (*fn)(req, res, err);
}

static int
admit(struct request *req, void *app, struct error *err)
{
	const char *origin = request_header(req, "origin");

	(void)app;
	if (origin != NULL && strcmp(origin, "http://evil.example") == 0)
		return error_set(err, ERR_FORBIDDEN,
				 "requests from a foreign page are refused");
	return 0;
}

static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	if (read(fd, &byte, 1) == 0)
		loop_stop(arg);
}

static int64_t
number(const char *name)
{
	const char *text = getenv(name);

	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

int
main(void)
{
	struct http_server_config config = {
	    .routes = routes,
	    .routes_count = sizeof(routes) / sizeof(routes[0]),
	    .handle = handle,
	    .admit = admit,
	    .server_name = "http-echo",
	    .limits = {.header_ms = number("ECHO_HEADER_MS"),
		       .body_ms = number("ECHO_BODY_MS"),
		       .idle_ms = number("ECHO_IDLE_MS"),
		       .write_ms = number("ECHO_WRITE_MS"),
		       .connections_max = (size_t)number("ECHO_CONNECTIONS"),
		       .bodies_budget = (size_t)number("ECHO_BUDGET"),
		       .queue_max = (size_t)number("ECHO_QUEUE")},
	};
	size_t threads = (size_t)number("ECHO_THREADS");
	const char *listen = getenv("ECHO_LISTEN");
	struct http_server *server;
	struct event *input;
	struct error err;

	if (loop_new(&config.loop, &err) < 0 ||
	    pool_new(&config.pool, "echo", threads == 0 ? ECHO_THREADS : threads, 1024, &err) <
		0 ||
	    http_server_new(&server, &config, &err) < 0 ||
	    http_server_listen(server, listen == NULL ? "127.0.0.1:0" : listen, &err) < 0) {
		fprintf(stderr, "http-echo: %s\n", err.message);
		return 1;
	}
	input = event_new(loop_base(config.loop), STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin,
			  config.loop);
	event_add(input, NULL);
	printf("{\"port\":%d}\n", http_server_port(server));
	fflush(stdout);
	loop_run(config.loop);
	event_free(input);
	http_server_free(server);
	pool_free(config.pool);
	loop_free(config.loop);
	return 0;
}
