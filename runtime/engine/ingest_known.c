/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_known -- what is stored of a page's records: from the manifest, from the
 * database, and after others wrote.
 */
#include "engine/ingest_internal.h"

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
