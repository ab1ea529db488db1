/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/server -- HTTP/1.1 in, strictly (RFC 9110, 9112), over libevent bufferevents.
 *
 * The loop's thread accepts, parses and writes. A request is handed whole to a pool thread,
 * which runs `handle` straight through; pool threads never touch a connection. A handler's
 * reply goes back to the loop when the handler returns; a streamed reply goes in pieces, and
 * response_write waits while the client is slow (bounded by HTTP_STREAM_WINDOW).
 *
 * SIGPIPE is ignored in the process from http_server_new on.
 *
 * Lifetimes: `struct request` is a talloc tree owned by the pool thread that handles it.
 */
#ifndef NANGO_HTTP_SERVER_H
#define NANGO_HTTP_SERVER_H

#include "base/error.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/pool.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

/* Limits; the server's own maxima. A route may be stricter (body_max). */
#define HTTP_REQUEST_LINE_MAX (16 * 1024)
#define HTTP_HEADER_BYTES_MAX (64 * 1024) /* all fields together */
#define HTTP_HEADER_FIELDS_MAX 128
#define HTTP_BODY_MAX (75 * 1024 * 1024)
#define HTTP_BODIES_BUDGET (256 * 1024 * 1024) /* all buffered bodies of a node, then 503 */
#define HTTP_CONNECTIONS_MAX 8192
#define HTTP_QUEUE_MAX 1024 /* requests handed over and not answered yet, then 503 */
#define HTTP_HEADER_TIMEOUT_MS \
	10000			    /* from the first byte, or from accept, to the empty line */
#define HTTP_BODY_TIMEOUT_MS 60000  /* between two pieces of a body */
#define HTTP_IDLE_TIMEOUT_MS 75000  /* between two requests of a connection */
#define HTTP_WRITE_TIMEOUT_MS 60000 /* without progress */
#define HTTP_STREAM_WINDOW (4 * 1024 * 1024)
#define HTTP_STREAM_RATE_MIN \
	(32 * 1024)		  /* bytes a second that the reader of a full window takes */
#define HTTP_STREAM_STALL_MS 5000 /* over which that is measured; then it is cut off */
#define HTTP_LINGER_MS 3000	  /* after a last reply, until the client has read it */
#define HTTP_BODY_RATE_MIN 1024	  /* bytes a second of a body, after HTTP_BODY_TIMEOUT_MS */
#define HTTP_QUERY_PAIRS_MAX 256
#define HTTP_PARAMS_MAX 8

struct http_server;
struct http_relay;
struct request;
struct response;

struct http_field {
	const char *name; /* header: lower case; query: decoded */
	const char *value;
};

struct http_route {
	const char *method; /* "GET"; HEAD is answered by GET's row without the body */
	/* "/connections/:connectionId"; a trailing slash is ignored. A last part "*" stands for
	 * any rest of the path, as it came; the method "*" for any method. */
	const char *pattern;
	size_t body_max;   /* bytes; 0: no body is read, one that comes is refused */
	const void *data;  /* the owner's row */
	struct pool *pool; /* whose handler may wait for others; NULL: the server's */
	const struct http_relay *relay; /* stays on the loop (http/relay.h); NULL: handled */
};

/* On a pool thread. -1 with err set makes the error reply. */
typedef int http_handler(struct request *req, const struct http_route *route,
			 struct response *res, struct error *err);

/* For tests; 0 means the number above. */
struct http_limits {
	int64_t header_ms, body_ms, idle_ms, write_ms, linger_ms;
	size_t connections_max, bodies_budget, queue_max;
};

struct http_server_config {
	struct loop *loop;
	struct pool *pool;
	const struct http_route *routes;
	size_t routes_count;
	http_handler *handle;
	void *app; /* request_app() gives it back */
	/* Called on the loop before a body is read; 0 or -1 and err (Host and Origin rules).
	 * Headers, method and path are there; queries and parameters are not yet. */
	int (*admit)(struct request *req, void *app, struct error *err);
	const char *server_name; /* Server header, or NULL */
	struct http_limits limits;
};

MUST_CHECK int http_server_new(struct http_server **out,
			       const struct http_server_config *config, struct error *err);
/* address "127.0.0.1:3003", "[::1]:0" …; port 0 picks one. May be called several times. */
MUST_CHECK int http_server_listen(struct http_server *server, const char *address,
				  struct error *err);
int http_server_port(const struct http_server *server); /* of the first listener */
void http_server_drain(struct http_server *server); /* no new connections; idle ones close */
size_t http_server_connections(const struct http_server *server);
size_t http_server_relays(const struct http_server *server); /* under way (http/relay.h) */
/*
 * Order at the end: http_server_free (closes everything, wakes writers), pool_free, loop_free:
 * requests that are still being handled keep what they need until their handler returned.
 */
void http_server_free(struct http_server *server);

/* ---- request: read on the thread that handles it ---- */
TALLOC_CTX *request_mem(struct request *req);
void *request_app(struct request *req);
const char *request_id(const struct request *req); /* UUID, also sent as X-Request-Id */
const char *request_method(const struct request *req);
const char *request_path(const struct request *req); /* as received, without the query */
const char *request_target(const struct request *req);
const char *request_peer(const struct request *req);			       /* "127.0.0.1" */
const char *request_header(const struct request *req, const char *lower_name); /* or NULL */
/* All of them in order, repeated ones too; ends with a NULL name. */
const struct http_field *request_headers(const struct request *req);
const char *request_query(const struct request *req, const char *name); /* first, or NULL */
const struct http_field *request_queries(const struct request *req,
					 size_t *count);		/* in order */
const char *request_param(const struct request *req, const char *name); /* decoded path part */
const char *request_body(const struct request *req, size_t *length);	/* NUL-terminated */
/* The body as JSON object or array; ERR_CONTENT_TYPE, ERR_INVALID_JSON. Empty gives NULL, 0. */
MUST_CHECK int request_json(struct request *req, struct json_object **out, struct error *err);

/* ---- response ---- */
void response_header(struct response *res, const char *name, const char *value);
int response_json(struct response *res, int status,
		  struct json_object *tree); /* 0; puts tree */
int response_bytes(struct response *res, int status, const char *content_type, const void *data,
		   size_t length);		      /* 0; copies */
int response_empty(struct response *res, int status); /* 0 */
/* Streamed: begin, write …, and return 0 from the handler; -1 then breaks the connection off.
 */
void response_begin(struct response *res, int status, const char *content_type);
MUST_CHECK int response_write(struct response *res, const void *data, size_t length,
			      struct error *err);		   /* -1: the client is gone */
int response_error(struct response *res, const struct error *err); /* the one error shape; 0 */

#endif
