/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sync -- a sync of one connection: its schedule and whether it is paused.
 */
#ifndef NANGO_STORE_SYNC_H
#define NANGO_STORE_SYNC_H

#include "base/schedule.h"
#include "db/db.h"

#define SYNC_VARIANTS_MAX 100 /* of a connection */

struct sync {
	const char *id; /* uuid */
	int64_t environment_id, integration_id, connection_row;
	const char *connection_id, *integration_key, *name, *variant;
	int64_t interval_ms;
	const char *cron, *time_zone; /* NULL: an interval */
	bool is_overridden;	      /* the schedule is this connection's own */
	bool is_paused;
	int64_t failures;    /* runs in a row that failed */
	int64_t next_due_ms; /* 0: never by itself */
	/* The newest run, when there was one. */
	int64_t run_id; /* 0: none yet */
	const char *run_state, *run_result, *run_cause, *run_code, *run_message;
	int64_t run_created_ms, run_finished_ms;
};

/*
 * Makes the schedules of an integration's connections (or of one: connection_row, 0 for all)
 * what wanted says: [{"name","interval_ms","cron","time_zone","missed","auto_start"}]. New ones
 * are due at once; those that are not wanted any more are deleted; their runs are the caller's
 * (engine/cancel). Variants follow their base; overridden timings stay.
 */
MUST_CHECK int sync_reconcile(struct db *db, int64_t integration_id, int64_t connection_row,
			      const char *wanted_json, struct error *err);

/* Deletes the syncs of an integration, or of a connection (0: any), but for those that kept
 * names
 * ([{"name"}]); their runs are the caller's. */
MUST_CHECK int sync_delete_all(struct db *db, int64_t integration_id, int64_t connection_row,
			       const char *kept_json, struct error *err);

/* names: JSON array of [name, variant] pairs, or NULL for all. connection_id may be NULL. */
MUST_CHECK int sync_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
			 const char *integration_key, const char *connection_id,
			 const char *names_json, struct sync **out, size_t *count,
			 struct error *err);

/* ERR_NOT_FOUND when it was deleted. The run's members are not filled. */
MUST_CHECK int sync_find(TALLOC_CTX *mem, struct db *db, const char *id, struct sync **out,
			 struct error *err);

/* Until the transaction's end nobody else queues a run of it. */
MUST_CHECK int sync_lock(struct db *db, const char *id, struct error *err);
MUST_CHECK int sync_pause(struct db *db, const char *id, struct error *err);
/* Unpauses; the schedule goes on with its next slot. */
MUST_CHECK int sync_start(struct db *db, const struct sync *sync, bool *was_paused,
			  struct error *err);

/* What a connection's sync runs by; is_overridden false: as the plugin says. */
struct sync_timing {
	int64_t interval_ms;
	const char *cron, *time_zone;
	bool is_overridden;
	enum schedule_missed missed; /* of the plugin; one that is overridden keeps its own */
};
MUST_CHECK int sync_set_timing(struct db *db, const struct sync *sync,
			       const struct sync_timing *timing, struct error *err);

/* A copy of a base sync under another name of variant, due at once. ERR_VARIANT_EXISTS when it
 * is there, ERR_CAPPED at SYNC_VARIANTS_MAX. *id belongs to mem. */
MUST_CHECK int sync_create_variant(TALLOC_CTX *mem, struct db *db, const struct sync *base,
				   const char *variant, const char **id, struct error *err);
MUST_CHECK int sync_delete(struct db *db, const char *id, struct error *err);

/* Failing syncs of a connection are tried again at once: its credentials are new. */
MUST_CHECK int sync_wake(struct db *db, int64_t connection_row, struct error *err);
/* The same for all of an integration: its app is known by something new. */
MUST_CHECK int sync_wake_all(struct db *db, int64_t integration_id, struct error *err);

/* Queues a run now unless one is queued or under way; *run_id is 0 then. */
MUST_CHECK int sync_enqueue(struct db *db, const char *id, bool force_deletes, int64_t *run_id,
			    struct error *err);

/* Time zones that a node's tz database lacks. Zeroed at first, and now and then, so that they
 * are looked for again. */
#define SYNC_ZONES_MAX 600 /* about as many as there are */
struct sync_zones {
	size_t count;
	char names[SYNC_ZONES_MAX][ZONE_NAME_MAX + 1];
};
/* Queues what is due, at most limit; schedules move to their next slot, but for those in the
 * zones of unread, to which those are added that are found to be missing. A transaction of its
 * own. *moved is how many were moved. */
MUST_CHECK int sync_enqueue_due(struct db *db, int64_t limit, struct sync_zones *unread,
				int64_t *moved, int64_t *queued, struct error *err);

#endif
