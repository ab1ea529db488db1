/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/cache_load -- what the cache keeps, from the database; on the auth pool, where
 * credentials that are about to expire are renewed first.
 */
#include "engine/cache_internal.h"

#include "base/clock.h"
#include "engine/freshen.h"
#include "engine/target.h"
#include "http/upstream.h"
#include "http/url.h"
#include "store/environment.h"

#include <stdlib.h>
#include <string.h>

static int
load_key(struct cached *cached, struct error *err)
{
	struct environment *env;
	struct api_key *key;
	struct db *db;
	int result;

	if (db_acquire(cached->cache->node->control, &db, err) < 0)
		return -1;
	result =
	    api_key_find(cached->mem, db, cached->hash, sizeof(cached->hash), &key, &env, err);
	db_release(db);
	if (result < 0)
		return -1;
	cached->key = (struct cached_key){key->id, env->id, key->scopes};
	cached->until_ms = clock_monotonic_ms() + CACHE_KEEP_MS;
	return 0;
}

static int
find_connection(struct cached *cached, int64_t *row, struct error *err)
{
	struct connection *c;
	struct db *db;
	int result;

	if (db_acquire(cached->cache->node->control, &db, err) < 0)
		return -1;
	result = connection_find(cached->mem, db, cached->environment_id,
				 cached->integration_key, cached->connection_id, &c, err);
	db_release(db);
	if (result < 0 && err->code == ERR_NOT_FOUND)
		err->code = ERR_UNKNOWN_CONNECTION;
	if (result == 0)
		*row = c->id;
	return result;
}

static int
find_state(struct node *node, TALLOC_CTX *mem, int64_t row, struct connection **c,
	   struct refresh_state *state, struct error *err)
{
	struct db *db;
	int result;

	if (db_acquire(node->control, &db, err) < 0)
		return -1;
	result = refresh_find(mem, db, row, c, state, err);
	db_release(db);
	return result;
}

/* As it is now, made fresh where there is reason to. */
static int
open_connection(struct cached *cached, struct connection **c, struct refresh_state *state,
		struct error *err)
{
	struct node *node = cached->cache->node;
	enum freshen_why why = FRESHEN_DUE;
	int64_t row = 0;

	if (find_connection(cached, &row, err) < 0)
		return -1;
	/* Those that were refused, if nobody has renewed them since. */
	if (row == cached->renew_row) {
		if (find_state(node, cached->mem, row, c, state, err) < 0)
			return -1;
		if (state->version == cached->renew_version)
			why = FRESHEN_FORCED;
	}
	if (freshen(node, cached->mem, row, why, c, err) < 0)
		return -1;
	return find_state(node, cached->mem, row, c, state, err);
}

/* The base URL as the fast path of the proxy wants it. */
static int
take_apart(struct cached *cached, struct error *err)
{
	struct cached_target *t = &cached->target;
	const struct fetch_target *target = &t->target;
	char *path = http_url_path(cached->mem, target->base_url);
	size_t length;

	if (path == NULL)
		return error_set(err, ERR_TEMPLATE, "no http or https URL comes out of %.200s",
				 target->base_url);
	t->is_plain = strchr(path, '?') == NULL &&
		      (target->query == NULL || target->query[0].name == NULL);
	length = strcspn(path, "?");
	while (length > 0 && path[length - 1] == '/')
		length--;
	path[length] = '\0';
	t->base_path = path;
	return upstream_place_new(cached->mem, target->base_url, target->certificate,
				  target->private_key, &t->place, err);
}

static int
load_target(struct cached *cached, struct error *err)
{
	struct node *node = cached->cache->node;
	struct cached_target *t = &cached->target;
	struct refresh_state state;
	const char *paginate;
	struct connection *c;
	int64_t left;

	if (open_connection(cached, &c, &state, err) < 0 ||
	    freshen_due_ms(node, cached->mem, c, &state, &left, err) < 0 ||
	    target_open(cached->mem, node, c, &state, &t->target, &paginate, err) < 0 ||
	    take_apart(cached, err) < 0)
		return -1;
	t->connection_row = c->id;
	t->version = state.version;
	t->is_renewable = t->target.is_renewable;
	t->born_ms = clock_monotonic_ms() - state.age_ms;
	cached->integration_id = c->integration_id;
	/* One whose renewal fails is given out, and asked for again soon. */
	if (left > CACHE_KEEP_MS)
		left = CACHE_KEEP_MS;
	cached->until_ms = clock_monotonic_ms() + (left < 1000 ? 1000 : left);
	return 0;
}

void
cache_load(struct cached *cached)
{
	static int (*const loads[])(struct cached * cached, struct error * err) = {
	    [CACHE_KEY] = load_key,
	    [CACHE_TARGET] = load_target,
	};
	struct error err;

	if (cached->err.code == ERR_NONE && loads[cached->kind](cached, &err) < 0)
		cached->err = err;
}
