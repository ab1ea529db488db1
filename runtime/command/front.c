/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/front -- see front.h.
 */
#include "command/front.h"
#include "api/api.h"
#include "base/clock.h"
#include "engine/budget.h"
#include "engine/cache.h"
#include "http/upstream.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void *
turn(void *arg)
{
	struct front *front = arg;

	pthread_setname_np(pthread_self(), "front");
	loop_run(front->loop);
	return NULL;
}

int
front_open(struct front *front, struct node *node, struct error *err)
{
	const struct config *config = node->config;
	struct upstream_config upstream = {.egress_allow = config->egress_allow,
					   .ca_file = config->ca_file,
					   .proxy = config->https_proxy,
					   .direct = config->no_proxy,
					   .connections_max = (size_t)config->upstream_max,
					   .per_host_max = (size_t)config->upstream_host_max,
					   .is_h2_off =
					       strcmp(config->upstream_http2, "off") == 0};

	if (loop_new(&front->loop, err) < 0)
		return -1;
	upstream.loop = front->loop;
	front->node = node;
	node->front = front->loop;
	if (upstream_new(&node->upstream, &upstream, err) < 0)
		return -1;
	if (budget_open(node, front->loop, &node->front_budget, err) < 0)
		return -1;
	node->cache = cache_new(node, front->loop);
	if (api_start(node, front->loop, &front->server, err) < 0)
		return -1;
	return http_server_listen(front->server, node->config->listen, err);
}

/* Signals are the main thread's. */
int
front_start(struct front *front, struct error *err)
{
	sigset_t all, before;
	int failed;

	if (front->loop == NULL)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&front->thread, NULL, turn, front);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		return error_set(err, ERR_SYSTEM, "cannot start a thread: %s",
				 strerror(failed));
	front->is_turning = true;
	return 0;
}

static void
drain(void *arg)
{
	http_server_drain(arg);
}

void
front_drain(struct front *front)
{
	if (front->server != NULL)
		loop_post(front->loop, drain, front->server);
}

struct settling {
	struct front *front;
	struct loop *home;
	loop_fn *done;
	void *arg;
	struct loop_timer *timer; /* NULL: the front does not turn */
	int64_t until_ms;
};

#define LOOK_MS 20

static void
settle(void *arg)
{
	struct settling *s = arg;

	if (s->timer != NULL && s->front->server != NULL &&
	    http_server_relays(s->front->server) > 0 && clock_monotonic_ms() < s->until_ms) {
		loop_timer_set(s->timer, LOOK_MS);
		return;
	}
	s->front->settling = NULL;
	loop_timer_free(s->timer);
	loop_post(s->home, s->done, s->arg);
	free(s);
}

static void
begin_settling(void *arg)
{
	struct settling *s = arg;

	s->front->settling = s;
	s->timer = loop_timer_new(s->front->loop, settle, s);
	settle(s);
}

void
front_settle(struct front *front, struct loop *home, loop_fn *done, void *arg)
{
	struct settling *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->front = front;
	s->home = home;
	s->done = done;
	s->arg = arg;
	s->until_ms = clock_monotonic_ms() + FRONT_RELAYS_MS;
	if (front->is_turning)
		loop_post(front->loop, begin_settling, s);
	else
		loop_post(home, settle, s);
}

void
front_close(struct front *front)
{
	if (front->is_turning) {
		loop_stop(front->loop);
		pthread_join(front->thread, NULL);
		front->is_turning = false;
		if (front->settling != NULL) { /* a second signal: nobody waits any more */
			loop_timer_free(front->settling->timer);
			free(front->settling);
			front->settling = NULL;
		}
	}
	http_server_free(front->server);
	front->server = NULL;
}

void
front_free(struct front *front)
{
	if (front->node != NULL) { /* what threads loaded for the cache is there now */
		budget_end(front->node->front_budget);
		upstream_free(front->node->upstream);
		cache_free(front->node->cache);
		budget_close(&front->node->front_budget);
		front->node->upstream = NULL;
		front->node->cache = NULL;
	}
	if (front->loop != NULL)
		loop_free(front->loop);
	front->loop = NULL;
}
