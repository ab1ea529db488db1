/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_classify -- what each record of a page is to what is stored: new, changed,
 * deleted, bad, or the same.
 */
#include "engine/ingest_internal.h"

#include <string.h>

void
batch_look_up(struct batch *batch)
{
	const struct manifest *manifest = batch->model->manifest;
	struct record_write **rows = batch->rows.at;
	size_t count = batch->rows.count;

	for (size_t i = 0; i < count; i++) {
		struct ingest_row *row = (struct ingest_row *)rows[i];

		if (i + MANIFEST_AHEAD < count)
			manifest_prefetch(manifest,
					  ((struct ingest_row *)rows[i + MANIFEST_AHEAD])->key);
		manifest_find(manifest, row->key, &row->write.old);
	}
}

/* ---- classification ---- */

static void
mark_seen(struct batch *batch, const struct ingest_row *row)
{
	if (batch->after.window_id != 0)
		buf_add(&batch->marks, row->key, INGEST_MARK_BYTES);
}

static void
give_number(struct batch *batch, struct record_write *write, enum record_action action)
{
	write->seq = ++batch->after.seq;
	write->action = action;
}

/* What is stored, or an earlier record of this page. */
static bool
has_quarantine(const struct batch *batch)
{
	return batch->before.quarantined > 0 || batch->bad_staged > 0;
}

static void
classify_delete(struct commit *c, struct batch *batch, struct ingest_row *row)
{
	if (!row->write.old.is_known || row->write.old.is_deleted) {
		if (has_quarantine(batch))
			list_add(c->attempt, &batch->mended, &row->write);
		return;
	}
	memcpy(row->write.hash, row->write.old.hash, RECORD_HASH_BYTES);
	give_number(batch, &row->write, RECORD_DELETED);
	batch->after.live--;
	batch->removed++;
	list_add(c->attempt, &batch->deleted, &row->write);
}

/* Does the model allow it? 1 yes, 0 it is in quarantine, -1 it fails the run. */
static int
validate(struct commit *c, struct batch *batch, struct ingest_row *row, struct error *err)
{
	struct validate_fault fault;

	if (batch->model->spec == NULL ||
	    validate_record(c->ingest->spec, batch->model->spec, row->record, &fault) == 0)
		return 1;
	return batch_bad_record(c, batch, &row->write, fault.path, strlen(fault.path),
				fault.reason, row->record, err);
}

static int
classify_save(struct commit *c, struct batch *batch, struct ingest_row *row, struct error *err)
{
	struct record_write *w = &row->write;
	bool is_live = w->old.is_known && !w->old.is_deleted;
	bool is_same = is_live && memcmp(w->hash, w->old.hash, RECORD_HASH_BYTES) == 0;
	int verdict = 1;

	if (row->fault != NULL) {
		mark_seen(batch, row);
		return batch_bad_record(c, batch, w, "id", 2, row->fault, row->patch.bytes,
					err);
	}
	/* What is stored passed the model of its day, or is in quarantine since. */
	if (!is_same || batch->model->model_hash != batch->before.model_hash ||
	    has_quarantine(batch))
		verdict = validate(c, batch, row, err);
	if (verdict < 0)
		return -1;
	if (is_same || verdict == 0) {
		mark_seen(batch, row); /* a bad one was there, all the same */
		if (verdict == 1 && has_quarantine(batch))
			list_add(c->attempt, &batch->mended, w);
		return 0;
	}
	give_number(batch, w, is_live ? RECORD_UPDATED : RECORD_ADDED);
	if (is_live) {
		batch->updated++;
	} else {
		batch->added++;
		batch->after.live++;
	}
	if (row->change == RUN_UPDATE)
		list_add(c->attempt, &batch->merged, w);
	else
		list_add(c->attempt, w->old.is_known ? &batch->changed : &batch->fresh, w);
	return 0;
}

/* An update, once its record is what it became, or its fault is known. */
static int
classify_update(struct commit *c, struct batch *batch, struct ingest_row *row,
		struct error *err)
{
	if (row->fault == NULL && row->record.data == NULL)
		return 0; /* not merged, or not there */
	if (row->fault == NULL)
		batch_hash_row(c, batch, row);
	return classify_save(c, batch, row, err);
}

static void
open_window(const struct commit *c, struct batch *batch)
{
	struct dataset *head = &batch->after;

	head->window_id = batch->next_window_id;
	head->window_seq = head->seq;
	head->window_live = head->live;
	head->window_run_id = c->ingest->run_id;
	head->window_model = batch->model->model_hash;
	head->window_is_partial = false;
}

/* The model that every live record passed once this page is in: its own counts for what it
 * wrote, or let out of the quarantine. */
static int64_t
passed_model(const struct batch *batch)
{
	const struct dataset *head = &batch->before;

	if (batch->fresh.count + batch->changed.count + batch->merged.count +
		batch->mended.count ==
	    0)
		return head->model_hash;
	return head->live == 0 || head->model_hash == batch->model->model_hash
		   ? batch->model->model_hash
		   : 0;
}

int
batch_classify_row(struct commit *c, struct batch *batch, struct ingest_row *row,
		   struct error *err)
{
	if (row->change == RUN_UPDATE)
		return classify_update(c, batch, row, err);
	if (row->change == RUN_SAVE)
		return classify_save(c, batch, row, err);
	classify_delete(c, batch, row);
	return 0;
}

void
batch_classify_begin(struct commit *c, struct batch *batch)
{
	batch->after = batch->before;
	batch->fresh = batch->changed = batch->merged = batch->deleted = batch->mended =
	    (struct ingest_list){0};
	batch->added = batch->updated = batch->removed = 0;
	batch->bad_count = batch->bad_staged;
	batch->bad_put = 0;
	buf_init(&batch->marks, c->attempt, 64);
	if (batch->from->opens_window && batch->after.window_id == 0)
		open_window(c, batch);
	if (batch->after.window_id != 0 &&
	    batch->after.window_model != batch->model->model_hash)
		batch->after.window_model = 0;
	batch->after.window_is_partial |= c->page->leaves_walk && batch->after.window_id != 0;
	if (batch->after.window_id != 0) /* bad ones were there, all the same */
		buf_add(&batch->marks, batch->bad_marks.data, batch->bad_marks.length);
}

void
batch_classify_end(struct batch *batch)
{
	batch->after.model_hash = passed_model(batch);
}

int
batch_classify(struct commit *c, struct batch *batch, struct error *err)
{
	batch_classify_begin(c, batch);
	for (size_t i = 0; i < batch->rows.count; i++)
		if (batch_classify_row(c, batch, (struct ingest_row *)batch->rows.at[i], err) <
		    0)
			return -1;
	batch_classify_end(batch);
	return 0;
}

bool
batch_is_quiet(const struct batch *batch)
{
	return batch->fresh.count + batch->changed.count + batch->deleted.count +
		       batch->mended.count + batch->bad_count ==
		   0 &&
	       !batch->has_updates && !batch->from->closes_window &&
	       (!batch->from->opens_window || batch->before.window_id != 0);
}
