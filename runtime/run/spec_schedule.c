/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_schedule -- when a sync runs: `runs`, an interval in words or a cron expression with a
 * time zone, and `missed`.
 *
 * Intervals follow the reference: some words, else "every " and what the npm package ms reads.
 */
#include "run/spec_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	int64_t ms;
} words[] = {
    {"minute", 60000},	      {"hour", 3600000},	  {"day", 86400000},
    {"week", 7 * 86400000LL}, {"month", 30 * 86400000LL}, {"half day", 43200000},
    {"half hour", 1800000},   {"quarter hour", 900000},
};

static const struct {
	const char *names[5];
	double ms;
} units[] = {
    {{"ms", "msec", "msecs", "millisecond", "milliseconds"}, 1},
    {{"s", "sec", "secs", "second", "seconds"}, 1000},
    {{"m", "min", "mins", "minute", "minutes"}, 60000},
    {{"h", "hr", "hrs", "hour", "hours"}, 3600000},
    {{"d", "day", "days"}, 86400000},
    {{"w", "week", "weeks"}, 7 * 86400000.0},
    {{"y", "yr", "yrs", "year", "years"}, 31557600000.0},
};

static int64_t
word_ms(const char *text)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(words[i].name, text) == 0)
			return words[i].ms;
	return 0;
}

/* No unit: milliseconds, as ms has it. 0: no such unit. */
static double
unit_ms(const char *name)
{
	if (name[0] == '\0')
		return 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		for (size_t k = 0; k < 5 && units[i].names[k] != NULL; k++)
			if (strcasecmp(units[i].names[k], name) == 0)
				return units[i].ms;
	return 0;
}

/* "2.5 hrs", ".5h", "90m"; -1 when it is none. */
static double
number_and_unit_ms(const char *text)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	const char *rest = text + whole;
	double unit;

	if (*rest == '.') {
		part = strspn(rest + 1, "0123456789");
		if (part == 0)
			return -1;
		rest += 1 + part;
	}
	if (whole + part == 0 || whole > 15 || part > 15)
		return -1;
	rest += strspn(rest, " ");
	unit = unit_ms(rest);
	return unit == 0 ? -1 : strtod(text, NULL) * unit;
}

int
spec_interval_ms(const char *text, int64_t *out_ms, struct error *err)
{
	const char *at = text + strspn(text, " ");
	double ms;

	if (strncasecmp(at, "every ", 6) == 0)
		at += 6;
	at += strspn(at, " ");
	ms = (double)word_ms(at);
	if (ms == 0)
		ms = number_and_unit_ms(at);
	if (ms < 0)
		return error_set(err, ERR_INVALID_BODY,
				 "\"%.40s\" is no interval: write one such as \"every 15m\" or "
				 "\"every half day\"",
				 text);
	if (ms < (double)SPEC_INTERVAL_MIN_MS)
		return error_set(err, ERR_INVALID_BODY, "\"%.40s\" is under 30 seconds", text);
	if (ms > (double)SPEC_INTERVAL_MAX_MS)
		return error_set(err, ERR_INVALID_BODY, "\"%.40s\" is over 31 days", text);
	*out_ms = (int64_t)(ms + 0.5);
	return 0;
}

static int
read_cron(struct spec_reader *r, const struct yaml_node *node, struct spec_sync *sync)
{
	static const char *const keys[] = {"cron", "time_zone", NULL};
	const struct yaml_node *cron = yaml_get(node, "cron"),
			       *zone = yaml_get(node, "time_zone");
	const struct zone *found;
	struct error why;

	if (spec_check_keys(r, node, "runs", keys) < 0)
		return -1;
	if (cron == NULL)
		return spec_fault(
		    r, node, "E0102",
		    "write `runs: {cron: \"0 6 * * 1-5\", time_zone: Europe/Berlin}`",
		    "the key \"cron\" is missing");
	sync->time_zone = "UTC";
	if (spec_expect_text(r, cron, "cron", &sync->cron) < 0 ||
	    (zone != NULL && spec_expect_text(r, zone, "time_zone", &sync->time_zone) < 0))
		return -1;
	if (zone_find(sync->time_zone, &found, &why) < 0)
		return spec_fault(r, zone == NULL ? node : zone, "E0108",
				  "a name such as Europe/Berlin; the package tzdata has them",
				  "%s", why.message);
	if (schedule_check_cron(sync->cron, sync->time_zone, &sync->runs_ms, &why) < 0)
		return spec_fault(
		    r, cron, "E0108",
		    "minute, hour, day of month, month, day of week: `0 6 * * 1-5`", "%s",
		    why.message);
	return 0;
}

int
spec_read_runs(struct spec_reader *r, const struct yaml_node *node, struct spec_sync *sync)
{
	struct error why;

	if (node->kind == YAML_MAPPING)
		return read_cron(r, node, sync);
	if (spec_expect_text(r, node, "runs", &sync->runs) < 0)
		return -1;
	if (spec_interval_ms(sync->runs, &sync->runs_ms, &why) < 0)
		return spec_fault(r, node, "E0107", "every 30s to every 31d: `every 15m`", "%s",
				  why.message);
	return 0;
}

int
spec_read_missed(struct spec_reader *r, const struct yaml_node *node, struct spec_sync *sync)
{
	const char *text;

	if (node == NULL)
		return 0;
	if (spec_expect_text(r, node, "missed", &text) < 0)
		return -1;
	for (int i = 0; i < SCHEDULE_MISSED_COUNT; i++)
		if (strcmp(schedule_missed_names[i], text) == 0) {
			sync->missed = (enum schedule_missed)i;
			return 0;
		}
	return spec_fault(r, node, "E0120", "one run for all that were missed, none, or each",
			  "missed is one, skip or all, not \"%.40s\"", text);
}
