/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_answer -- the provider's answer: passed on, or, by the template's rules and the
 * caller's, followed by another try.
 *
 * A try is repeated only where that is harmless: nothing was sent, the method is safe to
 * repeat, the provider said 429, or 401 to credentials that are made anew.
 */
#include "engine/proxy_internal.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "http/syntax.h"
#include "http/url.h"
#include "run/fetch_request.h"
#include "run/fetch_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- passing on ---- */

/* Of the connection, or of whom the browser that asks belongs to. */
static bool
stays_here(const char *name, const struct http_field *listing)
{
	static const char *const names[] = {
	    "connection", "keep-alive", "transfer-encoding", "content-length",
	    "te",	  "trailer",	"proxy-connection",  "upgrade"};
	static const char cors[] = "access-control-";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return strncmp(name, cors, sizeof(cors) - 1) == 0 ||
	       (listing != NULL && proxy_is_listed(listing, name));
}

static void
begin_decoding(struct proxy *proxy, const struct upstream_answer *answer)
{
	const char *coding = fetch_field(answer->fields, "content-encoding");

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
	relay_head(proxy->req, answer->status, fields, length);
	talloc_free(mem);
}

static void
pass_data(void *arg, const char *data, size_t length)
{
	struct proxy *proxy = arg;

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

/* ---- another try ---- */

static bool
is_asked_for(const struct proxy *proxy, int status)
{
	for (const int *s = proxy->options.retry_on; *s != 0; s++)
		if (*s == status)
			return true;
	return false;
}

static bool
may_retry(const struct proxy *proxy, const struct upstream_answer *answer)
{
	if (!proxy->is_body_whole || proxy->attempt >= proxy->options.retries)
		return false;
	if (!proxy_may_repeat_method(proxy) && answer->status != 429)
		return false;
	return is_asked_for(proxy, answer->status) ||
	       fetch_may_repeat(proxy->target->target.retry, answer->status, answer->fields);
}

/* Once what it told is known. */
static void
retry(struct proxy *proxy)
{
	struct json_object *rules = proxy->target->target.retry;
	const char *told = fetch_told(proxy, rules, proxy->told.data, proxy->told.length);

	proxy_send_at(proxy,
		      fetch_wait_ms(rules, proxy->dropped_status, proxy->dropped_fields, told,
				    proxy->attempt++, clock_wall_ms(), crypto_random_part()));
}

/* 401 to credentials that can be made anew, and are not new: once. */
static bool
may_renew(const struct proxy *proxy, const struct upstream_answer *answer)
{
	const struct cached_target *t = proxy->target;

	return answer->status == 401 && t->is_renewable && !proxy->was_renewed &&
	       !proxy->is_foreign && proxy->is_body_whole &&
	       clock_monotonic_ms() - t->born_ms >= PROXY_RENEW_AGAIN_MS;
}

/* ---- redirects ---- */

static bool
is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 ||
	       status == 308;
}

/* RFC 9110 15.4: 303 is to be read; a POST becomes a GET at 301 and 302, as everybody does. */
static bool
becomes_get(const struct proxy *proxy, int status)
{
	bool is_read = strcmp(proxy->method, "GET") == 0 || strcmp(proxy->method, "HEAD") == 0;

	return !is_read &&
	       (status == 303 || (status < 303 && strcmp(proxy->method, "POST") == 0));
}

/* What was put into the body would be sent to the other host. */
static bool
takes_secrets_along(const struct proxy *proxy, int status)
{
	const struct fetch_target *target = &proxy->target->target;

	return target->body != NULL && proxy->body.length > 0 && !becomes_get(proxy, status) &&
	       !target->follows_with_all && !proxy->options.follows_with_all;
}

/* False: the answer is passed on as it is. */
static bool
may_follow(struct proxy *proxy, const struct upstream_answer *answer)
{
	const struct fetch_target *target = &proxy->target->target;
	const char *location = fetch_field(answer->fields, "location");
	struct upstream_place *place;
	struct error err;
	char *url;

	/* While a body is streamed its rest cannot be taken back: it would follow on the wire.
	 */
	if (!is_redirect(answer->status) || location == NULL || proxy->hops == PROXY_HOPS_MAX ||
	    !proxy->is_body_whole)
		return false;
	url = http_url_resolve(proxy, proxy_url(proxy, proxy), location);
	if (url == NULL)
		return false;
	/* From another host on nothing is put in, even when it leads back. */
	if (!http_url_same_origin(upstream_place_url(proxy->place), url)) {
		if (takes_secrets_along(proxy, answer->status))
			return false;
		proxy->is_foreign = true;
	}
	if (!proxy->is_foreign && (url = proxy_put_in_query(proxy, url)) == NULL)
		return false;
	if (upstream_place_new(proxy, url, proxy->is_foreign ? NULL : target->certificate,
			       target->private_key, &place, &err) < 0)
		return false;
	proxy->place = place; /* its own: the target may be asked for anew */
	proxy->url = url;
	if (becomes_get(proxy, answer->status)) {
		proxy->method = "GET";
		buf_reset(&proxy->body);
		proxy->is_body_whole = true;
	}
	proxy->hops++;
	return true;
}

