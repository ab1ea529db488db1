/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool -- see pool.h. A ring of jobs under one mutex: the jobs are database round trips, beside
 * which the lock does not show.
 */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct pool_job {
	pool_fn *fn;
	void *arg;
};

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct pool_job *ring;
	size_t size, first, count;
	pthread_t *threads;
	size_t threads_count;
	int is_ending;
	char name[12];
};

static int
pool_take(struct pool *pool, struct pool_job *job)
{
	pthread_mutex_lock(&pool->mutex);
	while (pool->count == 0 && !pool->is_ending)
		pthread_cond_wait(&pool->work, &pool->mutex);
	if (pool->count == 0) {
		pthread_mutex_unlock(&pool->mutex);
		return 0;
	}
	*job = pool->ring[pool->first];
	pool->first = (pool->first + 1) % pool->size;
	pool->count--;
	pthread_mutex_unlock(&pool->mutex);
	return 1;
}

static void *
pool_thread(void *arg)
{
	struct pool *pool = arg;
	struct pool_job job;

	pthread_setname_np(pthread_self(), pool->name);
	while (pool_take(pool, &job))
		job.fn(job.arg);
	return NULL;
}

int
pool_new(struct pool **out, const char *name, size_t threads, size_t queue_max,
	 struct error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	sigset_t all, before;

	if (pool == NULL)
		abort();
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->work, NULL);
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->size = queue_max;
	pool->ring = calloc(queue_max, sizeof(*pool->ring));
	pool->threads = calloc(threads, sizeof(*pool->threads));
	if (pool->ring == NULL || pool->threads == NULL)
		abort();
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; pool->threads_count < threads; pool->threads_count++) {
		pthread_t *thread = &pool->threads[pool->threads_count];

		errno = pthread_create(thread, NULL, pool_thread, pool);
		if (errno != 0) {
			pthread_sigmask(SIG_SETMASK, &before, NULL);
			error_set_errno(err, ERR_SYSTEM, "cannot start thread %zu of pool %s",
					pool->threads_count + 1, name);
			pool_free(pool);
			return -1;
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	*out = pool;
	return 0;
}

int
pool_submit(struct pool *pool, pool_fn *fn, void *arg)
{
	int result = -1;

	pthread_mutex_lock(&pool->mutex);
	if (pool->count < pool->size && !pool->is_ending) {
		pool->ring[(pool->first + pool->count) % pool->size] =
		    (struct pool_job){fn, arg};
		pool->count++;
		result = 0;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->mutex);
	return result;
}

void
pool_end(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->is_ending = 1;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	for (size_t i = 0; i < pool->threads_count; i++)
		pthread_join(pool->threads[i], NULL);
	pool->threads_count = 0;
}

void
pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pool_end(pool);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->threads);
	free(pool->ring);
	free(pool);
}
