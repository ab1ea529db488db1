/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_write -- a page that changes something: its heads are locked, what others wrote
 * since is taken up, the records are written, and store/page makes it count.
 *
 * Heads are locked in the order of their models' names, so that two pages that share models
 * cannot wait for each other. The fence is checked last: its row lock is then held for the
 * shortest time, and a run that lost its lease rolls back everything it did before.
 */
#include "engine/ingest_internal.h"
#include "store/feed.h"
#include "store/fence.h"
#include "store/outbox.h"

#include <stdlib.h>
#include <string.h>

/* ---- what others wrote since the head was seen ---- */

struct reading {
	struct ingest *ingest;
	struct manifest *manifest;
};

static int
take_state(void *arg, const char *id, size_t length, const struct record_state *state,
	   struct error *err)
{
	const struct reading *r = arg;
	unsigned char key[MANIFEST_KEY_BYTES];

	manifest_key(key, id, length, r->ingest->hash_secret);
	if (manifest_put(r->manifest, key, state) < 0)
		return error_set(err, ERR_BUSY, "the manifests' budget is used up");
	return 0;
}

static void
drop_manifest(struct ingest_model *model)
{
	manifest_free(model->manifest);
	model->manifest = NULL;
	model->has_no_manifest = true;
}

/* An emptied dataset is known without looking: it held nothing at sequence 0. */
static int
refresh_manifest(struct ingest *in, struct db *db, struct ingest_model *model,
		 const struct dataset *now, struct error *err)
{
	int64_t from = model->head.seq;
	struct reading reading = {in, model->manifest};

	if (now->epoch != model->head.epoch || now->id != model->head.id) {
		manifest_free(model->manifest);
		model->manifest = reading.manifest =
		    manifest_new(in->budget, (size_t)now->live);
		from = 0;
	}
	if (model->manifest != NULL &&
	    record_states(db, now, from, take_state, &reading, err) == 0)
		return 0;
	if (model->manifest != NULL && err->code != ERR_BUSY)
		return -1;
	drop_manifest(model);
	return 0;
}

/* The load, once asking for each page has touched a twentieth of the dataset. */
int
ingest_load_manifest(struct ingest *in, struct db *db, struct ingest_model *model,
		     struct error *err)
{
	struct reading reading = {.ingest = in};

	if (model->manifest != NULL || model->has_no_manifest ||
	    (model->head.seq > 0 && model->touched * 20 < model->head.live))
		return 0;
	model->manifest = reading.manifest = manifest_new(in->budget, (size_t)model->head.live);
	if (model->manifest != NULL &&
	    (model->head.seq == 0 ||
	     record_states(db, &model->head, 0, take_state, &reading, err) == 0))
		return 0;
	if (model->manifest != NULL && err->code != ERR_BUSY)
		return -1;
	drop_manifest(model);
	return 0;
}

int
batch_resolve(struct db *db, struct batch *batch, struct error *err)
{
	if (batch->model->manifest != NULL) {
		batch_look_up(batch);
		return 0;
	}
	batch->model->touched += (int64_t)batch->rows.count;
	return record_probe(db, &batch->model->head, batch->rows.at, batch->rows.count,
			    batch_find, batch, err);
}

static int
catch_up(struct commit *c, struct db *db, struct batch *batch, const struct dataset *now,
	 struct error *err)
{
	struct ingest_model *model = batch->model;

	if (now->id == model->head.id && now->epoch == model->head.epoch &&
	    now->seq == model->head.seq) {
		model->head = *now;
		return 0;
	}
	if (model->manifest != NULL && refresh_manifest(c->ingest, db, model, now, err) < 0)
		return -1;
	model->head = *now;
	return batch_resolve(db, batch, err);
}

/* ---- updates: laid over what is stored, which the locked head keeps as it is ---- */

struct merging {
	struct commit *c;
	struct batch *batch;
};

static int
merge_one(void *arg, const struct record_read *stored, struct error *err)
{
	struct merging *m = arg;
	size_t length = strlen(stored->external_id);
	struct ingest_row *row =
	    (struct ingest_row *)batch_find(m->batch, stored->external_id, length);
	const struct payload_place place = {&m->batch->model->head, stored->external_id,
					    length};
	const char *data = stored->payload;
	size_t data_length = stored->payload_length;

	if (row == NULL || row->change != RUN_UPDATE)
		return 0;
	if (data == NULL)
		return error_set_at(err, ERR_INVALID_RECORD, "id",
				    "record %s of %s cannot be updated: its payload was "
				    "pruned; save it whole",
				    stored->external_id, m->batch->model->model);
	if (payload_decode(m->c->attempt, &m->c->ingest->codec, &place, stored->codec, &data,
			   &data_length, err) < 0)
		return -1;
	row->record =
	    batch_merge(m->c->attempt, (struct jsonspan){data, data_length}, row->patches);
	return 0;
}

