/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest -- see ingest.h.
 *
 * The fence is checked last: its row lock is then held for the shortest time, and a run that
 * lost its lease rolls back everything it did before. Heads are locked in the order of their
 * models' names, so that two pages that share models cannot wait for each other.
 */
#include "engine/ingest.h"
#include "base/crypto.h"
#include "store/outbox.h"
#include "store/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* One model of the page on its way: every record, hashed, and what becomes of it. */
struct batch {
	const char *model;
	struct record_write *all, **rows, **fresh, **changed;
	size_t count, fresh_count, changed_count;
	int64_t added, updated;
};

struct commit {
	struct ingest *ingest;
	struct batch *batches; /* sorted by model */
	size_t batches_count;
	const struct run_page *page;
	char *result;
	TALLOC_CTX *mem;
};

struct ingest *
ingest_new(void)
{
	struct ingest *ingest = talloc_zero(NULL, struct ingest);

	if (ingest == NULL)
		abort();
	return ingest;
}

void
ingest_set_secret(struct ingest *ingest, const unsigned char record_key[32])
{
	for (size_t i = 0; i < INGEST_SECRET_BYTES / CRYPTO_KEY_BYTES; i++) {
		char info[32];

		snprintf(info, sizeof(info), "nango record hash %zu", i);
		crypto_derive(ingest->hash_secret + i * CRYPTO_KEY_BYTES, record_key, info);
	}
}

static struct ingest_count *
count_of(TALLOC_CTX *mem, struct ingest *ingest, const char *model)
{
	for (size_t i = 0; i < ingest->counts_count; i++)
		if (strcmp(ingest->counts[i].model, model) == 0)
			return &ingest->counts[i];
	if (ingest->counts_count == INGEST_MODELS_MAX)
		return NULL;
	ingest->counts[ingest->counts_count].model = talloc_strdup(mem, model);
	return &ingest->counts[ingest->counts_count++];
}

void
ingest_set_counts(struct ingest *ingest, const char *result_json)
{
	struct json_object *tree;
	struct error ignored;

	if (json_parse(ingest, result_json, strlen(result_json), &tree, &ignored) < 0)
		return;
	json_object_object_foreach (tree, model, counts) {
		struct ingest_count *count = count_of(ingest, ingest, model);

		if (count == NULL)
			return;
		count->added = json_integer(counts, "added", 0);
		count->updated = json_integer(counts, "updated", 0);
		count->deleted = json_integer(counts, "deleted", 0);
	}
}

char *
ingest_result(TALLOC_CTX *mem, const struct ingest *ingest)
{
	struct buf buf;

	buf_init(&buf, mem, 128);
	buf_addc(&buf, '{');
	for (size_t i = 0; i < ingest->counts_count; i++) {
		const struct ingest_count *c = &ingest->counts[i];

		if (i > 0)
			buf_addc(&buf, ',');
		buf_add_json_str(&buf, c->model);
		buf_addf(&buf,
			 ":{\"added\":%" PRId64 ",\"updated\":%" PRId64 ",\"deleted\":%" PRId64
			 "}",
			 c->added, c->updated, c->deleted);
	}
	buf_addc(&buf, '}');
	return buf.data;
}

/* The id's text: of a string its characters, of a number its digits as they were written. */
static int
read_id(TALLOC_CTX *mem, const char *model, struct jsonspan id, struct record_write *out,
	struct error *err)
{
	char *text = talloc_size(mem, id.length + 1);
	long length = (long)id.length;

	if (text == NULL)
		abort();
	switch (jsonspan_type(id)) {
	case JSONSPAN_STRING:
		length = jsonspan_unescape(id, text);
		break;
	case JSONSPAN_NUMBER:
		memcpy(text, id.data, id.length);
		break;
	default:
		length = -1;
	}
	if (length <= 0)
		return error_set_at(err, ERR_INVALID_BODY, model,
				    "a record of %s has no id: it must be a text or a number",
				    model);
	if (length > RECORD_ID_MAX)
		return error_set_at(err, ERR_INVALID_BODY, model,
				    "a record of %s has an id of %ld bytes: %d are the limit",
				    model, length, RECORD_ID_MAX);
	if (memchr(text, '\0', (size_t)length) != NULL)
		return error_set_at(err, ERR_INVALID_BODY, model,
				    "a record of %s has U+0000 in its id", model);
	out->external_id = text;
	out->external_id_length = (size_t)length;
	return 0;
}

static int
fill_batch(struct commit *c, struct batch *batch, const struct run_page_model *from,
	   struct error *err)
{
	batch->model = from->model;
	batch->count = from->count;
	batch->all = talloc_zero_array(c->mem, struct record_write, (unsigned)from->count + 1);
	batch->rows = talloc_array(c->mem, struct record_write *, (unsigned)from->count + 1);
	batch->fresh = talloc_array(c->mem, struct record_write *, (unsigned)from->count + 1);
	batch->changed = talloc_array(c->mem, struct record_write *, (unsigned)from->count + 1);
	if (batch->all == NULL || batch->rows == NULL || batch->fresh == NULL ||
	    batch->changed == NULL)
		abort();
	for (size_t i = 0; i < from->count; i++) {
		struct record_write *row = &batch->all[i];
		XXH128_canonical_t hash;

		if (read_id(c->mem, from->model, from->records[i].id, row, err) < 0)
			return -1;
		row->payload = from->records[i].bytes.data;
		row->payload_length = from->records[i].bytes.length;
		XXH128_canonicalFromHash(&hash, XXH3_128bits_withSecret(row->payload,
									row->payload_length,
									c->ingest->hash_secret,
									INGEST_SECRET_BYTES));
		memcpy(row->hash, hash.digest, RECORD_HASH_BYTES);
		batch->rows[i] = row;
	}
	batch->count = record_unique(batch->rows, batch->count);
	return 0;
}

