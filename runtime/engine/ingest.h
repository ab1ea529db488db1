/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest -- a run's page becomes one transaction: records, deletions, what was seen,
 * sequence numbers, counts, checkpoint, and the fence that says the run may still write. Its
 * end is one, too.
 *
 * One struct ingest a run; its calls come one after the other, on any thread. A page without
 * changes is one statement (store/page.h); see ingest_internal.h for the parts.
 */
#ifndef NANGO_ENGINE_INGEST_H
#define NANGO_ENGINE_INGEST_H

#include "base/json.h"
#include "base/jsonhash.h"
#include "engine/manifest.h"
#include "engine/payload.h"
#include "run/backend.h"
#include "run/spec.h"

#include <pthread.h>

#define INGEST_MODELS_MAX 64
#define INGEST_QUARANTINE_MAX 10000 /* rows of one dataset; one more fails the run */
#define INGEST_GUARD_ROWS 10	    /* so many may always be deleted at once */
#define INGEST_WINDOW_MARKS 4000000 /* of a closing window, in memory at a time: 64 MiB */
#define INGEST_WINDOW_DELETES 10000 /* records that one deletes with a statement */
#define INGEST_RECORD_BYTES_MAX (10 * 1024 * 1024) /* also of what updates make of it */
#define INGEST_PIECE_BYTES (32 * 1024 * 1024)	   /* of what is read or written at a time */
#define INGEST_PIECE_ROWS 10000
#define INGEST_MERGED_BYTES_MAX (INT64_C(1024) * 1024 * 1024) /* of a page's updates */

struct ingest_model {
	const char *model;
	const struct spec_model *spec; /* NULL: unknown to the plugin now */
	int64_t model_hash;
	int64_t added, updated, deleted, quarantined; /* by this run, in all its attempts */
	bool has_head;
	struct dataset head;  /* as of the last page */
	int64_t touched;      /* records looked up by asking Postgres */
	bool has_no_manifest; /* one did not fit, or was wrong */
	bool is_contended;    /* others write to it too: its head is locked first */
	struct manifest *manifest;
};

struct ingest {
	struct db_pool *data;
	struct manifest_budget *budget;
	int64_t environment_id, connection_row, run_id, token;
	const char *facts; /* what webhooks say of the run (engine/hooks_message) */
	const char *variant;
	const char *checkpoint_key;
	int64_t checkpoint_version;
	unsigned char hash_secret[JSONHASH_SECRET_BYTES];
	struct payload_codec codec;
	const struct spec *spec;
	bool may_delete_all;   /* the trigger said so: no guard */
	int64_t guard_percent; /* of the records live at its opening that a window deletes */
	size_t window_marks, window_deletes;   /* as above; tests take less */
	int64_t piece_bytes, merged_bytes_max; /* these, too */
	int64_t pages;			       /* committed, in all attempts of the run */
	struct ingest_model models[INGEST_MODELS_MAX];
	size_t models_count;

	/* A page that is written before its turn (ingest_ahead.c). */
	pthread_mutex_t mutex;
	pthread_cond_t has_decided;
	/* Pages of this attempt: begun, told what they do, or known not to. */
	int64_t begun, told, decided;
	struct commit *ahead; /* its transaction is open */
};

/* A tree of its own; talloc_free ends it. */
struct ingest *ingest_new(void);

/* The keys of hashes and payloads from the environment's record key (32 bytes). */
void ingest_set_secret(struct ingest *ingest, int64_t environment_id,
		       const unsigned char record_key[32], bool seals);

/* What records are checked against; it must outlive the ingest. */
void ingest_set_spec(struct ingest *ingest, const struct spec *spec);

/* Takes up the counts of earlier attempts: {"Issue":{"added":1,"updated":0,"deleted":0}} */
void ingest_set_counts(struct ingest *ingest, const char *result_json);
char *ingest_result(TALLOC_CTX *mem, const struct ingest *ingest);

/* Opens a delete window for the run in each of these models (full refresh), or goes on with
 * the run's own. ERR_FENCED. */
MUST_CHECK int ingest_open_windows(struct ingest *ingest, const char *const *models,
				   struct error *err);

/* A page's records, read, hashed and folded; talloc_free ends it. */
struct ingest_prepared;
/*
 * Another thread than the one that commits the page before may call this, if all models of the
 * page were named by ingest_add_model. `behind` is how many pages were handed to ingest_page
 * before: if the last one of them says in time what it does, this one is written, but for its
 * COMMIT. What is wrong with the page, ingest_page says.
 */
struct ingest_prepared *ingest_prepare(struct ingest *ingest, const struct run_page *page,
				       int64_t behind);
void ingest_add_model(struct ingest *ingest, const char *model);

/*
 * prepared is freed; NULL: it is prepared now. ERR_FENCED when the run lost its lease;
 * ERR_INVALID_RECORD for a record that its model does not allow where that fails the run;
 * ERR_DELETE_GUARD; ERR_CHECKPOINT_CONFLICT.
 */
MUST_CHECK int ingest_page(struct ingest *ingest, const struct run_page *page,
			   struct ingest_prepared *prepared, struct error *err);

/* How the run ends in the data family. */
struct ingest_end {
	const char *state;   /* success, failed, cancelled */
	const char *outcome; /* JSON */
	/* Models whose window, opened by ingest_open_windows, is closed with it; ends with
	 * NULL, or NULL. */
	const char *const *closes;
	const char *const *models; /* all of the sync's; ends with NULL */
	bool leaves_walk;	   /* a list was left: windows that stay open remember it */
	/* In the transaction, behind all else; may be called again. NULL: nothing. */
	int (*release)(void *arg, TALLOC_CTX *mem, struct db *db, struct error *err);
	void *arg;
};
MUST_CHECK int ingest_finish(struct ingest *ingest, const struct ingest_end *end,
			     struct error *err);

#endif
