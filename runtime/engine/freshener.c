/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/freshener -- see freshener.h.
 */
#include "engine/freshener.h"
#include "base/clock.h"
#include "engine/grant.h"

#include <pthread.h>
#include <stdlib.h>

#define DRAIN_LOOK_MS 20

TAILQ_HEAD(flight_list, freshener_flight);

struct draining;

struct freshener {
	pthread_mutex_t mutex;
	pthread_cond_t landed;
	struct flight_list flights; /* renewals of this process */
	struct draining *draining;  /* the loop's */
};

static int
freshener_destructor(struct freshener *f)
{
	pthread_cond_destroy(&f->landed);
	pthread_mutex_destroy(&f->mutex);
	return 0;
}

struct freshener *
freshener_new(TALLOC_CTX *mem)
{
	struct freshener *f = talloc_zero(mem, struct freshener);

	if (f == NULL)
		abort();
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->landed, NULL);
	TAILQ_INIT(&f->flights);
	talloc_set_destructor(f, freshener_destructor);
	return f;
}

/* ---- one of a process ---- */

static bool
is_flying(const struct freshener *f, int64_t connection_row)
{
	const struct freshener_flight *one;

	TAILQ_FOREACH(one, &f->flights, entry)
	{
		if (one->connection_row == connection_row)
			return true;
	}
	return false;
}

/* False: somebody else was at it, and is done now. */
bool
freshener_take_off(struct freshener *f, struct freshener_flight *flight)
{
	bool is_mine;

	pthread_mutex_lock(&f->mutex);
	is_mine = !is_flying(f, flight->connection_row);
	if (is_mine)
		TAILQ_INSERT_TAIL(&f->flights, flight, entry);
	while (!is_mine && is_flying(f, flight->connection_row))
		pthread_cond_wait(&f->landed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	return is_mine;
}

void
freshener_land(struct freshener *f, struct freshener_flight *flight)
{
	pthread_mutex_lock(&f->mutex);
	TAILQ_REMOVE(&f->flights, flight, entry);
	pthread_cond_broadcast(&f->landed);
	pthread_mutex_unlock(&f->mutex);
}

/* ---- the end of a node ---- */

struct draining {
	struct node *node;
	struct loop_timer *timer;
	int64_t until_ms;
	loop_fn *done;
	void *arg;
};

static void
on_drain(void *arg)
{
	struct draining *d = arg;
	struct freshener *f = d->node->freshener;
	bool is_empty;

	pthread_mutex_lock(&f->mutex);
	is_empty = TAILQ_EMPTY(&f->flights);
	pthread_mutex_unlock(&f->mutex);
	if (!is_empty && clock_monotonic_ms() < d->until_ms) {
		loop_timer_set(d->timer, DRAIN_LOOK_MS);
		return;
	}
	f->draining = NULL;
	loop_timer_free(d->timer);
	d->done(d->arg);
	talloc_free(d);
}

void
freshener_drain(struct node *node, loop_fn *done, void *arg)
{
	struct draining *d = talloc_zero(node->freshener, struct draining);

	if (d == NULL)
		abort();
	*d = (struct draining){.node = node,
			       .timer = loop_timer_new(node->loop, on_drain, d),
			       .until_ms = clock_monotonic_ms() + GRANT_TIMEOUT_MS,
			       .done = done,
			       .arg = arg};
	node->freshener->draining = d;
	loop_timer_set(d->timer, 0);
}

void
freshener_stop(struct node *node)
{
	struct freshener *f = node->freshener;

	if (f == NULL || f->draining == NULL)
		return;
	loop_timer_free(f->draining->timer);
	talloc_free(f->draining);
	f->draining = NULL;
}