static int
batch_compare(const void *a, const void *b)
{
	return strcmp(((const struct batch *)a)->model, ((const struct batch *)b)->model);
}

/* Decides for each record: new, changed (or back from deletion), or unchanged. */
static void
classify(struct batch *batch, struct dataset *head)
{
	batch->fresh_count = batch->changed_count = 0;
	batch->added = batch->updated = 0;
	for (size_t i = 0; i < batch->count; i++) {
		struct record_write *row = batch->rows[i];
		bool is_same = row->is_known && !row->is_deleted &&
			       memcmp(row->hash, row->old_hash, RECORD_HASH_BYTES) == 0;

		if (is_same)
			continue;
		row->seq = ++head->seq;
		row->action = row->is_known && !row->is_deleted ? RECORD_UPDATED : RECORD_ADDED;
		if (row->action == RECORD_ADDED) {
			batch->added++;
			head->live++;
		} else {
			batch->updated++;
		}
		if (row->is_known)
			batch->changed[batch->changed_count++] = row;
		else
			batch->fresh[batch->fresh_count++] = row;
	}
}

static int
write_batch(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	struct dataset head;

	for (size_t i = 0; i < batch->count; i++)
		batch->rows[i]->is_known = batch->rows[i]->is_deleted = false;
	if (dataset_lock(db, c->ingest->connection_row, batch->model, c->ingest->variant, &head,
			 err) < 0 ||
	    record_probe(db, &head, batch->rows, batch->count, err) < 0)
		return -1;
	classify(batch, &head);
	if (batch->fresh_count + batch->changed_count == 0)
		return 0;
	if (record_insert(db, &head, batch->fresh, batch->fresh_count, err) < 0 ||
	    record_update(db, &head, batch->changed, batch->changed_count, err) < 0)
		return -1;
	return dataset_advance(db, &head, err);
}

/* The counts as they are once this page is in. */
static int
result_after(struct commit *c, struct ingest *after, struct error *err)
{
	*after = *c->ingest;
	for (size_t i = 0; i < c->batches_count; i++) {
		struct ingest_count *count = count_of(c->mem, after, c->batches[i].model);

		if (count == NULL)
			return error_set(err, ERR_INVALID_BODY, "a run saves over %d models",
					 INGEST_MODELS_MAX);
		count->added += c->batches[i].added;
		count->updated += c->batches[i].updated;
	}
	return 0;
}

/* No change is committed that no webhook will tell of. */
static int
announce(struct commit *c, struct db *db, const struct batch *batch, struct error *err)
{
	const struct ingest *in = c->ingest;
	const struct outbox_page page = {.connection_row = in->connection_row,
					 .environment_id = in->environment_id,
					 .run_id = in->run_id,
					 .model = batch->model,
					 .facts = in->facts,
					 .added = batch->added,
					 .updated = batch->updated};

	if (batch->added + batch->updated == 0)
		return 0;
	return outbox_page(db, &page, err);
}

static int
commit_run(struct db *db, void *arg, struct error *err)
{
	struct commit *c = arg;
	struct ingest *in = c->ingest;
	struct ingest after;

	for (size_t i = 0; i < c->batches_count; i++)
		if (write_batch(c, db, &c->batches[i], err) < 0 ||
		    announce(c, db, &c->batches[i], err) < 0)
			return -1;
	if (c->page->checkpoint != NULL &&
	    checkpoint_put(db, in->connection_row, in->checkpoint_key, c->page->checkpoint,
			   c->page->checkpoint_length, err) < 0)
		return -1;
	if (result_after(c, &after, err) < 0)
		return -1;
	return fence_page(db, in->connection_row, in->run_id, in->token, in->pages + 1,
			  ingest_result(c->mem, &after), err);
}

static int
commit_resolve(struct db *db, void *arg, bool *took_effect, struct error *err)
{
	struct commit *c = arg;
	int64_t pages;

	if (fence_pages(db, c->ingest->connection_row, c->ingest->run_id, &pages, err) < 0)
		return -1;
	*took_effect = pages >= c->ingest->pages + 1;
	return 0;
}

static int
ingest_page_in(struct commit *c, struct error *err)
{
	const struct db_work work = {.run = commit_run, .resolve = commit_resolve, .arg = c};
	struct ingest after;

	c->batches =
	    talloc_zero_array(c->mem, struct batch, (unsigned)c->page->models_count + 1);
	if (c->batches == NULL)
		abort();
	for (; c->batches_count < c->page->models_count; c->batches_count++)
		if (fill_batch(c, &c->batches[c->batches_count],
			       &c->page->models[c->batches_count], err) < 0)
			return -1;
	qsort(c->batches, c->batches_count, sizeof(*c->batches), batch_compare);
	if (db_transaction(c->ingest->data, &work, err) < 0 || result_after(c, &after, err) < 0)
		return -1;
	for (size_t i = 0; i < after.counts_count; i++) /* names made in this call go with it */
		if (i >= c->ingest->counts_count)
			after.counts[i].model = talloc_strdup(c->ingest, after.counts[i].model);
	*c->ingest = after;
	c->ingest->pages++;
	return 0;
}

int
ingest_page(struct ingest *ingest, const struct run_page *page, struct error *err)
{
	struct commit c = {.ingest = ingest, .page = page, .mem = talloc_new(NULL)};
	int result = ingest_page_in(&c, err);

	talloc_free(c.mem);
	return result;
}
