/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_ahead -- a page of new records is written before its turn, while the page
 * before it is being stored.
 *
 * A page that does nothing but add tells what it makes of its datasets once that is certain but
 * for its COMMIT (ahead_tell). The thread that prepares the next one waits for that, knows then
 * what is new in that one, and copies it in a transaction of its own (ahead_try); at its turn
 * what is left is the page's row, which checks fence and heads, and COMMIT. Nobody sees or
 * counts anything of it before. If the page before it comes to something else, or the run ends,
 * it is rolled back.
 *
 * It locks ids and sequence numbers until its turn. So a page that has to go behind the locks
 * of its heads rolls back what is ahead of it first; and one that waits for its heads while
 * their owner waits for such an id gives up after a while (COMMIT_LOCK_MS) and does the same.
 *
 * The mutex: heads, manifests, and the numbers of pages, from the first page to the last.
 */
#include "engine/ingest_internal.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_ROWS_MIN 100 /* new records; for fewer it is not worth it */

static bool
only_adds(const struct commit *c)
{
	size_t fresh = 0;

	for (size_t i = 0; i < c->batches_count; i++) {
		const struct batch *b = &c->batches[i];

		fresh += b->fresh.count;
		if (b->changed.count + b->deleted.count + b->mended.count > 0)
			return false;
	}
	return fresh >= AHEAD_ROWS_MIN;
}

/* ---- the page whose turn it is ---- */

/* The page before came to what it told, or this one's transaction was taken away; but it may
 * have come to it later, and COMMIT may say of a list that it was left, which was not known
 * yet. */
static bool
still_fits(const struct commit *c)
{
	for (size_t i = 0; i < c->batches_count; i++)
		if (c->batches[i].after.now_us2000 < c->batches[i].model->head.now_us2000)
			return false;
	return !c->page->leaves_walk;
}

void
ahead_begin(struct commit *c)
{
	struct ingest *in = c->ingest;

	pthread_mutex_lock(&in->mutex);
	c->number = ++in->begun;
	c->is_written = c->ahead != NULL && still_fits(c);
	in->ahead = NULL;
	pthread_mutex_unlock(&in->mutex);
	if (c->is_written)
		return;
	db_release(c->ahead);
	c->ahead = NULL;
}

static void
put_list(struct ingest_model *model, const struct ingest_list *list)
{
	for (size_t i = 0; i < list->count && model->manifest != NULL; i++) {
		const struct ingest_row *row = (const struct ingest_row *)list->at[i];
		struct record_state state = {true, row->write.action == RECORD_DELETED, {0}};

		memcpy(state.hash, row->write.hash, RECORD_HASH_BYTES);
		if (manifest_put(model->manifest, row->key, &state) < 0)
			ingest_drop_manifest(model);
	}
}

/* The mutex is held, as in all that follows. */
static void
note(struct commit *c)
{
	for (size_t i = 0; i < c->batches_count; i++) {
		struct batch *batch = &c->batches[i];

		put_list(batch->model, &batch->fresh);
		put_list(batch->model, &batch->changed);
		put_list(batch->model, &batch->merged);
		put_list(batch->model, &batch->deleted);
		batch->model->head = batch->after;
	}
	c->is_noted = true;
}

static void
decide(struct commit *c, int64_t told)
{
	c->ingest->told = told;
	c->ingest->decided = c->number;
	pthread_cond_signal(&c->ingest->has_decided);
}

void
ahead_tell(struct commit *c)
{
	pthread_mutex_lock(&c->ingest->mutex);
	if (only_adds(c)) { /* and one that does will follow, most likely */
		note(c);
		decide(c, c->number);
	} else {
		decide(c, 0);
	}
	pthread_mutex_unlock(&c->ingest->mutex);
}

static void
forget(struct commit *c)
{
	for (size_t i = 0; i < c->batches_count; i++) {
		struct ingest_model *model = c->batches[i].model;

		model->head = c->batches[i].before;
		manifest_free(model->manifest); /* it can be loaded again */
		model->manifest = NULL;
	}
	c->is_noted = false;
}

void
ahead_withdraw(struct commit *c)
{
	struct ingest *in = c->ingest;
	struct db *db = NULL;

	pthread_mutex_lock(&in->mutex);
	decide(c, 0);
	if (in->ahead != NULL) {
		db = in->ahead->ahead;
		in->ahead->ahead = NULL;
		in->ahead = NULL;
	}
	if (c->is_noted)
		forget(c);
	pthread_mutex_unlock(&in->mutex);
	db_release(db);
}

void
ahead_end(struct commit *c)
{
	pthread_mutex_lock(&c->ingest->mutex);
	if (!c->is_noted)
		note(c);
	pthread_mutex_unlock(&c->ingest->mutex);
}

/* ---- the page behind it ---- */

/* What the page is to what the one before it told. */
static bool
look_at(struct commit *c)
{
	struct error ignored;

	for (size_t i = 0; i < c->batches_count; i++) {
		struct batch *batch = &c->batches[i];

		if (!batch->model->has_head || batch->model->manifest == NULL)
			return false;
		batch_look_up(batch);
		batch->before = batch->model->head;
		if (batch_classify(c, batch, &ignored) < 0)
			return false;
	}
	return only_adds(c) && commit_may_append(c);
}

static struct db *
write_ahead(struct commit *c)
{
	struct db *db = db_spare(c->ingest->data);
	struct error ignored;

	if (db != NULL && db_script(db, COMMIT_BEGIN, &ignored) == 0 &&
	    commit_time(c, db, &ignored) == 0 && commit_records(c, db, &ignored) == 0)
		return db;
	db_release(db);
	return NULL;
}

void
ahead_try(struct commit *c, int64_t behind)
{
	struct ingest *in = c->ingest;
	struct db *db = NULL;
	bool is_known;

	c->attempt = talloc_new(c->mem);
	pthread_mutex_lock(&in->mutex);
	/* If it is under way: one that waits for a thread may be waiting for this one. */
	while (in->begun == behind && in->decided < behind)
		pthread_cond_wait(&in->has_decided, &in->mutex);
	is_known = behind > 0 && in->told == behind && look_at(c);
	pthread_mutex_unlock(&in->mutex);
	if (is_known)
		db = write_ahead(c);
	if (db == NULL)
		return;
	pthread_mutex_lock(&in->mutex);
	if (in->told == behind) {
		c->ahead = db;
		in->ahead = c;
		db = NULL;
	}
	pthread_mutex_unlock(&in->mutex);
	db_release(db);
}

void
ahead_drop(struct commit *c)
{
	struct ingest *in = c->ingest;

	pthread_mutex_lock(&in->mutex);
	if (in->ahead == c)
		in->ahead = NULL;
	pthread_mutex_unlock(&in->mutex);
	db_release(c->ahead);
	c->ahead = NULL;
}