static int
merge_updates(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	struct json_object *ids;
	struct merging merging = {c, batch};
	struct record_query query = {
	    .connection_row = c->ingest->connection_row,
	    .dataset_id = batch->model->head.id,
	    .limit = INT32_MAX,
	    .with_added = true,
	    .with_updated = true,
	};

	if (!batch->has_updates)
		return 0;
	ids = json_own(c->attempt, json_object_new_array());
	for (size_t i = 0; i < batch->rows.count; i++) {
		const struct ingest_row *row = (struct ingest_row *)batch->rows.at[i];

		if (row->change == RUN_UPDATE && row->write.old.is_known &&
		    !row->write.old.is_deleted)
			json_object_array_add(ids, json_object_new_string_len(
						       row->write.external_id,
						       (int)row->write.external_id_length));
	}
	query.ids_json = json_text(c->attempt, ids);
	return record_stream(db, &query, merge_one, &merging, err);
}

/* ---- writing ---- */

static void
encode(struct commit *c, const struct batch *batch, const struct ingest_list *list)
{
	for (size_t i = 0; c->ingest->codec.seals && i < list->count; i++) {
		struct ingest_row *row = (struct ingest_row *)list->at[i];
		struct record_write *w = &row->write;
		const struct payload_place place = {&batch->before, w->external_id,
						    w->external_id_length};

		w->payload = row->record.data; /* an earlier attempt sealed it, too */
		w->payload_length = row->record.length;
		w->codec = payload_encode(c->attempt, &c->ingest->codec, &place, &w->payload,
					  &w->payload_length);
	}
}

static int
quarantine(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	struct dataset *head = &batch->after;
	struct quarantine_write *bad =
	    talloc_array(c->attempt, struct quarantine_write, (unsigned)batch->bad_count + 1);

	if (bad == NULL)
		abort();
	for (size_t i = 0; i < batch->bad_count; i++) {
		const struct payload_place place = {head, batch->bad[i].key,
						    strlen(batch->bad[i].key)};

		bad[i] = batch->bad[i];
		bad[i].codec = payload_encode(c->attempt, &c->ingest->codec, &place,
					      &bad[i].bytes, &bad[i].bytes_length);
	}
	if (quarantine_drop(db, head, batch->fresh.at, batch->fresh.count, err) < 0 ||
	    quarantine_drop(db, head, batch->changed.at, batch->changed.count, err) < 0 ||
	    quarantine_drop(db, head, batch->deleted.at, batch->deleted.count, err) < 0 ||
	    quarantine_drop(db, head, batch->mended.at, batch->mended.count, err) < 0 ||
	    quarantine_put(db, head, c->ingest->run_id, bad, batch->bad_count, err) < 0)
		return -1;
	if (head->quarantined > INGEST_QUARANTINE_MAX)
		return error_set_at(err, ERR_INVALID_RECORD, batch->bad[0].path,
				    "over %d records of %s are in quarantine (the newest: %s: "
				    "%s): mend the model or the plugin",
				    INGEST_QUARANTINE_MAX, batch->model->model,
				    batch->bad[0].path, batch->bad[0].reason);
	return 0;
}

static int
write_batch(struct commit *c, struct db *db, struct batch *batch, const struct dataset *now,
	    struct error *err)
{
	if (catch_up(c, db, batch, now, err) < 0)
		return -1;
	batch->before = *now;
	if (batch->from->opens_window && now->window_id == 0 &&
	    window_next_id(db, &batch->next_window_id, err) < 0)
		return -1;
	if (merge_updates(c, db, batch, err) < 0 || batch_classify(c, batch, err) < 0)
		return -1;
	encode(c, batch, &batch->fresh);
	encode(c, batch, &batch->changed);
	if (record_insert(db, now, batch->fresh.at, batch->fresh.count, err) < 0 ||
	    record_update(db, now, batch->changed.at, batch->changed.count, err) < 0 ||
	    record_delete(db, now, batch->deleted.at, batch->deleted.count, err) < 0 ||
	    quarantine(c, db, batch, err) < 0)
		return -1;
	if (!batch->from->closes_window)
		return 0;
	return batch_close_window(c, db, batch, batch->from->overrides_guard, err);
}

int
batch_announce(struct commit *c, struct db *db, const struct batch *batch, struct error *err)
{
	const struct ingest *in = c->ingest;
	const struct outbox_page page = {
	    .connection_row = in->connection_row,
	    .environment_id = in->environment_id,
	    .run_id = in->run_id,
	    .model = batch->model->model,
	    .facts = in->facts == NULL ? "{}" : in->facts,
	    .added = batch->added,
	    .updated = batch->updated,
	    .deleted = batch->removed,
	};

	if (batch->added + batch->updated + batch->removed == 0)
		return 0;
	return outbox_page(db, &page, err);
}

