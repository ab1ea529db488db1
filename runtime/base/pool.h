/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool -- a bounded number of threads that run jobs straight through, with a bounded queue.
 */
#ifndef NANGO_BASE_POOL_H
#define NANGO_BASE_POOL_H

#include "base/error.h"
#include <stddef.h>

struct pool;

typedef void pool_fn(void *arg);

MUST_CHECK int pool_new(struct pool **out, const char *name, size_t threads, size_t queue_max,
			struct error *err);

/* 0, or -1 when the queue is full or the pool has ended: fn is not called. Any thread may call.
 */
MUST_CHECK int pool_submit(struct pool *pool, pool_fn *fn, void *arg);

/* Runs what is queued, then ends the threads. NULL is fine. */
void pool_end(struct pool *pool);
void pool_free(struct pool *pool); /* ends it first */

#endif
