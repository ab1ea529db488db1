/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_batch -- a page's records of one model, folded, so that each id is there once;
 * and those that are for the quarantine.
 */
#include "engine/ingest_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

void
list_add(TALLOC_CTX *mem, struct ingest_list *list, struct record_write *row)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
		list->at = talloc_realloc(mem, list->at, struct record_write *,
					  (unsigned)list->capacity);
		if (list->at == NULL)
			abort();
	}
	list->at[list->count++] = row;
}

static struct ingest_row **
slot_of(const struct batch *batch, const char *id, size_t length)
{
	size_t at = (size_t)XXH3_64bits(id, length) & batch->slots_mask;

	while (batch->slots[at] != NULL &&
	       (batch->slots[at]->write.external_id_length != length ||
		memcmp(batch->slots[at]->write.external_id, id, length) != 0))
		at = (at + 1) & batch->slots_mask;
	return &batch->slots[at];
}

struct record_write *
batch_find(void *arg, const char *id, size_t length)
{
	struct ingest_row *row = *slot_of(arg, id, length);

	return row == NULL ? NULL : &row->write;
}

/* The id's text: of a string its characters, of a number its digits as they were written.
 * NULL, or why it is no id. */
static const char *
read_id(TALLOC_CTX *mem, struct jsonspan id, struct record_write *out)
{
	enum jsonspan_type type = jsonspan_type(id);
	char *text;
	long length;

	if (type != JSONSPAN_STRING && type != JSONSPAN_NUMBER)
		return "it must be a text or a number";
	if (type == JSONSPAN_STRING && memchr(id.data, '\\', id.length) == NULL) {
		out->external_id = id.data + 1;
		length = (long)id.length - 2;
	} else if (type == JSONSPAN_NUMBER) {
		out->external_id = id.data;
		length = (long)id.length;
	} else {
		text = talloc_size(mem, id.length + 1);
		if (text == NULL)
			abort();
		length = jsonspan_unescape(id, text);
		out->external_id = text;
	}
	if (length <= 0)
		return "it is empty";
	if (length > RECORD_ID_MAX)
		return "it is longer than 255 bytes";
	if (memchr(out->external_id, '\0', (size_t)length) != NULL)
		return "it holds U+0000";
	out->external_id_length = (size_t)length;
	return NULL;
}

/* ---- quarantine ---- */

static void
bad_add(TALLOC_CTX *mem, struct batch *batch, const char *key, const char *path,
	const char *reason, struct jsonspan bytes)
{
	if (batch->bad_count == batch->bad_capacity) {
		batch->bad_capacity = batch->bad_capacity == 0 ? 16 : batch->bad_capacity * 2;
		batch->bad = talloc_realloc(mem, batch->bad, struct ingest_bad,
					    (unsigned)batch->bad_capacity);
		if (batch->bad == NULL)
			abort();
	}
	batch->bad[batch->bad_count++] = (struct ingest_bad){
	    .write = {.key = key,
		      .path = path,
		      .reason = reason,
		      .bytes = bytes.data == NULL ? "" : bytes.data,
		      .bytes_length = bytes.length},
	    .at = SIZE_MAX,
	};
}

/* Where and why, and nothing of what it holds: this goes into logs, outcomes and webhooks, and
 * records may be sealed. */
static int
bad_refuse(const struct batch *batch, const char *path, const char *reason, struct error *err)
{
	return error_set_at(err, ERR_INVALID_RECORD, path,
			    "a record of %s is not what its model says: %s: %s",
			    batch->model->model, path, reason);
}

/* The bytes of the UTF-8 character at `at`, 1 for what is none. */
static size_t
character(const unsigned char *at, const unsigned char *end, bool *is_text)
{
	size_t n = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	*is_text = *at >= 0x20 && *at != 0x7f && (*at < 0x80 || *at >= 0xc2) && *at < 0xf5 &&
		   (size_t)(end - at) >= n;
	for (size_t i = 1; *is_text && i < n; i++)
		*is_text = (at[i] & 0xc0) == 0x80;
	/* Overlong forms, surrogates and what lies over U+10FFFF. */
	if (*is_text && n > 2)
		*is_text = !(at[0] == 0xe0 && at[1] < 0xa0) &&
			   !(at[0] == 0xed && at[1] > 0x9f) &&
			   !(at[0] == 0xf0 && at[1] < 0x90) && !(at[0] == 0xf4 && at[1] > 0x8f);
	return *is_text ? n : 1;
}

/* Postgres' text takes no broken UTF-8; a reason is ours, but a path holds names of theirs, and
 * both were cut. */
static char *
clean(TALLOC_CTX *mem, const char *text, size_t length)
{
	char *out = talloc_strndup(mem, text, length);
	unsigned char *at = (unsigned char *)out, *end = at + strlen(out);
	bool is_text;

	while (at < end) {
		size_t n = character(at, end, &is_text);

		if (!is_text)
			*at = '?';
		at += n;
	}
	return out;
}

/* It was there, all the same; or something was, and nobody can say what. */
static void
mark_bad(struct commit *c, struct batch *batch, const struct record_write *id)
{
	const uint64_t blind = INGEST_MARK_BLIND;
	unsigned char key[MANIFEST_KEY_BYTES];

	if (id == NULL || id->external_id_length == 0) {
		buf_add(&batch->bad_marks, &blind, INGEST_MARK_BYTES);
		return;
	}
	manifest_key(key, id->external_id, id->external_id_length, c->ingest->hash_secret);
	buf_add(&batch->bad_marks, key, INGEST_MARK_BYTES);
}

