/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cache -- who may call, and where a connection's requests go: kept by a node, so that a
 * request of the proxy asks Postgres nothing.
 *
 * Entries are forgotten when the database says that what they are made of changed (NOTIFY, by
 * triggers of migration 0017), and after CACHE_KEEP_MS in any case. Loading is done once for
 * all who ask at the same time, on the auth pool, where credentials may be renewed. That
 * something was used is noted here and written for many at once. All calls on the front loop.
 */
#ifndef NANGO_ENGINE_CACHE_H
#define NANGO_ENGINE_CACHE_H

#include "base/crypto.h"
#include "engine/node.h"
#include "run/fetch.h"

#define CACHE_KEEP_MS 5000  /* the ceiling, when a notice is lost */
#define CACHE_USED_MS 10000 /* between two writings of what was used */
#define CACHE_ENTRIES_MAX 100000
#define CACHE_NAME_MAX 768 /* bytes of what an entry is found by */

struct cache;
struct cache_ask;
struct upstream_place;

/* The two are kept by whoever took a reference, even when they are forgotten. */
struct cached_key {
	int64_t id, environment_id;
	const char *scopes; /* separated by spaces */
};

struct cached_target {
	int64_t connection_row;
	struct fetch_target target;
	struct upstream_place *place;
	const char *base_path; /* of the base URL, without a slash at its end */
	bool is_plain;	       /* the base URL has no query, and none is injected */
	bool is_renewable;     /* its credentials can be made anew */
	int64_t version;       /* of its credentials */
	int64_t born_ms;       /* when its credentials were made; monotonic */
};

struct cache *cache_new(struct node *node, struct loop *loop);
void cache_free(struct cache *cache); /* the loop does not turn any more */

/* found NULL: err. Not called from within the question. */
typedef void cache_key_done(void *arg, const struct cached_key *found, const struct error *err);
typedef void cache_target_done(void *arg, const struct cached_target *found,
			       const struct error *err);

/*
 * What is there at once, or NULL and done later. hash: of a key. A question that was answered
 * at once leaves *ask NULL. A reference is the asker's, for cache_drop.
 */
const struct cached_key *cache_key(struct cache *cache,
				   const unsigned char hash[CRYPTO_SHA256_BYTES],
				   cache_key_done *done, void *arg, struct cache_ask **ask);
const struct cached_target *cache_target(struct cache *cache, int64_t environment_id,
					 const char *integration_key, const char *connection_id,
					 cache_target_done *done, void *arg,
					 struct cache_ask **ask);
/* The same once the credentials were made anew; they were refused. */
void cache_renew(struct cache *cache, const struct cached_target *refused,
		 cache_target_done *done, void *arg, struct cache_ask **ask);
void cache_cancel(struct cache_ask *ask); /* NULL is fine */

/* Would both be given out now, too? */
bool cache_is_current(const struct cached_key *key, const struct cached_target *target);

void cache_drop_key(const struct cached_key *key); /* NULL is fine */
void cache_drop_target(const struct cached_target *target);

/* Any thread: "k12", "c34", "i56" of a notice, or NULL: anything may have changed. */
void cache_heed(struct cache *cache, const char *notice);

#endif
