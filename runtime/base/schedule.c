/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule -- see schedule.h.
 */
#include "base/schedule.h"

#include <stddef.h>

#define DISTANCE_FROM                                                           \
	1767225600 /* 2026-01-01: the distance of two slots is taken from there \
		    */

const char *const schedule_missed_names[] = {
    [SCHEDULE_ONE] = "one", [SCHEDULE_SKIP] = "skip", [SCHEDULE_ALL] = "all", NULL};

/* FNV-1a, then the finalizer of SplitMix64: equal tails of ids must not give equal phases. */
uint64_t
schedule_spread(const char *id)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *id != '\0'; id++)
		hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return hash ^ (hash >> 31);
}

int
schedule_init(struct schedule *out, int64_t interval_ms, const char *cron,
	      const char *time_zone, const char *id, struct error *err)
{
	*out = (struct schedule){.interval_ms = interval_ms, .spread = schedule_spread(id)};
	if (out->interval_ms < 1)
		out->interval_ms = 1;
	if (cron == NULL)
		return 0;
	out->is_cron = true;
	if (cron_parse(cron, &out->cron, err) < 0)
		return -1;
	return zone_find(time_zone == NULL ? "UTC" : time_zone, &out->zone, err);
}

/* Whether two that follow each other are set, the last and the first included. */
static bool
has_neighbours(uint64_t bits, int count)
{
	return (bits & bits >> 1) != 0 || ((bits & 1) != 0 && (bits >> (count - 1) & 1) != 0);
}

/* Whether a minute may follow another one: of an hour, or the last of one and the first of the
 * next. */
static bool
has_next_minute(const struct cron *cron)
{
	return (cron->minutes & cron->minutes >> 1) != 0 ||
	       (has_neighbours(cron->minutes, 60) && has_neighbours(cron->hours, 24));
}

/* Two seconds of one minute, or of one minute and the next, that are under 30 apart. */
static bool
is_too_often(const struct cron *cron)
{
	int first = -1, last = -1;

	for (int s = 0; s < 60; s++) {
		if ((cron->seconds >> s & 1) == 0)
			continue;
		if (last >= 0 && s - last < 30)
			return true;
		if (first < 0)
			first = s;
		last = s;
	}
	return first != last && first + 60 - last < 30 && has_next_minute(cron);
}

int
schedule_check_cron(const char *cron, const char *time_zone, int64_t *distance_ms,
		    struct error *err)
{
	struct schedule schedule;
	int64_t first, second;

	if (schedule_init(&schedule, 0, cron, time_zone, "", err) < 0)
		return -1;
	if (is_too_often(&schedule.cron))
		return error_set(err, ERR_INVALID_BODY,
				 "cron: \"%.40s\" fires more often than every 30 seconds",
				 cron);
	first = cron_next(&schedule.cron, schedule.zone, DISTANCE_FROM);
	second = first < 0 ? -1 : cron_next(&schedule.cron, schedule.zone, first);
	if (second < 0)
		return error_set(err, ERR_INVALID_BODY, "cron: \"%.40s\" names no date", cron);
	*distance_ms = (second - first) * 1000;
	return 0;
}

/* The number of the last interval slot at or before a moment. */
static int64_t
slot_number(const struct schedule *s, int64_t at_ms)
{
	int64_t phase = (int64_t)(s->spread % (uint64_t)s->interval_ms);
	int64_t since = at_ms - phase;

	return since / s->interval_ms - (since % s->interval_ms < 0);
}

/* Late by a part of 20 s, but never by more than a tenth of the distance of two slots. */
static int64_t
cron_late_ms(const struct schedule *s)
{
	int64_t most = s->interval_ms / 10;

	if (most > SCHEDULE_CRON_SPREAD_MS)
		most = SCHEDULE_CRON_SPREAD_MS;
	return most <= 0 ? 0 : (int64_t)(s->spread % (uint64_t)most);
}

int64_t
schedule_next(const struct schedule *s, int64_t after_ms)
{
	int64_t phase, late, next;

	if (!s->is_cron) {
		phase = (int64_t)(s->spread % (uint64_t)s->interval_ms);
		return (slot_number(s, after_ms) + 1) * s->interval_ms + phase;
	}
	late = cron_late_ms(s);
	after_ms -= late;
	next = cron_next(&s->cron, s->zone, after_ms / 1000 - (after_ms % 1000 < 0));
	return next < 0 ? SCHEDULE_NEVER_MS : next * 1000 + late;
}

/* Slots after due_ms up to now_ms, at most SCHEDULE_MISSED_MAX. */
static int64_t
count_missed(const struct schedule *s, int64_t due_ms, int64_t now_ms)
{
	int64_t count = 0;

	if (!s->is_cron) {
		count = slot_number(s, now_ms) - slot_number(s, due_ms);
		return count > SCHEDULE_MISSED_MAX ? SCHEDULE_MISSED_MAX : count;
	}
	while (count < SCHEDULE_MISSED_MAX && (due_ms = schedule_next(s, due_ms)) <= now_ms)
		count++;
	return count;
}

static bool
is_slot(const struct schedule *s, int64_t at_ms)
{
	return schedule_next(s, at_ms - 1) == at_ms;
}

int64_t
schedule_put_off(const struct schedule *s, int64_t due_ms, int64_t failures)
{
	if (!s->is_cron || failures <= SCHEDULE_FAILURES_FREE || is_slot(s, due_ms))
		return due_ms;
	return schedule_next(s, due_ms);
}

struct schedule_step
schedule_step(const struct schedule *s, enum schedule_missed policy, int64_t due_ms,
	      int64_t now_ms)
{
	struct schedule_step step = {true, schedule_next(s, now_ms), 0};

	if (policy == SCHEDULE_SKIP)
		step.is_due = now_ms - due_ms <= SCHEDULE_SKIP_MS || !is_slot(s, due_ms);
	if (policy == SCHEDULE_ALL)
		step.missed = count_missed(s, due_ms, now_ms);
	return step;
}
