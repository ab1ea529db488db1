/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_h2 -- a link that speaks HTTP/2: one session (nghttp2's) with a stream a call;
 * what a stream does is upstream_stream's.
 *
 * Nothing is written within a call from outside, nor is the link closed: both are the loop's, a
 * moment later, so that what many calls have to say leaves in one write. Header fields are not
 * put into the compression table: calls of many connections share it, and would learn from its
 * size what the others sent.
 */
#include "http/upstream_internal.h"

#include "base/clock.h"
#include "base/crypto.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION_WINDOW (16 * 1024 * 1024) /* of all streams, each has its own */
#define SEND_HEAD_MAX (256 * 1024)	     /* as long as anybody's may be, and more */

/* ---- memory: credentials are in what nghttp2 holds, so it is wiped ---- */

static void *
take(size_t size, void *arg)
{
	(void)arg;
	return malloc(size);
}

static void
give_back(void *memory, void *arg)
{
	(void)arg;
	if (memory != NULL)
		crypto_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

static void *
take_zeroed(size_t count, size_t size, void *arg)
{
	(void)arg;
	return calloc(count, size);
}

static void *
take_more(void *memory, size_t size, void *arg)
{
	size_t before = memory == NULL ? 0 : malloc_usable_size(memory);
	void *more = malloc(size);

	if (more != NULL && memory != NULL) {
		memcpy(more, memory, before < size ? before : size);
		give_back(memory, arg);
	}
	return more;
}

/* ---- beginning and end ---- */

static nghttp2_session_callbacks *
make_callbacks(void)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		abort();
	frames_set_callbacks(callbacks);
	return callbacks;
}

static nghttp2_option *
make_options(void)
{
	nghttp2_option *options;

	if (nghttp2_option_new(&options) != 0)
		abort();
	nghttp2_option_set_no_auto_window_update(options, 1);
	/* Spaces around a value are left out here, as in HTTP/1.1. */
	nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1);
	nghttp2_option_set_max_deflate_dynamic_table_size(options, 0);
	nghttp2_option_set_max_send_header_block_length(options, SEND_HEAD_MAX);
	nghttp2_option_set_peer_max_concurrent_streams(options, UPSTREAM_STREAMS_MAX);
	return options;
}

static void
introduce(nghttp2_session *session)
{
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, UPSTREAM_WINDOW},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_BYTES_MAX}};
	size_t count = sizeof(settings) / sizeof(settings[0]);

	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, count) != 0 ||
	    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
						  CONNECTION_WINDOW) != 0)
		abort();
}

void
h2_begin(struct link *link)
{
	nghttp2_session_callbacks *callbacks = make_callbacks();
	nghttp2_option *options = make_options();
	nghttp2_mem memory = {NULL, take, give_back, take_zeroed, take_more};
	struct h2 *h2 = calloc(1, sizeof(*h2));

	if (h2 == NULL ||
	    nghttp2_session_client_new3(&h2->session, callbacks, h2, options, &memory) != 0)
		abort();
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
	h2->link = link;
	h2->received_ms = clock_monotonic_ms();
	TAILQ_INIT(&h2->touched);
	introduce(h2->session);
	link->h2 = h2;
	link_sort(link);
	h2_schedule(link);
}

void
h2_free(struct h2 *h2)
{
	if (h2 == NULL)
		return;
	nghttp2_session_del(h2->session);
	free(h2);
}

