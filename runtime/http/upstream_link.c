/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_link -- one connection to a provider: its calls, bytes out and in, and its
 * end; how it comes about is upstream_open's, what HTTP/2 makes of it upstream_h2's.
 *
 * The read event stays registered while a link is idle: that is how its end is noticed before a
 * request is sent into it. Sending is tried at once; only what the socket did not take is kept.
 */
#include "http/upstream_internal.h"

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

size_t
link_unsent(const struct link *link)
{
	return evbuffer_get_length(link->output);
}

/* ---- the end ---- */

static void
drop(struct upstream_call *call)
{
	struct link *link = call->link;

	if (call->stream != NULL)
		stream_leave(call);
	TAILQ_REMOVE(&link->calls, call, link_entry);
	link->calls_count--;
	call->link = NULL;
}

void
link_close_socket(struct link *link)
{
	if (link->readable != NULL)
		event_free(link->readable);
	if (link->writable != NULL)
		event_free(link->writable);
	link->readable = link->writable = NULL;
	if (link->ssl != NULL) {
		SSL_set_quiet_shutdown(link->ssl, 1);
		SSL_shutdown(link->ssl); /* else its session would count as a bad one */
		SSL_free(link->ssl);
	}
	link->ssl = NULL;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

static void
unlist(struct link *link)
{
	if (link->is_free)
		TAILQ_REMOVE(&link->origin->free, link, entry);
	if (link->is_idle)
		TAILQ_REMOVE(&link->upstream->idle, link, old_entry);
	if (link->is_new)
		TAILQ_REMOVE(&link->upstream->fresh, link, old_entry);
	if (link->origin->opening == link)
		link->origin->opening = NULL;
	link->is_free = link->is_idle = link->is_new = false;
}

void
link_close(struct link *link)
{
	unlist(link);
	resolver_cancel(link->ask);
	h2_free(link->h2);
	link_close_socket(link);
	evbuffer_free(link->output);
	free(link->addresses);
	talloc_free(link->tunnel);
	link->origin->links--;
	link->upstream->links--;
	free(link);
}

/* Each call may do anything as it hears of it; it has another link by then, or none. */
void
link_lost(struct link *link, const struct error *err)
{
	const struct error why = *err;
	struct upstream_call *call;

	link->is_closing = true;
	unlist(link);
	while ((call = TAILQ_FIRST(&link->calls)) != NULL) {
		drop(call);
		call_link_lost(call, &why);
	}
	link_close(link);
}

/* ---- its calls ---- */

static bool
has_room(const struct link *link)
{
	if (link->state != LINK_READY || link->is_closing)
		return false;
	return link->calls_count < (link->h2 == NULL ? 1 : h2_streams_max(link->h2));
}

void
link_sort(struct link *link)
{
	bool is_free = has_room(link);

	if (is_free && !link->is_free)
		TAILQ_INSERT_HEAD(&link->origin->free, link, entry);
	else if (!is_free && link->is_free)
		TAILQ_REMOVE(&link->origin->free, link, entry);
	link->is_free = is_free;
}

static void
take(struct link *link, struct upstream_call *call)
{
	TAILQ_INSERT_TAIL(&link->calls, call, link_entry);
	link->calls_count++;
	call->link = link;
	if (link->is_idle)
		TAILQ_REMOVE(&link->upstream->idle, link, old_entry);
	link->is_idle = false;
	link_sort(link);
}

/* ---- bytes ---- */

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

/* Is nothing there that the next answer could be mistaken for? */
static bool
is_quiet(struct link *link)
{
	char byte;

	if (link->ssl != NULL)
		return tls_is_quiet(link);
	return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* One of HTTP/2 that has calls is read all the time. */
static bool
is_dead(struct link *link)
{
	if (link->h2 == NULL)
		return !is_quiet(link);
	return link->is_idle && tls_is_over(link);
}

bool
link_give(struct link *link, struct upstream_call *call)
{
	if (is_dead(link)) {
		link_close(link);
		return false;
	}
	take(link, call);
	call->is_on_kept = true;
	return true;
}

bool
link_wait(struct upstream_call *call)
{
	struct link *link = call->origin->opening;
	size_t said = call->origin->streams_max;

	if (link == NULL || link->calls_count >= (said > 0 ? said : UPSTREAM_STREAMS_MAX))
		return false;
	take(link, call);
	call->is_on_kept = false;
	return true;
}

void
link_rest(struct link *link)
{
	link->deadline_ms = clock_monotonic_ms() + link->upstream->config.idle_ms;
	link->is_idle = true;
	TAILQ_INSERT_TAIL(&link->upstream->idle, link, old_entry);
	link_sort(link);
	if (link->h2 == NULL && link->ssl != NULL && SSL_has_pending(link->ssl))
		link_close(link); /* it would wake nobody */
}

void
link_leave(struct upstream_call *call, bool is_good)
{
	struct link *link = call->link;

	if (link == NULL)
		return;
	drop(call);
	if (link->h2 != NULL) {
		h2_left(link);
	} else if (is_good) {
		if (call->is_held)
			link_hold(link, false);
		link_rest(link);
	} else if (TAILQ_EMPTY(&link->calls)) { /* others may wait for it to be opened */
		link_close(link);
	}
}

void
link_check(struct link *link, int64_t now_ms)
{
	struct error err;

	if (now_ms >= link->deadline_ms) {
		error_set(&err, ERR_GATEWAY_TIMEOUT, "%s: no connection in %d s",
			  link->origin->place->host,
			  (int)(link->upstream->config.connect_ms / 1000));
		link_lost(link, &err);
	} else if (link->state == LINK_CONNECTING && now_ms >= link->address_ms &&
		   link->next_address < link->addresses->count) {
		errno = ETIMEDOUT;
		link_connect_next(link);
	}
}

void
link_open(struct origin *origin, struct upstream_call *call)
{
	struct link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		abort();
	link->upstream = origin->upstream;
	link->origin = origin;
	TAILQ_INIT(&link->calls);
	link->fd = -1;
	link->output = evbuffer_new();
	if (link->output == NULL)
		abort();
	take(link, call);
	call->is_on_kept = false;
	link->deadline_ms = clock_monotonic_ms() + link->upstream->config.connect_ms;
	link->address_ms = INT64_MAX;
	origin->links++;
	origin->upstream->links++;
	if (origin->speaks_h2 && !origin->wants_old)
		origin->opening = link;
	link->is_new = true;
	TAILQ_INSERT_TAIL(&origin->upstream->fresh, link, old_entry);
	loop_timer_set(origin->upstream->kick, 0);
}
