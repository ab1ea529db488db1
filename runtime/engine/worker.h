/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/worker -- claims runs from the queue, keeps their leases, writes off those that ended,
 * and queues what is due.
 *
 * The timers are on the loop; what talks to Postgres is a job of node->worker_pool, but for
 * heartbeats, which are jobs of node->lease_pool.
 * A tick that finds nothing costs two statements. The queue is the truth; notices are hints.
 */
#ifndef NANGO_ENGINE_WORKER_H
#define NANGO_ENGINE_WORKER_H

#include "engine/node.h"

#define WORKER_CLAIM_MAX 100 /* runs that one claim takes of one environment */
#define WORKER_PREPARING_MAX                                                         \
	128 /* claimed runs that wait for their preparation: more would delay pages, \
	     * and be this node's while another one has time */

/* On the loop's thread. */
void worker_start(struct node *node);
/* Stops the runs, gives them back to the queue; done is called once all have ended. */
void worker_stop(struct node *node, loop_fn *done, void *arg);
void worker_free(struct node *node);

/* Something was queued (and committed): look now, here and on the other nodes. Any thread. */
void worker_wake(struct node *node);
/* Runs were cancelled (and that is committed): whoever runs them, ask for your leases now. */
void worker_cancelled(struct node *node);

/* Under which key a sync's checkpoint is kept. */
char *worker_checkpoint_key(TALLOC_CTX *mem, const char *sync, const char *variant);

#endif
