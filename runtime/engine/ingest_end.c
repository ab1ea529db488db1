/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_end -- what a run does to the data family at its beginning and its end: delete
 * windows of a full refresh, and the one transaction that closes the fence.
 */
#include "engine/ingest_internal.h"
#include "store/fence.h"
#include "store/outbox.h"

#include <stdlib.h>
#include <string.h>

struct opening {
	struct ingest *ingest;
	const char **models; /* in the order in which heads are locked */
	size_t count;
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
too_many_models(struct error *err)
{
	return error_set(err, ERR_INVALID_BODY, "a run saves over %d models",
			 INGEST_MODELS_MAX);
}

static int
open_run(struct db *db, void *arg, struct error *err)
{
	struct opening *o = arg;
	const struct ingest *in = o->ingest;

	for (size_t i = 0; i < o->count; i++) {
		const struct ingest_model *model = ingest_model_of(o->ingest, o->models[i]);
		struct dataset head;

		if (model == NULL)
			return too_many_models(err);
		if (dataset_heads(db, in->connection_row, in->variant, &o->models[i], 1, true,
				  &head, err) < 0 ||
		    window_open_for(db, &head, in->run_id, model->model_hash, err) < 0)
			return -1;
	}
	/* Last, as in a page: a run that lost its lease takes no window from its successor. */
	return fence_check(db, in->connection_row, in->run_id, in->token, err);
}

int
ingest_open_windows(struct ingest *ingest, const char *const *models, struct error *err)
{
	struct opening opening = {.ingest = ingest};
	const struct db_work work = {.run = open_run, .arg = &opening};
	int result;

	while (models[opening.count] != NULL)
		opening.count++;
	opening.models = talloc_array(NULL, const char *, (unsigned)opening.count + 1);
	if (opening.models == NULL)
		abort();
	memcpy(opening.models, models, opening.count * sizeof(*models));
	qsort(opening.models, opening.count, sizeof(*models), compare_names);
	result = db_transaction(ingest->data, &work, err);
	talloc_free(opening.models);
	return result;
}

/* ---- the end ---- */

struct ending {
	struct commit commit; /* of no page: what closing a window needs */
	const struct ingest_end *end;
	int64_t removed[INGEST_MODELS_MAX]; /* by this attempt */
};

static bool
closes(const struct ingest_end *end, const char *model)
{
	for (const char *const *name = end->closes; name != NULL && *name != NULL; name++)
		if (strcmp(*name, model) == 0)
			return true;
	return false;
}

static int
announce(const struct ingest *in, struct db *db, const struct batch *batch, struct error *err)
{
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

static int
close_own_window(struct ending *e, struct db *db, size_t index, struct error *err)
{
	static const struct run_page_model nothing = {0};
	/* The window is the run's own, and the run went over everything. */
	static const struct run_page_model own = {.is_vouched = true};
	struct commit *c = &e->commit;
	struct ingest_model *model = &c->ingest->models[index];
	struct batch batch = {.model = model, .from = &nothing};

	if (dataset_heads(db, c->ingest->connection_row, c->ingest->variant, &model->model, 1,
			  true, &batch.before, err) < 0)
		return -1;
	batch.after = batch.before;
	buf_init(&batch.marks, c->attempt, 16);
	if (batch.before.window_run_id != c->ingest->run_id)
		return 0;
	if (batch_close_window(c, db, &batch, &own, err) < 0 ||
	    dataset_advance(db, &batch.after, err) < 0 ||
	    announce(c->ingest, db, &batch, err) < 0)
		return -1;
	e->removed[index] = batch.removed;
	model->deleted += batch.removed;
	return 0;
}

/* A window that stays open holds what every walk has seen, until one may close it. */
static int
pack_window(struct ending *e, struct db *db, const struct ingest_model *model,
	    struct error *err)
{
	const struct ingest *in = e->commit.ingest;
	struct dataset head;
	bool is_crowded;

	if (window_is_crowded(db, &model->head, &is_crowded, err) < 0)
		return -1;
	if (!is_crowded)
		return 0;
	if (dataset_heads(db, in->connection_row, in->variant, &model->model, 1, true, &head,
			  err) < 0)
		return -1;
	return head.window_id == model->head.window_id ? window_pack(db, &head, err) : 0;
}

/* What becomes of a model's window. */
static int
end_window(struct ending *e, struct db *db, size_t index, struct error *err)
{
	const struct ingest_model *model = &e->commit.ingest->models[index];

	if (closes(e->end, model->model))
		return close_own_window(e, db, index, err);
	return model->has_head && model->head.window_id != 0 ? pack_window(e, db, model, err)
							     : 0;
}

static int
end_run(struct db *db, void *arg, struct error *err)
{
	struct ending *e = arg;
	struct ingest *in = e->commit.ingest;
	struct fence_end close = {
	    .state = e->end->state, .outcome = e->end->outcome, .pages = in->pages};

	talloc_free(e->commit.attempt);
	e->commit.attempt = talloc_new(e->commit.mem);
	for (size_t i = 0; i < in->models_count; i++) {
		in->models[i].deleted -= e->removed[i];
		e->removed[i] = 0;
	}
	for (size_t i = 0; i < in->models_count; i++)
		if (end_window(e, db, i, err) < 0)
			return -1;
	if (e->end->models != NULL && e->end->leaves_walk &&
	    window_set_partial(db, in->connection_row, in->variant, e->end->models, err) < 0)
		return -1;
	if (e->end->models != NULL &&
	    dataset_touch(db, in->connection_row, in->variant, e->end->models,
			  in->checkpoint_key, err) < 0)
		return -1;
	close.result = ingest_result(e->commit.attempt, in);
	if (fence_close(db, in->connection_row, in->run_id, in->token, &close, err) < 0)
		return -1;
	return e->end->release == NULL
		   ? 0
		   : e->end->release(e->end->arg, e->commit.attempt, db, err);
}

/* Whoever closed it, it is not this run's to close any more. */
static int
end_resolve(struct db *db, void *arg, bool *took_effect, struct error *err)
{
	const struct ending *e = arg;
	bool is_open;

	if (fence_is_open(db, e->commit.ingest->connection_row, e->commit.ingest->run_id,
			  &is_open, err) < 0)
		return -1;
	*took_effect = !is_open;
	return 0;
}

static int
compare_models(const void *a, const void *b)
{
	return strcmp(((const struct ingest_model *)a)->model,
		      ((const struct ingest_model *)b)->model);
}

int
ingest_finish(struct ingest *ingest, const struct ingest_end *end, struct error *err)
{
	struct ending e = {.commit = {.ingest = ingest}, .end = end};
	const struct db_work work = {.run = end_run, .resolve = end_resolve, .arg = &e};
	int result;

	for (size_t i = 0; end->closes != NULL && end->closes[i] != NULL; i++)
		if (ingest_model_of(ingest, end->closes[i]) == NULL)
			return too_many_models(err);
	/* The order in which heads are locked, as in a page. */
	qsort(ingest->models, ingest->models_count, sizeof(ingest->models[0]), compare_models);
	e.commit.mem = talloc_new(NULL);
	result = db_transaction(ingest->data, &work, err);
	if (result < 0) {
		commit_explain(ingest, err);
		for (size_t i = 0; i < ingest->models_count; i++)
			ingest->models[i].deleted -= e.removed[i];
	}
	talloc_free(e.commit.mem);
	return result;
}
