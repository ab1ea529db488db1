/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock -- see clock.h.
 */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t
clock_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

int64_t
clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
clock_iso(char *out, int64_t wall_ms)
{
	int64_t seconds = wall_ms / 1000, rest = wall_ms % 1000;
	time_t when;
	struct tm tm;

	if (rest < 0) {
		rest += 1000;
		seconds--;
	}
	when = (time_t)seconds;
	gmtime_r(&when, &tm);
	strftime(out, CLOCK_ISO_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + strlen(out), CLOCK_ISO_MAX - strlen(out), ".%03dZ", (int)rest);
}

/* ".123456" and the zone behind an RFC 3339 time; adds to *wall_ms. */
static int
parse_fraction_and_zone(const char *p, int64_t *wall_ms)
{
	int hours, minutes, used = 0;
	int64_t scale = 100;

	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return -1;
		for (; isdigit((unsigned char)*p); p++, scale /= 10)
			*wall_ms += (*p - '0') * scale;
	}
	if ((*p == 'Z' || *p == 'z') && p[1] == '\0')
		return 0;
	if ((*p == '+' || *p == '-') &&
	    sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) == 2 && used == 5 &&
	    p[6] == '\0') {
		int64_t offset = (hours * 60 + minutes) * (int64_t)60000;

		*wall_ms += *p == '-' ? offset : -offset;
		return 0;
	}
	return -1;
}

int
clock_parse(const char *text, int64_t *wall_ms)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ms;

	if (rest == NULL)
		rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (rest != NULL) {
		ms = (int64_t)timegm(&tm) * 1000;
		if (parse_fraction_and_zone(rest, &ms) < 0)
			return -1;
		*wall_ms = ms;
		return 0;
	}
	rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (rest == NULL || *rest != '\0')
		return -1;
	*wall_ms = (int64_t)timegm(&tm) * 1000;
	return 0;
}
