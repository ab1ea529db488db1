/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/retention -- removes what is past its time, a bounded piece at each look, on nodes
 * with the scheduler's role. Several nodes may do the same work at once; none does harm.
 */
#ifndef NANGO_ENGINE_RETENTION_H
#define NANGO_ENGINE_RETENTION_H

#include "engine/node.h"

#define RETENTION_PURGE_MS 86400000LL	    /* a deleted connection's data stays a day */
#define RETENTION_FENCE_MS (7 * 86400000LL) /* closed fences, long past any claim */

/* On the loop's thread. */
void retention_start(struct node *node);
void retention_stop(struct node *node); /* no further look */
void retention_free(struct node *node); /* after the pools have ended */

#endif
