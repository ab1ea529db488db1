/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/exchange -- one request's way: header, body, a pool thread, the reply; all on the loop
 * but for the handler itself.
 *
 *   IDLE -first byte-> HEAD -header-> BODY -last byte-> BUSY -reply-> IDLE or LINGER
 *
 * A refusal skips to the reply. After one that leaves bytes of the request unread nobody can
 * tell where the next request begins, so the connection ends with it.
 */
#include "http/internal.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static void
body_free(const void *data, size_t length, void *arg)
{
	(void)data;
	(void)length;
	talloc_free(arg);
}

static void
send_buffered(struct http_conn *conn, struct request *req)
{
	struct response *res = &req->res;
	bool has_bytes = response_may_have_body(res) &&
			 strcmp(req->parser.method, "HEAD") != 0 && res->body.length > 0;
	struct buf out;

	buf_init(&out, req, 512 + (res->body.length > HTTP_COPY_MAX ? 0 : res->body.length));
	response_add_head(&out, res, req->keeps_alive);
	if (has_bytes && res->body.length <= HTTP_COPY_MAX)
		buf_add(&out, res->body.data, res->body.length);
	if (!has_bytes || res->body.length <= HTTP_COPY_MAX) {
		conn_send(conn, out.data, out.length);
		return;
	}
	conn_send_later(conn, out.data, out.length, NULL, NULL);
	conn_send_later(conn, res->body.data, res->body.length, body_free,
			talloc_reparent(req, NULL, res->body.data));
	conn_flush(conn);
}

static void
send_stream_end(struct http_conn *conn, struct request *req)
{
	stream_pump(req);
	if (req->parser.minor == 1 && response_may_have_body(&req->res) &&
	    strcmp(req->parser.method, "HEAD") != 0)
		conn_send_later(conn, "0\r\n\r\n", 5, NULL, NULL);
	conn_flush(conn);
}

/* The reply is complete: sends it, and the connection goes on or ends. */
void
exchange_answer(struct http_conn *conn)
{
	struct request *req = conn->req;
	bool keeps_alive;

	if (conn->server->is_draining)
		req->keeps_alive = false;
	if (req->parser.method == NULL)
		req->parser.method = talloc_strdup(req, ""); /* refused before it had one */
	if (req->res.is_broken)
		conn_abort(conn); /* a reset, so that half a reply is never taken for a whole */
	else if (req->is_replying)
		conn_flush(conn); /* a relay has written it */
	else if (req->res.stream != NULL)
		send_stream_end(conn, req);
	else
		send_buffered(conn, req);
	keeps_alive = req->keeps_alive;
	conn->req = NULL;
	request_free(req);
	if (keeps_alive)
		conn_enter(conn, CONN_IDLE, conn->server->limits.idle_ms);
	else
		conn_linger(conn);
}

/* A refusal. Without keeps_alive the rest of the request is never read. */
static void
exchange_refuse(struct http_conn *conn, const struct error *err, bool keeps_alive)
{
	if (!keeps_alive)
		conn->req->keeps_alive = false;
	response_error(&conn->req->res, err);
	exchange_answer(conn);
}

static void
exchange_done(void *arg)
{
	struct request *req = arg;
	struct http_conn *conn = req->conn;

	req->server->dispatch.in_flight--;
	if (conn == NULL) {
		if (req->res.stream != NULL)
			stream_pump(req);
		request_free(req);
		return;
	}
	exchange_answer(conn);
	conn_resume(conn);
}

void
exchange_handle(struct request *req)
{
	const struct http_server_config *config = &req->server->config;
	struct response *res = &req->res;
	struct error err = {0};
	int result = request_parse_query(req, &err);

	if (result == 0)
		result = config->handle(req, req->match.route, res, &err);
	if (result == 0 && res->status == 0)
		result = error_set(&err, ERR_INTERNAL, "the request was not answered");
	if (result < 0 && res->stream != NULL)
		res->is_broken = true;
	else if (result < 0)
		response_error(res, &err);
	loop_post(config->loop, exchange_done, req);
}

static void
exchange_dispatch(struct http_conn *conn)
{
	struct error err;

	conn_enter(conn, CONN_BUSY, 0);
	if (dispatch_add(conn->req, &err) < 0)
		exchange_refuse(conn, &err, true);
}

static int
check_body(const struct request *req, struct error *err)
{
	const struct http_parser *parser = &req->parser;
	size_t max = req->match.route->body_max;

	if (!parser->has_body || req->match.route->relay != NULL)
		return 0;
	if (max > HTTP_BODY_MAX)
		max = HTTP_BODY_MAX;
	if (max == 0)
		return error_set(err, ERR_TOO_LARGE, "%s %.200s takes no body", parser->method,
				 parser->path);
	if (parser->content_length > max || req->body.length > max)
		return error_set(err, ERR_TOO_LARGE, "the body is over %zu bytes", max);
	return 0;
}

