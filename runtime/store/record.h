/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/record -- the data family: fences, dataset heads, records, checkpoints.
 *
 * The calls of a page commit are made in one transaction by engine/ingest, in this order:
 * fence_page, dataset_lock (by key order), record_probe, record_insert, record_update,
 * dataset_advance, checkpoint_put.
 */
#ifndef NANGO_STORE_RECORD_H
#define NANGO_STORE_RECORD_H

#include "db/db.h"

#define RECORD_HASH_BYTES 16
#define RECORD_ID_MAX 255 /* bytes */

enum record_action { RECORD_ADDED = 1, RECORD_UPDATED = 2, RECORD_DELETED = 3 };
enum record_codec { RECORD_RAW = 0 };

/* ---- fence: one row a run; says who may write ---- */
struct fence {
	const char *state; /* open, success, failed, cancelled */
	int64_t pages;
	const char *result;  /* counts by model so far, JSON */
	const char *outcome; /* of a closed one, JSON */
};
/* Raises the fence to token (an older token writes nothing from now on) and reads it. */
MUST_CHECK int fence_raise(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			   int64_t run_id, int64_t token, struct fence *out, struct error *err);
/* Counts page number `page` under the fence; ERR_FENCED when the token lost it. */
MUST_CHECK int fence_page(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
			  int64_t page, const char *result, struct error *err);
/* How many pages were committed under this token's run: the identity row of a page commit. */
MUST_CHECK int fence_pages(struct db *db, int64_t connection_row, int64_t run_id,
			   int64_t *pages, struct error *err);
/* Closes it: nothing more may be written. ERR_FENCED when the token lost it. */
MUST_CHECK int fence_close(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
			   const char *state, const char *outcome, struct error *err);
/* Closes it whatever the token (pause, cancel). */
MUST_CHECK int fence_cancel(struct db *db, int64_t connection_row, int64_t run_id,
			    struct error *err);

/* ---- dataset: the records of one model and variant of one connection ---- */
struct dataset {
	int64_t connection_row, id, epoch, seq, live;
	int64_t now_us2000; /* database clock at the lock, in Postgres' own count */
};
/* Makes the head row if need be and locks it until the transaction's end. */
MUST_CHECK int dataset_lock(struct db *db, int64_t connection_row, const char *model,
			    const char *variant, struct dataset *out, struct error *err);
MUST_CHECK int dataset_advance(struct db *db, const struct dataset *dataset, struct error *err);
/* ERR_NOT_FOUND when nothing was ever saved. */
MUST_CHECK int dataset_find(struct db *db, int64_t connection_row, const char *model,
			    const char *variant, struct dataset *out, struct error *err);
/* Records and heads of a connection's models: a new epoch, and nothing in it. */
MUST_CHECK int dataset_empty(struct db *db, int64_t connection_row, const char *models_json,
			     const char *variant, struct error *err);
/* [{"model","variant","records"}] of a connection, as JSON. */
MUST_CHECK int dataset_counts(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			      const char **json, struct error *err);

/* ---- records ---- */
struct record_write {
	const char *external_id;
	size_t external_id_length;
	unsigned char hash[RECORD_HASH_BYTES];
	const char *payload;
	size_t payload_length;
	/* Filled by record_probe. */
	bool is_known, is_deleted;
	unsigned char old_hash[RECORD_HASH_BYTES];
	/* Given by the caller for those to write. */
	int64_t seq;
	enum record_action action;
};
/* Drops all but the last row of each id, keeping the order; the number that is left. */
size_t record_unique(struct record_write **rows, size_t count);
/* Looks the ids up: which are known, with which hash. Pointers are to rows to fill. */
MUST_CHECK int record_probe(struct db *db, const struct dataset *dataset,
			    struct record_write **rows, size_t count, struct error *err);
MUST_CHECK int record_insert(struct db *db, const struct dataset *dataset,
			     struct record_write *const *rows, size_t count, struct error *err);
MUST_CHECK int record_update(struct db *db, const struct dataset *dataset,
			     struct record_write *const *rows, size_t count, struct error *err);

struct record_query {
	int64_t connection_row, dataset_id;
	int64_t after_seq;
	int64_t limit;
	bool with_added, with_updated, with_deleted;
	int64_t modified_after_ms; /* 0: any time */
	const char *ids_json;	   /* JSON array of external ids, or NULL */
};
struct record_read {
	int64_t seq;
	const char *external_id, *payload;
	size_t payload_length;
	int64_t first_seen_us, last_modified_us, deleted_us, pruned_us; /* Unix epoch; 0: not */
	int64_t action;
};
typedef int record_fn(void *arg, const struct record_read *record, struct error *err);
/* In order of seq, row by row. */
MUST_CHECK int record_stream(struct db *db, const struct record_query *query, record_fn *fn,
			     void *arg, struct error *err);

/* ---- checkpoints ---- */
/* NULL when there is none. */
MUST_CHECK int checkpoint_get(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			      const char *key, const char **body, struct error *err);
MUST_CHECK int checkpoint_put(struct db *db, int64_t connection_row, const char *key,
			      const char *body, size_t length, struct error *err);
MUST_CHECK int checkpoint_delete(struct db *db, int64_t connection_row, const char *key,
				 struct error *err);

#endif
