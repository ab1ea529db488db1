/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out -- delivers the events of both outboxes to the apps' URLs.
 *
 * A look claims due events of each environment by lease and makes the signed requests on a pool
 * thread; they are sent on the loop, and what became of them is written back in batches. No
 * connection is held while a receiver answers. At least once: a lease that ran out is delivered
 * again, under the same webhook-id. No order is promised.
 *
 * A node has at most NANGO_WEBHOOKS_MAX deliveries in flight, an environment a quarter of that
 * and a destination three quarters of its environment's; the last places are for environments
 * that have none. So a slow receiver delays neither other environments nor, for long, other
 * destinations of its own.
 */
#ifndef NANGO_ENGINE_HOOKS_OUT_H
#define NANGO_ENGINE_HOOKS_OUT_H

#include "engine/node.h"

/* On the loop's thread. */
void hooks_out_start(struct node *node);
/*
 * No more is claimed; what is in flight has a few seconds, then goes back to the outbox. done
 * is called once all is written. Without a start it is called at once.
 */
void hooks_out_stop(struct node *node, loop_fn *done, void *arg);
void hooks_out_free(struct node *node);

/* An event was written: look now. Any thread; on a node that delivers none nothing happens. */
void hooks_out_wake(struct node *node);

#endif
