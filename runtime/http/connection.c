/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/connection -- one client's socket: reads into the server's scratch bytes, writes at once
 * and keeps only what the socket did not take.
 *
 * A connection is closed in two places only: when its socket is found readable (or dead) and by
 * the sweep; code in between marks it, so nobody holds a pointer to a closed one. The end is a
 * lingering one: after the last reply we say FIN and drop what still arrives, because closing
 * with unread bytes would send a reset that destroys the reply in the client's hands.
 */
#include "http/internal.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The door of every change of state. */
void
conn_enter(struct http_conn *conn, enum conn_state state, int64_t timeout_ms)
{
	conn->state = state;
	conn->deadline_ms = timeout_ms > 0 ? clock_monotonic_ms() + timeout_ms : 0;
}

size_t
conn_unsent(const struct http_conn *conn)
{
	return evbuffer_get_length(conn->output);
}

static void
conn_forget_request(struct http_conn *conn)
{
	struct request *req = conn->req;

	if (req != NULL && conn->state == CONN_RELAY) {
		relay_gone(conn);
		return;
	}
	conn->req = NULL;
	if (req == NULL)
		return;
	req->conn = NULL;
	if (conn->state != CONN_BUSY)
		request_free(req);
	else if (req->res.stream != NULL)
		stream_abandon(req->res.stream);
}

void
conn_close(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	conn_forget_request(conn);
	TAILQ_REMOVE(&server->conns, conn, entry);
	if (conn->is_resuming)
		TAILQ_REMOVE(&server->resuming, conn, resume_entry);
	server->conns_count--;
	event_free(conn->readable);
	event_free(conn->writable);
	if (conn->hangup != NULL)
		event_free(conn->hangup);
	evbuffer_free(conn->input);
	evbuffer_free(conn->output);
	close(conn->fd);
	free(conn);
}

/* The socket is of no use any more; the next turn of the loop closes the connection. */
static void
conn_die(struct http_conn *conn)
{
	conn->is_dead = true;
	evbuffer_drain(conn->output, evbuffer_get_length(conn->output));
	event_active(conn->readable, EV_READ, 1);
}

void
conn_abort(struct http_conn *conn)
{
	struct linger at_once = {1, 0};

	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn->req->keeps_alive = false;
	conn_die(conn);
}

static void
conn_shut(struct http_conn *conn)
{
	if (conn->is_shut || conn->is_dead) /* a FIN before a reset would hide it */
		return;
	conn->is_shut = true;
	conn->deadline_ms = clock_monotonic_ms() + conn->server->limits.linger_ms;
	shutdown(conn->fd, SHUT_WR);
	if (conn->has_eof)
		conn_die(conn);
}

/* What follows each time that bytes went out. */
static void
conn_progress(struct http_conn *conn)
{
	conn->progress_ms = clock_monotonic_ms();
	if (conn->req != NULL && conn->req->res.stream != NULL)
		stream_sent(conn->req->res.stream, conn_unsent(conn));
	if (conn->state == CONN_RELAY)
		relay_progress(conn);
	if (conn_unsent(conn) == 0 && conn->state == CONN_LINGER)
		conn_shut(conn);
}

void
conn_flush(struct http_conn *conn)
{
	if (conn->is_dead)
		return;
	while (conn_unsent(conn) > 0) {
		int n = evbuffer_write(conn->output, conn->fd);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			event_add(conn->writable, NULL);
			return;
		}
		if (n <= 0) {
			conn_die(conn);
			return;
		}
		conn_progress(conn);
	}
}

void
conn_send(struct http_conn *conn, const void *data, size_t length)
{
	ssize_t n = 0;

	if (conn->is_dead)
		return;
	if (conn_unsent(conn) == 0)
		n = send(conn->fd, data, length, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_die(conn);
		return;
	}
	if (n < 0)
		n = 0;
	if ((size_t)n == length)
		return;
	conn->progress_ms = clock_monotonic_ms();
	evbuffer_add(conn->output, (const char *)data + n, length - (size_t)n);
	event_add(conn->writable, NULL);
}

void
conn_send_later(struct http_conn *conn, const void *data, size_t length,
		void (*done)(const void *data, size_t length, void *arg), void *arg)
{
	if (conn->is_dead || length == 0) {
		if (done != NULL)
			done(data, length, arg);
		return;
	}
	if (conn_unsent(conn) == 0)
		conn->progress_ms = clock_monotonic_ms();
	if (done == NULL)
		evbuffer_add(conn->output, data, length);
	else
		evbuffer_add_reference(conn->output, data, length, done, arg);
}

void
conn_linger(struct http_conn *conn)
{
	conn_enter(conn, CONN_LINGER, 0);
	evbuffer_drain(conn->input, evbuffer_get_length(conn->input));
	if (conn_unsent(conn) == 0)
		conn_shut(conn);
}

