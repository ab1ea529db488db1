/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/outbox -- events on their way to an app: written with what they announce, claimed by a
 * lease, kept until they were delivered or given up.
 *
 * Two tables of one shape: nango_data.outbox has what runs did, nango.outbox what happened to
 * connections. A row is one delivery to one destination of an environment (0: its first URL, or
 * the connection's own); event_id is the same in all rows of an event. Writing is outbox.c,
 * delivery outbox_delivery.c, what people list and replay outbox_list.c.
 */
#ifndef NANGO_STORE_OUTBOX_H
#define NANGO_STORE_OUTBOX_H

#include "db/db.h"

enum outbox_family { OUTBOX_CONTROL, OUTBOX_DATA, OUTBOX_FAMILIES };

#define OUTBOX_SYNC "sync"		     /* changes of a model, or a run without any */
#define OUTBOX_SYNC_ERROR "sync_error"	     /* a run that failed */
#define OUTBOX_AUTH_CREATION "auth_creation" /* also a failed one */
#define OUTBOX_AUTH_OVERRIDE "auth_override"
#define OUTBOX_AUTH_REFRESH "auth_refresh"
#define OUTBOX_FORWARD "forward" /* of a provider's webhook */

/* ---- writing: one statement each, in the caller's transaction ---- */

/*
 * facts is the JSON object of what a body says about its run whatever its end: connectionId,
 * providerConfigKey, syncName, syncVariant, syncType, startedAt. It is the same in all calls of
 * a run.
 */
struct outbox_page {
	int64_t connection_row, environment_id, run_id;
	const char *model, *facts;
	int64_t added, updated, deleted;
};
/* In the transaction of a page that changed something. Counts add up in one held row. */
MUST_CHECK int outbox_page(struct db *db, const struct outbox_page *page, struct error *err);

struct outbox_release {
	int64_t connection_row, environment_id, run_id;
	const char *state;	   /* as the fence is closed: success, failed, cancelled */
	const char *const *models; /* of the sync; ends with NULL */
	const char *facts;
	const char *outcome; /* JSON: checkpoints; of a failure also failedAt and error */
};
/*
 * In the transaction that ends a run: what its pages committed is announced, whatever the end
 * was. A success has a row for each model without changes too, a failure one that tells of the
 * failure; whether those are wanted is decided when they are delivered.
 */
MUST_CHECK int outbox_release(struct db *db, const struct outbox_release *release,
			      struct error *err);

/* Of a connection, and of no run. */
struct outbox_auth {
	int64_t connection_row, environment_id; /* connection_row 0: there is none */
	const char *kind;			/* OUTBOX_AUTH_…, OUTBOX_FORWARD */
	const char *facts; /* JSON: the body less from and type; see hooks_forward */
};
MUST_CHECK int outbox_auth(struct db *db, const struct outbox_auth *auth, struct error *err);

/* ---- delivery ---- */
struct outbox_event {
	enum outbox_family family;
	int64_t connection_row, id, token, run_id, environment_id;
	const char *event_id, *kind, *model, *facts, *outcome;
	int64_t destination, added, updated, deleted, attempts;
	int64_t created_ms, age_ms; /* age since it became due first, or was replayed */
	bool is_split;
};

/* Environments that have something due. */
MUST_CHECK int outbox_environments(TALLOC_CTX *mem, struct db *db, enum outbox_family family,
				   int64_t **out, size_t *count, struct error *err);
/* Takes at most limit events of an environment for lease_ms. */
MUST_CHECK int outbox_claim(TALLOC_CTX *mem, struct db *db, enum outbox_family family,
			    int64_t environment_id, int64_t limit, int64_t lease_ms,
			    struct outbox_event **out, size_t *count, struct error *err);
/*
 * Events among them that have more than one destination get a row for each other one. Repeated
 * after a crash it adds nothing. ids: [[connection_row, id], …]
 */
MUST_CHECK int outbox_split(struct db *db, enum outbox_family family, const char *ids,
			    struct error *err);

/*
 * What became of claimed events: [{"c":connection_row,"i":id,"t":token,"s":state,"w":wait_ms,
 * "h":http_status,"e":error,"n":attempts},…]. state is due (again after wait_ms), delivered,
 * dead, or unwanted (the row goes). A claim that was lost changes nothing.
 */
MUST_CHECK int outbox_settle(struct db *db, enum outbox_family family, const char *results,
			     struct error *err);

/* Removes at most limit finished rows that are older than the days given. */
MUST_CHECK int outbox_clean(struct db *db, enum outbox_family family, int64_t delivered_days,
			    int64_t dead_days, int64_t limit, int64_t *removed,
			    struct error *err);
/* Makes due what runs left behind that ended without a release (a cancel cut in two). */
MUST_CHECK int outbox_release_orphans(struct db *db, int64_t *released, struct error *err);

/* ---- for people ---- */
struct outbox_row {
	int64_t connection_row, id, run_id, destination, attempts, http_status;
	int64_t ready_us, created_ms, due_ms, finished_ms; /* 0: not */
	const char *event_id, *kind, *state, *model, *facts, *error;
};
struct outbox_filter {
	int64_t environment_id;
	const char *state;	      /* or NULL: all that left their transaction */
	int64_t before_us, before_id; /* those after this place of the order; INT64_MAX: all */
	int64_t limit;
};
/* Newest first, by (ready_us, id). */
MUST_CHECK int outbox_list(TALLOC_CTX *mem, struct db *db, enum outbox_family family,
			   const struct outbox_filter *filter, struct outbox_row **out,
			   size_t *count, struct error *err);
/* Due at once, as if it were new. ERR_NOT_FOUND; ERR_CONFLICT while it is being sent. */
MUST_CHECK int outbox_retry(struct db *db, enum outbox_family family, int64_t environment_id,
			    int64_t connection_row, int64_t id, struct error *err);
/* All dead ones of an environment. */
MUST_CHECK int outbox_retry_dead(struct db *db, enum outbox_family family,
				 int64_t environment_id, int64_t *count, struct error *err);

#endif
