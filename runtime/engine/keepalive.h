/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/keepalive -- grants that nobody used for a day are renewed, so that a provider does
 * not let them lapse.
 */
#ifndef NANGO_ENGINE_KEEPALIVE_H
#define NANGO_ENGINE_KEEPALIVE_H

#include "engine/node.h"

#define KEEPALIVE_BATCH 100 /* connections a look; behind a full one it looks again at once */

struct keepalive;

/* Loop. */
void keepalive_start(struct node *node);
void keepalive_free(struct node *node); /* once the auth pool has ended */

#endif
