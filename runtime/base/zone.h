/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone -- time zones of the system's tz database (RFC 8536), for schedules.
 *
 * A zone is read once and kept until the process ends; any thread may ask. TZDIR names another
 * folder than /usr/share/zoneinfo.
 */
#ifndef NANGO_BASE_ZONE_H
#define NANGO_BASE_ZONE_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define ZONE_NAME_MAX 64 /* bytes */

struct zone;

/* Offsets hold in [since, until); INT64_MIN and INT64_MAX where there is no change. */
struct zone_span {
	int64_t since, until; /* seconds of the Unix epoch */
	int32_t offset;	      /* seconds east of UTC */
};

/* "Europe/Berlin"; ERR_INVALID_BODY when there is no such zone. */
MUST_CHECK int zone_find(const char *name, const struct zone **out, struct error *err);

struct zone_span zone_at(const struct zone *zone, int64_t utc);

/*
 * The instant at which clocks on the wall show `local` (seconds, as if it were UTC). Shown
 * twice: the first. Never shown: as if the clocks had not been put forward yet, and *is_gap.
 */
int64_t zone_to_utc(const struct zone *zone, int64_t local, bool *is_gap);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back; month from 1. */
int64_t zone_days(int64_t year, int month, int day);
void zone_date(int64_t days, int64_t *year, int *month, int *day);
int zone_month_days(int64_t year, int month);

#endif
