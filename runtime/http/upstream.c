/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream -- see upstream.h. Here: origins, whose turn it is, time-outs. A call's life is
 * upstream_call's, a connection's upstream_link's.
 */
#include "http/upstream_internal.h"

#include "base/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 250
#define ORIGIN_KEEP_MS 600000 /* for its TLS session; not one with a certificate of ours */
#define ORIGINS_MAX 1024      /* that are kept for that: the oldest go */
#define CALL_POOL_BYTES (12 * 1024)

/* ---- origins ---- */

static void
origin_free(struct origin *origin)
{
	HASH_DEL(origin->upstream->origins, origin);
	SSL_CTX_free(origin->ssl);
	SSL_SESSION_free(origin->session);
	talloc_free(origin->place);
	free(origin);
}

/* What a name leads to is looked at with each connection. */
static void
find_way(struct origin *origin)
{
	struct upstream *up = origin->upstream;
	const char *host = origin->place->host;
	char why[ADDRESS_WHY_MAX];

	if (!address_may_name(up->rules, host, why))
		error_set(&origin->no_way, ERR_EGRESS,
			  "%s is not reached: %s. NANGO_EGRESS_ALLOW opens ranges", host, why);
	else if (via_find(up, origin->place, &origin->via, &origin->no_way) < 0)
		origin->via = NULL;
}

static struct origin *
origin_for(struct upstream *up, const struct upstream_place *place)
{
	struct origin *origin;

	HASH_FIND_STR(up->origins, place->key, origin);
	if (origin != NULL)
		return origin;
	origin = calloc(1, sizeof(*origin));
	if (origin == NULL)
		abort();
	origin->upstream = up;
	origin->place = place_copy(place);
	TAILQ_INIT(&origin->free);
	find_way(origin);
	HASH_ADD_KEYPTR(hh, up->origins, origin->place->key, strlen(origin->place->key),
			origin);
	return origin;
}

/* ---- whose turn it is ---- */

static void
on_kick(void *arg)
{
	struct upstream *up = arg;
	struct queued_call *next;
	struct link *link;

	while ((link = TAILQ_FIRST(&up->fresh)) != NULL) {
		TAILQ_REMOVE(&up->fresh, link, old_entry);
		link->is_new = false;
		link_begin(link);
	}
	while ((next = call_queue_next(up->queue)) != NULL)
		call_take_turn((struct upstream_call *)next);
}

/* If it is its turn, there is a connection, and nothing is to be told to whoever asks. */
static bool
send_at_once(struct upstream_call *call)
{
	struct call_queue *queue = call->upstream->queue;

	if (call->err.code != ERR_NONE || !call->is_finished || call_queue_waiting(queue) > 1 ||
	    TAILQ_EMPTY(&call->origin->free) || call_queue_next(queue) == NULL)
		return false;
	if (call_make(call) != UPSTREAM_MADE) {
		call_queue_again(queue, &call->queued);
		return false;
	}
	call_take_turn(call);
	return true;
}

struct upstream_call *
upstream_send(struct upstream *up, const struct upstream_request *request,
	      const struct upstream_events *events, void *arg)
{
	struct upstream_call *call =
	    talloc_pooled_object(NULL, struct upstream_call, 8, CALL_POOL_BYTES);

	if (call == NULL)
		abort();
	memset(call, 0, sizeof(*call));
	call->upstream = up;
	call->events = events;
	call->arg = arg;
	call->origin = origin_for(up, request->place);
	call->origin->used_ms = clock_monotonic_ms();
	call->origin->calls++;
	call->queued.host = call->origin->place->url; /* whosever certificate */
	if (call->origin->no_way.code != ERR_NONE)
		call->err = call->origin->no_way;
	call->timeout_ms = request->timeout_ms;
	call->deadline_ms = call->origin->used_ms + request->queue_ms;
	call->is_chunked = request->has_body && request->body_length < 0;
	call->body_left = request->has_body ? request->body_length : 0;
	call->is_head = request->is_head;
	call->is_finished = !request->has_body;
	call->may_repeat = request->may_repeat;
	buf_init(&call->out, call, 1024);
	TAILQ_INSERT_TAIL(&up->calls, call, entry);
	call_queue_add(up->queue, &call->queued, request->group == NULL ? "" : request->group);
	if (!send_at_once(call))
		loop_timer_set(up->kick, 0);
	return call;
}

/* ---- time-outs ---- */

static void
check_call(struct upstream_call *call, int64_t now_ms)
{
	const char *host = call->origin->place->host;
	int64_t stall_ms = call->upstream->config.stall_ms;
	bool waits_for_us = !call->is_finished && upstream_unsent(call) == 0;

	if (!call->queued.is_running) {
		if (now_ms >= call->deadline_ms)
			call_fail(call, ERR_BUSY,
				  "no connection to %s became free in time (%zu a host, %zu in "
				  "all)",
				  host, call->upstream->config.per_host_max,
				  call->upstream->config.connections_max);
	} else if (call->link != NULL && call->link->state != LINK_READY) {
		link_check(call->link, now_ms);
	} else if (!call->has_answer) {
		if (now_ms >= call->deadline_ms && !waits_for_us)
			call_fail(call, ERR_GATEWAY_TIMEOUT, "%s did not answer in %lld s",
				  host, (long long)call->timeout_ms / 1000);
	} else if (!call->is_held && now_ms - call->progress_ms >= stall_ms) {
		call_fail(call, ERR_GATEWAY_TIMEOUT, "%s stopped within its answer for %d s",
			  host, (int)(stall_ms / 1000));
	}
}