/* ---- an answer that is not passed on ---- */

static void
keep_fields(struct proxy *proxy, const struct http_field *fields)
{
	unsigned count = 0;

	while (fields[count].name != NULL)
		count++;
	talloc_free(proxy->dropped_fields);
	proxy->dropped_fields = talloc_zero_array(proxy, struct http_field, count + 1);
	if (proxy->dropped_fields == NULL)
		abort();
	for (unsigned i = 0; i < count; i++)
		proxy->dropped_fields[i] =
		    (struct http_field){talloc_strdup(proxy->dropped_fields, fields[i].name),
					talloc_strdup(proxy->dropped_fields, fields[i].value)};
}

static void
drop(struct proxy *proxy, const struct upstream_answer *answer, void (*next)(struct proxy *))
{
	proxy->state = PROXY_DROPPING;
	proxy->next = next;
	proxy->dropped_status = answer->status;
	keep_fields(proxy, answer->fields);
	buf_init(&proxy->told, proxy, 256);
	proxy_set_timer(proxy, PROXY_DROP_MS);
	if (answer->length > PROXY_TOLD_BYTES) { /* not worth its connection */
		proxy_leave_drop(proxy);
	}
}

static void
drop_data(struct proxy *proxy, const char *data, size_t length)
{
	if (proxy->told.length + length <= PROXY_TOLD_BYTES) {
		buf_add(&proxy->told, data, length);
		return;
	}
	proxy_leave_drop(proxy);
}

/* ---- the upstream's events ---- */

/* Of refusals, and of what a provider tells of its limit with every answer. */
static void
note_answer(struct proxy *proxy, const struct upstream_answer *answer)
{
	struct json_object *rules = proxy->target->target.retry;
	int64_t asked = -1;

	if (proxy->asking.scopes == NULL || (answer->status < 400 && rules == NULL))
		return;
	if (answer->status >= 400)
		asked = fetch_asked_ms(rules, answer->status, answer->fields, NULL,
				       clock_wall_ms());
	if (proxy->asking.url == NULL)
		proxy->asking.url = proxy_url(proxy, proxy);
	budget_note(proxy->node->front_budget, &proxy->asking, answer->status, answer->fields,
		    asked);
}

static void
on_head(void *arg, const struct upstream_answer *answer)
{
	struct proxy *proxy = arg;

	if (!proxy->is_foreign)
		note_answer(proxy, answer);

	if (may_renew(proxy, answer))
		drop(proxy, answer, proxy_renew);
	else if (may_retry(proxy, answer))
		drop(proxy, answer, retry);
	else if (may_follow(proxy, answer))
		drop(proxy, answer, proxy_send);
	else
		pass_head(proxy, answer);
}

static void
on_data(void *arg, const char *data, size_t length)
{
	struct proxy *proxy = arg;

	if (proxy->state == PROXY_DROPPING) {
		drop_data(proxy, data, length);
	} else if (proxy->inflate == NULL) {
		relay_write(proxy->req, data, length);
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
	struct proxy *proxy = arg;

	relay_hold(proxy->req, false);
}

static void
on_fail(void *arg, const struct error *err, bool was_sent)
{
	struct proxy *proxy = arg;
	bool is_harmless = !was_sent || proxy_may_repeat_method(proxy);

	proxy->call = NULL;
	if (proxy->state == PROXY_RELAYING) {
		break_off(proxy);
	} else if (proxy->state == PROXY_DROPPING) {
		proxy_leave_drop(proxy);
	} else if ((err->code == ERR_NETWORK || !was_sent) && err->code != ERR_EGRESS &&
		   err->code != ERR_BUSY && is_harmless && proxy->is_body_whole &&
		   proxy->attempt < proxy->options.retries) {
		proxy_send_at(proxy, fetch_wait_ms(NULL, 0, NULL, NULL, proxy->attempt++,
						   clock_wall_ms(), crypto_random_part()));
	} else {
		proxy_refuse(proxy, err);
	}
}

const struct upstream_events proxy_events = {
    .head = on_head,
    .data = on_data,
    .turn = on_turn,
    .end = on_end,
    .drained = on_drained,
    .fail = on_fail,
};
