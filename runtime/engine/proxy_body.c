/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_body -- the request's body: kept, so that it can be sent again, or sent on as it
 * comes. What is kept is in memory once; the connection to the provider takes it in pieces.
 */
#include "engine/proxy_internal.h"

#define PIECE_BYTES (64 * 1024) /* of a kept body, at a time */

static size_t
keep_max(const struct proxy *proxy)
{
	return proxy->options.retries > 0 || proxy_needs_whole_body(proxy) ? PROXY_WHOLE_BYTES
									   : PROXY_KEEP_BYTES;
}

static void
body_is_whole(struct proxy *proxy)
{
	proxy->is_body_whole = true;
	proxy_send(proxy);
}

/* Too long to be kept: it is sent on as it comes, once. */
static void
body_is_long(struct proxy *proxy)
{
	struct error err;

	if (proxy_needs_whole_body(proxy)) {
		error_set(
		    &err, ERR_TOO_LARGE,
		    "the body is over %d bytes: a request that is signed, or that something "
		    "is put into, is held in memory first",
		    PROXY_WHOLE_BYTES);
		proxy_refuse(proxy, &err);
		return;
	}
	proxy_send(proxy);
}

void
proxy_body_gather(struct proxy *proxy)
{
	struct request *req = proxy->req;

	proxy->state = PROXY_GATHERING;
	buf_init(&proxy->body, proxy, 1);
	if (!relay_has_body(req)) {
		body_is_whole(proxy);
		return;
	}
	if (relay_body_length(req) > (int64_t)keep_max(proxy)) {
		body_is_long(proxy);
		return;
	}
	relay_hold(req, false);
}

/* ---- sending ---- */

void
proxy_body_is_done(struct proxy *proxy)
{
	relay_forget(proxy->req, &proxy->body);
	buf_init(&proxy->body, proxy, 1);
	proxy->body_sent = 0;
}

static void
stream_on(struct proxy *proxy)
{
	proxy->is_streaming = true;
	proxy_body_is_done(proxy);
	if (relay_body_is_over(proxy->req))
		upstream_finish(proxy->call);
	else
		relay_hold(proxy->req, upstream_unsent(proxy->call) > UPSTREAM_HIGH);
}

/* What is kept, as far as there is room for it; then the rest goes straight on. */
static void
send_kept(struct proxy *proxy)
{
	const struct buf *body = &proxy->body;

	while (proxy->body_sent < body->length &&
	       upstream_unsent(proxy->call) <= UPSTREAM_HIGH) {
		size_t left = body->length - proxy->body_sent;
		size_t n = left < PIECE_BYTES ? left : PIECE_BYTES;

		upstream_write(proxy->call, body->data + proxy->body_sent, n);
		proxy->body_sent += n;
	}
	if (proxy->body_sent < body->length)
		return; /* until there is room again */
	if (!proxy->is_body_whole) {
		stream_on(proxy);
		return;
	}
	upstream_finish(proxy->call);
	if (proxy->state == PROXY_RELAYING)
		proxy_body_is_done(proxy);
}

void
proxy_body_go_on(struct proxy *proxy)
{
	if (proxy->state == PROXY_DROPPING) /* what follows may have another body, or none */
		return;
	if (proxy->is_streaming)
		relay_hold(proxy->req, false);
	else
		send_kept(proxy);
}

/* ---- arriving ---- */

void
proxy_data(struct request *req, const char *data, size_t length)
{
	struct proxy *proxy = relay_arg(req);
	struct error err;

	if (proxy->is_streaming) {
		if (proxy->call == NULL) /* it was answered before its end: nobody reads it */
			return;
		upstream_write(proxy->call, data, length);
		if (upstream_unsent(proxy->call) > UPSTREAM_HIGH)
			relay_hold(req, true);
		return;
	}
	if (relay_keep(req, &proxy->body, data, length, &err) < 0) {
		proxy_refuse(proxy, &err);
		return;
	}
	if (proxy->body.length > keep_max(proxy)) {
		relay_hold(req, true);
		body_is_long(proxy);
	}
}

void
proxy_end(struct request *req)
{
	struct proxy *proxy = relay_arg(req);

	if (!proxy->is_streaming)
		body_is_whole(proxy);
	else if (proxy->call != NULL)
		upstream_finish(proxy->call);
}
