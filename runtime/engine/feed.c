/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/feed -- see feed.h.
 */
#include "engine/feed.h"

#include <string.h>

int
feed_codec(const struct node *node, const struct environment *env, struct payload_codec *out,
	   struct error *err)
{
	const struct vault_place place = {env->id, "environment", "record_key"};
	TALLOC_CTX *mem = talloc_new(NULL);
	char *key;
	size_t length;
	int result = vault_unseal(mem, node->vault, &place, env->record_key,
				  env->record_key_length, &key, &length, err);

	if (result == 0 && length != CRYPTO_KEY_BYTES)
		result = error_set(err, ERR_DECRYPT,
				   "the environment's record key has %zu bytes", length);
	if (result == 0)
		payload_codec_init(out, env->id, (const unsigned char *)key,
				   strcmp(node->config->records_encryption, "on") == 0);
	talloc_free(mem);
	return result;
}

struct opening {
	const struct node *node;
	const struct environment *env;
	const struct dataset *dataset;
	TALLOC_CTX *mem;
	struct payload_codec codec;
	bool has_codec;
	record_fn *fn;
	void *arg;
};

static int
open_sealed(struct opening *o, struct record_read *r, struct error *err)
{
	const struct payload_place place = {o->dataset, r->external_id, strlen(r->external_id)};

	if (!o->has_codec && feed_codec(o->node, o->env, &o->codec, err) < 0)
		return -1;
	o->has_codec = true;
	return payload_decode(o->mem, &o->codec, &place, r->codec, &r->payload,
			      &r->payload_length, err);
}

static int
open_one(void *arg, const struct record_read *stored, struct error *err)
{
	struct opening *o = arg;
	struct record_read r = *stored;
	int result;

	if (r.codec == RECORD_RAW)
		return o->fn(o->arg, stored, err);
	o->mem = talloc_new(NULL);
	result = open_sealed(o, &r, err);
	if (result == 0)
		result = o->fn(o->arg, &r, err);
	talloc_free(o->mem);
	return result;
}

int
feed_stream(const struct node *node, const struct environment *env, struct db *db,
	    const struct dataset *dataset, const struct record_query *query, record_fn *fn,
	    void *arg, struct error *err)
{
	struct opening opening = {
	    .node = node, .env = env, .dataset = dataset, .fn = fn, .arg = arg};
	int result = record_stream(db, query, open_one, &opening, err);

	crypto_wipe(&opening.codec, sizeof(opening.codec));
	return result;
}

struct pruning {
	struct dataset *dataset;
	const struct prune *prune;
	int64_t *count;
	bool *has_more;
};

static int
prune_run(struct db *db, void *arg, struct error *err)
{
	struct pruning *p = arg;

	if (dataset_lock(db, p->dataset, err) < 0)
		return -1;
	return record_prune(db, p->dataset, p->prune, p->count, p->has_more, err);
}

int
feed_prune(const struct node *node, struct dataset *dataset, const struct prune *prune,
	   int64_t *count, bool *has_more, struct error *err)
{
	struct pruning pruning = {dataset, prune, count, has_more};
	const struct db_work work = {.run = prune_run, .arg = &pruning};

	return db_transaction(node->data, &work, err);
}
