/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/relay -- see relay.h. The head of a reply and the first bytes of its body leave in one
 * send: they are gathered in one place of the server's, which belongs to one request until its
 * flush, or until another one writes.
 */
#include "http/relay.h"
#include "http/internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_MAX (64 * 1024) /* more is sent by itself */
#define GATHER_BYTES (80 * 1024)

void
relay_set_arg(struct request *req, void *arg)
{
	req->relay_arg = arg;
}

void *
relay_arg(const struct request *req)
{
	return req->relay_arg;
}

bool
relay_has_body(const struct request *req)
{
	return req->parser.has_body;
}

bool
relay_body_is_over(const struct request *req)
{
	return http_parser_is_done(&req->parser);
}

int64_t
relay_body_length(const struct request *req)
{
	return req->parser.is_chunked ? -1 : (int64_t)req->parser.content_length;
}

int
relay_keep(struct request *req, struct buf *body, const char *data, size_t length,
	   struct error *err)
{
	return request_keep(req, body, data, length, err);
}

void
relay_forget(struct request *req, struct buf *body)
{
	request_forget(req, body);
}

/* ---- the request's side, for exchange and connection ---- */

static const struct http_relay *
relay_of(const struct http_conn *conn)
{
	return conn->req->match.route->relay;
}

bool
relay_may_read(const struct http_conn *conn)
{
	return !conn->req->is_held && !relay_body_is_over(conn->req);
}

/* Nobody but the client is waited for while its body arrives. */
static bool
awaits(const struct http_conn *conn)
{
	return relay_may_read(conn) && !conn->req->is_replying;
}

static void
set_deadline(struct http_conn *conn)
{
	conn->deadline_ms =
	    awaits(conn) ? clock_monotonic_ms() + conn->server->limits.body_ms : 0;
}

/* Once the body is wanted, and not before it is known who asks. */
static void
go_on(struct request *req)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!req->parser.expects_continue || req->parser.minor == 0 || req->has_gone_on ||
	    req->is_replying || relay_body_is_over(req))
		return;
	req->has_gone_on = true;
	conn_send(req->conn, line, sizeof(line) - 1);
}

/* It was waited for at each look of a time-out's length, and sent less than HTTP_BODY_RATE_MIN.
 */
bool
relay_is_slow(struct http_conn *conn, int64_t now_ms)
{
	struct request *req = conn->req;
	int64_t measured_ms = now_ms - req->body_since_ms;
	size_t bytes = req->body_came;

	if (!awaits(conn)) {
		req->body_since_ms = now_ms;
		req->body_came = 0;
		return false;
	}
	if (measured_ms < conn->server->limits.body_ms)
		return false;
	req->body_since_ms = now_ms;
	req->body_came = 0;
	return bytes < (uint64_t)measured_ms * HTTP_BODY_RATE_MIN / 1000;
}

void
relay_begin(struct http_conn *conn)
{
	struct request *req = conn->req;

	conn_enter(conn, CONN_RELAY, 0);
	conn->server->relays++;
	set_deadline(conn);
	relay_of(conn)->begin(req, req->match.route);
	if (conn->req == req && !req->is_held)
		go_on(req);
}

void
relay_event(struct http_conn *conn, const struct http_event *event)
{
	struct request *req = conn->req;
	const struct http_relay *relay = relay_of(conn);

	if (event->type == HTTP_EVENT_FAULT) { /* in a chunk: its end cannot be found */
		relay->gone(req);
		if (req->is_replying)
			relay_abort(req);
		else
			relay_refuse(req, &req->parser.error);
		return;
	}
	if (event->type == HTTP_EVENT_BODY)
		req->body_came += event->length;
	if (event->type == HTTP_EVENT_BODY && event->length > 0)
		relay->data(req, event->data, event->length);
	if (conn->req != req) /* it was refused */
		return;
	set_deadline(conn);
	if (relay_body_is_over(req))
		relay->end(req);
}

/* It is over: what it gathered is nobody's. */
static void
drop_gathered(const struct request *req)
{
	if (req->server->gathers == req)
		req->server->gathers = NULL;
}

void
relay_gone(struct http_conn *conn)
{
	struct request *req = conn->req;

	conn->server->relays--;
	relay_of(conn)->gone(req);
	drop_gathered(req);
	conn->req = NULL;
	req->conn = NULL;
	request_free(req);
}

void
relay_progress(struct http_conn *conn)
{
	struct request *req = conn->req;

	if (req == NULL || !req->is_clogged || conn_unsent(conn) >= RELAY_LOW)
		return;
	req->is_clogged = false;
	relay_of(conn)->drained(req);
}

void
relay_resume(void *arg)
{
	struct http_server *server = arg;
	struct http_conn *conn, *next;

	for (conn = TAILQ_FIRST(&server->resuming); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, resume_entry); /* conn may go, but no other */
		TAILQ_REMOVE(&server->resuming, conn, resume_entry);
		conn->is_resuming = false;
		conn_resume(conn);
	}
}

/* In a later turn: whoever asks for it may be in the middle of what came. */
static void
resume_later(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	if (!conn->is_resuming) {
		conn->is_resuming = true;
		TAILQ_INSERT_TAIL(&server->resuming, conn, resume_entry);
		loop_timer_set(server->resume, 0);
	}
}

