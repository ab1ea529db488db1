/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest -- see ingest.h: the way of a page, and of a run's end.
 *
 * What is stored of the page's records is known from the manifest, or asked for. When nothing
 * changes, one statement counts the page, provided that the heads are still where they were.
 * Otherwise, or when they are not, it is a transaction.
 */
#include "engine/ingest_internal.h"
#include "base/crypto.h"
#include "store/fence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static int
ingest_destructor(struct ingest *ingest)
{
	for (size_t i = 0; i < ingest->models_count; i++)
		manifest_free(ingest->models[i].manifest);
	pthread_cond_destroy(&ingest->has_decided);
	pthread_mutex_destroy(&ingest->mutex);
	crypto_wipe(ingest->hash_secret, sizeof(ingest->hash_secret));
	crypto_wipe(&ingest->codec, sizeof(ingest->codec));
	return 0;
}

struct ingest *
ingest_new(void)
{
	struct ingest *ingest = talloc_zero(NULL, struct ingest);

	if (ingest == NULL)
		abort();
	pthread_mutex_init(&ingest->mutex, NULL);
	pthread_cond_init(&ingest->has_decided, NULL);
	ingest->window_marks = INGEST_WINDOW_MARKS;
	ingest->window_deletes = INGEST_WINDOW_DELETES;
	talloc_set_destructor(ingest, ingest_destructor);
	ingest->piece_bytes = INGEST_PIECE_BYTES;
	ingest->merged_bytes_max = INGEST_MERGED_BYTES_MAX;
	return ingest;
}

void
ingest_set_secret(struct ingest *ingest, int64_t environment_id,
		  const unsigned char record_key[32], bool seals)
{
	for (size_t i = 0; i < JSONHASH_SECRET_BYTES / CRYPTO_KEY_BYTES; i++) {
		char info[32];

		snprintf(info, sizeof(info), "nango record hash %zu", i);
		crypto_derive(ingest->hash_secret + i * CRYPTO_KEY_BYTES, record_key, info);
	}
	ingest->environment_id = environment_id;
	payload_codec_init(&ingest->codec, environment_id, record_key, seals);
}

/* Records that passed this model are not checked again; its schema says which one it is. */
static void
set_spec(struct ingest *ingest, struct ingest_model *model)
{
	const char *schema;

	model->spec = ingest->spec == NULL ? NULL : spec_model(ingest->spec, model->model);
	if (model->spec == NULL)
		return;
	schema =
	    json_text(ingest, json_own(ingest, spec_model_schema(ingest->spec, model->model)));
	model->model_hash = (int64_t)XXH3_64bits(schema, strlen(schema));
}

struct ingest_model *
ingest_model_of(struct ingest *ingest, const char *name)
{
	struct ingest_model *model;

	for (size_t i = 0; i < ingest->models_count; i++)
		if (strcmp(ingest->models[i].model, name) == 0)
			return &ingest->models[i];
	if (ingest->models_count == INGEST_MODELS_MAX)
		return NULL;
	model = &ingest->models[ingest->models_count++];
	model->model = talloc_strdup(ingest, name);
	set_spec(ingest, model);
	return model;
}

void
ingest_add_model(struct ingest *ingest, const char *model)
{
	ingest_model_of(ingest, model);
}

void
ingest_set_spec(struct ingest *ingest, const struct spec *spec)
{
	ingest->spec = spec;
	for (size_t i = 0; i < ingest->models_count; i++)
		set_spec(ingest, &ingest->models[i]);
}

void
ingest_set_counts(struct ingest *ingest, const char *result_json)
{
	struct json_object *tree;
	struct error ignored;

	if (json_parse(ingest, result_json, strlen(result_json), &tree, &ignored) < 0)
		return;
	json_object_object_foreach (tree, name, counts) {
		struct ingest_model *model = ingest_model_of(ingest, name);

		if (model == NULL)
			return;
		model->added = json_integer(counts, "added", 0);
		model->updated = json_integer(counts, "updated", 0);
		model->deleted = json_integer(counts, "deleted", 0);
		model->quarantined = json_integer(counts, "quarantined", 0);
	}
}

char *
ingest_result(TALLOC_CTX *mem, const struct ingest *ingest)
{
	struct buf buf;
	bool is_first = true;

	buf_init(&buf, mem, 128);
	buf_addc(&buf, '{');
	for (size_t i = 0; i < ingest->models_count; i++) {
		const struct ingest_model *m = &ingest->models[i];

		if (!m->has_head && m->added + m->updated + m->deleted + m->quarantined == 0)
			continue;
		if (!is_first)
			buf_addc(&buf, ',');
		is_first = false;
		buf_add_json_str(&buf, m->model);
		buf_addf(&buf,
			 ":{\"added\":%" PRId64 ",\"updated\":%" PRId64 ",\"deleted\":%" PRId64,
			 m->added, m->updated, m->deleted);
		if (m->quarantined > 0)
			buf_addf(&buf, ",\"quarantined\":%" PRId64, m->quarantined);
		buf_addc(&buf, '}');
	}
	buf_addc(&buf, '}');
	return buf.data;
}

