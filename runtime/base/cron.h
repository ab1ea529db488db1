/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron -- "0 6 * * 1-5": which instants a cron expression names in a time zone. Pure.
 *
 * Five fields (minute, hour, day of month, month, day of week) or six with seconds before them;
 * lists, ranges, steps behind * or a range, names of months and days, ? for *, L (last day of
 * the month), 15W (the weekday nearest to the 15th), 5#2 (second Friday), 5L or 5#L (last
 * Friday);
 * @yearly @annually @monthly @weekly @daily @midnight @hourly. 0 and 7 are Sunday. When both
 * days are restricted, either is enough, or both are needed where the day of week begins with
 * +.
 *
 * When clocks change: an expression with every hour runs by real time, neither skipping nor
 * repeating. Any other runs what the missing hour would have shown as much later as clocks were
 * put forward, and what is shown twice at the first time only.
 */
#ifndef NANGO_BASE_CRON_H
#define NANGO_BASE_CRON_H

#include "base/zone.h"

#define CRON_TEXT_MAX 255

struct cron {
	uint64_t seconds, minutes; /* bit n: n */
	uint32_t hours, months;	   /* months: bit 1 is January */
	uint32_t days, near_days;  /* bit 1 is the first; near_days: nW */
	uint8_t weekdays[7];	   /* from Sunday; bits 1 to 5: which of the month, 6: last */
	bool is_last_day, any_day, any_weekday, needs_both;
};

/* ERR_INVALID_BODY says what is wrong. */
MUST_CHECK int cron_parse(const char *text, struct cron *out, struct error *err);

/* The first instant after `after` (seconds of the Unix epoch); -1: none within 40 years. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after);

#endif
