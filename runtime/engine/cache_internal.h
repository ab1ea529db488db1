/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cache_internal -- what the files of engine/cache share.
 */
#ifndef NANGO_ENGINE_CACHE_INTERNAL_H
#define NANGO_ENGINE_CACHE_INTERNAL_H

#include "engine/cache.h"

#include <pthread.h>
#include <sys/queue.h>
#include <uthash.h>

enum cache_kind { CACHE_KEY, CACHE_TARGET };

/* One that is there, or on its way. Its tree is made on a pool thread and then the loop's. */
struct cached {
	UT_hash_handle hh;
	struct cache *cache;
	enum cache_kind kind;
	unsigned refs; /* the table's is one */
	bool is_loading, is_kept, is_used;
	int64_t until_ms;
	uint64_t generation; /* of the cache, when loading began */
	TAILQ_HEAD(, cache_ask) asks;
	TALLOC_CTX *mem;
	struct cached_key key;
	struct cached_target target;
	int64_t integration_id;
	struct error err; /* code ERR_NONE: it is there */
	/* What is asked for. */
	unsigned char hash[CRYPTO_SHA256_BYTES];
	int64_t environment_id, renew_row, renew_version;
	const char *integration_key, *connection_id;
	size_t name_length;
	char name[];
};

struct cache_ask {
	TAILQ_ENTRY(cache_ask) entry;
	struct cached *cached;
	cache_key_done *key_done;
	cache_target_done *target_done; /* one of the two */
	void *arg;
};

struct cache {
	struct node *node;
	struct loop *loop;
	struct cached *entries;
	uint64_t generation;
	size_t loading;
	struct loop_timer *used;
	bool is_writing;
	struct cache_listener *listener;
};

void cache_forget(struct cached *cached);   /* whoever has it keeps it */
void cache_forget_old(struct cache *cache); /* what nobody may use any more */

/* cache_load.c: on a pool thread; fills what the question wants, or err. */
void cache_load(struct cached *cached);

/* cache_used.c */
void cache_write_used(void *cache); /* a timer's */

/* cache_listen.c */
struct cache_listener *cache_listen(struct cache *cache); /* NULL: nobody tells */
void cache_listen_stop(struct cache_listener *listener);

#endif
