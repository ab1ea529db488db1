/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cache -- see cache.h.
 *
 * A notice that comes while an entry is being loaded may be about it: nobody who asks later
 * joins that loading (its generation is past), and what it brings is not kept.
 */
#include "engine/cache_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- entries ---- */

static void
unref(struct cached *cached)
{
	if (--cached->refs > 0)
		return;
	talloc_free(cached->mem);
	free(cached);
}

void
cache_forget(struct cached *cached)
{
	if (!cached->is_kept)
		return;
	HASH_DEL(cached->cache->entries, cached);
	cached->is_kept = false;
	unref(cached);
}

static void
keep(struct cache *cache, struct cached *cached)
{
	if (HASH_COUNT(cache->entries) >= CACHE_ENTRIES_MAX)
		cache_forget(cache->entries); /* the oldest */
	cached->is_kept = true;
	cached->refs++;
	HASH_ADD(hh, cache->entries, name, cached->name_length, cached);
}

static struct cached *
cached_new(struct cache *cache, enum cache_kind kind, const char *name, size_t length)
{
	struct cached *cached = calloc(1, sizeof(*cached) + length + 1);

	if (cached == NULL)
		abort();
	cached->cache = cache;
	cached->kind = kind;
	cached->refs = 1;
	cached->mem = talloc_new(NULL);
	TAILQ_INIT(&cached->asks);
	memcpy(cached->name, name, length);
	cached->name_length = length;
	return cached;
}

/* Usable now; one that is too old is forgotten. */
static struct cached *
find(struct cache *cache, const char *name, size_t length)
{
	struct cached *cached;

	HASH_FIND(hh, cache->entries, name, length, cached);
	if (cached == NULL)
		return NULL;
	if (cached->is_loading ? cached->generation == cache->generation
			       : cached->until_ms > clock_monotonic_ms())
		return cached;
	cache_forget(cached);
	return NULL;
}

/* Credentials are not kept in memory for longer than they are good for. */
void
cache_forget_old(struct cache *cache)
{
	int64_t now_ms = clock_monotonic_ms();
	struct cached *cached, *next;

	HASH_ITER (hh, cache->entries, cached, next) {
		if (!cached->is_loading && cached->until_ms <= now_ms)
			cache_forget(cached);
	}
}

/* ---- loading ---- */

static void
answer(struct cached *cached, struct cache_ask *ask)
{
	const struct error *err = cached->err.code == ERR_NONE ? NULL : &cached->err;
	struct cache_ask copy = *ask;

	TAILQ_REMOVE(&cached->asks, ask, entry);
	free(ask);
	if (err == NULL)
		cached->refs++;
	if (copy.key_done != NULL)
		copy.key_done(copy.arg, err == NULL ? &cached->key : NULL, err);
	else
		copy.target_done(copy.arg, err == NULL ? &cached->target : NULL, err);
}

static void
loaded(void *arg)
{
	struct cached *cached = arg;
	struct cache *cache = cached->cache;

	cached->is_loading = false;
	cache->loading--;
	if (cached->err.code != ERR_NONE || cached->generation != cache->generation)
		cache_forget(cached);
	cached->is_used = true;
	while (!TAILQ_EMPTY(&cached->asks))
		answer(cached, TAILQ_FIRST(&cached->asks));
	unref(cached); /* the loading's */
}

static void
load_in_pool(void *arg)
{
	struct cached *cached = arg;

	cache_load(cached);
	loop_post(cached->cache->loop, loaded, cached);
}

static void
begin_loading(struct cached *cached)
{
	struct cache *cache = cached->cache;

	cached->is_loading = true;
	cached->generation = cache->generation;
	cache->loading++;
	keep(cache, cached); /* and the first reference is the loading's */
	if (pool_submit(cache->node->auth_pool, load_in_pool, cached) == 0)
		return;
	error_set(&cached->err, ERR_BUSY,
		  "all threads that may wait for providers are in use and their queue is full");
	loop_post(cache->loop, loaded, cached);
}

static struct cache_ask *
ask_of(struct cached *cached, void *arg)
{
	struct cache_ask *ask = calloc(1, sizeof(*ask));

	if (ask == NULL)
		abort();
	ask->cached = cached;
	ask->arg = arg;
	TAILQ_INSERT_TAIL(&cached->asks, ask, entry);
	return ask;
}

void
cache_cancel(struct cache_ask *ask)
{
	if (ask == NULL)
		return;
	TAILQ_REMOVE(&ask->cached->asks, ask, entry);
	free(ask);
}

/* ---- questions ---- */

const struct cached_key *
cache_key(struct cache *cache, const unsigned char hash[CRYPTO_SHA256_BYTES],
	  cache_key_done *done, void *arg, struct cache_ask **ask)
{
	char name[1 + CRYPTO_SHA256_BYTES] = "k";
	struct cached *cached;

	memcpy(name + 1, hash, CRYPTO_SHA256_BYTES);
	*ask = NULL;
	cached = find(cache, name, sizeof(name));
	if (cached != NULL && !cached->is_loading) {
		cached->is_used = true;
		cached->refs++;
		return &cached->key;
	}
	if (cached == NULL) {
		cached = cached_new(cache, CACHE_KEY, name, sizeof(name));
		memcpy(cached->hash, hash, CRYPTO_SHA256_BYTES);
		begin_loading(cached);
	}
	*ask = ask_of(cached, arg);
	(*ask)->key_done = done;
	return NULL;
}

