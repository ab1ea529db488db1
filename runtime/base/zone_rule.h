/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone_rule -- the POSIX TZ text at the end of a TZif file: what holds after its last change.
 */
#ifndef NANGO_BASE_ZONE_RULE_H
#define NANGO_BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone_day { /* "M3.5.0/2", or "J59" and "59" with week 0 */
	int month, week, day;
	bool counts_leap_day;
	int32_t seconds; /* into the day, on the clock before the change */
};

struct zone_rule {
	int32_t standard, summer; /* offsets east of UTC */
	bool has_summer;
	struct zone_day begins, ends; /* of summer time */
};

/* -1 when it is not understood. */
int zone_rule_parse(const char *text, struct zone_rule *out);

/* The two instants of a year at which summer time begins and ends. */
void zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t *begins, int64_t *ends);

#endif