/* A failure may end other calls, too, so the next is always the first that was not looked at.
 */
static void
check_calls(struct upstream *up, int64_t now_ms)
{
	struct upstream_call *call;

	up->round++;
	while ((call = TAILQ_FIRST(&up->calls)) != NULL && call->round != up->round) {
		call->round = up->round;
		TAILQ_REMOVE(&up->calls, call, entry);
		TAILQ_INSERT_TAIL(&up->calls, call, entry);
		check_call(call, now_ms);
	}
}

/* The oldest come first. */
static bool
is_worth_keeping(const struct origin *origin, int64_t now_ms)
{
	return origin->session != NULL && origin->place->private_key == NULL &&
	       now_ms - origin->used_ms <= ORIGIN_KEEP_MS &&
	       HASH_COUNT(origin->upstream->origins) <= ORIGINS_MAX;
}

static void
check_links(struct upstream *up, int64_t now_ms)
{
	struct link *link;

	TAILQ_FOREACH(link, &up->all, all_entry)
	if (link->h2 != NULL && !TAILQ_EMPTY(&link->calls))
		h2_check(link, now_ms);
}

static void
on_sweep(void *arg)
{
	struct upstream *up = arg;
	int64_t now_ms = clock_monotonic_ms();
	struct origin *origin, *after;
	struct link *link;

	check_calls(up, now_ms);
	check_links(up, now_ms);
	while ((link = TAILQ_FIRST(&up->idle)) != NULL && now_ms >= link->deadline_ms)
		link_close(link);
	HASH_ITER (hh, up->origins, origin, after) {
		if (origin->links > 0 || origin->calls > 0)
			origin->used_ms = now_ms;
		else if (!is_worth_keeping(origin, now_ms))
			origin_free(origin);
	}
	loop_timer_set(up->sweep, SWEEP_MS);
}

/* ---- beginning and end ---- */

static void
fill(struct upstream_config *config)
{
	if (config->connections_max == 0)
		config->connections_max = UPSTREAM_CONNECTIONS_MAX;
	if (config->per_host_max == 0)
		config->per_host_max = UPSTREAM_PER_HOST_MAX;
	if (config->connect_ms == 0)
		config->connect_ms = UPSTREAM_CONNECT_MS;
	if (config->idle_ms == 0)
		config->idle_ms = UPSTREAM_IDLE_MS;
	if (config->stall_ms == 0)
		config->stall_ms = UPSTREAM_STALL_MS;
}

int
upstream_new(struct upstream **out, const struct upstream_config *config, struct error *err)
{
	struct upstream *up = talloc_zero(NULL, struct upstream);

	if (up == NULL)
		abort();
	signal(SIGPIPE, SIG_IGN);
	up->config = *config;
	fill(&up->config);
	TAILQ_INIT(&up->calls);
	TAILQ_INIT(&up->all);
	TAILQ_INIT(&up->idle);
	TAILQ_INIT(&up->fresh);
	if (address_rules_parse(up, config->egress_allow, &up->rules, err) < 0 ||
	    client_proxy_parse(up, config->proxy, config->direct, &up->proxy, err) < 0 ||
	    tls_context(&up->ssl, config->ca_file, NULL, NULL, err) < 0 ||
	    resolver_new(&up->resolver, config->loop, err) < 0) {
		SSL_CTX_free(up->ssl);
		talloc_free(up);
		return -1;
	}
	up->queue = call_queue_new(up, up->config.connections_max, up->config.per_host_max);
	buf_init(&up->chunk, up, 1024);
	up->kick = loop_timer_new(config->loop, on_kick, up);
	up->sweep = loop_timer_new(config->loop, on_sweep, up);
	loop_timer_set(up->sweep, SWEEP_MS);
	*out = up;
	return 0;
}

void
upstream_free(struct upstream *up)
{
	struct upstream_call *call;
	struct origin *origin, *after;

	if (up == NULL)
		return;
	up->is_freed = true;
	while ((call = TAILQ_FIRST(&up->calls)) != NULL)
		call_fail(call, ERR_NETWORK, "the server is stopping");
	while (!TAILQ_EMPTY(&up->all))
		link_close(TAILQ_FIRST(&up->all));
	resolver_free(up->resolver);
	HASH_ITER (hh, up->origins, origin, after)
		origin_free(origin);
	loop_timer_free(up->kick);
	loop_timer_free(up->sweep);
	SSL_CTX_free(up->ssl);
	talloc_free(up);
}