/* Counts as they are once this page is in. */
static void
counts_after(struct commit *c, int sign)
{
	for (size_t i = 0; i < c->batches_count; i++) {
		const struct batch *batch = &c->batches[i];

		batch->model->added += sign * batch->added;
		batch->model->updated += sign * batch->updated;
		batch->model->deleted += sign * batch->removed;
		batch->model->quarantined += sign * (int64_t)batch->bad_count;
	}
}

int
commit_page_row(struct commit *c, struct db *db, struct error *err)
{
	struct ingest *in = c->ingest;
	const struct run_page *p = c->page;
	struct page_head *heads =
	    talloc_zero_array(c->attempt, struct page_head, (unsigned)c->batches_count + 1);
	struct page_write write = {
	    .connection_row = in->connection_row,
	    .run_id = in->run_id,
	    .token = in->token,
	    .number = in->pages + 1,
	    .heads = heads,
	    .heads_count = c->batches_count,
	    .checkpoint = p->checkpoint != NULL	 ? PAGE_CHECKPOINT_PUT
			  : p->clears_checkpoint ? PAGE_CHECKPOINT_CLEAR
						 : PAGE_CHECKPOINT_KEEP,
	    .checkpoint_key = in->checkpoint_key,
	    .checkpoint_body = p->checkpoint,
	    .checkpoint_length = p->checkpoint_length,
	    .checkpoint_version = in->checkpoint_version,
	};

	if (heads == NULL)
		abort();
	for (size_t i = 0; i < c->batches_count; i++)
		heads[i] =
		    (struct page_head){&c->batches[i].before, &c->batches[i].after,
				       c->batches[i].marks.data, c->batches[i].marks.length};
	counts_after(c, 1);
	write.result = ingest_result(c->attempt, in);
	counts_after(c, -1);
	return page_write(db, &write, &c->verdict, err);
}

static int
commit_run(struct db *db, void *arg, struct error *err)
{
	struct commit *c = arg;
	const char **models;
	struct dataset *heads;

	talloc_free(c->attempt);
	c->attempt = talloc_new(c->mem);
	models = talloc_array(c->attempt, const char *, (unsigned)c->batches_count + 1);
	heads = talloc_zero_array(c->attempt, struct dataset, (unsigned)c->batches_count + 1);
	if (models == NULL || heads == NULL)
		abort();
	for (size_t i = 0; i < c->batches_count; i++)
		models[i] = c->batches[i].model->model;
	if (dataset_heads(db, c->ingest->connection_row, c->ingest->variant, models,
			  c->batches_count, true, heads, err) < 0)
		return -1;
	for (size_t i = 0; i < c->batches_count; i++)
		if (write_batch(c, db, &c->batches[i], &heads[i], err) < 0 ||
		    batch_announce(c, db, &c->batches[i], err) < 0)
			return -1;
	if (commit_page_row(c, db, err) < 0)
		return -1;
	if (!c->verdict.is_checkpoint_held)
		return error_set(err, ERR_CHECKPOINT_CONFLICT,
				 "the checkpoint was written or reset by somebody else "
				 "since this run read it");
	if (!c->verdict.is_fence_held)
		return error_set(err, ERR_FENCED,
				 "the run lost its lease: nothing was written");
	return 0;
}

/* Was it committed, although the answer was lost? */
int
commit_resolve(struct db *db, void *arg, bool *took_effect, struct error *err)
{
	struct commit *c = arg;
	int64_t pages;

	if (fence_pages(db, c->ingest->connection_row, c->ingest->run_id, &pages, err) < 0)
		return -1;
	*took_effect = pages >= c->ingest->pages + 1;
	return 0;
}

static bool
drop_manifests(struct commit *c)
{
	bool had = false;

	for (size_t i = 0; i < c->batches_count; i++) {
		had |= c->batches[i].model->manifest != NULL;
		drop_manifest(c->batches[i].model);
		c->batches[i].model->head.epoch = -1; /* so that the ids are asked for */
	}
	return had;
}

int
commit_in_transaction(struct commit *c, struct error *err)
{
	const struct db_work work = {.run = commit_run, .resolve = commit_resolve, .arg = c};

	if (db_transaction(c->ingest->data, &work, err) == 0)
		return 0;
	/* A new record that is there already: the manifest was wrong. Ask instead. */
	if (err->code != ERR_CONFLICT || !drop_manifests(c))
		return -1;
	return db_transaction(c->ingest->data, &work, err);
}
