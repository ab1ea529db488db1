/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_update -- the updates of a page: laid over what is stored, which the locked
 * head keeps as it is, looked at, and written.
 *
 * A few bytes may be laid over a record of megabytes, and a page holds a million of them. So it
 * is done in pieces, each read, written and forgotten before the next, while the page is gone
 * through in its order.
 */
#include "engine/ingest_internal.h"
#include "base/jsonmerge.h"
#include "store/feed.h"

#include <stdlib.h>
#include <string.h>

#define PRUNED                                                                     \
	"its payload was pruned, so there is nothing that could be updated: save " \
	"it whole"
#define TOO_LARGE                                                                  \
	"with its updates it has more than 10 MB, which is the most of a record: " \
	"leave members out, or save it whole"

/* ---- merging ---- */

/* The first patches, as many as there is time for in one look at the record. */
static struct jsonspan *
take_patches(TALLOC_CTX *mem, struct jsonspan record, const struct ingest_patch **patches,
	     size_t *count, size_t *bytes)
{
	const struct ingest_patch *p;
	struct jsonspan *values;
	size_t n = 1;

	*bytes = record.length;
	*count = 1;
	for (p = *patches; p != NULL && (*count == 1 || *bytes + p->bytes.length <=
							    2 * INGEST_RECORD_BYTES_MAX);
	     p = p->next) {
		*bytes += p->bytes.length;
		++*count;
	}
	values = talloc_array(mem, struct jsonspan, (unsigned)*count);
	if (values == NULL)
		abort();
	values[0] = record;
	for (const struct ingest_patch *q = *patches; q != p; q = q->next)
		values[n++] = q->bytes;
	*patches = p;
	return values;
}

bool
batch_merge(TALLOC_CTX *mem, struct jsonspan *record, const struct ingest_patch *patches)
{
	char *before = NULL;

	while (patches != NULL && record->length <= INGEST_RECORD_BYTES_MAX) {
		size_t count, bytes;
		struct jsonspan *values = take_patches(mem, *record, &patches, &count, &bytes);
		struct buf out;

		buf_init(&out, mem, bytes + 16);
		jsonmerge_all(&out, values, count);
		talloc_free(values);
		talloc_free(before);
		before = out.data;
		*record = (struct jsonspan){out.data, out.length};
	}
	return record->length <= INGEST_RECORD_BYTES_MAX;
}

void
batch_fold_updates(TALLOC_CTX *mem, struct ingest_row *row)
{
	if (row->patches != NULL && !batch_merge(mem, &row->record, row->patches))
		row->fault = TOO_LARGE;
}

/* ---- pieces ---- */

struct piece {
	struct commit *c;
	struct batch *batch;
	TALLOC_CTX *mem;
	/* Updates of live records, in the order of the page: those of the piece are the first
	 * `done`, once it was read; `left` are there in all. */
	struct ingest_row **rows;
	size_t left, done;
	int64_t bytes;	/* that are stored of those that were read */
	size_t written; /* of batch->merged */
};

static int
merge_row(struct piece *p, struct ingest_row *row, const struct record_read *stored,
	  struct error *err)
{
	const struct payload_place place = {&p->batch->model->head, row->write.external_id,
					    row->write.external_id_length};
	const char *data = stored->payload;
	size_t length = stored->payload_length;

	if (data == NULL) {
		row->fault = PRUNED;
		return 0;
	}
	row->fault = TOO_LARGE;
	if (length > INGEST_RECORD_BYTES_MAX + PAYLOAD_OVERHEAD)
		return 0; /* of a time that had no bound */
	if (payload_decode(p->mem, &p->c->ingest->codec, &place, stored->codec, &data, &length,
			   err) < 0)
		return -1;
	row->record = (struct jsonspan){data, length};
	if (batch_merge(p->mem, &row->record, row->patches))
		row->fault = NULL;
	p->batch->merged_bytes += (int64_t)row->record.length;
	return 0;
}