/* ---- a page ---- */

static int
batch_compare(const void *a, const void *b)
{
	const struct batch *left = a, *right = b;

	return strcmp(left->model->model, right->model->model);
}

static int
fill(struct commit *c, struct error *err)
{
	c->batches =
	    talloc_zero_array(c->mem, struct batch, (unsigned)c->page->models_count + 1);
	if (c->batches == NULL)
		abort();
	for (; c->batches_count < c->page->models_count; c->batches_count++) {
		const struct run_page_model *from = &c->page->models[c->batches_count];
		struct batch *batch = &c->batches[c->batches_count];

		batch->model = ingest_model_of(c->ingest, from->model);
		if (batch->model == NULL)
			return error_set(err, ERR_INVALID_BODY, "a run saves over %d models",
					 INGEST_MODELS_MAX);
		if (batch_fill(c, batch, from, err) < 0)
			return -1;
	}
	/* The order in which heads are locked. */
	qsort(c->batches, c->batches_count, sizeof(*c->batches), batch_compare);
	return 0;
}

/* What is stored, as far as this run knows. */
static int
resolve(struct commit *c, struct db *db, struct error *err)
{
	for (size_t i = 0; i < c->batches_count; i++) {
		struct batch *batch = &c->batches[i];
		struct ingest_model *model = batch->model;

		if (!model->has_head &&
		    dataset_heads(db, c->ingest->connection_row, c->ingest->variant,
				  &model->model, 1, false, &model->head, err) < 0)
			return -1;
		model->has_head = true;
		if (ingest_load_manifest(c->ingest, db, model, err) < 0 ||
		    batch_resolve(db, batch, err) < 0)
			return -1;
		batch->before = model->head;
		if (batch_classify(c, batch, err) < 0)
			return -1;
	}
	return 0;
}

static int
commit_quietly(struct db *db, void *arg, struct error *err)
{
	return commit_page_row(arg, db, false, err);
}

static bool
is_quiet(const struct commit *c)
{
	for (size_t i = 0; i < c->batches_count; i++)
		if (!batch_is_quiet(&c->batches[i]))
			return false;
	return true;
}

/* The page is in. */
static void
note_page(struct commit *c)
{
	ahead_end(c);
	for (size_t i = 0; i < c->batches_count; i++) {
		struct batch *batch = &c->batches[i];
		struct ingest_model *model = batch->model;

		model->added += batch->added;
		model->updated += batch->updated;
		model->deleted += batch->removed;
		model->quarantined += (int64_t)batch->bad_count;
	}
	c->ingest->pages++;
	if (c->page->checkpoint != NULL || c->page->clears_checkpoint)
		c->ingest->checkpoint_version++;
}

static int
look_at(struct commit *c, struct error *err)
{
	struct db *db;
	int result;

	if (db_acquire(c->ingest->data, &db, err) < 0)
		return -1;
	talloc_free(c->attempt);
	c->attempt = talloc_new(c->mem);
	result = resolve(c, db, err);
	db_release(db);
	return result;
}

static int
page_in(struct commit *c, struct error *err)
{
	const struct db_work quiet = {
	    .run = commit_quietly, .resolve = commit_resolve, .arg = c};
	int result = 0;

	ahead_begin(c);
	if (!c->is_written)
		result = look_at(c, err);
	if (result < 0 || is_quiet(c) || !commit_may_append(c))
		ahead_withdraw(c);
	if (result < 0)
		return -1;
	c->verdict = (struct page_verdict){true, true, true};
	if (is_quiet(c) && db_single(c->ingest->data, &quiet, err) < 0)
		return -1;
	if (is_quiet(c) && c->verdict.is_fence_held)
		return 0;
	/* Heads that moved are locked and looked at again; what else it was says the attempt.
	 */
	return commit_in_transaction(c, err);
}

struct ingest_prepared {
	struct commit commit;
	int result;
	struct error err;
};

static int
prepared_destructor(struct ingest_prepared *p)
{
	ahead_drop(&p->commit);
	return 0;
}

struct ingest_prepared *
ingest_prepare(struct ingest *ingest, const struct run_page *page, int64_t behind)
{
	struct ingest_prepared *p = talloc_zero(NULL, struct ingest_prepared);

	if (p == NULL)
		abort();
	p->commit = (struct commit){.ingest = ingest, .page = page, .mem = p};
	talloc_set_destructor(p, prepared_destructor);
	p->result = fill(&p->commit, &p->err);
	if (p->result == 0)
		ahead_try(&p->commit, behind);
	return p;
}

int
ingest_page(struct ingest *ingest, const struct run_page *page,
	    struct ingest_prepared *prepared, struct error *err)
{
	int result;

	if (prepared == NULL)
		prepared = ingest_prepare(ingest, page, 0);
	result = prepared->result;
	if (result < 0)
		*err = prepared->err;
	else
		result = page_in(&prepared->commit, err);
	if (result == 0)
		note_page(&prepared->commit);
	else
		commit_explain(ingest, err);
	talloc_free(prepared);
	return result;
}