size_t
h2_streams_max(const struct h2 *h2)
{
	uint32_t theirs = nghttp2_session_get_remote_settings(
	    h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return theirs < UPSTREAM_STREAMS_MAX ? theirs : UPSTREAM_STREAMS_MAX;
}

void
h2_schedule(struct link *link)
{
	event_active(link->writable, EV_WRITE, 0);
}

void
h2_left(struct link *link)
{
	link_sort(link);
	h2_schedule(link);
}

/* It does not answer: what may be sent again goes elsewhere, once (a server that is too busy to
 * answer a PING has enough to do), the rest waits for its time-out. */
static void
give_up(struct link *link)
{
	struct upstream_call *call, *next;

	link->is_closing = true;
	link_sort(link);
	for (call = TAILQ_FIRST(&link->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, link_entry);
		if (call->is_out_whole && call->may_repeat && !call->has_begun &&
		    call->repeats == 0)
			(void)call_try_again(call);
	}
}

void
h2_check(struct link *link, int64_t now_ms)
{
	struct h2 *h2 = link->h2;

	if (link->is_closing || now_ms - h2->received_ms < UPSTREAM_PING_MS)
		return;
	if (h2->asked_ms == 0) {
		h2->asked_ms = now_ms;
		nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
		h2_schedule(link);
	} else if (now_ms - h2->asked_ms >= UPSTREAM_PING_MS) {
		give_up(link);
	}
}

/* ---- bytes ---- */

/* The link may be gone afterwards: it is over, or has nothing to do. */
static void
settle(struct link *link)
{
	struct h2 *h2 = link->h2;
	struct error err;

	link_sort(link);
	if (!nghttp2_session_want_read(h2->session) &&
	    !nghttp2_session_want_write(h2->session) && link_unsent(link) == 0) {
		error_set(&err, ERR_NETWORK, "%s breaks the rules of HTTP/2: %s",
			  link->origin->place->host,
			  h2->why[0] == '\0' ? "its frames are wrong" : h2->why);
		link_lost(link, &err);
	} else if (TAILQ_EMPTY(&link->calls)) {
		if (link->is_closing)
			link_close(link);
		else if (!link->is_idle)
			link_rest(link);
	}
}

/* What is to be sent, many frames at a time, until the socket is full. */
static int
send_frames(struct link *link)
{
	char *frames = link->upstream->frames;
	const uint8_t *piece;
	size_t used = 0, most = 0;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(link->h2->session, &piece)) > 0) {
		if (used + (size_t)n > UPSTREAM_FRAMES_BYTES) {
			link_send(link, frames, used);
			used = 0;
		}
		if ((size_t)n > UPSTREAM_FRAMES_BYTES) {
			link_send(link, piece, (size_t)n);
		} else {
			memcpy(frames + used, piece, (size_t)n);
			used += (size_t)n;
			most = used > most ? used : most;
		}
		if (link_unsent(link) > 0)
			break;
	}
	link_send(link, frames, used);
	crypto_wipe(frames, most);
	return n < 0 ? (int)n : 0;
}

static void
lose(struct link *link, int code)
{
	struct error err;

	error_set(&err, ERR_NETWORK, "%s breaks the rules of HTTP/2: %s",
		  link->origin->place->host, nghttp2_strerror(code));
	link_lost(link, &err);
}

void
h2_flush(struct link *link)
{
	int code = 0;

	link_write(link);
	if (link_unsent(link) == 0)
		code = send_frames(link);
	stream_tell(link->h2);
	if (code < 0)
		lose(link, code);
	else
		settle(link);
}

/* The connection is over, and its calls with it: some begin anew on another. */
static void
end(struct link *link)
{
	struct upstream_call *call;

	link->is_closing = true;
	link_sort(link);
	while ((call = TAILQ_FIRST(&link->calls)) != NULL)
		call_cut(call);
	link_close(link);
}

/* 1: there may be more; 0: not now; -1: the connection is over. */
static int
read_once(struct link *link, int *code)
{
	struct h2 *h2 = link->h2;
	size_t length;

	if (link_receive(link, &length) < 0)
		return -1;
	if (length == 0)
		return 0;
	h2->received_ms = clock_monotonic_ms();
	h2->asked_ms = 0;
	*code = (int)nghttp2_session_mem_recv(h2->session,
					      (const uint8_t *)link->upstream->scratch, length);
	return SSL_has_pending(link->ssl); /* a socket wakes us */
}

void
h2_read(struct link *link)
{
	int code = 0, result = 1;

	for (int i = 0; i < UPSTREAM_READS_A_TURN && result > 0 && code >= 0; i++)
		result = read_once(link, &code);
	stream_tell(link->h2);
	if (code < 0) {
		lose(link, code);
	} else if (result < 0) {
		end(link);
	} else {
		if (result > 0) /* what TLS holds already wakes nobody */
			event_active(link->readable, EV_READ, 1);
		h2_flush(link);
	}
}
