/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest -- a run's page becomes one transaction: records, sequence numbers, counts,
 * checkpoint, and the fence that says the run may still write.
 *
 * One struct ingest a run; its calls come one after the other, on any thread.
 */
#ifndef NANGO_ENGINE_INGEST_H
#define NANGO_ENGINE_INGEST_H

#include "base/json.h"
#include "db/db.h"
#include "run/backend.h"

#define INGEST_MODELS_MAX 64
#define INGEST_SECRET_BYTES 192 /* XXH3 wants at least 136 */

struct ingest_count {
	const char *model;
	int64_t added, updated, deleted;
};

struct ingest {
	struct db_pool *data;
	int64_t connection_row, run_id, token;
	int64_t environment_id;
	const char *facts; /* what webhooks say of the run (engine/hooks_message) */
	const char *variant;
	const char *checkpoint_key;
	unsigned char hash_secret[INGEST_SECRET_BYTES];
	int64_t pages; /* committed, in all attempts of the run */
	struct ingest_count counts[INGEST_MODELS_MAX];
	size_t counts_count;
};

/* A tree of its own; talloc_free ends it. */
struct ingest *ingest_new(void);

/* The hashes' key from the environment's record key (32 bytes). */
void ingest_set_secret(struct ingest *ingest, const unsigned char record_key[32]);

/* Takes up the counts of earlier attempts: {"Issue":{"added":1,"updated":0,"deleted":0}} */
void ingest_set_counts(struct ingest *ingest, const char *result_json);
char *ingest_result(TALLOC_CTX *mem, const struct ingest *ingest);

/*
 * ERR_FENCED when the run lost its lease; ERR_INVALID_BODY for a record that cannot be stored.
 * A COMMIT in doubt is resolved by the fence's page count.
 */
MUST_CHECK int ingest_page(struct ingest *ingest, const struct run_page *page,
			   struct error *err);

#endif