int
batch_bad_record(struct commit *c, struct batch *batch, const struct record_write *id,
		 const char *path, size_t path_length, const char *reason,
		 struct jsonspan bytes, struct error *err)
{
	char *key;

	path = clean(c->mem, path,
		     path_length > QUARANTINE_PATH_MAX ? QUARANTINE_PATH_MAX : path_length);
	reason = clean(c->mem, reason, strnlen(reason, QUARANTINE_REASON_MAX));
	if (batch->model->spec != NULL && batch->model->spec->fails_run)
		return bad_refuse(batch, path, reason, err);
	mark_bad(c, batch, id);
	if (id != NULL && id->external_id_length > 0)
		key = talloc_asprintf(c->mem, "i%.*s", (int)id->external_id_length,
				      id->external_id);
	else
		key = talloc_asprintf(c->mem, "h%016" PRIx64,
				      XXH3_64bits(bytes.data, bytes.length));
	bad_add(c->mem, batch, key, path, reason, bytes);
	return 0;
}

bool
batch_bad_is_early(const struct batch *batch, const struct ingest_bad *bad)
{
	const char *key = bad->write.key;
	const struct ingest_row *row =
	    key[0] == 'i' ? *slot_of(batch, key + 1, strlen(key + 1)) : NULL;

	return row != NULL && row->at > bad->at;
}

/* A problem that the session found: "path: reason". */
static int
bad_staged(struct commit *c, struct batch *batch, const struct run_record *record,
	   const struct record_write *id, struct error *err)
{
	const char *split = strstr(record->problem, ": ");
	size_t path_length = split == NULL ? 0 : (size_t)(split - record->problem);

	return batch_bad_record(c, batch, id, record->problem, path_length,
				split == NULL ? record->problem : split + 2, record->bytes,
				err);
}

/* ---- folding ---- */

/* What an earlier record of the id in this page leaves to a later one. */
static void
fold(struct ingest_row *before, struct ingest_row *row)
{
	if (row->change != RUN_UPDATE)
		return; /* a save or a delete: nothing is left of it */
	row->change = before->change;
	row->record = before->record;
	if (before->change == RUN_DELETE) {
		row->patches = NULL; /* only live records are updated */
	} else if (before->patches != NULL) {
		before->patch.next = row->patches;
		row->patches = before->patches;
	}
}

static void
add_row(struct commit *c, struct batch *batch, const struct run_record *record,
	struct ingest_row *row)
{
	struct ingest_row **slot;

	row->change = record->change;
	if (row->change == RUN_UPDATE) {
		row->patch.bytes = record->bytes;
		row->patches = &row->patch;
	} else {
		row->record = record->bytes;
	}
	slot = slot_of(batch, row->write.external_id, row->write.external_id_length);
	if (*slot != NULL) {
		fold(*slot, row);
		(*slot)->is_dropped = true;
	}
	*slot = row;
	manifest_key(row->key, row->write.external_id, row->write.external_id_length,
		     c->ingest->hash_secret);
}

void
batch_hash_row(const struct commit *c, const struct batch *batch, struct ingest_row *row)
{
	const struct spec_model *spec = batch->model->spec;

	jsonhash(row->write.hash, row->record.data, row->record.length, c->ingest->hash_secret,
		 spec == NULL ? NULL : spec->volatile_paths);
	row->write.payload = row->record.data;
	row->write.payload_length = row->record.length;
	row->write.codec = RECORD_RAW;
}

static int
take_bad(struct commit *c, struct batch *batch, const struct run_record *record,
	 const char *fault, const struct record_write *id, struct error *err)
{
	if (record->problem != NULL)
		return bad_staged(c, batch, record, fault == NULL ? id : NULL, err);
	return batch_bad_record(c, batch, NULL, "id", 2, fault, record->bytes, err);
}

static int
take_record(struct commit *c, struct batch *batch, const struct run_record *record,
	    struct ingest_row *row, struct error *err)
{
	const char *fault = record->id.data == NULL ? "there is none"
						    : read_id(c->mem, record->id, &row->write);

	if (record->problem != NULL || fault != NULL) {
		if (take_bad(c, batch, record, fault, &row->write, err) < 0)
			return -1;
		batch->bad[batch->bad_count - 1].at = (size_t)(record - batch->from->records);
		return 0;
	}
	row->at = (size_t)(record - batch->from->records);
	batch->all_count++;
	add_row(c, batch, record, row);
	return 0;
}

int
batch_fill(struct commit *c, struct batch *batch, const struct run_page_model *from,
	   struct error *err)
{
	size_t size = 16;

	buf_init(&batch->bad_marks, c->mem, 16);
	batch->from = from;
	batch->all = talloc_zero_array(c->mem, struct ingest_row, (unsigned)from->count + 1);
	while (size < from->count * 2)
		size *= 2;
	batch->slots_mask = size - 1;
	batch->slots = talloc_zero_array(c->mem, struct ingest_row *, (unsigned)size);
	if (batch->all == NULL || batch->slots == NULL)
		abort();
	for (size_t i = 0; i < from->count; i++)
		if (take_record(c, batch, &from->records[i], &batch->all[batch->all_count],
				err) < 0)
			return -1;
	batch->bad_staged = batch->bad_count;
	for (size_t i = 0; i < batch->all_count; i++) {
		struct ingest_row *row = &batch->all[i];

		if (row->is_dropped)
			continue;
		list_add(c->mem, &batch->rows, &row->write);
		if (row->change == RUN_SAVE) {
			batch_fold_updates(c->mem, row);
			batch_hash_row(c, batch, row);
		}
		batch->has_updates |= row->change == RUN_UPDATE;
	}
	return 0;
}
