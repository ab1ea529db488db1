/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lookup -- see lookup.h. It holds copies of all it needs, because the run may end
 * before its answer comes. A cursor is "<epoch>:<seq>", as a plugin has it during one run only.
 *
 * An answer is one message, and has its bound: a page of a list ends before it, ids whose
 * records are larger together are an error.
 */
#include "engine/lookup.h"
#include "rpc/frame.h"
#include "store/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES                                                                 \
	(32 * 1024 * 1024) /* a page of a list ends with the record that passes it \
			    */
#define TAIL_BYTES 64	   /* what follows the records: the cursor */

struct lookup {
	struct node *node;
	run_lookup_done *done;
	void *arg;
	struct payload_codec codec;
	struct dataset dataset;
	const char *model, *variant, *cursor;
	struct record_query query;
	struct buf out;
	size_t count;
	int64_t bytes; /* of payloads, as they are stored */
	int64_t last_seq;
	bool is_full; /* what would come now is for the next page */
	int result;
	struct error err;
};

static int
lookup_wipe(struct lookup *l)
{
	crypto_wipe(&l->codec, sizeof(l->codec));
	return 0;
}

static int
add_json(struct lookup *l, const struct record_read *r, const char *data, size_t length,
	 struct error *err)
{
	size_t max = rpc_max(RPC_RECORDS) - TAIL_BYTES;

	if (l->out.length + 1 + length > max) {
		l->is_full = l->query.ids_json == NULL && l->count > 0;
		return l->is_full ? 0
				  : error_set(err, ERR_TOO_LARGE,
					      "with \"%s\" they have more than %zu MB: ask for "
					      "fewer at once",
					      r->external_id, max >> 20);
	}
	if (l->count++ > 0)
		buf_addc(&l->out, ',');
	buf_add(&l->out, data, length);
	l->bytes += (int64_t)r->payload_length;
	l->last_seq = r->seq;
	return 0;
}

/* Of a pruned record the id is all that is left. */
static int
add_pruned(struct lookup *l, const struct record_read *r, struct error *err)
{
	struct buf json;
	int result;

	buf_init(&json, NULL, 64);
	buf_adds(&json, "{\"id\":");
	buf_add_json_str(&json, r->external_id);
	buf_addc(&json, '}');
	result = add_json(l, r, json.data, json.length, err);
	buf_done(&json);
	return result;
}

static int
add_one(void *arg, const struct record_read *r, struct error *err)
{
	struct lookup *l = arg;
	const struct payload_place place = {&l->dataset, r->external_id,
					    strlen(r->external_id)};
	const char *data = r->payload;
	size_t length = r->payload_length;
	TALLOC_CTX *mem;
	int result;

	if (l->is_full)
		return 0;
	if (data == NULL)
		return add_pruned(l, r, err);
	mem = talloc_new(NULL);
	result = payload_decode(mem, &l->codec, &place, r->codec, &data, &length, err);
	if (result == 0)
		result = add_json(l, r, data, length, err);
	talloc_free(mem);
	return result;
}

static int
read_cursor(struct lookup *l, struct error *err)
{
	int64_t epoch;

	if (l->cursor == NULL)
		return 0;
	if (sscanf(l->cursor, "%" SCNd64 ":%" SCNd64, &epoch, &l->query.after_seq) != 2)
		return error_set(err, ERR_INVALID_CURSOR, "the cursor is none of this list's");
	if (epoch != l->dataset.epoch)
		return error_set(err, ERR_STALE_CURSOR,
				 "the dataset was emptied while it was read");
	return 0;
}

static bool
has_more(const struct lookup *l)
{
	return l->query.ids_json == NULL &&
	       (l->is_full || l->bytes >= LIST_BYTES || l->count == (size_t)l->query.limit);
}

static int
look_up(struct lookup *l, struct db *db, struct error *err)
{
	buf_adds(&l->out, "{\"records\":[");
	if (dataset_find(db, l->dataset.connection_row, l->model, l->variant, &l->dataset,
			 err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
	} else {
		l->query.connection_row = l->dataset.connection_row;
		l->query.dataset_id = l->dataset.id;
		if (read_cursor(l, err) < 0 ||
		    record_stream(db, &l->query, add_one, l, err) < 0)
			return -1;
	}
	if (has_more(l))
		buf_addf(&l->out, "],\"cursor\":\"%" PRId64 ":%" PRId64 "\"}", l->dataset.epoch,
			 l->last_seq);
	else
		buf_adds(&l->out, "],\"cursor\":null}");
	return 0;
}

static void
answer(void *arg)
{
	struct lookup *l = arg;

	if (l->result == 0)
		l->done(l->arg, l->out.data, l->out.length, NULL);
	else
		l->done(l->arg, NULL, 0, &l->err);
	talloc_free(l);
}

static void
in_pool(void *arg)
{
	struct lookup *l = arg;
	struct db *db;

	l->result = db_acquire(l->node->data, &db, &l->err);
	if (l->result == 0) {
		l->result = look_up(l, db, &l->err);
		db_release(db);
	}
	loop_post(l->node->loop, answer, l);
}

void
lookup_start(struct node *node, const struct ingest *ingest, const struct run_lookup *asked,
	     run_lookup_done *done, void *arg)
{
	struct lookup *l = talloc_zero(NULL, struct lookup);

	if (l == NULL)
		abort();
	talloc_set_destructor(l, lookup_wipe);
	l->node = node;
	l->done = done;
	l->arg = arg;
	l->codec = ingest->codec;
	l->dataset.connection_row = ingest->connection_row;
	l->model = talloc_strdup(l, asked->model);
	l->variant = talloc_strdup(l, ingest->variant);
	l->cursor = asked->cursor == NULL ? NULL : talloc_strdup(l, asked->cursor);
	l->query = (struct record_query){
	    .limit = (int64_t)asked->limit,
	    .with_added = true,
	    .with_updated = true,
	    .bytes_max = LIST_BYTES,
	    .ids_json = asked->ids == NULL ? NULL : talloc_strdup(l, asked->ids)};
	buf_init(&l->out, l, 4096);
	if (pool_submit(node->worker_pool, in_pool, l) == 0)
		return;
	l->result = error_set(&l->err, ERR_BUSY, "all workers are busy");
	loop_post(node->loop, answer, l);
}
