/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_write -- a page that changes something: its records are written, and store/page
 * makes it count.
 *
 * As long as nobody else writes to its datasets, a run knows their heads and takes them last
 * (append). When they were not where it thought, or the page needs them still (updates,
 * windows, quarantine), they are locked first, and what others wrote since is taken up
 * (behind_lock).
 *
 * Heads are locked in the order of their models' names, so that two pages that share models
 * cannot wait for each other. The fence is checked last: its row lock is then held for the
 * shortest time, and a run that lost its lease rolls back everything it did before.
 */
#include "engine/ingest_internal.h"
#include "store/fence.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

void
batch_encode(TALLOC_CTX *mem, const struct commit *c, const struct batch *batch,
	     const struct ingest_list *list)
{
	for (size_t i = 0; c->ingest->codec.seals && i < list->count; i++) {
		struct ingest_row *row = (struct ingest_row *)list->at[i];
		struct record_write *w = &row->write;
		const struct payload_place place = {&batch->before, w->external_id,
						    w->external_id_length};

		w->payload = row->record.data; /* an earlier attempt sealed it, too */
		w->payload_length = row->record.length;
		w->codec = payload_encode(mem, &c->ingest->codec, &place, &w->payload,
					  &w->payload_length);
	}
}

/* The next one, as it is stored; false: it comes at another time. */
static bool
encode_bad(TALLOC_CTX *mem, const struct commit *c, const struct batch *batch,
	   const struct ingest_bad *bad, bool is_early, struct quarantine_write *out)
{
	const struct payload_place place = {&batch->after, bad->write.key,
					    strlen(bad->write.key)};

	if (batch_bad_is_early(batch, bad) != is_early)
		return false;
	*out = bad->write;
	out->codec =
	    payload_encode(mem, &c->ingest->codec, &place, &out->bytes, &out->bytes_length);
	return true;
}

static int
put_range(struct commit *c, struct db *db, struct batch *batch, size_t from, size_t to,
	  bool is_early, struct error *err)
{
	int result = 0;

	while (result == 0 && from < to) {
		TALLOC_CTX *mem = talloc_new(c->attempt);
		struct quarantine_write *bad =
		    talloc_array(mem, struct quarantine_write, INGEST_PIECE_ROWS);
		size_t count = 0, bytes = 0;

		if (bad == NULL)
			abort();
		for (; from < to && count < INGEST_PIECE_ROWS && bytes < INGEST_PIECE_BYTES;
		     from++)
			if (encode_bad(mem, c, batch, &batch->bad[from], is_early, &bad[count]))
				bytes += bad[count++].bytes_length;
		result = quarantine_put(db, &batch->after, c->ingest->run_id, bad, count, err);
		talloc_free(mem);
	}
	return result;
}

int
batch_put_bad(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	if (batch->bad_put == 0) {
		if (put_range(c, db, batch, 0, batch->bad_staged, true, err) < 0)
			return -1;
		batch->bad_put = batch->bad_staged;
	}
	if (put_range(c, db, batch, batch->bad_put, batch->bad_count, false, err) < 0)
		return -1;
	batch->bad_put = batch->bad_count;
	return 0;
}

static int
drop_mended(struct db *db, struct batch *batch, struct error *err)
{
	const struct ingest_list *good[] = {&batch->fresh, &batch->changed, &batch->merged,
					    &batch->deleted, &batch->mended};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (quarantine_drop(db, &batch->after, good[i]->at, good[i]->count, err) < 0)
			return -1;
	return 0;
}

/* In the order of the page: what comes behind a bad record of its id mends it, and the bad ones
 * behind that count again. */
static int
quarantine(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	const struct dataset *head = &batch->after;

	if (batch_put_bad(c, db, batch, err) < 0 || drop_mended(db, batch, err) < 0 ||
	    put_range(c, db, batch, 0, batch->bad_staged, false, err) < 0)
		return -1;
	if (head->quarantined > INGEST_QUARANTINE_MAX && batch->bad_count > 0)
		return error_set_at(err, ERR_INVALID_RECORD, batch->bad[0].write.path,
				    "over %d records of %s are in quarantine (the newest: %s: "
				    "%s): mend the model or the plugin",
				    INGEST_QUARANTINE_MAX, batch->model->model,
				    batch->bad[0].write.path, batch->bad[0].write.reason);
	return 0;
}

static int
write_records(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	const struct dataset *head = &batch->before;

	batch_encode(c->attempt, c, batch, &batch->fresh);
	batch_encode(c->attempt, c, batch, &batch->changed);
	if (record_insert(db, head, batch->fresh.at, batch->fresh.count, err) < 0 ||
	    record_update(db, head, batch->changed.at, batch->changed.count, err) < 0)
		return -1;
	return record_delete(db, head, batch->deleted.at, batch->deleted.count, err);
}

static int
write_batch(struct commit *c, struct db *db, struct batch *batch, const struct dataset *now,
	    struct error *err)
{
	if (batch_catch_up(c, db, batch, now, err) < 0)
		return -1;
	batch->before = *now;
	if (batch->from->opens_window && now->window_id == 0 &&
	    window_next_id(db, &batch->next_window_id, err) < 0)
		return -1;
	if ((batch->has_updates ? batch_write_updates(c, db, batch, err)
				: batch_classify(c, batch, err)) < 0 ||
	    write_records(c, db, batch, err) < 0 || quarantine(c, db, batch, err) < 0)
		return -1;
	if (!batch->from->closes_window)
		return 0;
	return batch_close_window(c, db, batch, batch->from, err);
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
commit_page_row(struct commit *c, struct db *db, bool takes_heads, struct error *err)
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
	    .takes_heads = takes_heads,
	    .environment_id = in->environment_id,
	    .facts = in->facts == NULL ? "{}" : in->facts,
	};

	if (heads == NULL)
		abort();
	for (size_t i = 0; i < c->batches_count; i++) {
		const struct batch *b = &c->batches[i];

		heads[i] = (struct page_head){.before = &b->before,
					      .after = &b->after,
					      .marks = b->marks.data,
					      .marks_length = b->marks.length,
					      .added = b->added,
					      .updated = b->updated,
					      .deleted = b->removed};
	}
	counts_after(c, 1);
	write.result = ingest_result(c->attempt, in);
	counts_after(c, -1);
	return page_write(db, &write, &c->verdict, err);
}