static int
check_head(struct request *req, struct error *err)
{
	const struct http_server_config *config = &req->server->config;
	const struct http_parser *parser = &req->parser;

	if (config->admit != NULL && config->admit(req, config->app, err) < 0)
		return -1;
	if (router_find(req->server->router, req, parser->method, parser->path, &req->match,
			err) < 0)
		return -1;
	return check_body(req, err);
}

static void
on_head(struct http_conn *conn)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct request *req = conn->req;
	const struct http_parser *parser = &req->parser;
	struct error err;

	req->keeps_alive =
	    !parser->wants_close && (parser->minor == 1 || parser->wants_keep_alive);
	if (check_head(req, &err) < 0) {
		exchange_refuse(conn, &err, !parser->has_body);
		return;
	}
	req->body_since_ms = clock_monotonic_ms();
	req->body_came = 0;
	if (req->match.route->relay != NULL) {
		relay_begin(conn);
		return;
	}
	if (!parser->has_body)
		return;
	if (parser->expects_continue && parser->minor == 1)
		conn_send(conn, go_on, sizeof(go_on) - 1);
	conn_enter(conn, CONN_BODY, conn->server->limits.body_ms);
}

/* A body may pause for body_ms, and may not be slower than HTTP_BODY_RATE_MIN in all. */
static void
body_deadline(struct http_conn *conn)
{
	const struct request *req = conn->req;
	int64_t body_ms = conn->server->limits.body_ms;
	int64_t pause = clock_monotonic_ms() + body_ms;
	int64_t rate = req->body_since_ms + body_ms +
		       (int64_t)(req->body.length * 1000 / HTTP_BODY_RATE_MIN);

	conn->deadline_ms = pause < rate ? pause : rate;
}

static void
on_body(struct http_conn *conn, const struct http_event *event)
{
	struct error err;

	struct request *req = conn->req;

	req->body.owner = req;
	if (request_keep(req, &req->body, event->data, event->length, &err) < 0 ||
	    check_body(req, &err) < 0)
		exchange_refuse(conn, &err, false);
	else
		body_deadline(conn);
}

static void
exchange_event(struct http_conn *conn, const struct http_event *event)
{
	if (conn->state == CONN_RELAY) {
		relay_event(conn, event);
		return;
	}
	switch (event->type) {
	case HTTP_EVENT_HEAD:
		on_head(conn);
		return;
	case HTTP_EVENT_BODY:
		on_body(conn, event);
		return;
	case HTTP_EVENT_FAULT:
		exchange_refuse(conn, &conn->req->parser.error, false);
		return;
	default:
		return;
	}
}

static void
exchange_begin(struct http_conn *conn)
{
	conn->req = request_new(conn->server, conn->peer);
	conn->req->conn = conn;
	conn_enter(conn, CONN_HEAD, conn->server->limits.header_ms);
}

static bool
may_read(const struct http_conn *conn)
{
	if (conn->is_dead)
		return false;
	if (conn->state == CONN_IDLE) /* who does not read replies gets no more of them */
		return conn_unsent(conn) <= HTTP_PIPELINE_OUTPUT_MAX;
	if (conn->state == CONN_RELAY)
		return relay_may_read(conn);
	return conn->state == CONN_HEAD || conn->state == CONN_BODY;
}

size_t
exchange_feed(struct http_conn *conn, const char *data, size_t length)
{
	struct http_event event;
	size_t used = 0;

	while (used < length && may_read(conn)) {
		if (conn->state == CONN_IDLE)
			exchange_begin(conn);
		used +=
		    http_parser_feed(&conn->req->parser, data + used, length - used, &event);
		exchange_event(conn, &event);
		if ((conn->state == CONN_HEAD || conn->state == CONN_BODY) &&
		    http_parser_is_done(&conn->req->parser))
			exchange_dispatch(conn);
	}
	return used;
}

void
exchange_eof(struct http_conn *conn)
{
	struct error err;

	if (conn->state == CONN_BUSY)
		return; /* a client may say that it is done asking, and still read */
	if (conn->state == CONN_IDLE ||
	    (conn->state == CONN_HEAD && !http_parser_has_begun(&conn->req->parser))) {
		conn_linger(conn);
		return;
	}
	if (conn->state == CONN_LINGER)
		return;
	if (conn->state == CONN_RELAY) {
		conn_close(conn); /* nobody waits for the reply */
		return;
	}
	error_set(&err, ERR_BAD_REQUEST, "the connection ended inside the request");
	exchange_refuse(conn, &err, false);
}

void
exchange_timeout(struct http_conn *conn)
{
	struct error err;

	if (conn->state == CONN_RELAY) {
		conn_close(conn);
		return;
	}
	error_set(&err, ERR_TIMEOUT, "the %s of the request did not arrive in time",
		  conn->state == CONN_HEAD ? "header" : "body");
	exchange_refuse(conn, &err, false);
}
