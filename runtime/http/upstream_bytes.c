/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_bytes -- what goes out of a link and comes in.
 *
 * The read event stays registered while a link is idle: that is how its end is noticed before a
 * request is sent into it. Sending is tried at once; only what the socket did not take is kept.
 */
#include "http/upstream_internal.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <sys/socket.h>

size_t
link_unsent(const struct link *link)
{
	return evbuffer_get_length(link->output);
}

void
link_want_write(struct link *link)
{
	event_add(link->writable, NULL);
}

/* How much of the bytes went out; -1: the link is of no use any more. */
static ssize_t
send_some(struct link *link, const void *data, size_t length)
{
	size_t written;
	ssize_t n;

	if (link->ssl == NULL) {
		n = send(link->fd, data, length, MSG_NOSIGNAL);
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
	}
	switch (tls_write(link, data, length, &written)) {
	case TLS_DONE:
		return (ssize_t)written;
	case TLS_WANTS_READ:
	case TLS_WANTS_WRITE:
		return 0;
	default:
		return -1;
	}
}

/* A write that fails is heard of by reading: the answer may have come before the end. */
void
link_write(struct link *link)
{
	struct evbuffer_iovec piece;
	ssize_t n;

	while (link_unsent(link) > 0 && evbuffer_peek(link->output, -1, NULL, &piece, 1) > 0) {
		n = send_some(link, piece.iov_base, piece.iov_len);
		if (n == 0) {
			link_want_write(link);
			break;
		}
		if (n < 0) {
			evbuffer_drain(link->output, link_unsent(link));
			break;
		}
		evbuffer_drain(link->output, (size_t)n);
	}
}

void
link_flush(struct link *link)
{
	link_write(link);
	if (link->state == LINK_READY && !TAILQ_EMPTY(&link->calls))
		call_sent(TAILQ_FIRST(&link->calls));
}

void
link_send(struct link *link, const void *data, size_t length)
{
	const char *from = data;
	ssize_t n;

	while (length > 0 && link_unsent(link) == 0) {
		n = send_some(link, from, length);
		if (n < 0)
			return; /* see flush */
		if (n == 0)
			break;
		from += n;
		length -= (size_t)n;
	}
	if (length == 0)
		return;
	evbuffer_add(link->output, from, length);
	link_want_write(link);
}

/* What came: 0, or -1 at the end of the connection. */
int
link_receive(struct link *link, size_t *length)
{
	char *scratch = link->upstream->scratch;
	ssize_t n;

	*length = 0;
	if (link->ssl != NULL) {
		enum tls_result result = tls_read(link, scratch, UPSTREAM_READ_BYTES, length);

		if (result == TLS_WANTS_WRITE)
			link_want_write(link);
		link->is_cut = result == TLS_FAILED;
		return result == TLS_EOF || result == TLS_FAILED ? -1 : 0;
	}
	n = recv(link->fd, scratch, UPSTREAM_READ_BYTES, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	link->is_cut = n < 0;
	if (n <= 0)
		return -1;
	*length = (size_t)n;
	return 0;
}

/* Bytes of an idle connection are no answer to anything. */
void
link_read_idle(struct link *link)
{
	size_t length;

	if (link_receive(link, &length) < 0 || length > 0)
		link_close(link);
}

/* 1: there may be more; 0: not now; -1: the call is over, or the connection. */
static int
read_once(struct link *link)
{
	struct upstream_call *call = TAILQ_FIRST(&link->calls);
	size_t length;

	if (link_receive(link, &length) < 0) {
		call_eof(call);
		return -1;
	}
	if (length == 0)
		return 0;
	if (!call_received(call, link->upstream->scratch, length))
		return -1;
	return link->ssl != NULL; /* records are 16 KiB at most; a socket is asked again */
}

void
link_read_answer(struct link *link)
{
	struct upstream_call *call = TAILQ_FIRST(&link->calls);
	int result = 1;

	for (int i = 0; i < UPSTREAM_READS_A_TURN && result > 0; i++)
		result = read_once(link);
	if (result < 0)
		return;
	if (result > 0 && link->ssl != NULL) /* what TLS holds already wakes nobody */
		event_active(link->readable, EV_READ, 1);
	call_turn(call);
}

void
link_hold(struct link *link, bool is_held)
{
	if (link->state != LINK_READY || link->h2 != NULL)
		return;
	if (is_held) {
		event_del(link->readable);
		return;
	}
	event_add(link->readable, NULL);
	if (link->ssl != NULL)
		event_active(link->readable, EV_READ, 1);
}

void
link_wake(struct link *link)
{
	if (link->ssl != NULL && SSL_has_pending(link->ssl))
		event_active(link->readable, EV_READ, 1);
}

bool
link_is_quiet(struct link *link)
{
	char byte;

	if (link->ssl != NULL)
		return tls_is_quiet(link);
	return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}
