/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron_next -- see cron.h: the search, day by day, then second by second within one.
 */
#include "base/cron.h"

#define DAY_S 86400
#define YEARS_MAX 40
#define SHIFT_MAX 10800 /* more than clocks were ever put forward at once */
#define HOURS_ALL 0xffffff

static int
weekday_of(int64_t days)
{
	return (int)((days % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
}

static bool
weekday_matches(const struct cron *c, int64_t days, int day, int month_days)
{
	uint8_t which = c->weekdays[weekday_of(days)];

	if ((which & (1 << ((day - 1) / 7 + 1))) != 0)
		return true;
	return (which & (1 << 6)) != 0 && day + 7 > month_days;
}

/* The weekday nearest to a day, within its month. */
static int
near_day(int64_t days, int day, int month_days)
{
	int weekday = weekday_of(days);

	if (weekday == 6)
		return day == 1 ? day + 2 : day - 1;
	if (weekday == 0)
		return day == month_days ? day - 2 : day + 1;
	return day;
}

static bool
day_matches_near(const struct cron *c, int64_t days, int day, int month_days)
{
	int64_t before_first = days - day;

	if ((c->near_days & 1) != 0) {
		int weekday = weekday_of(before_first + month_days);

		if (day == month_days - (weekday == 0 ? 2 : weekday == 6 ? 1 : 0))
			return true;
	}
	for (int wanted = 1; wanted <= month_days; wanted++)
		if ((c->near_days >> wanted & 1) != 0 &&
		    near_day(before_first + wanted, wanted, month_days) == day)
			return true;
	return false;
}

static bool
date_matches(const struct cron *c, int64_t days)
{
	int month, day, month_days;
	bool by_day, by_weekday;
	int64_t year;

	zone_date(days, &year, &month, &day);
	if ((c->months >> month & 1) == 0)
		return false;
	month_days = zone_month_days(year, month);
	by_day = (c->days >> day & 1) != 0 || (c->is_last_day && day == month_days) ||
		 (c->near_days != 0 && day_matches_near(c, days, day, month_days));
	by_weekday = weekday_matches(c, days, day, month_days);
	if (c->any_day || c->any_weekday || c->needs_both)
		return by_day && by_weekday;
	return by_day || by_weekday;
}

/* The first matching second of a day from `from` on; -1: none. */
static int
time_from(const struct cron *c, int from)
{
	for (int hour = from / 3600; hour < 24; hour++) {
		if ((c->hours >> hour & 1) == 0)
			continue;
		for (int minute = hour == from / 3600 ? from / 60 % 60 : 0; minute < 60;
		     minute++) {
			int start = hour * 3600 + minute * 60;

			if ((c->minutes >> minute & 1) == 0)
				continue;
			for (int s = start < from ? from - start : 0; s < 60; s++)
				if ((c->seconds >> s & 1) != 0)
					return start + s;
		}
	}
	return -1;
}

/* The first matching time on the wall at or after `local`, before `end`; -1: none. */
static int64_t
local_from(const struct cron *c, int64_t local, int64_t end)
{
	int64_t days = local / DAY_S;
	int from = (int)(local % DAY_S);

	for (; days * DAY_S < end; days++, from = 0) {
		int second = date_matches(c, days) ? time_from(c, from) : -1;

		if (second >= 0)
			return days * DAY_S + second < end ? days * DAY_S + second : -1;
	}
	return -1;
}

/* By real time: offset by offset. */
static int64_t
next_real(const struct cron *c, const struct zone *zone, int64_t after, int64_t end)
{
	int64_t at = after + 1;

	while (at < end) {
		struct zone_span span = zone_at(zone, at);
		int64_t until = span.until < end ? span.until : end;
		int64_t local = local_from(c, at + span.offset, until + span.offset);

		if (local >= 0)
			return local - span.offset;
		at = until;
	}
	return -1;
}

/* By the clock on the wall. A time in the gap comes later than its neighbours behind the gap,
 * so those are looked at, too. */
static int64_t
next_shown(const struct cron *c, const struct zone *zone, int64_t after, int64_t end)
{
	int64_t local = after + zone_at(zone, after).offset - SHIFT_MAX, best = -1;
	int64_t stop = end;

	while ((local = local_from(c, local, stop)) >= 0) {
		bool is_gap;
		int64_t utc = zone_to_utc(zone, local, &is_gap);

		if (utc > after && (best < 0 || utc < best))
			best = utc;
		if (utc > after && !is_gap)
			return best;
		if (utc > after && stop == end)
			stop = local + SHIFT_MAX;
		local++;
	}
	return best;
}

int64_t
cron_next(const struct cron *cron, const struct zone *zone, int64_t after)
{
	int64_t end = after + YEARS_MAX * INT64_C(31556952);

	if ((cron->hours & HOURS_ALL) == HOURS_ALL)
		return next_real(cron, zone, after, end);
	return next_shown(cron, zone, after, end);
}
