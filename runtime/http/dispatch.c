/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/dispatch -- hands requests to pool threads, many at a time.
 *
 * Waking a thread costs more than a small request does. So a pool job is not a request but a
 * drainer, which takes requests until none is left; the loop adds all requests of one turn
 * under one lock and starts few drainers. Because handlers may block, requests that still wait
 * a millisecond later get a drainer each.
 */
#include "http/internal.h"

#include <stdlib.h>

#define REQUESTS_PER_DRAINER 8
#define PATIENCE_MS 1

/* What a drainer does next: the request it had is over. NULL: nothing, and it is counted out.
 */
static struct request *
take(struct dispatch *d, bool had_one, bool *is_closed)
{
	struct request *req;

	pthread_mutex_lock(&d->mutex);
	if (had_one)
		d->busy--;
	req = TAILQ_FIRST(&d->ready);
	*is_closed = d->is_closed;
	if (req != NULL) {
		TAILQ_REMOVE(&d->ready, req, ready_entry);
		d->ready_count--;
		d->busy++;
	} else if (!d->is_closed) {
		d->drainers--; /* from here on the server may be freed */
	}
	pthread_mutex_unlock(&d->mutex);
	return req;
}

static void
drainer_left(void *arg)
{
	struct http_server *server = arg;

	server->dispatch.drainers--;
	server_release(server);
}

/* On a pool thread. */
static void
drain(void *arg)
{
	struct http_server *server = arg;
	struct loop *loop = server->config.loop;
	struct request *req = NULL;
	bool is_closed;

	while ((req = take(&server->dispatch, req != NULL, &is_closed)) != NULL)
		exchange_handle(req);
	if (is_closed)
		loop_post(loop, drainer_left, server);
}

/* On the pool of a route of its own: one request, counted as a drainer that takes no other. */
static void
handle_apart(void *arg)
{
	struct request *req = arg;
	struct http_server *server = req->server;
	struct dispatch *d = &server->dispatch;
	struct loop *loop = server->config.loop;
	bool is_closed;

	exchange_handle(req);
	pthread_mutex_lock(&d->mutex);
	d->busy--;
	is_closed = d->is_closed;
	if (!is_closed)
		d->drainers--;
	pthread_mutex_unlock(&d->mutex);
	if (is_closed)
		loop_post(loop, drainer_left, server);
}

static int
start_apart(struct request *req, struct error *err)
{
	struct dispatch *d = &req->server->dispatch;
	int result;

	pthread_mutex_lock(&d->mutex);
	d->drainers++;
	d->busy++;
	pthread_mutex_unlock(&d->mutex);
	d->in_flight++;
	result = pool_submit(req->match.route->pool, handle_apart, req);
	if (result == 0)
		return 0;
	d->in_flight--;
	pthread_mutex_lock(&d->mutex);
	d->drainers--;
	d->busy--;
	pthread_mutex_unlock(&d->mutex);
	return error_set(err, ERR_BUSY,
			 "all threads that may wait for providers are in use and their queue "
			 "is full");
}

static void
count_drainers(struct dispatch *d, size_t more, size_t less)
{
	pthread_mutex_lock(&d->mutex);
	d->drainers += more;
	d->drainers -= less;
	pthread_mutex_unlock(&d->mutex);
}

/* Where the pool's queue is full, on_patience tries again. */
static void
start_drainers(struct http_server *server, size_t count)
{
	if (count == 0)
		return;
	count_drainers(&server->dispatch, count, 0);
	while (count > 0 && pool_submit(server->config.pool, drain, server) == 0)
		count--;
	if (count > 0)
		count_drainers(&server->dispatch, 0, count);
}

/* Drainers that are not in a handler count as free: they will look again. */
static size_t
drainers_wanted(struct dispatch *d)
{
	size_t wanted = (d->ready_count + REQUESTS_PER_DRAINER - 1) / REQUESTS_PER_DRAINER;
	size_t unoccupied = d->drainers - d->busy;

	return wanted > unoccupied ? wanted - unoccupied : 0;
}

/* The end of a turn of the loop: what came in it is handed over together. */
static void
on_flush(void *arg)
{
	struct http_server *server = arg;
	struct dispatch *d = &server->dispatch;
	size_t count;

	d->is_armed = false;
	pthread_mutex_lock(&d->mutex);
	TAILQ_CONCAT(&d->ready, &d->batch, ready_entry);
	d->ready_count += d->batch_count;
	d->batch_count = 0;
	count = drainers_wanted(d);
	pthread_mutex_unlock(&d->mutex);
	start_drainers(server, count);
	if (!d->is_patient) {
		d->is_patient = true;
		loop_timer_set(d->patience, PATIENCE_MS);
	}
}

static void
on_patience(void *arg)
{
	struct http_server *server = arg;
	struct dispatch *d = &server->dispatch;
	size_t count, unoccupied;

	d->is_patient = false;
	pthread_mutex_lock(&d->mutex);
	count = d->ready_count;
	unoccupied = d->drainers - d->busy;
	pthread_mutex_unlock(&d->mutex);
	if (count == 0)
		return;
	if (count > unoccupied)
		start_drainers(server, count - unoccupied);
	d->is_patient = true;
	loop_timer_set(d->patience, PATIENCE_MS);
}

int
dispatch_add(struct request *req, struct error *err)
{
	struct http_server *server = req->server;
	struct dispatch *d = &server->dispatch;

	if (d->in_flight >= server->limits.queue_max)
		return error_set(err, ERR_BUSY,
				 "all workers are in use and their queue is full");
	if (req->match.route->pool != NULL)
		return start_apart(req, err);
	d->in_flight++;
	TAILQ_INSERT_TAIL(&d->batch, req, ready_entry);
	d->batch_count++;
	if (!d->is_armed) {
		d->is_armed = true;
		loop_timer_set(d->flush, 0);
	}
	return 0;
}

void
dispatch_init(struct http_server *server)
{
	struct dispatch *d = &server->dispatch;

	pthread_mutex_init(&d->mutex, NULL);
	TAILQ_INIT(&d->ready);
	TAILQ_INIT(&d->batch);
	d->flush = loop_timer_new(server->config.loop, on_flush, server);
	d->patience = loop_timer_new(server->config.loop, on_patience, server);
}

/* Requests that no handler has seen are dropped; their clients are gone already. */
void
dispatch_close(struct http_server *server)
{
	struct dispatch *d = &server->dispatch;
	struct request *req;

	pthread_mutex_lock(&d->mutex);
	d->is_closed = true;
	TAILQ_CONCAT(&d->batch, &d->ready, ready_entry);
	d->ready_count = 0;
	pthread_mutex_unlock(&d->mutex);
	loop_timer_free(d->flush);
	loop_timer_free(d->patience);
	while ((req = TAILQ_FIRST(&d->batch)) != NULL) {
		TAILQ_REMOVE(&d->batch, req, ready_entry);
		d->in_flight--;
		request_free(req);
	}
}
