/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy -- see proxy.h. Here is an exchange's way from step to step; proxy_body has the
 * request's body, proxy_request makes its head, proxy_again judges the answer, and proxy_answer
 * passes it on.
 *
 *   ASKING -> GATHERING -> (TURNING) -> SENDING -> RELAYING -> over
 *                             ^  |
 *      WAITING, RENEWING -----+  +-> DROPPING -> WAITING, RENEWING, or SENDING (a redirect)
 */
#include "engine/proxy.h"
#include "engine/proxy_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the end ---- */

void
proxy_free(struct proxy *proxy)
{
	cache_cancel(proxy->ask);
	budget_cancel(proxy->node->front_budget, proxy->ticket);
	upstream_cancel(proxy->call);
	loop_timer_free(proxy->timer);
	cache_drop_key(proxy->key);
	cache_drop_target(proxy->target);
	talloc_free(proxy);
}

void
proxy_gone(struct request *req)
{
	proxy_free(relay_arg(req));
}

void
proxy_refuse(struct proxy *proxy, const struct error *err)
{
	struct request *req = proxy->req;
	struct error copy = *err;

	proxy_free(proxy);
	relay_refuse(req, &copy);
}

/* ---- trying ---- */

bool
proxy_may_repeat_method(const struct proxy *proxy)
{
	const char *header = proxy->target->target.idempotency_header;
	char name[256];

	if (!http_method_is_unsafe(proxy->method))
		return true;
	if (header == NULL)
		return false;
	snprintf(name, sizeof(name), "nango-proxy-%s", header);
	for (char *c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return request_header(proxy->req, name) != NULL;
}

/* Its body leaves together with its head. */
static bool
is_short(const struct proxy *proxy)
{
	return proxy->is_body_whole &&
	       (proxy->body.length <= PROXY_KEEP_BYTES || proxy_fills_body(proxy));
}

/* What is left of it leaves as there is room. */
static int64_t
length_behind(const struct proxy *proxy)
{
	return proxy->is_body_whole ? (int64_t)proxy->body.length
				    : relay_body_length(proxy->req);
}

/*
 * The request, in the moment in which it leaves. It may have waited long for that: the key may
 * have been revoked, the connection deleted or renewed, so both are asked for once more.
 */
enum upstream_made
proxy_make(void *arg, struct buf *out, struct error *err)
{
	struct proxy *proxy = arg;
	TALLOC_CTX *mem;
	int result;

	if (proxy->state != PROXY_SENDING)
		return UPSTREAM_MADE_LATER; /* it is being asked for */
	if (!proxy->is_checked && !cache_is_current(proxy->key, proxy->target)) {
		proxy->state = PROXY_CHECKING;
		proxy_set_timer(proxy, 0); /* the upstream may not be called from here */
		return UPSTREAM_MADE_LATER;
	}
	mem = talloc_new(proxy);
	result = proxy_head(proxy, mem, out, err);
	talloc_free(mem);
	if (result < 0)
		return UPSTREAM_NOT_MADE;
	if (is_short(proxy))
		buf_add(out, proxy->body.data, proxy->body.length);
	return UPSTREAM_MADE;
}

static void
send_try(struct proxy *proxy)
{
	const struct upstream_request request = {.place = proxy->place,
						 .is_head = strcmp(proxy->method, "HEAD") == 0,
						 .has_body = !is_short(proxy),
						 .body_length = length_behind(proxy),
						 .may_repeat = proxy_may_repeat_method(proxy),
						 .group = proxy->target->target.group,
						 .queue_ms = PROXY_QUEUE_MS,
						 .timeout_ms =
						     proxy->node->config->proxy_timeout_ms};

	proxy->state = PROXY_SENDING;
	proxy->is_checked = false;
	proxy->body_sent = 0;
	proxy->call = upstream_send(proxy->node->upstream, &request, &proxy_events, proxy);
}

static void
on_go(void *arg, const struct error *err)
{
	struct proxy *proxy = arg;

	proxy->ticket = NULL;
	if (proxy->timer != NULL)
		loop_timer_cancel(proxy->timer);
	if (err != NULL)
		proxy_refuse(proxy, err);
	else
		send_try(proxy);
}

/* The provider's limit leaves no turn for longer than a client should wait. */
static void
refuse_turn(struct proxy *proxy, int64_t wait_ms)
{
	struct error err;
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%lld", (long long)(wait_ms + 999) / 1000);
	response_header(relay_response(proxy->req), "Retry-After", seconds);
	error_set(
	    &err, ERR_RATE_LIMITED,
	    "the provider's limit leaves this connection no turn for %s s; try again then",
	    seconds);
	proxy_refuse(proxy, &err);
}

/* The limits of another host than the connection's are not ours. */
static const struct budget_scopes *
scopes_of(const struct proxy *proxy)
{
	return proxy->is_elsewhere ? NULL : proxy->target->target.budget;
}

void
proxy_send(struct proxy *proxy)
{
	struct budget *budget = proxy->node->front_budget;
	const struct budget_scopes *scopes = scopes_of(proxy);
	int64_t wait_ms;

	proxy->is_gathered = true;
	proxy->asking = (struct budget_call){scopes, proxy->method, NULL};
	if (budget_is_free(budget, scopes) || proxy->is_foreign) {
		send_try(proxy);
		return;
	}
	proxy->state = PROXY_TURNING;
	proxy->asking.url = proxy_url(proxy, proxy);
	proxy->ticket = budget_take(budget, &proxy->asking, on_go, proxy);
	if (proxy->ticket == NULL) {
		send_try(proxy);
		return;
	}
	wait_ms = budget_wait_ms(budget, proxy->ticket);
	if (wait_ms > PROXY_TURN_MS)
		refuse_turn(proxy, wait_ms);
	else
		proxy_set_timer(proxy, PROXY_TURN_MS);
}

/* ---- who calls, and whose connection ---- */

/* It has a turn, and perhaps a connection, if it still goes where it went. */
static void
go_on(struct proxy *proxy)
{
	struct error err;

	proxy->state = PROXY_SENDING;
	proxy->is_checked = true;
	if (proxy_place(proxy, &err) < 0) {
		proxy_refuse(proxy, &err);
	} else if (upstream_goes_to(proxy->call, proxy->place)) {
		proxy->asking.scopes = scopes_of(proxy);
		upstream_go(proxy->call);
	} else {
		upstream_cancel(proxy->call);
		proxy->call = NULL;
		proxy_send(proxy);
	}
}

static void
has_target(struct proxy *proxy)
{
	struct error err;

	if (proxy->call != NULL)
		go_on(proxy);
	else if (proxy_place(proxy, &err) < 0)
		proxy_refuse(proxy, &err);
	else if (proxy->is_gathered)
		proxy_send(proxy);
	else
		proxy_body_gather(proxy);
}

static void
on_target(void *arg, const struct cached_target *found, const struct error *err)
{
	struct proxy *proxy = arg;

	proxy->ask = NULL;
	proxy->target = found;
	if (found == NULL)
		proxy_refuse(proxy, err);
	else
		has_target(proxy);
}

static void
has_key(struct proxy *proxy)
{
	const struct proxy_options *o = &proxy->options;
	struct error err;

	if (!proxy->may(proxy->key->scopes, "proxy")) {
		error_set(&err, ERR_FORBIDDEN,
			  "Insufficient scope. Required: environment:proxy");
		proxy_refuse(proxy, &err);
		return;
	}
	if (o->follows_with_all &&
	    !proxy->may(proxy->key->scopes, "connections:read_credentials")) {
		error_set(&err, ERR_FORBIDDEN,
			  "Forward-Headers-On-Redirect sends the connection's credentials to "
			  "another host, so the key needs environment:connections:"
			  "read_credentials");
		proxy_refuse(proxy, &err);
		return;
	}
	proxy->target =
	    cache_target(proxy->node->cache, proxy->key->environment_id, o->integration_key,
			 o->connection_id, on_target, proxy, &proxy->ask);
	if (proxy->target != NULL)
		has_target(proxy);
}

static void
on_key(void *arg, const struct cached_key *found, const struct error *err)
{
	struct proxy *proxy = arg;

	proxy->ask = NULL;
	proxy->key = found;
	if (found == NULL)
		proxy_refuse(proxy, err);
	else
		has_key(proxy);
}

static void
ask_for_key(struct proxy *proxy)
{
	proxy->state = PROXY_ASKING;
	proxy->key = cache_key(proxy->node->cache, proxy->key_hash, on_key, proxy, &proxy->ask);
	if (proxy->key != NULL)
		has_key(proxy);
}

static void
ask_again(struct proxy *proxy)
{
	cache_drop_key(proxy->key);
	cache_drop_target(proxy->target);
	proxy->key = NULL;
	proxy->target = NULL;
	ask_for_key(proxy);
}

static void
turn_is_late(struct proxy *proxy)
{
	refuse_turn(proxy, budget_wait_ms(proxy->node->front_budget, proxy->ticket));
}

/* What follows is known; the rest of the answer is not waited for. */
void
proxy_leave_drop(struct proxy *proxy)
{
	if (proxy->timer != NULL)
		loop_timer_cancel(proxy->timer);
	upstream_cancel(proxy->call);
	proxy->call = NULL;
	proxy->next(proxy);
}

static void
on_timer(void *arg)
{
	static void (*const lates[PROXY_RELAYING + 1])(struct proxy *) = {
	    [PROXY_TURNING] = turn_is_late,
	    [PROXY_DROPPING] = proxy_leave_drop,
	    [PROXY_WAITING] = ask_again,
	    [PROXY_CHECKING] = ask_again,
	};
	struct proxy *proxy = arg;

	if (lates[proxy->state] != NULL)
		lates[proxy->state](proxy);
}

void
proxy_set_timer(struct proxy *proxy, int64_t ms)
{
	if (proxy->timer == NULL)
		proxy->timer = loop_timer_new(proxy->node->front, on_timer, proxy);
	loop_timer_set(proxy->timer, ms);
}

void
proxy_send_at(struct proxy *proxy, int64_t wait_ms)
{
	proxy->state = PROXY_WAITING;
	proxy_set_timer(proxy, wait_ms);
}

static void
on_renewed(void *arg, const struct cached_target *found, const struct error *err)
{
	struct proxy *proxy = arg;
	struct error why;

	proxy->ask = NULL;
	if (found == NULL) {
		proxy_refuse(proxy, err);
		return;
	}
	cache_drop_target(proxy->target);
	proxy->target = found;
	if (proxy_place(proxy, &why) < 0)
		proxy_refuse(proxy, &why);
	else
		proxy_send(proxy);
}

void
proxy_renew(struct proxy *proxy)
{
	proxy->state = PROXY_RENEWING;
	proxy->was_renewed = true;
	cache_renew(proxy->node->cache, proxy->target, on_renewed, proxy, &proxy->ask);
}

void
proxy_begin(struct node *node, struct request *req, const struct proxy_options *options,
	    proxy_may *may)
{
	struct proxy *proxy = talloc_zero(NULL, struct proxy);

	if (proxy == NULL)
		abort();
	proxy->node = node;
	proxy->req = req;
	proxy->options = *options;
	proxy->may = may;
	proxy->method = request_method(req);
	relay_set_arg(req, proxy);
	if (relay_has_body(req))
		relay_hold(req, true);
	memcpy(proxy->key_hash, options->key_hash, sizeof(proxy->key_hash));
	ask_for_key(proxy);
}