/* What a target is found by; 0: the names are too long for any that is stored. */
static size_t
target_name(char name[CACHE_NAME_MAX], int64_t environment_id, const char *integration_key,
	    const char *connection_id)
{
	size_t first = strlen(integration_key), second = strlen(connection_id);
	size_t at = 1 + sizeof(environment_id);

	if (at + first + 1 + second > CACHE_NAME_MAX)
		return 0;
	name[0] = 't';
	memcpy(name + 1, &environment_id, sizeof(environment_id));
	memcpy(name + at, integration_key, first + 1);
	memcpy(name + at + first + 1, connection_id, second);
	return at + first + 1 + second;
}

static void
ask_target(struct cached *cached, cache_target_done *done, void *arg, struct cache_ask **ask)
{
	*ask = ask_of(cached, arg);
	(*ask)->target_done = done;
}

static struct cached *
target_new(struct cache *cache, const char *name, size_t length, int64_t environment_id,
	   const char *integration_key, const char *connection_id)
{
	struct cached *cached = cached_new(cache, CACHE_TARGET, name, length);

	cached->environment_id = environment_id;
	cached->integration_key = talloc_strdup(cached->mem, integration_key);
	cached->connection_id = talloc_strdup(cached->mem, connection_id);
	return cached;
}

const struct cached_target *
cache_target(struct cache *cache, int64_t environment_id, const char *integration_key,
	     const char *connection_id, cache_target_done *done, void *arg,
	     struct cache_ask **ask)
{
	char name[CACHE_NAME_MAX];
	size_t length = target_name(name, environment_id, integration_key, connection_id);
	struct cached *cached = length == 0 ? NULL : find(cache, name, length);

	*ask = NULL;
	if (cached != NULL && !cached->is_loading) {
		cached->is_used = true;
		cached->refs++;
		return &cached->target;
	}
	if (cached == NULL) {
		cached = target_new(cache, name, length, environment_id, integration_key,
				    connection_id);
		if (length == 0)
			error_set(&cached->err, ERR_UNKNOWN_CONNECTION,
				  "names are at most 255 characters");
		begin_loading(cached);
	}
	ask_target(cached, done, arg, ask);
	return NULL;
}

static struct cached *
of_target(const struct cached_target *target)
{
	return (struct cached *)(void *)((char *)(uintptr_t)target -
					 offsetof(struct cached, target));
}

void
cache_renew(struct cache *cache, const struct cached_target *refused, cache_target_done *done,
	    void *arg, struct cache_ask **ask)
{
	const struct cached *old = of_target(refused);
	struct cached *cached = find(cache, old->name, old->name_length);

	bool is_renewed =
	    cached != NULL && !cached->is_loading && cached->target.version != refused->version;
	bool is_renewing = cached != NULL && cached->is_loading &&
			   cached->renew_row == refused->connection_row &&
			   cached->renew_version == refused->version;

	if (!is_renewed && !is_renewing) {
		if (cached != NULL)
			cache_forget(cached);
		cached = target_new(cache, old->name, old->name_length, old->environment_id,
				    old->integration_key, old->connection_id);
		cached->renew_row = refused->connection_row;
		cached->renew_version = refused->version;
		begin_loading(cached);
	}
	if (cached->is_loading) {
		ask_target(cached, done, arg, ask);
		return;
	}
	ask_target(cached, done, arg, ask);
	cache->loading++;
	cached->refs++;
	cached->is_loading = true;
	loop_post(cache->loop, loaded, cached);
}

/* One that was told of, or is too old, is forgotten, or soon will be. */
static bool
is_good(const struct cached *cached)
{
	return cached->is_kept && cached->until_ms > clock_monotonic_ms();
}

bool
cache_is_current(const struct cached_key *key, const struct cached_target *target)
{
	return is_good((const void *)((const char *)key - offsetof(struct cached, key))) &&
	       is_good(of_target(target));
}

void
cache_drop_key(const struct cached_key *key)
{
	if (key != NULL)
		unref((struct cached *)(void *)((char *)(uintptr_t)key -
						offsetof(struct cached, key)));
}

void
cache_drop_target(const struct cached_target *target)
{
	if (target != NULL)
		unref(of_target(target));
}

/* ---- beginning and end ---- */

struct cache *
cache_new(struct node *node, struct loop *loop)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		abort();
	cache->node = node;
	cache->loop = loop;
	cache->used = loop_timer_new(loop, cache_write_used, cache);
	loop_timer_set(cache->used, CACHE_USED_MS);
	cache->listener = cache_listen(cache);
	return cache;
}

void
cache_free(struct cache *cache)
{
	if (cache == NULL)
		return;
	cache_listen_stop(cache->listener);
	loop_settle(cache->loop);
	while (cache->entries != NULL)
		cache_forget(cache->entries);
	loop_timer_free(cache->used);
	free(cache);
}
