/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/freshener -- the renewals of credentials that this process has under way: one a
 * connection, and what a node waits for before it ends.
 */
#ifndef NANGO_ENGINE_FRESHENER_H
#define NANGO_ENGINE_FRESHENER_H

#include "engine/node.h"

#include <sys/queue.h>

struct freshener;

struct freshener *freshener_new(TALLOC_CTX *mem);

/*
 * Loop: done comes once no renewal is under way, or after GRANT_TIMEOUT_MS. An answer that is
 * on its way may hold the only refresh token that still works.
 */
void freshener_drain(struct node *node, loop_fn *done, void *arg);
void freshener_stop(struct node *node); /* a drain that has not ended is forgotten */

struct freshener_flight {
	TAILQ_ENTRY(freshener_flight) entry;
	int64_t connection_row;
};

/* Any thread. False: somebody else was at this connection, and is done now. */
bool freshener_take_off(struct freshener *freshener, struct freshener_flight *flight);
void freshener_land(struct freshener *freshener, struct freshener_flight *flight);

#endif
