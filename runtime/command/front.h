/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/front -- HTTP in on a loop and thread of its own: requests do not wait behind the
 * sessions of ten thousand runs, nor runs behind requests.
 */
#ifndef NANGO_COMMAND_FRONT_H
#define NANGO_COMMAND_FRONT_H

#include "engine/node.h"
#include "http/server.h"
#include <pthread.h>

struct front {
	struct node *node; /* once it is open */
	struct loop *loop; /* NULL: not opened */
	struct http_server *server;
	pthread_t thread;
	bool is_turning;
	struct settling *settling; /* the loop's; NULL: not yet, or over */
};

/* Listens; answers once front_start was called. */
MUST_CHECK int front_open(struct front *front, struct node *node, struct error *err);
MUST_CHECK int front_start(struct front *front, struct error *err); /* fine when not open */

/* No new connections; done comes on the loop `home` once replies had one more turn, and what is
 * being passed on has ended, or FRONT_RELAYS_MS went by. */
#define FRONT_RELAYS_MS 10000
void front_drain(struct front *front);
void front_settle(struct front *front, struct loop *home, loop_fn *done, void *arg);

/* Closes everything. Handlers may still be at work: end their pool, then front_free. */
void front_close(struct front *front);
void front_free(struct front *front);

#endif
