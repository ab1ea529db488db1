/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cache_used -- when keys and connections were last used: noted in memory, written for
 * all of them at once, so that no request waits for it.
 */
#include "engine/cache_internal.h"

#include "base/log.h"
#include "store/used.h"

#include <stdlib.h>

struct writing {
	struct cache *cache;
	struct node *node;
	TALLOC_CTX *mem;
	int64_t *keys, *connections;
	size_t keys_count, connections_count;
};

static void
written(void *arg)
{
	struct cache *cache = arg;

	cache->is_writing = false;
}

static void
write_in_pool(void *arg)
{
	struct writing *w = arg;
	struct error err;
	struct db *db;

	if (db_acquire(w->node->control, &db, &err) < 0) {
		log_debug("cache", "last uses are not written: %s", err.message);
	} else {
		if (used_note(db, w->keys, w->keys_count, w->connections, w->connections_count,
			      &err) < 0)
			log_debug("cache", "last uses are not written: %s", err.message);
		db_release(db);
	}
	loop_post(w->cache->loop, written, w->cache);
	talloc_free(w->mem);
}

static struct writing *
collect(struct cache *cache)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct writing *w = talloc_zero(mem, struct writing);
	unsigned count = HASH_COUNT(cache->entries);
	struct cached *cached, *next;

	w->keys = talloc_array(mem, int64_t, count + 1);
	w->connections = talloc_array(mem, int64_t, count + 1);
	if (w->keys == NULL || w->connections == NULL)
		abort();
	w->cache = cache;
	w->node = cache->node;
	w->mem = mem;
	HASH_ITER (hh, cache->entries, cached, next) {
		if (!cached->is_used || cached->is_loading)
			continue;
		cached->is_used = false;
		if (cached->kind == CACHE_KEY)
			w->keys[w->keys_count++] = cached->key.id;
		else
			w->connections[w->connections_count++] = cached->target.connection_row;
	}
	return w;
}

void
cache_write_used(void *arg)
{
	struct cache *cache = arg;
	struct writing *w;

	loop_timer_set(cache->used, CACHE_USED_MS);
	if (cache->is_writing || cache->entries == NULL)
		return;
	w = collect(cache);
	cache_forget_old(cache);
	cache->is_writing = w->keys_count + w->connections_count > 0;
	if (!cache->is_writing || pool_submit(cache->node->api_pool, write_in_pool, w) < 0) {
		cache->is_writing = false;
		talloc_free(w->mem);
	}
}
