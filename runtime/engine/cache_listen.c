/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cache_listen -- what changed in the database, as its triggers tell; a thread that
 * LISTENs. Each time that it begins to, anything may have changed before.
 */
#include "engine/cache_internal.h"

#include "base/log.h"
#include "db/listen.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- what changed ---- */

struct heeding {
	struct cache *cache;
	char kind; /* 0: anything */
	int64_t id;
};

static bool
is_about(const struct cached *cached, const struct heeding *heeding)
{
	switch (heeding->kind) {
	case 'k':
		return cached->kind == CACHE_KEY && cached->key.id == heeding->id;
	case 'c':
		return cached->kind == CACHE_TARGET &&
		       cached->target.connection_row == heeding->id;
	case 'i':
		return cached->kind == CACHE_TARGET && cached->integration_id == heeding->id;
	default:
		return true;
	}
}

static void
heed(void *arg)
{
	struct heeding *heeding = arg;
	struct cache *cache = heeding->cache;
	struct cached *cached, *next;

	cache->generation++;
	HASH_ITER (hh, cache->entries, cached, next) {
		if (!cached->is_loading && is_about(cached, heeding))
			cache_forget(cached);
	}
	free(heeding);
}

void
cache_heed(struct cache *cache, const char *notice)
{
	struct heeding *heeding = calloc(1, sizeof(*heeding));

	if (heeding == NULL)
		abort();
	heeding->cache = cache;
	if (notice != NULL && strchr("kci", notice[0]) != NULL) {
		heeding->kind = notice[0];
		heeding->id = strtoll(notice + 1, NULL, 10);
	}
	loop_post(cache->loop, heed, heeding);
}

/* ---- who tells ---- */

#define CHANNEL "nango_changed"
#define RECONNECT_MS 2000

struct cache_listener {
	struct cache *cache;
	int stop_fd;
	pthread_t thread;
};

static bool
is_stopping(const struct cache_listener *l, int wait_ms)
{
	struct pollfd fd = {.fd = l->stop_fd, .events = POLLIN};

	return poll(&fd, 1, wait_ms) > 0;
}

static void *
listen_thread(void *arg)
{
	struct cache_listener *l = arg;
	char payload[DB_NOTICE_MAX];
	struct db_listener *listener;
	struct error err;
	int got;

	pthread_setname_np(pthread_self(), "changes");
	do {
		if (db_listen(l->cache->node->direct_url, CHANNEL, &listener, &err) < 0) {
			log_warn("cache", "changes are noticed after %d s only: %s",
				 CACHE_KEEP_MS / 1000, err.message);
			continue;
		}
		cache_heed(l->cache, NULL);
		while ((got = db_listen_wait(listener, l->stop_fd, payload)) == 1)
			cache_heed(l->cache, payload);
		db_listen_close(listener);
		if (got == 0)
			return NULL;
	} while (!is_stopping(l, RECONNECT_MS));
	return NULL;
}

struct cache_listener *
cache_listen(struct cache *cache)
{
	struct cache_listener *l;
	sigset_t all, before;
	int failed;

	if (cache->node->direct_url == NULL)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		abort();
	l->cache = cache;
	l->stop_fd = eventfd(0, EFD_CLOEXEC);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = l->stop_fd < 0 || pthread_create(&l->thread, NULL, listen_thread, l) != 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed)
		return l;
	log_warn("cache", "changes are noticed after %d s only: no thread",
		 CACHE_KEEP_MS / 1000);
	if (l->stop_fd >= 0)
		close(l->stop_fd);
	free(l);
	return NULL;
}

void
cache_listen_stop(struct cache_listener *l)
{
	const uint64_t one = 1;

	if (l == NULL)
		return;
	if (write(l->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(l->thread, NULL);
	close(l->stop_fd);
	free(l);
}
