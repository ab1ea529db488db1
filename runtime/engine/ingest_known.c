/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_known -- what is stored of a page's records: from the manifest, from the
 * database, after others wrote, and whole, where updates are laid over it.
 */
#include "engine/ingest_internal.h"
#include "store/feed.h"

#include <stdlib.h>
#include <string.h>

/* ---- what others wrote since the head was seen ---- */

/* Rows that come wait until their slots are there. */
struct reading {
	struct ingest *ingest;
	struct manifest *manifest;
	struct {
		unsigned char key[MANIFEST_KEY_BYTES];
		struct record_state state;
	} waiting[MANIFEST_AHEAD];
	size_t taken, put;
};

static int
put_oldest(struct reading *r, struct error *err)
{
	size_t at = r->put++ % MANIFEST_AHEAD;

	if (manifest_put(r->manifest, r->waiting[at].key, &r->waiting[at].state) == 0)
		return 0;
	return error_set(err, ERR_BUSY, "the manifests' budget is used up");
}

static int
take_state(void *arg, const char *id, size_t length, const struct record_state *state,
	   struct error *err)
{
	struct reading *r = arg;
	size_t at = r->taken % MANIFEST_AHEAD;

	if (r->taken - r->put == MANIFEST_AHEAD && put_oldest(r, err) < 0)
		return -1;
	manifest_key(r->waiting[at].key, id, length, r->ingest->hash_secret);
	r->waiting[at].state = *state;
	manifest_prefetch(r->manifest, r->waiting[at].key);
	r->taken++;
	return 0;
}

/* What changed behind a sequence number (0: all that is there), into the manifest. */
static int
read_states(struct ingest *in, struct db *db, struct manifest *manifest,
	    const struct dataset *d, int64_t after_seq, struct error *err)
{
	struct reading r = {.ingest = in, .manifest = manifest};

	if (record_states(db, d, after_seq, take_state, &r, err) < 0)
		return -1;
	while (r.put < r.taken)
		if (put_oldest(&r, err) < 0)
			return -1;
	return 0;
}

void
ingest_drop_manifest(struct ingest_model *model)
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

	if (now->epoch != model->head.epoch || now->id != model->head.id) {
		manifest_free(model->manifest);
		model->manifest = manifest_new(in->budget, (size_t)now->live);
		from = 0;
	}
	if (model->manifest != NULL &&
	    read_states(in, db, model->manifest, now, from, err) == 0)
		return 0;
	if (model->manifest != NULL && err->code != ERR_BUSY)
		return -1;
	ingest_drop_manifest(model);
	return 0;
}

/* The load, once asking for each page has touched a twentieth of the dataset. */
int
ingest_load_manifest(struct ingest *in, struct db *db, struct ingest_model *model,
		     struct error *err)
{
	if (model->manifest != NULL || model->has_no_manifest ||
	    (model->head.seq > 0 && model->touched * 20 < model->head.live))
		return 0;
	model->manifest = manifest_new(in->budget, (size_t)model->head.live);
	if (model->manifest != NULL &&
	    (model->head.seq == 0 ||
	     read_states(in, db, model->manifest, &model->head, 0, err) == 0))
		return 0;
	if (model->manifest != NULL && err->code != ERR_BUSY)
		return -1;
	ingest_drop_manifest(model);
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

int
batch_catch_up(struct commit *c, struct db *db, struct batch *batch, const struct dataset *now,
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
	row->is_pruned = data == NULL;
	if (row->is_pruned)
		return 0; /* a bad one, says batch_classify */
	if (payload_decode(m->c->attempt, &m->c->ingest->codec, &place, stored->codec, &data,
			   &data_length, err) < 0)
		return -1;
	row->record =
	    batch_merge(m->c->attempt, (struct jsonspan){data, data_length}, row->patches);
	return 0;
}

int
batch_merge_updates(struct commit *c, struct db *db, struct batch *batch, struct error *err)
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
