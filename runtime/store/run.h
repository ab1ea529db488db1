/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/run -- runs for those who look at them: queued, under way, ended. What moves them is
 * store/queue.
 */
#ifndef NANGO_STORE_RUN_H
#define NANGO_STORE_RUN_H

#include "db/db.h"

struct run_row {
	int64_t id, kind, environment_id, connection_row, attempts, pages, added, updated,
	    deleted, requests, request_bytes, response_bytes, cpu_us, max_rss_kb;
	const char *state; /* queued, running, parked, success, failed, cancelled */
	const char *cause, *code, *message, *sync_id, *sync_name, *variant, *connection_id,
	    *integration_key;
	const char *result; /* counts by model, JSON */
	bool force_deletes;
	int64_t created_ms, started_ms, finished_ms, due_ms; /* 0: not */
};

struct run_filter {
	int64_t environment_id;
	int64_t before;			   /* ids below this one; 0: from the newest */
	int64_t before_cpu_us, before_row; /* of costs: behind this one; before_row 0: all */
	int64_t limit;
	int64_t id;	  /* one; 0: any */
	int64_t kind;	  /* 0: any */
	int64_t since_ms; /* created at or after; 0: any time */
	const char *state, *sync, *variant, *integration, *connection; /* or NULL */
};

/* Newest first. */
MUST_CHECK int run_list(TALLOC_CTX *mem, struct db *db, const struct run_filter *filter,
			struct run_row **out, size_t *count, struct error *err);

/* Sums of the ended runs of a connection. */
struct run_cost {
	int64_t connection_row;
	const char *integration_key, *connection_id;
	int64_t runs, failed, pages, added, updated, deleted, requests, request_bytes,
	    response_bytes, cpu_us, max_rss_kb, wall_ms;
};
/* Of the filter's state, integration, connection, sync, variant, kind and since_ms; dearest by
 * CPU first. What ends between two pages moves a connection to where it may be met twice. */
MUST_CHECK int run_costs(TALLOC_CTX *mem, struct db *db, const struct run_filter *filter,
			 struct run_cost **out, size_t *count, struct error *err);

/* One look through the history, from its oldest run on. */
struct run_sweep {
	int64_t after;	 /* ids up to this one were looked at */
	int64_t settled; /* up to this one all were old, so those that are left stay */
	int64_t deleted;
	bool is_over;
};
/*
 * Deletes ended runs that are older than keep_ms, but never the newest of a sync that is there
 * still. Looks at `limit` rows behind sweep->after. The next look may begin (after and settled)
 * where this one settled; it then does not see that a sync which has a run there was deleted or
 * has a newer one, or that a run which lasted long ended there.
 */
MUST_CHECK int run_forget(struct db *db, int64_t keep_ms, int64_t limit,
			  struct run_sweep *sweep, struct error *err);

#endif
