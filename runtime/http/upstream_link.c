/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_link -- one connection to a provider: whose it is, from its beginning to its
 * end. How it is opened is upstream_open's, its bytes are upstream_bytes's, what HTTP/2 makes
 * of it is upstream_h2's.
 */
#include "http/upstream_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
	TAILQ_REMOVE(&link->upstream->all, link, all_entry);
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

/* One of HTTP/2 that has calls is read all the time. */
static bool
is_dead(struct link *link)
{
	if (link->h2 == NULL)
		return !link_is_quiet(link);
	if (!link->is_idle)
		return false;
	if (tls_is_over(link))
		return true;
	link_wake(link);
	return false;
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
	TAILQ_INSERT_TAIL(&origin->upstream->all, link, all_entry);
	origin->links++;
	origin->upstream->links++;
	if (origin->speaks_h2 && !origin->wants_old)
		origin->opening = link;
	link->is_new = true;
	TAILQ_INSERT_TAIL(&origin->upstream->fresh, link, old_entry);
	loop_timer_set(origin->upstream->kick, 0);
}
