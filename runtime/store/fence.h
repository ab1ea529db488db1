/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/fence -- one row a run in the data family: who may write, how many pages are in, and
 * what the control row is owed once the run is over.
 */
#ifndef NANGO_STORE_FENCE_H
#define NANGO_STORE_FENCE_H

#include "db/db.h"

struct fence {
	const char *state; /* open, success, failed, cancelled */
	int64_t pages;
	const char *result;  /* counts by model so far, JSON */
	const char *outcome; /* of a closed one, JSON */
};

/* Raises the fence to token (an older token writes nothing from now on) and reads it. */
MUST_CHECK int fence_raise(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			   int64_t run_id, int64_t token, struct fence *out, struct error *err);

/* How many pages were committed under this token's run: the identity row of a page commit. */
MUST_CHECK int fence_pages(struct db *db, int64_t connection_row, int64_t run_id,
			   int64_t *pages, struct error *err);

/* Its state now: the identity row of a run's end. */
MUST_CHECK int fence_is_open(struct db *db, int64_t connection_row, int64_t run_id,
			     bool *is_open, struct error *err);

/* ERR_FENCED unless the token holds it; locked until the transaction's end. */
MUST_CHECK int fence_check(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
			   struct error *err);

/* The token holds it, and fewer pages are in: a crash of Postgres undid some (store/page). */
MUST_CHECK int fence_is_behind(struct db *db, int64_t connection_row, int64_t run_id,
			       int64_t token, int64_t pages, bool *is_behind,
			       struct error *err);

/* Closes it: nothing more may be written. ERR_FENCED when the token lost it, or it is behind.
 */
struct fence_end {
	const char *state, *result, *outcome;
	int64_t pages;
};
MUST_CHECK int fence_close(struct db *db, int64_t connection_row, int64_t run_id, int64_t token,
			   const struct fence_end *end, struct error *err);

/* Closes it with an outcome whatever the token (pause, cancel), unless it is closed already,
 * and reads it: a run that had ended keeps its outcome. */
MUST_CHECK int fence_cancel(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			    int64_t run_id, const char *outcome, struct fence *out,
			    struct error *err);

/* Those of several runs, in the same order; open and without a page where there is none. */
struct fence_key {
	int64_t connection_row, run_id;
};
MUST_CHECK int fence_list(TALLOC_CTX *mem, struct db *db, const struct fence_key *keys,
			  size_t count, struct fence *out, struct error *err);

/* Forgets fences that were closed over age_ms ago; at most limit. */
MUST_CHECK int fence_forget(struct db *db, int64_t age_ms, int64_t limit, int64_t *count,
			    struct error *err);

#endif
