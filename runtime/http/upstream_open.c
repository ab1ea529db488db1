/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_open -- how a connection to a provider comes about:
 *
 *   RESOLVING -> CONNECTING (one address after the other) -> TUNNELING (the company's proxy)
 *   -> SHAKING (TLS) -> READY
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

/* It was thought to take them all, and takes one. */
static void
send_others_back(struct link *link)
{
	struct upstream_call *first = TAILQ_FIRST(&link->calls), *next;

	while ((next = TAILQ_NEXT(first, link_entry)) != NULL)
		call_repeat(next);
}

/* Those that waited. A call's event may end any of them, and add others behind. */
static void
tell_calls(struct link *link)
{
	struct upstream_call *call;

	for (size_t n = link->calls_count; n > 0 && !TAILQ_EMPTY(&link->calls); n--) {
		call = TAILQ_FIRST(&link->calls);
		TAILQ_REMOVE(&link->calls, call, link_entry);
		TAILQ_INSERT_TAIL(&link->calls, call, link_entry);
		if (!call->is_out_sent)
			call_link_ready(call);
	}
}

static void
become_ready(struct link *link)
{
	struct origin *origin = link->origin;

	link->state = LINK_READY;
	free(link->addresses);
	link->addresses = NULL;
	event_del(link->writable);
	event_add(link->readable, NULL);
	link_wake(link);
	if (origin->opening == link)
		origin->opening = NULL;
	origin->speaks_h2 = link->ssl != NULL && tls_speaks_h2(link);
	if (origin->speaks_h2) {
		h2_begin(link);
		tell_calls(link);
	} else {
		send_others_back(link);
		call_link_ready(TAILQ_FIRST(&link->calls));
	}
}

static void
shake(struct link *link)
{
	struct error err;

	switch (tls_shake(link, &err)) {
	case TLS_DONE:
		become_ready(link);
		return;
	case TLS_WANTS_READ:
		event_del(link->writable);
		event_add(link->readable, NULL);
		return;
	case TLS_WANTS_WRITE:
		link_want_write(link);
		return;
	default:
		link_lost(link, &err);
	}
}

static void
begin_shaking(struct link *link)
{
	struct error err;

	link->state = LINK_SHAKING;
	if (tls_begin(link, &err) < 0)
		link_lost(link, &err);
	else
		shake(link);
}

static void
lose_tunnel(struct link *link, const char *why)
{
	struct error err;

	error_set(&err, ERR_NETWORK, "the proxy does not connect to %s: %s",
		  link->origin->place->host, why);
	link_lost(link, &err);
}

/* What the company's proxy answers. Nothing may come behind it: TLS has not begun. */
static void
read_tunnel(struct link *link)
{
	struct http_parser *p = link->tunnel;
	struct http_event event;
	char status[32];
	size_t length, used = 0;

	if (link_receive(link, &length) < 0) {
		lose_tunnel(link, "it closed the connection");
		return;
	}
	while (used < length && !http_parser_is_done(p)) {
		used +=
		    http_parser_feed(p, link->upstream->scratch + used, length - used, &event);
		if (event.type == HTTP_EVENT_FAULT) {
			lose_tunnel(link, p->error.message);
			return;
		}
	}
	if (!http_parser_is_done(p))
		return;
	snprintf(status, sizeof(status), "it answered %d", p->status);
	if (p->status / 100 != 2 || used < length)
		lose_tunnel(link, status);
	else
		begin_shaking(link);
}

static void
begin_tunnel(struct link *link)
{
	struct buf out;

	link->state = LINK_TUNNELING;
	link->tunnel = talloc(NULL, struct http_parser);
	if (link->tunnel == NULL)
		abort();
	http_parser_init_answer(link->tunnel, link->tunnel, true);
	buf_init(&out, link->tunnel, 256);
	via_ask(link, &out);
	event_del(link->writable);
	event_add(link->readable, NULL);
	link_send(link, out.data, out.length);
}

static void
connected(struct link *link)
{
	if (!link->origin->place->is_tls)
		become_ready(link);
	else if (link->origin->via != NULL)
		begin_tunnel(link);
	else
		begin_shaking(link);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	if (link->state == LINK_TUNNELING)
		read_tunnel(link);
	else if (link->state == LINK_SHAKING)
		shake(link);
	else if (link->h2 != NULL)
		h2_read(link);
	else if (TAILQ_EMPTY(&link->calls))
		link_read_idle(link);
	else
		link_read_answer(link);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	socklen_t size = sizeof(int);
	int error = 0;

	(void)what;
	if (link->state == LINK_SHAKING) {
		shake(link);
	} else if (link->h2 != NULL) {
		h2_flush(link);
	} else if (link->state == LINK_READY || link->state == LINK_TUNNELING) {
		link_flush(link);
	} else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
		errno = error;
		link_connect_next(link);
	} else {
		connected(link);
	}
}

static int
open_socket(struct link *link, const struct sockaddr *address)
{
	struct event_base *base = loop_base(link->upstream->config.loop);
	socklen_t length = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							  : sizeof(struct sockaddr_in);
	int one = 1;

	link->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->fd < 0)
		return -1;
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	link->readable = event_new(base, link->fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable = event_new(base, link->fd, EV_WRITE, on_writable, link);
	if (link->readable == NULL || link->writable == NULL)
		abort();
	if (connect(link->fd, address, length) < 0 && errno != EINPROGRESS)
		return -1;
	link_want_write(link);
	return 0;
}

/* The next address that may be connected to; errno is that of the one before. */
void
link_connect_next(struct link *link)
{
	const char *host = link->origin->place->host;
	struct error err;
	int why = errno;

	link_close_socket(link);
	while (link->next_address < link->addresses->count) {
		const struct sockaddr *address =
		    (const void *)&link->addresses->addresses[link->next_address++];

		/* A proxy is the operator's own. */
		if (link->origin->via == NULL &&
		    !address_may_connect(link->upstream->rules, address, link->why))
			continue;
		link->why[0] = '\0';
		link->address_ms = clock_monotonic_ms() + UPSTREAM_ADDRESS_MS;
		if (open_socket(link, address) == 0)
			return;
		why = errno;
		link_close_socket(link);
	}
	if (link->why[0] != '\0' && why == 0)
		error_set(&err, ERR_EGRESS,
			  "%s is not reached: %s. NANGO_EGRESS_ALLOW opens ranges", host,
			  link->why);
	else
		error_set(&err, ERR_NETWORK, "cannot connect to %s: %s", host, strerror(why));
	link_lost(link, &err);
}

static void
resolved(void *arg, const struct resolver_list *list)
{
	struct link *link = arg;

	link->ask = NULL;
	if (list->count == 0) {
		link_lost(link, &list->err);
		return;
	}
	link->addresses = malloc(sizeof(*link->addresses));
	if (link->addresses == NULL)
		abort();
	*link->addresses = *list;
	link->state = LINK_CONNECTING;
	errno = 0;
	link_connect_next(link);
}

void
link_begin(struct link *link)
{
	const struct upstream_place *place = link->origin->place;
	const struct via *via = link->origin->via;
	struct resolver_list list = {0};

	link->ask =
	    resolver_find(link->upstream->resolver, via != NULL ? via->host : place->host,
			  via != NULL ? via->port : place->port, &list, resolved, link);
	if (link->ask == NULL)
		resolved(link, &list);
}