/* While nothing is read: the client went, and nobody waits for what is done for it. */
static void
on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->state == CONN_RELAY)
		conn_close(conn);
}

static void
conn_pause(struct http_conn *conn)
{
	conn->is_paused = true;
	event_del(conn->readable);
	if (conn->hangup == NULL)
		conn->hangup = event_new(loop_base(conn->server->config.loop), conn->fd,
					 EV_CLOSED, on_hangup, conn);
	if (conn->hangup != NULL)
		event_add(conn->hangup, NULL);
}

/* Keeps what came while a handler works, up to a limit; then the socket is left alone. */
static void
conn_keep(struct http_conn *conn, const char *data, size_t length)
{
	evbuffer_add(conn->input, data, length);
	if (evbuffer_get_length(conn->input) >= HTTP_READ_BYTES && !conn->is_paused)
		conn_pause(conn);
}

void
conn_resume(struct http_conn *conn)
{
	struct evbuffer *input = conn->input;
	size_t used = 1;

	while (used > 0 && evbuffer_get_length(input) > 0 && !conn->is_dead) {
		struct evbuffer_iovec piece;

		if (evbuffer_peek(input, -1, NULL, &piece, 1) < 1)
			break;
		used = exchange_feed(conn, piece.iov_base, piece.iov_len);
		evbuffer_drain(input, used);
	}
	if (conn->is_paused && evbuffer_get_length(input) < HTTP_READ_BYTES && !conn->has_eof) {
		conn->is_paused = false;
		if (conn->hangup != NULL)
			event_del(conn->hangup);
		event_add(conn->readable, NULL);
	}
	if (conn->has_eof && evbuffer_get_length(input) == 0)
		exchange_eof(conn);
}

static void
conn_received(struct http_conn *conn, const char *data, size_t length)
{
	size_t used = 0;

	if (conn->state == CONN_LINGER)
		return;
	if (evbuffer_get_length(conn->input) == 0)
		used = exchange_feed(conn, data, length);
	if (used < length && conn->state != CONN_LINGER)
		conn_keep(conn, data + used, length - used);
}

/* What came behind a request that is being passed on matters to nobody any more. */
static bool
is_deserted(const struct http_conn *conn)
{
	return conn->state == CONN_RELAY && http_parser_is_done(&conn->req->parser);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;
	ssize_t n;

	(void)what;
	if (conn->is_dead) {
		conn_close(conn);
		return;
	}
	n = recv(fd, conn->server->scratch, sizeof(conn->server->scratch), 0);
	if (n > 0) {
		conn_received(conn, conn->server->scratch, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || conn->is_shut) {
		conn_close(conn);
		return;
	}
	conn->has_eof = true;
	event_del(conn->readable);
	if (evbuffer_get_length(conn->input) == 0 || is_deserted(conn))
		exchange_eof(conn);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	(void)what;
	conn_flush(conn);
	if (conn->state == CONN_IDLE && conn_unsent(conn) <= HTTP_PIPELINE_OUTPUT_MAX)
		conn_resume(conn);
}

void
conn_check(struct http_conn *conn, int64_t now_ms)
{
	bool is_late = conn->deadline_ms != 0 && now_ms >= conn->deadline_ms;

	if (conn_unsent(conn) > 0) {
		if (now_ms - conn->progress_ms > conn->server->limits.write_ms)
			conn_close(conn);
		return;
	}
	if (!is_late && !(conn->state == CONN_RELAY && relay_is_slow(conn, now_ms)))
		return;
	if (conn->state == CONN_HEAD || conn->state == CONN_BODY || conn->state == CONN_RELAY)
		exchange_timeout(conn);
	else
		conn_close(conn);
}

struct http_conn *
conn_new(struct http_server *server, int fd, const char *peer)
{
	struct event_base *base = loop_base(server->config.loop);
	struct http_conn *conn = calloc(1, sizeof(*conn));
	int one = 1;

	if (conn == NULL)
		abort();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn->server = server;
	conn->fd = fd;
	snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
	conn->input = evbuffer_new();
	conn->output = evbuffer_new();
	conn->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->writable = event_new(base, fd, EV_WRITE, on_writable, conn);
	if (conn->input == NULL || conn->output == NULL || conn->readable == NULL ||
	    conn->writable == NULL)
		abort();
	TAILQ_INSERT_TAIL(&server->conns, conn, entry);
	server->conns_count++;
	/* The first request has as long as its header may take; later ones may idle before. */
	conn_enter(conn, CONN_IDLE, server->limits.header_ms);
	event_add(conn->readable, NULL);
	return conn;
}
