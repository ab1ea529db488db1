/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/dispatch -- hands requests to pool threads, many at a time.
 *
 * Waking a thread costs more than a small request does, so a pool job is not a request but a
 * drainer, which takes requests until none is left; the loop adds all of one turn under one lock
 * and starts few drainers. Because handlers may block, requests that still wait a millisecond
 * later get a drainer each.
 */
#include "http/internal.h"

#include <stdlib.h>

#define REQUESTS_PER_DRAINER 8
#define PATIENCE_MS 1

/* The request a drainer takes next; the one it had is over. NULL: it ends. */
static struct request *
take(struct http_server *server, bool had_one)
{
	struct dispatch *d = &server->dispatch;
	struct request *req;

	pthread_mutex_lock(&d->mutex);
	if (had_one)
		d->busy--;
	req = TAILQ_FIRST(&d->ready);
	if (req != NULL) {
		TAILQ_REMOVE(&d->ready, req, ready_entry);
		d->ready_count--;
		d->busy++;
	} else if (!d->is_closed) {
		d->drainers--;
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

/* On a pool thread. Without requests the server may be gone at once, unless it is closed. */
static void
drain(void *arg)
{
	struct http_server *server = arg;
	struct loop *loop = server->config.loop;
	struct request *req = NULL;
	bool is_closed;

	while ((req = take(server, req != NULL)) != NULL)
		exchange_handle(req);
	(void)loop;
	(void)is_closed;
}
