/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/worker -- claims runs from the queue, keeps their leases, and queues what is due.
 *
 * The timers are on the loop; everything that talks to Postgres is a job of node->worker_pool.
 * A tick that finds nothing costs two statements. The queue is the truth; worker_wake is a
 * hint.
 */
#ifndef NANGO_ENGINE_WORKER_H
#define NANGO_ENGINE_WORKER_H

#include "engine/node.h"

#define WORKER_CLAIM_MAX 50   /* runs that one claim takes of one environment */
#define WORKER_ATTEMPTS_MAX 8 /* of a run that ends by faults that are not its own */

/* On the loop's thread. */
void worker_start(struct node *node);
/* Stops the runs, gives them back to the queue; done is called once all have ended. */
void worker_stop(struct node *node, loop_fn *done, void *arg);
void worker_free(struct node *node);

/* Something was queued: look now. Any thread; without a worker nothing happens. */
void worker_wake(struct node *node);

/* Under which key a sync's checkpoint is kept. */
char *worker_checkpoint_key(TALLOC_CTX *mem, const char *sync, const char *variant);

#endif
