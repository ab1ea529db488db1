/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/record -- the rows of a dataset as a page writes them. Reading them for people is
 * store/feed.
 *
 * Writing calls belong in a transaction that holds the dataset's head.
 */
#ifndef NANGO_STORE_RECORD_H
#define NANGO_STORE_RECORD_H

#include "store/dataset.h"

#define RECORD_HASH_BYTES 16
#define RECORD_ID_MAX 255 /* bytes */

enum record_action { RECORD_ADDED = 1, RECORD_UPDATED = 2, RECORD_DELETED = 3 };

/* How a payload is stored; the codecs themselves are engine/payload's. */
enum record_codec { RECORD_RAW = 0, RECORD_SEALED = 3 };

/* What is stored of an id. */
struct record_state {
	bool is_known, is_deleted;
	unsigned char hash[RECORD_HASH_BYTES];
};

struct record_write {
	const char *external_id;
	size_t external_id_length;
	struct record_state old;
	unsigned char hash[RECORD_HASH_BYTES];
	const char *payload;
	size_t payload_length;
	enum record_codec codec;
	int64_t seq;
	enum record_action action;
};

/* Finds the row that an answer of Postgres belongs to; NULL: none. */
typedef struct record_write *record_find_fn(void *arg, const char *id, size_t length);

/* Fills `old` of rows. */
MUST_CHECK int record_probe(struct db *db, const struct dataset *dataset,
			    struct record_write *const *rows, size_t count,
			    record_find_fn *find, void *arg, struct error *err);

/* New rows; ERR_CONFLICT when one is there already. */
MUST_CHECK int record_insert(struct db *db, const struct dataset *dataset,
			     struct record_write *const *rows, size_t count, struct error *err);
/* Rows that are there, with their new payload. */
MUST_CHECK int record_update(struct db *db, const struct dataset *dataset,
			     struct record_write *const *rows, size_t count, struct error *err);
/* Rows that are there become deleted; their payload stays. */
MUST_CHECK int record_delete(struct db *db, const struct dataset *dataset,
			     struct record_write *const *rows, size_t count, struct error *err);

/* What is stored of all records, or of those written after a sequence number. */
typedef int record_state_fn(void *arg, const char *id, size_t length,
			    const struct record_state *state, struct error *err);
MUST_CHECK int record_states(struct db *db, const struct dataset *dataset, int64_t after_seq,
			     record_state_fn *fn, void *arg, struct error *err);

/* The ids of live records that were last written at or before a sequence number, within a
 * transaction; fn may use db, and sees none of the ids that it deletes meanwhile twice. */
typedef int record_id_fn(void *arg, const char *id, size_t length, struct error *err);
MUST_CHECK int record_ids_until(struct db *db, const struct dataset *dataset, int64_t until_seq,
				record_id_fn *fn, void *arg, struct error *err);

#endif
