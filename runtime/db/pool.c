/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/pool -- connections are made on demand, kept, and thrown away once they broke.
 */
#include "db/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct db_pool {
	pthread_mutex_t mutex;
	pthread_cond_t freed;
	char *url;
	size_t size, count; /* connections that may be and that are */
	struct db *idle;
	size_t idle_count;
};

/* Notices ("already exists, skipping") are for people at a psql prompt. */
static void
ignore_notice(void *arg, const PGresult *notice)
{
	(void)arg;
	(void)notice;
}

static int
db_connect(struct db_pool *pool, struct db **out, struct error *err)
{
	/* The URL comes last, so that what it says wins over these. */
	static const char *const keywords[] = {"connect_timeout", "application_name",
					       "client_encoding", "dbname", NULL};
	char timeout[16];
	const char *values[5] = {timeout, "nangod", "UTF8", pool->url, NULL};
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		abort();
	snprintf(timeout, sizeof(timeout), "%d", DB_CONNECT_S);
	db->pool = pool;
	db->pg = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(db->pg) != CONNECTION_OK) {
		error_set(err, ERR_DB_UNAVAILABLE, "cannot connect to Postgres: %s",
			  PQerrorMessage(db->pg));
		err->message[strcspn(err->message, "\n")] = '\0';
		PQfinish(db->pg);
		free(db);
		return -1;
	}
	PQsetNoticeReceiver(db->pg, ignore_notice, NULL);
	*out = db;
	return 0;
}

static void
db_disconnect(struct db *db)
{
	prepared_free(db);
	PQfinish(db->pg);
	free(db);
}

int
db_pool_open(const char *url, size_t size, struct db_pool **out, struct error *err)
{
	struct db_pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t monotonic;
	struct db *first;

	if (pool == NULL || (pool->url = strdup(url)) == NULL)
		abort();
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->freed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pool->size = size;
	if (db_connect(pool, &first, err) < 0) {
		db_pool_close(pool);
		return -1;
	}
	pool->count = 1;
	pool->idle = first;
	pool->idle_count = 1;
	*out = pool;
	return 0;
}

void
db_pool_close(struct db_pool *pool)
{
	struct db *next;

	if (pool == NULL)
		return;
	for (struct db *db = pool->idle; db != NULL; db = next) {
		next = db->next;
		db_disconnect(db);
	}
	pthread_cond_destroy(&pool->freed);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->url);
	free(pool);
}

/* The mutex is held. An idle connection, or leave to make one (*out NULL); -1: all are in use.
 */
static int
pool_take(struct db_pool *pool, struct db **out)
{
	*out = pool->idle;
	if (pool->idle != NULL) {
		pool->idle = pool->idle->next;
		pool->idle_count--;
		return 0;
	}
	if (pool->count == pool->size)
		return -1;
	pool->count++;
	return 0;
}

/* -1 when none came free in time. */
static int
pool_wait(struct db_pool *pool, struct db **out, struct error *err)
{
	struct timespec until;
	int waited = 0, result;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DB_ACQUIRE_MS / 1000;
	pthread_mutex_lock(&pool->mutex);
	while ((result = pool_take(pool, out)) < 0 && waited == 0)
		waited = pthread_cond_timedwait(&pool->freed, &pool->mutex, &until);
	pthread_mutex_unlock(&pool->mutex);
	return result == 0
		   ? 0
		   : error_set(err, ERR_BUSY, "all %zu connections to Postgres are in use",
			       pool->size);
}

/* -1 unless over half are free. */
static int
pool_take_spare(struct db_pool *pool, struct db **out)
{
	int result = -1;

	pthread_mutex_lock(&pool->mutex);
	if ((pool->size - pool->count + pool->idle_count) * 2 > pool->size)
		result = pool_take(pool, out);
	pthread_mutex_unlock(&pool->mutex);
	return result;
}

static void
pool_forget(struct db_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	pool->count--;
	pthread_cond_signal(&pool->freed);
	pthread_mutex_unlock(&pool->mutex);
}

/* A server that went away meanwhile shows as readable: that is not handed out. */
static bool
is_alive(struct db *db)
{
	if (PQconsumeInput(db->pg) && PQstatus(db->pg) == CONNECTION_OK)
		return true;
	pool_forget(db->pool);
	db_disconnect(db);
	return false;
}

struct db *
db_spare(struct db_pool *pool)
{
	struct error ignored;
	struct db *db;

	if (pool_take_spare(pool, &db) < 0)
		return NULL;
	if (db != NULL)
		return is_alive(db) ? db : NULL;
	if (db_connect(pool, &db, &ignored) == 0)
		return db;
	pool_forget(pool);
	return NULL;
}

int
db_acquire(struct db_pool *pool, struct db **out, struct error *err)
{
	do {
		if (pool_wait(pool, out, err) < 0)
			return -1;
		if (*out != NULL && is_alive(*out))
			return 0;
	} while (*out != NULL);
	if (db_connect(pool, out, err) < 0) {
		pool_forget(pool);
		return -1;
	}
	return 0;
}

void
db_release(struct db *db)
{
	struct db_pool *pool;

	if (db == NULL)
		return;
	pool = db->pool;
	if (PQtransactionStatus(db->pg) != PQTRANS_IDLE)
		db_rollback(db);
	if (db->is_broken || PQstatus(db->pg) != CONNECTION_OK ||
	    PQtransactionStatus(db->pg) != PQTRANS_IDLE) {
		db_disconnect(db);
		pool_forget(pool);
		return;
	}
	pthread_mutex_lock(&pool->mutex);
	db->next = pool->idle;
	pool->idle = db;
	pool->idle_count++;
	pthread_cond_signal(&pool->freed);
	pthread_mutex_unlock(&pool->mutex);
}