static int
merge_one(void *arg, const struct record_read *stored, struct error *err)
{
	struct piece *p = arg;
	size_t length = strlen(stored->external_id);
	struct ingest_row *row;

	do { /* what is not there any more is passed over */
		if (p->done == p->left)
			return error_set(err, ERR_INTERNAL,
					 "a record came that nobody asked for");
		row = p->rows[p->done++];
	} while (row->write.external_id_length != length ||
		 memcmp(row->write.external_id, stored->external_id, length) != 0);
	p->bytes += (int64_t)stored->payload_length;
	return merge_row(p, row, stored, err);
}

static int
read_piece(struct piece *p, struct db *db, struct error *err)
{
	const struct ingest *in = p->c->ingest;
	size_t count = p->left < INGEST_PIECE_ROWS ? p->left : INGEST_PIECE_ROWS;
	struct record_write **asked =
	    talloc_array(p->mem, struct record_write *, (unsigned)count + 1);

	if (asked == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		asked[i] = &p->rows[i]->write;
	if (record_stored(db, &p->batch->model->head, asked, count, in->piece_bytes, merge_one,
			  p, err) < 0)
		return -1;
	if (p->bytes < in->piece_bytes)
		p->done = count; /* it did not end early */
	if (p->batch->merged_bytes <= in->merged_bytes_max)
		return 0;
	return error_set(err, ERR_TOO_LARGE,
			 "the page's updates make more than %lld MB of %s: commit after fewer "
			 "of them",
			 (long long)in->merged_bytes_max >> 20, p->batch->model->model);
}

static int
write_piece(struct piece *p, struct db *db, struct error *err)
{
	struct batch *batch = p->batch;
	struct ingest_list list = {.count = batch->merged.count - p->written};

	if (list.count > 0)
		list.at = batch->merged.at + p->written;
	batch_encode(p->mem, p->c, batch, &list);
	if (record_update(db, &batch->before, list.at, list.count, err) < 0 ||
	    batch_put_bad(p->c, db, batch, err) < 0)
		return -1;
	p->written = batch->merged.count;
	for (size_t i = 0; i < p->done; i++)
		p->rows[i]->record = (struct jsonspan){0};
	p->rows += p->done;
	p->left -= p->done;
	p->done = 0;
	p->bytes = 0;
	talloc_free(p->mem);
	p->mem = talloc_new(NULL);
	return 0;
}

/* ---- a page ---- */

static void
list_updates(struct piece *p)
{
	const struct ingest_list *all = &p->batch->rows;

	p->rows = talloc_array(p->c->attempt, struct ingest_row *, (unsigned)all->count + 1);
	if (p->rows == NULL)
		abort();
	for (size_t i = 0; i < all->count; i++) {
		struct ingest_row *row = (struct ingest_row *)all->at[i];

		if (row->change != RUN_UPDATE)
			continue;
		row->record = (struct jsonspan){0}; /* an earlier attempt's */
		row->fault = NULL;
		if (row->write.old.is_known && !row->write.old.is_deleted)
			p->rows[p->left++] = row;
	}
}

static int
go_through(struct piece *p, struct db *db, struct error *err)
{
	const struct ingest_list *all = &p->batch->rows;
	size_t used = 0; /* of the piece */

	for (size_t i = 0; i < all->count; i++) {
		struct ingest_row *row = (struct ingest_row *)all->at[i];

		if (used == p->done && p->left > used && row == p->rows[used]) {
			if (write_piece(p, db, err) < 0 || read_piece(p, db, err) < 0)
				return -1;
			used = 0;
		}
		used += used < p->done && row == p->rows[used];
		if (batch_classify_row(p->c, p->batch, row, err) < 0)
			return -1;
	}
	return write_piece(p, db, err);
}

int
batch_write_updates(struct commit *c, struct db *db, struct batch *batch, struct error *err)
{
	struct piece p = {.c = c, .batch = batch, .mem = talloc_new(NULL)};
	int result;

	batch_classify_begin(c, batch);
	batch->merged_bytes = 0;
	list_updates(&p);
	result = go_through(&p, db, err);
	batch_classify_end(batch);
	talloc_free(p.mem);
	return result;
}
