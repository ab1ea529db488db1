/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lookup -- see lookup.h. It holds copies of all it needs, because the run may end
 * before its answer comes. A cursor is "<epoch>:<seq>", as a plugin has it during one run only.
 */
#include "engine/lookup.h"
#include "store/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	int64_t last_seq;
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
add_one(void *arg, const struct record_read *r, struct error *err)
{
	struct lookup *l = arg;
	const struct payload_place place = {&l->dataset, r->external_id,
					    strlen(r->external_id)};
	const char *data = r->payload;
	size_t length = r->payload_length;
	TALLOC_CTX *mem;
	int result;

	l->last_seq = r->seq;
	if (l->count++ > 0)
		buf_addc(&l->out, ',');
	if (data == NULL) { /* pruned: the id is all that is left */
		buf_adds(&l->out, "{\"id\":");
		buf_add_json_str(&l->out, r->external_id);
		buf_addc(&l->out, '}');
		return 0;
	}
	mem = talloc_new(NULL);
	result = payload_decode(mem, &l->codec, &place, r->codec, &data, &length, err);
	if (result == 0)
		buf_add(&l->out, data, length);
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
	if (l->query.ids_json == NULL && l->count == (size_t)l->query.limit)
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
	    .ids_json = asked->ids == NULL ? NULL : talloc_strdup(l, asked->ids)};
	buf_init(&l->out, l, 4096);
	if (pool_submit(node->worker_pool, in_pool, l) == 0)
		return;
	l->result = error_set(&l->err, ERR_BUSY, "all workers are busy");
	loop_post(node->loop, answer, l);
}
