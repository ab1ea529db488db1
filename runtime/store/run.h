/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/run -- runs and the queue they are claimed from.
 *
 * A claim names one environment, moves due_at ahead by the lease and draws a token, which is
 * the run's fence. Claim and completion are separate transactions (one that did both
 * deadlocked).
 */
#ifndef NANGO_STORE_RUN_H
#define NANGO_STORE_RUN_H

#include "db/db.h"

struct run_claim {
	int64_t run_id, token, environment_id, connection_row, attempts;
	const char *sync_id; /* uuid or NULL */
	int64_t kind;
	bool has_build; /* chosen by an earlier attempt */
	unsigned char sha256[32];
};

struct run_outcome {
	const char *state; /* success, failed, cancelled */
	const char *cause, *code, *message;
	const char *result; /* JSON: {"Model":{"added","updated","deleted"}} */
	int64_t pages, added, updated, deleted, requests, cpu_us, max_rss_kb;
};

struct run_row {
	int64_t id, attempts, pages, added, updated, deleted, requests, cpu_us, max_rss_kb;
	const char *state, *cause, *code, *message, *sync_name, *connection_id,
	    *integration_key;
	int64_t created_ms, started_ms, finished_ms;
};

/* Environments that have something due. */
MUST_CHECK int run_due_environments(TALLOC_CTX *mem, struct db *db, int64_t **out,
				    size_t *count, struct error *err);
MUST_CHECK int run_claim(TALLOC_CTX *mem, struct db *db, int64_t environment_id, int64_t limit,
			 int64_t lease_ms, struct run_claim **out, size_t *count,
			 struct error *err);
/* claims_json: [[run_id, token], …]; gives back the run ids whose lease still holds. */
MUST_CHECK int run_heartbeat(TALLOC_CTX *mem, struct db *db, const char *claims_json,
			     int64_t lease_ms, int64_t **out, size_t *count, struct error *err);
/* Takes the run from the queue if the token still holds it; *held tells. */
MUST_CHECK int run_finish(struct db *db, int64_t run_id, int64_t token,
			  const struct run_outcome *outcome, bool *held, struct error *err);
/* Due again at once, for another node (clean stop). */
MUST_CHECK int run_give_back(struct db *db, int64_t run_id, int64_t token, struct error *err);
/* Runs that are queued or under way: of a sync, a connection, an integration, or those of an
 * integration whose sync was deleted. The other members are NULL or 0. */
struct run_scope {
	const char *sync_id;
	int64_t connection_row, integration_id, deleted_syncs_of;
};
struct run_queued {
	int64_t run_id, connection_row;
};
/* Locks their queue rows until the transaction's end. */
MUST_CHECK int run_lock_queued(TALLOC_CTX *mem, struct db *db, const struct run_scope *scope,
			       struct run_queued **out, size_t *count, struct error *err);
/* Takes one from the queue, as cancelled. */
MUST_CHECK int run_unqueue(struct db *db, int64_t run_id, const char *message,
			   struct error *err);
/* Which build a run uses, noted at its first claim. */
MUST_CHECK int run_set_build(struct db *db, int64_t run_id, const void *sha256, size_t length,
			     struct error *err);

MUST_CHECK int run_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id, int64_t limit,
			struct run_row **out, size_t *count, struct error *err);

#endif
