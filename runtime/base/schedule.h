/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule -- when a sync runs: an interval or a cron expression in a time zone, spread. Pure.
 *
 * Syncs that were made together must not run together for ever. An interval's slots therefore
 * lie at phase + n * interval, where the phase is a hash of the sync's id. Cron names instants
 * that people chose, so its slots are late by a part of SCHEDULE_CRON_SPREAD_MS only.
 */
#ifndef NANGO_BASE_SCHEDULE_H
#define NANGO_BASE_SCHEDULE_H

#include "base/cron.h"

#define SCHEDULE_INTERVAL_MIN_MS (30 * 1000LL)
#define SCHEDULE_INTERVAL_MAX_MS (31 * 86400 * 1000LL)
#define SCHEDULE_CRON_SPREAD_MS 20000
#define SCHEDULE_MISSED_MAX 100	 /* that the policy "all" makes up for */
#define SCHEDULE_SKIP_MS 60000	 /* later than this a slot counts as missed for "skip" */
#define SCHEDULE_FAILURES_FREE 2 /* consecutive failures that change nothing */
#define SCHEDULE_NEVER_MS                                                  \
	253370764800000 /* the year 9999: an expression that names no date \
			 */

/* What becomes of slots that passed while nothing could run. */
enum schedule_missed {
	SCHEDULE_ONE,  /* one run for all of them */
	SCHEDULE_SKIP, /* none: the next slot is the next run */
	SCHEDULE_ALL,  /* one run each, one after the other */
	SCHEDULE_MISSED_COUNT
};
extern const char *const schedule_missed_names[SCHEDULE_MISSED_COUNT + 1]; /* ends with NULL */

struct schedule {
	int64_t interval_ms; /* of a cron expression: the distance of two of its slots */
	bool is_cron;
	struct cron cron;
	const struct zone *zone;
	uint64_t spread; /* schedule_spread of the sync's id */
};

uint64_t schedule_spread(const char *id);

/* cron NULL: an interval. time_zone NULL: UTC. ERR_INVALID_BODY. */
MUST_CHECK int schedule_init(struct schedule *out, int64_t interval_ms, const char *cron,
			     const char *time_zone, const char *id, struct error *err);

/* Refuses a cron expression that is wrong, or fires more often than every 30 s. */
MUST_CHECK int schedule_check_cron(const char *cron, const char *time_zone,
				   int64_t *distance_ms, struct error *err);

/* The first slot after a moment of the database's clock. */
int64_t schedule_next(const struct schedule *schedule, int64_t after_ms);

/*
 * When a schedule that is due at due_ms runs, after so many failures in a row: then, but where
 * a cron expression was put off to a moment that it does not name, at the next that it does.
 */
int64_t schedule_put_off(const struct schedule *schedule, int64_t due_ms, int64_t failures);

/* What is to be done at now_ms about due_ms, which is over: a slot, or any other moment (a new
 * sync is due at once), which was not missed however late it is. */
struct schedule_step {
	bool is_due;	 /* queue a run */
	int64_t next_ms; /* the slot after now */
	int64_t missed;	 /* runs that are owed beside it; 0 unless the policy is "all" */
};
struct schedule_step schedule_step(const struct schedule *schedule, enum schedule_missed policy,
				   int64_t due_ms, int64_t now_ms);

#endif
