/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_window -- closing a delete window: what is live, was not written since it was
 * opened, and was not seen, is gone at the provider and becomes deleted.
 *
 * Seen are the marks of all pages since, of any run; 8 bytes of an id's hash each, so that a
 * collision keeps a record that is gone and never deletes one that is there.
 *
 * However many were seen or are gone, the memory for it is bounded: marks that are too many are
 * looked at in parts, with all ids for each, and ids that are too many to be kept are counted,
 * for the guard, and found once more.
 */
#include "engine/ingest_internal.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_MIN 4096 /* slots */

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
	struct db *db;
	struct batch *batch;
	struct mark_set seen; /* of the part that is being looked at */
	size_t part, parts;
	bool is_blind;	 /* something was seen of which nobody can say what */
	bool is_counted; /* this is the second look: what was not seen is deleted */
	int64_t count;	 /* records that were not seen */
	struct ingest_row *doomed;
	size_t held, capacity;
	TALLOC_CTX *ids; /* of those held */
};

static uint64_t
mark_of(const void *key)
{
	uint64_t mark;

	memcpy(&mark, key, sizeof(mark));
	return mark == 0 ? 1 : mark;
}

static bool
is_of_part(const struct closing *closing, uint64_t mark)
{
	return (mark >> 32) % closing->parts == closing->part;
}

/* ---- what was seen ---- */

static int
take_marks(void *arg, const void *marks, size_t length, struct error *err)
{
	struct closing *closing = arg;

	(void)err;
	for (size_t at = 0; at + INGEST_MARK_BYTES <= length; at += INGEST_MARK_BYTES) {
		uint64_t mark = mark_of((const char *)marks + at);

		closing->is_blind |= mark == INGEST_MARK_BLIND;
		if (!is_of_part(closing, mark))
			continue;
		if (closing->seen.count >= closing->seen.mask / 2)
			marks_resize(closing->c->attempt, &closing->seen,
				     (closing->seen.mask + 1) * 2);
		mark_put(&closing->seen, mark);
	}
	return 0;
}

static int
count_parts(struct closing *closing, struct error *err)
{
	const struct dataset *head = &closing->batch->after;
	int64_t count;

	if (window_count(closing->db, head->connection_row, head->window_id, &count, err) < 0)
		return -1;
	count += (int64_t)(closing->batch->marks.length / INGEST_MARK_BYTES);
	closing->parts = (size_t)count / closing->c->ingest->window_marks + 1;
	return 0;
}

static int
load_marks(struct closing *closing, struct error *err)
{
	const struct buf *marks = &closing->batch->marks;
	const struct dataset *head = &closing->batch->after;

	if (closing->is_counted && closing->parts == 1)
		return 0; /* they are there */
	TALLOC_FREE(closing->seen.slots);
	marks_resize(closing->c->attempt, &closing->seen, MARKS_MIN);
	return window_seen(closing->db, head->connection_row, head->window_id, take_marks,
			   closing, err) < 0
		   ? -1
		   : take_marks(closing, marks->data, marks->length, err);
}

/* ---- what was not ---- */

static int
delete_held(struct closing *closing, struct error *err)
{
	struct batch *batch = closing->batch;
	struct record_write **rows =
	    talloc_array(closing->ids, struct record_write *, (unsigned)closing->held + 1);

	if (rows == NULL)
		abort();
	for (size_t i = 0; i < closing->held; i++) {
		rows[i] = &closing->doomed[i].write;
		rows[i]->seq = ++batch->after.seq;
		rows[i]->action = RECORD_DELETED;
	}
	if (record_delete(closing->db, &batch->before, rows, closing->held, err) < 0 ||
	    quarantine_drop(closing->db, &batch->after, rows, closing->held, err) < 0)
		return -1;
	batch->after.live -= (int64_t)closing->held;
	batch->removed += (int64_t)closing->held;
	return 0;
}

