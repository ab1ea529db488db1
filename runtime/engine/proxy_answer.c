/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_answer -- the provider's answer, passed on as it comes.
 */
#include "engine/proxy_internal.h"

#include "http/syntax.h"
#include "run/fetch_request.h"

#include <string.h>

/* ---- passing on ---- */

/* Of the connection, or of whom the browser that asks belongs to. */
static bool
stays_here(const char *name, const struct http_field *listing)
{
	static const char *const names[] = {
	    "connection", "keep-alive", "transfer-encoding", "content-length",
	    "te",	  "trailer",	"proxy-connection",  "upgrade"};
	static const char cors[] = "access-control-";

	return http_name_is_among(names, sizeof(names) / sizeof(names[0]), name) ||
	       strncmp(name, cors, sizeof(cors) - 1) == 0 ||
	       (listing != NULL && proxy_is_listed(listing, name));
}

/* Of what was packed once. NULL: it was not, or again and again. */
static const char *
coding_of(const struct http_field *fields)
{
	const char *found = NULL;

	for (; fields->name != NULL; fields++) {
		if (strcmp(fields->name, "content-encoding") != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = fields->value;
	}
	return found;
}

static void
begin_decoding(struct proxy *proxy, const struct upstream_answer *answer)
{
	const char *coding = coding_of(answer->fields);

	if ((proxy->options.decodes || proxy->target->target.decodes) && coding != NULL &&
	    answer->has_body && answer->status != 206)
		proxy->inflate = inflate_new(proxy, coding);
	buf_init(&proxy->packed, proxy, 1);
}

static bool
is_of_coding(const struct proxy *proxy, const char *name)
{
	return proxy->inflate != NULL && strcmp(name, "content-encoding") == 0;
}

static void
pass_head(struct proxy *proxy, const struct upstream_answer *answer)
{
	TALLOC_CTX *mem = talloc_new(proxy);
	struct http_field *fields =
	    fetch_visible(mem, &proxy->target->target, NULL, answer->fields);
	const struct http_field *listing =
	    fetch_field(answer->fields, "connection") == NULL ? NULL : answer->fields;
	int64_t length = answer->length;
	size_t n = 0;

	begin_decoding(proxy, answer);
	for (size_t i = 0; fields[i].name != NULL; i++)
		if (!stays_here(fields[i].name, listing) &&
		    !is_of_coding(proxy, fields[i].name))
			fields[n++] = fields[i];
	fields[n].name = NULL;
	if (proxy->inflate != NULL)
		length = -1;
	proxy->state = PROXY_RELAYING;
	if (proxy->is_body_whole &&
	    (proxy->body_sent == 0 || proxy->body_sent == proxy->body.length))
		proxy_body_is_done(proxy); /* all of it left */
	relay_head(proxy->req, answer->status, fields, length);
	talloc_free(mem);
}

static void
pass_data(void *arg, const char *data, size_t length)
{
	struct proxy *proxy = arg;

	if (proxy->listens)
		proxy_hear(proxy, data, length);
	relay_write(proxy->req, data, length);
}

#define UNPACK_BYTES 256 /* at a time: what comes out may be a thousand times as long */

/* As much as the client has room for; the rest waits. -1: it is damaged. */
static int
unpack(struct proxy *proxy)
{
	struct buf *packed = &proxy->packed;
	size_t at = 0;

	while (at < packed->length && relay_unsent(proxy->req) <= RELAY_HIGH) {
		size_t n =
		    packed->length - at < UNPACK_BYTES ? packed->length - at : UNPACK_BYTES;

		if (inflate_feed(proxy->inflate, packed->data + at, n, pass_data, proxy) < 0)
			return -1;
		at += n;
	}
	if (at > 0) {
		memmove(packed->data, packed->data + at, packed->length - at);
		packed->length -= at;
	}
	return 0;
}

/* The reply is half out: the client must not take it for a whole one. */
static void
break_off(struct proxy *proxy)
{
	struct request *req = proxy->req;

	proxy_free(proxy);
	relay_abort(req);
}

/* ---- the upstream's events ---- */

static void
on_head(void *arg, const struct upstream_answer *answer)
{
	struct proxy *proxy = arg;

	if (!proxy_again(proxy, answer))
		pass_head(proxy, answer);
}

static void
on_data(void *arg, const char *data, size_t length)
{
	struct proxy *proxy = arg;

	if (proxy->state == PROXY_DROPPING) {
		proxy_drop_data(proxy, data, length);
	} else if (proxy->inflate == NULL) {
		pass_data(proxy, data, length);
	} else {
		buf_add(&proxy->packed, data, length);
	}
}

static void
on_turn(void *arg)
{
	struct proxy *proxy = arg;

	if (proxy->state != PROXY_RELAYING)
		return;
	if (unpack(proxy) < 0) {
		break_off(proxy);
		return;
	}
	relay_flush(proxy->req);
	if (relay_unsent(proxy->req) > RELAY_HIGH)
		upstream_hold(proxy->call, true);
}

/* All of it was passed on. */
static void
finish(struct proxy *proxy)
{
	struct request *req = proxy->req;

	proxy_heard(proxy);
	if (proxy->inflate != NULL && !inflate_is_over(proxy->inflate)) {
		break_off(proxy); /* it was cut off before it was packed, or empty */
		return;
	}
	proxy_free(proxy);
	relay_end(req);
}

void
proxy_drained(struct request *req)
{
	struct proxy *proxy = relay_arg(req);

	if (unpack(proxy) < 0) {
		break_off(proxy);
		return;
	}
	relay_flush(req);
	if (relay_unsent(req) > RELAY_HIGH)
		return; /* until it is called again */
	if (proxy->is_ended)
		finish(proxy);
	else if (proxy->call != NULL)
		upstream_hold(proxy->call, false);
}

static void
on_end(void *arg)
{
	struct proxy *proxy = arg;

	proxy->call = NULL;
	if (proxy->state == PROXY_DROPPING) {
		proxy_leave_drop(proxy);
		return;
	}
	if (unpack(proxy) < 0) {
		break_off(proxy);
		return;
	}
	proxy->is_ended = true;
	if (proxy->packed.length == 0)
		finish(proxy);
	else
		relay_flush(proxy->req);
}

static void
on_drained(void *arg)
{
	proxy_body_go_on(arg);
}

static void
on_fail(void *arg, const struct error *err, bool was_sent)
{
	struct proxy *proxy = arg;

	proxy->call = NULL;
	if (proxy->state == PROXY_CHECKING || proxy->state == PROXY_ASKING)
		return; /* nothing was sent; it is, once that is known */
	if (proxy->state == PROXY_RELAYING) {
		break_off(proxy);
	} else if (proxy->state == PROXY_DROPPING) {
		proxy_leave_drop(proxy);
	} else if (!proxy_again_after(proxy, err, was_sent)) {
		proxy_refuse(proxy, err);
	}
}

const struct upstream_events proxy_events = {
    .make = proxy_make,
    .head = on_head,
    .data = on_data,
    .turn = on_turn,
    .end = on_end,
    .drained = on_drained,
    .fail = on_fail,
};
