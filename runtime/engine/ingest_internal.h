/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_internal -- what the parts of ingest share: ingest.c (a page's way),
 * ingest_batch.c (a page's records of one model, folded), ingest_classify.c (against what is
 * stored), ingest_known.c (what is stored), ingest_write.c (the transaction), ingest_update.c
 * (its updates), ingest_ahead.c (before its turn), ingest_window.c (deletions of a closed
 * window).
 */
#ifndef NANGO_ENGINE_INGEST_INTERNAL_H
#define NANGO_ENGINE_INGEST_INTERNAL_H

#include "engine/ingest.h"
#include "run/validate.h"
#include "store/page.h"
#include "store/quarantine.h"
#include "store/window.h"

#define INGEST_MARK_BYTES 8	     /* the beginning of a record's key */
#define INGEST_MARK_BLIND UINT64_MAX /* a record was seen whose id could not be read */

struct ingest_patch {
	struct jsonspan bytes;
	struct ingest_patch *next;
};

/* All that a page does to one id. */
struct ingest_row {
	struct record_write write; /* first: rows are found by it */
	unsigned char key[MANIFEST_KEY_BYTES];
	size_t at; /* in the page, of the last of the id */
	enum run_change change;
	struct jsonspan record;	      /* RUN_SAVE; of a RUN_UPDATE what it became */
	struct ingest_patch *patches; /* to be laid over the record, in order */
	struct ingest_patch patch;    /* the last of them, its own */
	bool is_dropped;	      /* a later one of its id took it up */
	const char *fault; /* why its patches cannot be laid over the record; NULL: they can */
};

struct ingest_bad {
	struct quarantine_write write;
	size_t at; /* in the page; SIZE_MAX: it is what the page's records of its id became */
};

struct ingest_list {
	struct record_write **at;
	size_t count, capacity;
};

/* The records of one model of a page. */
struct batch {
	struct ingest_model *model;
	const struct run_page_model *from;
	struct ingest_row *all;
	size_t all_count;
	struct ingest_list rows;   /* one for each id */
	struct ingest_row **slots; /* by id */
	size_t slots_mask;
	bool has_updates;
	int64_t merged_bytes; /* what its updates became */

	/* Made by batch_classify, afresh each time. */
	struct ingest_list fresh, changed, deleted;
	struct ingest_list merged; /* updates; they are written already */
	struct ingest_list mended; /* as stored, while something is in quarantine */
	struct ingest_bad *bad;
	size_t bad_count, bad_staged, bad_capacity;
	size_t bad_put;		     /* so many are in quarantine already */
	struct buf marks, bad_marks; /* INGEST_MARK_BYTES each */
	int64_t next_window_id;	     /* for a window that this page opens */
	struct dataset before, after;
	int64_t added, updated, removed;
};

struct commit {
	struct ingest *ingest;
	const struct run_page *page;
	struct batch *batches; /* in byte order of their models */
	size_t batches_count;
	struct page_verdict verdict;
	TALLOC_CTX *mem, *attempt; /* of the page; of one attempt to commit it */

	/* ingest_ahead.c */
	int64_t number;	  /* of the pages that were begun */
	struct db *ahead; /* the transaction in which it was written before its turn, or NULL */
	bool is_written;  /* its records are, in the transaction under way */
	bool is_noted;	  /* in what is known of the datasets */
};

/* ---- ingest.c ---- */
/* NULL when there are as many models as a run may have. */
struct ingest_model *ingest_model_of(struct ingest *ingest, const char *name);

/* ---- ingest_batch.c ---- */
MUST_CHECK int batch_fill(struct commit *c, struct batch *batch,
			  const struct run_page_model *from, struct error *err);
record_find_fn batch_find;
/* Does a record that is no bad one by itself come behind it in the page, with its id? */
bool batch_bad_is_early(const struct batch *batch, const struct ingest_bad *bad);
void batch_hash_row(const struct commit *c, const struct batch *batch, struct ingest_row *row);
/* Into the quarantine (path and reason are copied; id may be NULL), or -1 where the model says
 * that it fails the run. */
MUST_CHECK int batch_bad_record(struct commit *c, struct batch *batch,
				const struct record_write *id, const char *path,
				size_t path_length, const char *reason, struct jsonspan bytes,
				struct error *err);

/* ---- ingest_classify.c ---- */
void batch_look_up(struct batch *batch); /* in the manifest */
/* Decides for each record: new, changed, deleted, bad, or unchanged. before is set; after is
 * made. */
MUST_CHECK int batch_classify(struct commit *c, struct batch *batch, struct error *err);
bool batch_is_quiet(const struct batch *batch); /* nothing to write but marks */
void list_add(TALLOC_CTX *mem, struct ingest_list *list, struct record_write *row);

/* The parts of batch_classify, for who has something to do in between. */
void batch_classify_begin(struct commit *c, struct batch *batch);
void batch_classify_end(struct batch *batch);
MUST_CHECK int batch_classify_row(struct commit *c, struct batch *batch, struct ingest_row *row,
				  struct error *err);

/* ---- ingest_known.c ---- */
MUST_CHECK int ingest_load_manifest(struct ingest *ingest, struct db *db,
				    struct ingest_model *model, struct error *err);
/* Fills `old` of all rows, from the manifest or by asking. */
MUST_CHECK int batch_resolve(struct db *db, struct batch *batch, struct error *err);
/* The head is locked, and as it is now: what others wrote since the run saw it is taken up. */
MUST_CHECK int batch_catch_up(struct commit *c, struct db *db, struct batch *batch,
			      const struct dataset *now, struct error *err);
void ingest_drop_manifest(struct ingest_model *model);

/* ---- ingest_update.c ---- */
/* The record with the patches laid over it, in order; false: it became too large. */
bool batch_merge(TALLOC_CTX *mem, struct jsonspan *record, const struct ingest_patch *patches);
/* The same of a save and what the page lays over it. */
void batch_fold_updates(TALLOC_CTX *mem, struct ingest_row *row);
/* Where there are updates, in place of batch_classify, which knows nothing of what they become.
 * They are laid over what is stored, and written on the way. The head is locked. */
MUST_CHECK int batch_write_updates(struct commit *c, struct db *db, struct batch *batch,
				   struct error *err);

/* ---- ingest_write.c ---- */
#define COMMIT_LOCK_MS "500"
#define COMMIT_IDLE_MS "30000" /* of a node that stands still */
/* A page that takes its heads last. */
#define COMMIT_BEGIN                                      \
	"BEGIN; SET LOCAL lock_timeout = " COMMIT_LOCK_MS \
	"; SET LOCAL idle_in_transaction_session_timeout = " COMMIT_IDLE_MS
bool commit_may_append(const struct commit *c);
MUST_CHECK int commit_time(struct commit *c, struct db *db, struct error *err);
MUST_CHECK int commit_records(struct commit *c, struct db *db, struct error *err);
/* Payloads as they are stored; what is sealed is of mem. */
void batch_encode(TALLOC_CTX *mem, const struct commit *c, const struct batch *batch,
		  const struct ingest_list *list);
/* Into the quarantine: the bad ones that have a record of their id behind them in the page, and
 * those that were found since the last call. */
MUST_CHECK int batch_put_bad(struct commit *c, struct db *db, struct batch *batch,
			     struct error *err);
MUST_CHECK int commit_in_transaction(struct commit *c, struct error *err);
/* The page's last statement; c->verdict says whether it took effect. */
MUST_CHECK int commit_page_row(struct commit *c, struct db *db, bool takes_heads,
			       struct error *err);
int commit_resolve(struct db *db, void *arg, bool *took_effect, struct error *err);
/* The fence was not there: ERR_DB_RETRY in place of ERR_FENCED when it is behind the run. */
void commit_explain(const struct ingest *ingest, struct error *err);

/* ---- ingest_ahead.c ---- */
/* At a page's turn: c->is_written when it was written before, and may stay. */
void ahead_begin(struct commit *c);
/* What it makes of its datasets is certain but for its COMMIT. May be called again. */
void ahead_tell(struct commit *c);
/* It is not, or not any more; may be called again. */
void ahead_withdraw(struct commit *c);
void ahead_end(struct commit *c); /* it is in */
/* On the thread that prepared the page, while `behind`, the number of the one before it, is
 * stored. */
void ahead_try(struct commit *c, int64_t behind);
void ahead_drop(struct commit *c); /* its turn never came */

/* ---- ingest_window.c ---- */
/* What the plugin says of the walk and of the guard is in how. */
MUST_CHECK int batch_close_window(struct commit *c, struct db *db, struct batch *batch,
				  const struct run_page_model *how, struct error *err);

#endif