static void
forget_held(struct closing *closing)
{
	closing->held = 0;
	talloc_free_children(closing->ids);
}

static void
hold(struct closing *closing, const unsigned char key[MANIFEST_KEY_BYTES], const char *id,
     size_t length)
{
	struct ingest_row *row;

	if (closing->held == closing->capacity) {
		closing->capacity = closing->capacity == 0 ? 256 : closing->capacity * 2;
		closing->doomed =
		    talloc_realloc(closing->c->attempt, closing->doomed, struct ingest_row,
				   (unsigned)closing->capacity);
		if (closing->doomed == NULL)
			abort();
	}
	row = &closing->doomed[closing->held++];
	memset(row, 0, sizeof(*row));
	memcpy(row->key, key, MANIFEST_KEY_BYTES);
	row->write.external_id = talloc_strndup(closing->ids, id, length);
	row->write.external_id_length = length;
	row->write.old.is_known = true;
}

static int
take_id(void *arg, const char *id, size_t length, struct error *err)
{
	struct closing *closing = arg;
	const struct ingest *in = closing->c->ingest;
	unsigned char key[MANIFEST_KEY_BYTES];
	uint64_t mark;

	manifest_key(key, id, length, in->hash_secret);
	mark = mark_of(key);
	if (!is_of_part(closing, mark) || mark_has(&closing->seen, mark))
		return 0;
	closing->count += !closing->is_counted;
	if (closing->held == in->window_deletes) {
		if (!closing->is_counted)
			return 0; /* it is found once more */
		if (delete_held(closing, err) < 0)
			return -1;
		forget_held(closing);
	}
	hold(closing, key, id, length);
	return 0;
}

static int
look(struct closing *closing, struct error *err)
{
	const struct dataset *head = &closing->batch->after;

	for (closing->part = 0; closing->part < closing->parts; closing->part++)
		if (load_marks(closing, err) < 0 ||
		    record_ids_until(closing->db, head, head->window_seq, take_id, closing,
				     err) < 0)
			return -1;
	return 0;
}

static int
check_guard(const struct closing *closing, const struct run_page_model *how, struct error *err)
{
	const struct ingest *in = closing->c->ingest;
	int64_t live = closing->batch->after.window_live, count = closing->count;

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
	if (closing->is_blind)
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

/* The manifest learns of those that could be held; of more it would have to be told again. */
static int
delete_doomed(struct closing *closing, struct error *err)
{
	struct batch *batch = closing->batch;

	if (closing->count > (int64_t)closing->held) {
		forget_held(closing);
		closing->is_counted = true;
		ingest_drop_manifest(batch->model);
		return look(closing, err) < 0 ? -1 : delete_held(closing, err);
	}
	if (delete_held(closing, err) < 0)
		return -1;
	for (size_t i = 0; i < closing->held; i++)
		list_add(closing->c->attempt, &batch->deleted, &closing->doomed[i].write);
	return 0;
}

int
batch_close_window(struct commit *c, struct db *db, struct batch *batch,
		   const struct run_page_model *how, struct error *err)
{
	struct closing closing = {.c = c, .db = db, .batch = batch};
	struct dataset *head = &batch->after;

	if (head->window_id == 0)
		return 0;
	closing.ids = talloc_new(c->attempt);
	if (count_parts(&closing, err) < 0 || look(&closing, err) < 0 ||
	    check_guard(&closing, how, err) < 0 || delete_doomed(&closing, err) < 0 ||
	    window_forget(db, head->connection_row, head->window_id, err) < 0 ||
	    quarantine_drop_unseen(db, head, err) < 0)
		return -1;
	TALLOC_FREE(closing.seen.slots);
	if (head->window_model != 0) /* each page since checked what it saw against this one */
		head->model_hash = head->window_model;
	head->window_id = head->window_seq = head->window_run_id = head->window_model = 0;
	head->window_is_partial = false;
	buf_reset(&batch->marks);
	return 0;
}
