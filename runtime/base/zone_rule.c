/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone_rule -- see zone_rule.h. POSIX counts offsets west of UTC; here they are east.
 */
#include "base/zone_rule.h"
#include "base/zone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
#define TWO_OCLOCK 7200

/* A name of letters, or anything within < and >. */
static const char *
skip_name(const char *p)
{
	if (*p == '<') {
		p = strchr(p, '>');
		return p == NULL ? NULL : p + 1;
	}
	while (isalpha((unsigned char)*p))
		p++;
	return p;
}

/* [+-]hh[:mm[:ss]] */
static const char *
take_seconds(const char *p, int32_t *out)
{
	int32_t sign = *p == '-' ? -1 : 1, total = 0, unit = 3600;

	if (*p == '-' || *p == '+')
		p++;
	for (int part = 0; part < 3; part++, unit /= 60) {
		long number;
		char *end;

		if (!isdigit((unsigned char)*p))
			return NULL;
		number = strtol(p, &end, 10);
		if (end - p > 3)
			return NULL;
		total += (int32_t)number * unit;
		p = end;
		if (*p != ':')
			break;
		p++;
	}
	*out = sign * total;
	return p;
}

static const char *
take_number(const char *p, int min, int max, int *out)
{
	char *end;
	long number;

	if (p == NULL || !isdigit((unsigned char)*p))
		return NULL;
	number = strtol(p, &end, 10);
	*out = (int)number;
	return number < min || number > max ? NULL : end;
}

static const char *
take_day(const char *p, struct zone_day *out)
{
	*out = (struct zone_day){.seconds = TWO_OCLOCK};
	if (p == NULL || *p++ != ',')
		return NULL;
	if (*p == 'M') {
		p = take_number(p + 1, 1, 12, &out->month);
		p = p == NULL || *p != '.' ? NULL : take_number(p + 1, 1, 5, &out->week);
		p = p == NULL || *p != '.' ? NULL : take_number(p + 1, 0, 6, &out->day);
	} else if (*p == 'J') {
		p = take_number(p + 1, 1, 365, &out->day);
	} else {
		out->counts_leap_day = true;
		p = take_number(p, 0, 365, &out->day);
	}
	if (p != NULL && *p == '/')
		p = take_seconds(p + 1, &out->seconds);
	return p;
}

int
zone_rule_parse(const char *text, struct zone_rule *out)
{
	struct zone_rule rule = {0};
	const char *p = skip_name(text);

	if (p == NULL || (p = take_seconds(p, &rule.standard)) == NULL)
		return -1;
	rule.standard = -rule.standard;
	rule.summer = rule.standard + 3600;
	rule.has_summer = *p != '\0';
	if (rule.has_summer) {
		p = skip_name(p);
		if (p != NULL && *p != ',') {
			p = take_seconds(p, &rule.summer);
			rule.summer = -rule.summer;
		}
		p = take_day(p, &rule.begins);
		p = take_day(p, &rule.ends);
	}
	if (p == NULL || *p != '\0')
		return -1;
	*out = rule;
	return 0;
}

static int64_t
local_change(const struct zone_day *d, int64_t year)
{
	int64_t first, days;

	if (d->week == 0) {
		bool is_leap = zone_month_days(year, 2) == 29;
		int64_t more = d->counts_leap_day ? d->day : d->day - 1;

		if (!d->counts_leap_day && is_leap && d->day > 59)
			more++;
		return (zone_days(year, 1, 1) + more) * DAY_S + d->seconds;
	}
	first = zone_days(year, d->month, 1);
	/* 1970-01-01 was a Thursday. */
	days = (d->day - (first + 4) % 7 + 7) % 7 + 7 * (d->week - 1);
	if (days >= zone_month_days(year, d->month))
		days -= 7;
	return (first + days) * DAY_S + d->seconds;
}

void
zone_rule_year(const struct zone_rule *rule, int64_t year, int64_t *begins, int64_t *ends)
{
	*begins = local_change(&rule->begins, year) - rule->standard;
	*ends = local_change(&rule->ends, year) - rule->summer;
}