/* The page's row, and why it was refused if it was: then nothing of the page may stay. */
static int
count_page(struct commit *c, struct db *db, bool takes_heads, struct error *err)
{
	if (commit_page_row(c, db, takes_heads, err) < 0)
		return -1;
	if (!c->verdict.is_checkpoint_held)
		return error_set(err, ERR_CHECKPOINT_CONFLICT,
				 "the checkpoint was written or reset by somebody else "
				 "since this run read it");
	if (!c->verdict.are_heads_held)
		return error_set(err, ERR_CONFLICT, "somebody else wrote to the dataset");
	if (!c->verdict.is_fence_held)
		return error_set(err, ERR_FENCED,
				 "the run lost its lease: nothing was written");
	return 0;
}

/* ---- behind the lock ---- */

static int
behind_lock(struct db *db, void *arg, struct error *err)
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
		if (write_batch(c, db, &c->batches[i], &heads[i], err) < 0)
			return -1;
	return count_page(c, db, false, err);
}

/* ---- appending ---- */

/* What was decided without the lock can be written as it is. */
bool
commit_may_append(const struct commit *c)
{
	for (size_t i = 0; i < c->batches_count; i++) {
		const struct batch *b = &c->batches[i];

		if (b->model->is_contended || b->has_updates || b->bad_count > 0 ||
		    b->before.quarantined > 0 || b->from->closes_window ||
		    (b->from->opens_window && b->before.window_id == 0))
			return false;
	}
	return true;
}

int
commit_time(struct commit *c, struct db *db, struct error *err)
{
	int64_t now;

	if (dataset_now(db, &now, err) < 0)
		return -1;
	for (size_t i = 0; i < c->batches_count; i++) {
		struct batch *batch = &c->batches[i];

		if (now < batch->before.now_us2000) /* the clock was set back */
			now = batch->before.now_us2000;
		batch->before.now_us2000 = batch->after.now_us2000 = now;
	}
	return 0;
}

int
commit_records(struct commit *c, struct db *db, struct error *err)
{
	for (size_t i = 0; i < c->batches_count; i++)
		if (write_records(c, db, &c->batches[i], err) < 0)
			return -1;
	return 0;
}

static int
append(struct db *db, void *arg, struct error *err)
{
	struct commit *c = arg;
	int result = c->is_written ? 0 : commit_time(c, db, err);

	if (result == 0)
		ahead_tell(c);
	if (result == 0 && !c->is_written)
		result = commit_records(c, db, err);
	c->is_written = false; /* another attempt begins anew */
	if (result == 0)
		result = count_page(c, db, true, err);
	if (result < 0 && err->code == ERR_DB_RETRY) /* a deadlock: next time behind the lock */
		err->code = ERR_CONFLICT;
	return result;
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

void
commit_explain(const struct ingest *in, struct error *err)
{
	bool is_behind = false;
	struct error ignored;
	struct db *db;

	/* The checkpoint of such a page is gone, too. */
	if ((err->code != ERR_FENCED && err->code != ERR_CHECKPOINT_CONFLICT) ||
	    db_acquire(in->data, &db, &ignored) < 0)
		return;
	if (fence_is_behind(db, in->connection_row, in->run_id, in->token, in->pages,
			    &is_behind, &ignored) == 0 &&
	    is_behind)
		error_set(err, ERR_DB_RETRY,
			  "Postgres crashed and lost pages that had changed nothing: the run "
			  "goes on behind the last one that is there");
	db_release(db);
}

static bool
drop_manifests(struct commit *c)
{
	bool had = false;

	for (size_t i = 0; i < c->batches_count; i++) {
		had |= c->batches[i].model->manifest != NULL;
		ingest_drop_manifest(c->batches[i].model);
		c->batches[i].model->head.epoch = -1; /* so that the ids are asked for */
	}
	return had;
}

/* -1 with ERR_CONFLICT: it has to go behind the locks. */
static int
commit_appending(struct commit *c, struct error *err)
{
	const struct db_work work = {.run = append,
				     .resolve = commit_resolve,
				     .arg = c,
				     .begin = COMMIT_BEGIN,
				     .begun = c->ahead};

	c->ahead = NULL;
	if (db_transaction(c->ingest->data, &work, err) == 0)
		return 0;
	ahead_withdraw(c);
	if (err->code == ERR_CONFLICT)
		for (size_t i = 0; i < c->batches_count; i++)
			c->batches[i].model->is_contended = true;
	return -1;
}

int
commit_in_transaction(struct commit *c, struct error *err)
{
	const struct db_work first = {.run = behind_lock, .resolve = commit_resolve, .arg = c};

	if (commit_may_append(c)) {
		if (commit_appending(c, err) == 0)
			return 0;
		if (err->code != ERR_CONFLICT)
			return -1;
	}
	if (db_transaction(c->ingest->data, &first, err) == 0)
		return 0;
	/* A new record that is there already: the manifest was wrong. Ask instead. */
	if (err->code != ERR_CONFLICT || !drop_manifests(c))
		return -1;
	return db_transaction(c->ingest->data, &first, err);
}