void
relay_hold(struct request *req, bool is_held)
{
	if (req->is_held == is_held)
		return;
	req->is_held = is_held;
	if (!is_held)
		go_on(req);
	set_deadline(req->conn);
	if (!is_held)
		resume_later(req->conn);
}

/* ---- the reply ---- */

static void
add_field(struct buf *out, const char *name, const char *value)
{
	buf_adds(out, name);
	buf_add(out, ": ", 2);
	buf_adds(out, value);
	buf_add(out, "\r\n", 2);
}

static void
send_gathered(struct http_server *server)
{
	struct request *req = server->gathers;

	server->gathers = NULL;
	if (req == NULL)
		return;
	if (server->gathered.length > 0)
		conn_send(req->conn, server->gathered.data, server->gathered.length);
	if (relay_unsent(req) > RELAY_HIGH)
		req->is_clogged = true;
}

/* For what this request writes; another's goes first. */
static struct buf *
gather(struct request *req)
{
	struct http_server *server = req->server;

	if (server->gathered.data == NULL)
		buf_init(&server->gathered, server, GATHER_BYTES);
	if (server->gathers == req)
		return &server->gathered;
	send_gathered(server);
	buf_reset(&server->gathered);
	server->gathers = req;
	return &server->gathered;
}

/* Replies to HEAD, and those that have none by their status, are all head. */
static bool
has_reply_body(const struct request *req)
{
	return strcmp(req->parser.method, "HEAD") != 0 && response_may_have_body(&req->res);
}

void
relay_head(struct request *req, int status, const struct http_field *fields, int64_t length)
{
	struct buf *out = gather(req);
	bool has_date = false;

	req->is_replying = true;
	req->res.status = status;
	if (req->server->is_draining || !relay_body_is_over(req) ||
	    (length < 0 && req->parser.minor == 0))
		req->keeps_alive = false;
	buf_add(out, "HTTP/1.1 ", 9);
	buf_addc(out, (char)('0' + status / 100));
	buf_addc(out, (char)('0' + status / 10 % 10));
	buf_addc(out, (char)('0' + status % 10));
	buf_addc(out, ' ');
	add_field(out, response_phrase(status), "");
	out->length -= 4; /* a phrase is no field */
	buf_add(out, "\r\n", 2);
	for (; fields->name != NULL; fields++) {
		add_field(out, fields->name, fields->value);
		has_date |= strcmp(fields->name, "date") == 0;
	}
	if (!has_date)
		add_field(out, "date", server_date(req->server));
	if (length >= 0 && response_may_have_body(&req->res))
		buf_addf(out, "content-length: %lld\r\n", (long long)length);
	req->is_reply_chunked = length < 0 && req->parser.minor == 1 && has_reply_body(req);
	if (req->is_reply_chunked)
		buf_adds(out, "transfer-encoding: chunked\r\n");
	if (!req->keeps_alive)
		buf_adds(out, "connection: close\r\n");
	else if (req->parser.minor == 0)
		buf_adds(out, "connection: keep-alive\r\n");
	buf_add(out, "\r\n", 2);
}

void
relay_flush(struct request *req)
{
	(void)gather(req);
	send_gathered(req->server);
}

void
relay_write(struct request *req, const void *data, size_t length)
{
	struct buf *out = gather(req);
	char line[32];
	int n;

	if (length == 0 || !has_reply_body(req))
		return;
	if (req->is_reply_chunked) {
		n = snprintf(line, sizeof(line), "%zx\r\n", length);
		buf_add(out, line, (size_t)n);
	}
	if (out->length > 0 && out->length + length > GATHER_MAX)
		relay_flush(req);
	if (length > GATHER_MAX / 2 && !req->is_reply_chunked) {
		relay_flush(req); /* what was gathered goes first */
		conn_send(req->conn, data, length);
	} else {
		buf_add(gather(req), data, length);
	}
	if (req->is_reply_chunked)
		buf_add(gather(req), "\r\n", 2);
	if (relay_unsent(req) > RELAY_HIGH)
		req->is_clogged = true;
}

size_t
relay_unsent(const struct request *req)
{
	return conn_unsent(req->conn);
}

/* Anything that follows the reply belongs to the connection's next request. */
static void
finish(struct request *req)
{
	struct http_conn *conn = req->conn;

	conn->server->relays--;
	drop_gathered(req);
	req->is_clogged = false; /* whoever wrote it is gone */
	exchange_answer(conn);
	resume_later(conn);
}

void
relay_end(struct request *req)
{
	struct buf *out = gather(req);

	if (req->is_reply_chunked)
		buf_add(out, "0\r\n\r\n", 5);
	relay_flush(req);
	finish(req);
}

struct response *
relay_response(struct request *req)
{
	return &req->res;
}

void
relay_reply(struct request *req)
{
	if (!relay_body_is_over(req))
		req->keeps_alive = false;
	finish(req);
}

void
relay_refuse(struct request *req, const struct error *err)
{
	response_error(&req->res, err);
	relay_reply(req);
}

void
relay_abort(struct request *req)
{
	req->res.is_broken = true;
	finish(req);
}
