/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_window -- closing a delete window: what is live, was not written since it was
 * opened, and was not seen, is gone at the provider and becomes deleted.
 *
 * Seen are the marks of all pages since, of any run; 8 bytes of an id's hash each, so that a
 * collision keeps a record that is gone and never deletes one that is there.
 */
#include "engine/ingest_internal.h"

#include <stdlib.h>
#include <string.h>

#define DELETE_CHUNK 10000

struct mark_set {
	uint64_t *slots; /* 0: free */
	size_t mask, count;
};

static void
mark_put(struct mark_set *set, uint64_t mark)
{
	size_t at = (size_t)mark & set->mask;

	while (set->slots[at] != 0 && set->slots[at] != mark)
		at = (at + 1) & set->mask;
	set->count += set->slots[at] == 0;
	set->slots[at] = mark;
}

static bool
mark_has(const struct mark_set *set, uint64_t mark)
{
	size_t at = (size_t)mark & set->mask;

	while (set->slots[at] != 0 && set->slots[at] != mark)
		at = (at + 1) & set->mask;
	return set->slots[at] == mark;
}

static void
marks_resize(TALLOC_CTX *mem, struct mark_set *set, size_t size)
{
	struct mark_set old = *set;

	set->slots = talloc_zero_size(mem, size * sizeof(uint64_t));
	if (set->slots == NULL)
		abort();
	set->mask = size - 1;
	set->count = 0;
	for (size_t i = 0; old.slots != NULL && i <= old.mask; i++)
		if (old.slots[i] != 0)
			mark_put(set, old.slots[i]);
	talloc_free(old.slots);
}

struct closing {
	struct commit *c;
	struct batch *batch;
	struct mark_set seen;
	struct ingest_row *doomed;
	size_t count, capacity;
};

static uint64_t
mark_of(const void *key)
{
	uint64_t mark;

	memcpy(&mark, key, sizeof(mark));
	return mark == 0 ? 1 : mark;
}

static int
take_marks(void *arg, const void *marks, size_t length, struct error *err)
{
	struct closing *closing = arg;

	(void)err;
	for (size_t at = 0; at + INGEST_MARK_BYTES <= length; at += INGEST_MARK_BYTES) {
		if (closing->seen.count >= closing->seen.mask / 2)
			marks_resize(closing->c->attempt, &closing->seen,
				     (closing->seen.mask + 1) * 2);
		mark_put(&closing->seen, mark_of((const char *)marks + at));
	}
	return 0;
}

static int
take_id(void *arg, const char *id, size_t length, struct error *err)
{
	struct closing *closing = arg;
	TALLOC_CTX *mem = closing->c->attempt;
	unsigned char key[MANIFEST_KEY_BYTES];
	struct ingest_row *row;

	(void)err;
	manifest_key(key, id, length, closing->c->ingest->hash_secret);
	if (mark_has(&closing->seen, mark_of(key)))
		return 0;
	if (closing->count == closing->capacity) {
		closing->capacity = closing->capacity == 0 ? 256 : closing->capacity * 2;
		closing->doomed = talloc_realloc(mem, closing->doomed, struct ingest_row,
						 (unsigned)closing->capacity);
		if (closing->doomed == NULL)
			abort();
	}
	row = &closing->doomed[closing->count++];
	memset(row, 0, sizeof(*row));
	memcpy(row->key, key, sizeof(key));
	row->write.external_id = talloc_strndup(mem, id, length);
	row->write.external_id_length = length;
	row->write.old.is_known = true;
	return 0;
}

static int
check_guard(const struct closing *closing, const struct run_page_model *how, struct error *err)
{
	const struct ingest *in = closing->c->ingest;
	int64_t live = closing->batch->after.window_live, count = (int64_t)closing->count;

	if (in->may_delete_all || count == 0)
		return 0;
	if (closing->batch->after.window_is_partial && !how->is_vouched)
		return error_set(
		    err, ERR_DELETE_GUARD,
		    "an earlier run left a list before its last page while the delete window "
		    "of "
		    "%s was open, so nobody can say which of the %lld records that were not "
		    "seen are gone: nothing was deleted. Begin the walk anew with opts.reset, "
		    "or "
		    "let the plugin say that it went over everything (.complete)",
		    closing->batch->model->model, (long long)count);
	if (how->overrides_guard)
		return 0;
	if (mark_has(&closing->seen, INGEST_MARK_BLIND))
		return error_set(
		    err, ERR_DELETE_GUARD,
		    "the walk met records of %s whose id could not be read (see the "
		    "quarantine), so nobody can say which of the %lld that it did not "
		    "see are gone: nothing was deleted",
		    closing->batch->model->model, (long long)count);
	if (count <= INGEST_GUARD_ROWS || count * 100 <= live * in->guard_percent)
		return 0;
	return error_set(err, ERR_DELETE_GUARD,
			 "the walk did not see %lld of the %lld records of %s that were live "
			 "when its window was opened, which is over %lld %%: nothing was "
			 "deleted. If they are gone indeed, trigger the sync once with "
			 "opts.force_deletes",
			 (long long)count, (long long)live, closing->batch->model->model,
			 (long long)in->guard_percent);
}

static int
delete_doomed(struct closing *closing, struct db *db, struct error *err)
{
	struct batch *batch = closing->batch;
	struct record_write **rows = talloc_array(closing->c->attempt, struct record_write *,
						  (unsigned)closing->count + 1);

	if (rows == NULL)
		abort();
	for (size_t i = 0; i < closing->count; i++) {
		rows[i] = &closing->doomed[i].write;
		rows[i]->seq = ++batch->after.seq;
		rows[i]->action = RECORD_DELETED;
		list_add(closing->c->attempt, &batch->deleted, rows[i]);
	}
	for (size_t at = 0; at < closing->count; at += DELETE_CHUNK) {
		size_t left = closing->count - at;

		if (record_delete(db, &batch->before, rows + at,
				  left < DELETE_CHUNK ? left : DELETE_CHUNK, err) < 0)
			return -1;
	}
	batch->after.live -= (int64_t)closing->count;
	batch->removed += (int64_t)closing->count;
	return quarantine_drop(db, &batch->after, rows, closing->count, err);
}

int
batch_close_window(struct commit *c, struct db *db, struct batch *batch,
		   const struct run_page_model *how, struct error *err)
{
	struct closing closing = {.c = c, .batch = batch};
	struct dataset *head = &batch->after;

	if (head->window_id == 0)
		return 0;
	marks_resize(c->attempt, &closing.seen, 4096);
	if (window_seen(db, head->connection_row, head->window_id, take_marks, &closing, err) <
		0 ||
	    take_marks(&closing, batch->marks.data, batch->marks.length, err) < 0 ||
	    record_ids_until(db, head, head->window_seq, take_id, &closing, err) < 0 ||
	    check_guard(&closing, how, err) < 0 || delete_doomed(&closing, db, err) < 0 ||
	    window_forget(db, head->connection_row, head->window_id, err) < 0)
		return -1;
	if (head->window_model != 0) /* each page since checked what it saw against this one */
		head->model_hash = head->window_model;
	head->window_id = head->window_seq = head->window_run_id = head->window_model = 0;
	head->window_is_partial = false;
	buf_reset(&batch->marks);
	return 0;
}
