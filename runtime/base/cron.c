/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron -- see cron.h: reading an expression. What it means is cron_next.c.
 */
#include "base/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WEEKDAY_ALL 0x7e

enum part { PART_SECOND, PART_MINUTE, PART_HOUR, PART_DAY, PART_MONTH, PART_WEEKDAY };

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
				     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct {
	const char *name;
	int min, max;
	const char *const *names;
	int names_from;
} parts[] = {
    [PART_SECOND] = {"second", 0, 59, NULL, 0},
    [PART_MINUTE] = {"minute", 0, 59, NULL, 0},
    [PART_HOUR] = {"hour", 0, 23, NULL, 0},
    [PART_DAY] = {"day of month", 1, 31, NULL, 0},
    [PART_MONTH] = {"month", 1, 12, months, 1},
    [PART_WEEKDAY] = {"day of week", 0, 7, weekdays, 0},
};

static const struct {
	const char *name, *text;
} nicknames[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},	  {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

struct reading {
	struct cron *cron;
	enum part part;
	const char *item; /* for messages */
	struct error *err;
};

static int
fault(const struct reading *r, const char *why)
{
	return error_set(r->err, ERR_INVALID_BODY, "cron: \"%.40s\" as %s %s", r->item,
			 parts[r->part].name, why);
}

/* A number or a name; *p moves behind it. */
static int
take_value(const struct reading *r, const char **p, int *out)
{
	char *end;
	long number;

	for (int i = 0; parts[r->part].names != NULL && parts[r->part].names[i] != NULL; i++) {
		if (strncasecmp(*p, parts[r->part].names[i], 3) != 0)
			continue;
		*p += 3;
		*out = i + parts[r->part].names_from;
		return 0;
	}
	if (**p < '0' || **p > '9')
		return fault(r, "is no number, range, list or step");
	number = strtol(*p, &end, 10);
	if (end - *p > 4 || number < parts[r->part].min || number > parts[r->part].max)
		return fault(r, "is out of range");
	*p = end;
	*out = (int)number;
	return 0;
}

static void
set_value(struct reading *r, int value, uint8_t which)
{
	struct cron *c = r->cron;

	switch (r->part) {
	case PART_SECOND:
		c->seconds |= UINT64_C(1) << value;
		break;
	case PART_MINUTE:
		c->minutes |= UINT64_C(1) << value;
		break;
	case PART_HOUR:
		c->hours |= UINT32_C(1) << value;
		break;
	case PART_DAY:
		c->days |= UINT32_C(1) << value;
		break;
	case PART_MONTH:
		c->months |= UINT32_C(1) << value;
		break;
	case PART_WEEKDAY:
		c->weekdays[value % 7] |= which;
		break;
	}
}

/* Behind a single weekday: #2, #L or L; behind a day of the month: W. */
static int
take_suffix(struct reading *r, const char *p, int value)
{
	if (r->part == PART_WEEKDAY && (strcasecmp(p, "L") == 0 || strcasecmp(p, "#L") == 0)) {
		set_value(r, value, 1 << 6);
		return 0;
	}
	if (r->part == PART_WEEKDAY && p[0] == '#' && p[1] >= '1' && p[1] <= '5' &&
	    p[2] == '\0') {
		set_value(r, value, (uint8_t)(1 << (p[1] - '0')));
		return 0;
	}
	if (r->part == PART_DAY && strcasecmp(p, "W") == 0) {
		r->cron->near_days |= UINT32_C(1) << value;
		return 0;
	}
	return fault(r, "is not understood");
}

/* *, a, a-b, each with /step where there is more than one. */
static int
read_range(struct reading *r, const char *p)
{
	int first = parts[r->part].min, last = parts[r->part].max, step = 1;
	bool is_single = false;

	if (*p == '*') {
		p++;
		last = r->part == PART_WEEKDAY ? 6 : last;
	} else {
		if (take_value(r, &p, &first) < 0)
			return -1;
		last = first;
		is_single = *p != '-';
		if (!is_single && (p++, take_value(r, &p, &last)) < 0)
			return -1;
		if (first > last)
			return fault(r, "ends before it begins");
	}
	if (is_single && *p != '\0')
		return *p == '/' ? fault(r, "has a step without * or a range")
				 : take_suffix(r, p, first);
	if (*p == '/') {
		step = strspn(p + 1, "0123456789") == strlen(p + 1) ? atoi(p + 1) : 0;
		if (step < 1 || step > parts[r->part].max + 1 || strlen(p + 1) > 3)
			return fault(r, "has a wrong step");
	} else if (*p != '\0') {
		return fault(r, "is not understood");
	}
	for (int value = first; value <= last; value += step)
		set_value(r, value, WEEKDAY_ALL);
	return 0;
}

static int
read_field(struct reading *r, char *text)
{
	char *rest = text, *item;

	if (r->part == PART_WEEKDAY && text[0] == '+') {
		r->cron->needs_both = true;
		rest++;
	}
	if (strcmp(rest, "?") == 0 && (r->part == PART_DAY || r->part == PART_WEEKDAY))
		rest[0] = '*';
	if (r->part == PART_DAY)
		r->cron->any_day = strcmp(rest, "*") == 0;
	if (r->part == PART_WEEKDAY)
		r->cron->any_weekday = strcmp(rest, "*") == 0;
	while ((item = strsep(&rest, ",")) != NULL) {
		r->item = item;
		if (item[0] == '\0')
			return fault(r, "is empty");
		if (r->part == PART_DAY && strcasecmp(item, "L") == 0)
			r->cron->is_last_day = true;
		else if (r->part == PART_DAY && strcasecmp(item, "LW") == 0)
			r->cron->near_days |= 1; /* bit 0: the last weekday */
		else if (read_range(r, item) < 0)
			return -1;
	}
	return 0;
}

static size_t
split(char *text, char **fields, size_t max)
{
	size_t count = 0;
	char *rest = text, *field;

	while ((field = strsep(&rest, " \t")) != NULL)
		if (field[0] != '\0') {
			if (count == max)
				return max + 1;
			fields[count++] = field;
		}
	return count;
}

int
cron_parse(const char *text, struct cron *out, struct error *err)
{
	struct cron cron = {0};
	struct reading r = {&cron, PART_SECOND, "", err};
	char copy[CRON_TEXT_MAX + 1], *fields[6];
	size_t count, first;

	for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
		if (strcasecmp(text, nicknames[i].name) == 0)
			text = nicknames[i].text;
	if (strlen(text) > CRON_TEXT_MAX)
		return error_set(err, ERR_INVALID_BODY, "cron: over %d bytes", CRON_TEXT_MAX);
	snprintf(copy, sizeof(copy), "%s", text);
	count = split(copy, fields, 6);
	if (count != 5 && count != 6)
		return error_set(err, ERR_INVALID_BODY,
				 "cron: \"%.40s\" is not five fields (minute, hour, day of "
				 "month, month, day of week) or six with seconds before them",
				 text);
	first = 6 - count;
	if (first == 1)
		cron.seconds = 1;
	for (size_t i = 0; i < count; i++) {
		r.part = (enum part)(i + first);
		if (read_field(&r, fields[i]) < 0)
			return -1;
	}
	*out = cron;
	return 0;
}
