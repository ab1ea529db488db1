/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand_now -- ${now}, ${now:FORMAT}, ${now+N:UNIT:FORMAT}, ${now-N:UNIT}; all in
 * UTC. The letters of formats are those of moment and dayjs, because templates are written with
 * them.
 */
#include "base/clock.h"
#include "provider/expand_parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIGITS_MAX 9
#define YEAR_MIN 0
#define YEAR_MAX 9999

struct instant {
	int64_t ms;
	struct tm tm;
};

static const char *const months[] = {"January",	  "February", "March",	  "April",
				     "May",	  "June",     "July",	  "August",
				     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
				   "Thursday", "Friday", "Saturday"};

/* ---- units ---- */

static const struct {
	const char *name; /* an s may follow */
	int64_t ms;	  /* 0: of varying length */
	int months;
} units[] = {
    {"millisecond", 1, 0}, {"second", 1000, 0},	   {"minute", 60000, 0}, {"hour", 3600000, 0},
    {"day", 86400000, 0},  {"week", 604800000, 0}, {"month", 0, 1},	 {"year", 0, 12},
};

static bool
set_instant(struct instant *at, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));

	at->ms = ms;
	return gmtime_r(&seconds, &at->tm) != NULL && at->tm.tm_year + 1900 >= YEAR_MIN &&
	       at->tm.tm_year + 1900 <= YEAR_MAX;
}

static int
days_in_month(int year, int month)
{
	static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return length[month] + (month == 1 && is_leap);
}

/* 31 January and a month is the end of February. */
static bool
add_months(struct instant *at, int64_t count)
{
	struct tm tm = at->tm;
	int64_t month = (int64_t)(tm.tm_year + 1900) * 12 + tm.tm_mon + count;
	int64_t rest = (at->ms % 1000 + 1000) % 1000;
	int last;

	if (month < YEAR_MIN * 12 || month >= (YEAR_MAX + 1) * 12)
		return false;
	tm.tm_year = (int)(month / 12) - 1900;
	tm.tm_mon = (int)(month % 12);
	last = days_in_month(tm.tm_year + 1900, tm.tm_mon);
	if (tm.tm_mday > last)
		tm.tm_mday = last;
	return set_instant(at, (int64_t)timegm(&tm) * 1000 + rest);
}

static bool
add_offset(struct instant *at, int64_t count, const char *unit, size_t length)
{
	if (length > 1 && unit[length - 1] == 's')
		length--;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) != length ||
		    strncmp(units[i].name, unit, length) != 0)
			continue;
		if (units[i].months != 0)
			return add_months(at, count * units[i].months);
		return set_instant(at, at->ms + count * units[i].ms);
	}
	return false;
}

/* ---- formats ---- */

static int
hour12(const struct tm *tm)
{
	return tm->tm_hour % 12 == 0 ? 12 : tm->tm_hour % 12;
}

#define YEAR (at->tm.tm_year + 1900)
#define MS ((int)((at->ms % 1000 + 1000) % 1000))

/* A number of a fixed width; a row of its own for each letter and width. */
#define NUMBER(token, width, value)                                  \
	static void token(const struct instant *at, struct buf *out) \
	{                                                            \
		buf_addf(out, "%0*d", width, value);                 \
	}
#define TEXT(token, format, value)                                   \
	static void token(const struct instant *at, struct buf *out) \
	{                                                            \
		buf_addf(out, format, value);                        \
	}
NUMBER(year4, 4, YEAR)
NUMBER(year2, 2, YEAR % 100)
NUMBER(month2, 2, at->tm.tm_mon + 1)
NUMBER(month1, 1, at->tm.tm_mon + 1)
NUMBER(day2, 2, at->tm.tm_mday)
NUMBER(day1, 1, at->tm.tm_mday)
NUMBER(weekday, 1, at->tm.tm_wday)
NUMBER(hour2, 2, at->tm.tm_hour)
NUMBER(hour1, 1, at->tm.tm_hour)
NUMBER(half2, 2, hour12(&at->tm))
NUMBER(half1, 1, hour12(&at->tm))
NUMBER(minute2, 2, at->tm.tm_min)
NUMBER(minute1, 1, at->tm.tm_min)
NUMBER(second2, 2, at->tm.tm_sec)
NUMBER(second1, 1, at->tm.tm_sec)
NUMBER(millisecond, 3, MS)
TEXT(month_name, "%s", months[at->tm.tm_mon])
TEXT(month_short, "%.3s", months[at->tm.tm_mon])
TEXT(day_name, "%s", days[at->tm.tm_wday])
TEXT(day_short, "%.3s", days[at->tm.tm_wday])
TEXT(upper, "%s", at->tm.tm_hour < 12 ? "AM" : "PM")
TEXT(lower, "%s", at->tm.tm_hour < 12 ? "am" : "pm")
TEXT(unix_s, "%" PRId64, at->ms / 1000 - (at->ms % 1000 < 0))
TEXT(unix_ms, "%" PRId64, at->ms)

static void
zone_plain(const struct instant *at, struct buf *out)
{
	(void)at;
	buf_adds(out, "+0000");
}

static void
zone_colon(const struct instant *at, struct buf *out)
{
	(void)at;
	buf_adds(out, "+00:00");
}

static const struct {
	const char *token;
	void (*add)(const struct instant *at, struct buf *out);
} tokens[] = {
    /* the longer of two that begin alike first */
    {"YYYY", year4},	{"YY", year2},	      {"MMMM", month_name}, {"MMM", month_short},
    {"MM", month2},	{"M", month1},	      {"DD", day2},	    {"D", day1},
    {"dddd", day_name}, {"ddd", day_short},   {"d", weekday},	    {"HH", hour2},
    {"H", hour1},	{"hh", half2},	      {"h", half1},	    {"mm", minute2},
    {"m", minute1},	{"SSS", millisecond}, {"ss", second2},	    {"s", second1},
    {"A", upper},	{"a", lower},	      {"ZZ", zone_plain},   {"Z", zone_colon},
    {"X", unix_s},	{"x", unix_ms},
};

/* How much of the format was used. */
static size_t
add_token(const char *format, const struct instant *at, struct buf *out)
{
	const char *end = format[0] == '[' ? strchr(format, ']') : NULL;

	if (end != NULL) { /* [text] is text */
		buf_add(out, format + 1, (size_t)(end - format) - 1);
		return (size_t)(end - format) + 1;
	}
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		size_t n = strlen(tokens[i].token);

		if (strncmp(format, tokens[i].token, n) == 0) {
			tokens[i].add(at, out);
			return n;
		}
	}
	buf_addc(out, format[0]);
	return 1;
}

static const char *
format_instant(TALLOC_CTX *mem, const char *format, const struct instant *at)
{
	char iso[CLOCK_ISO_MAX];
	struct buf out;

	if (format == NULL) {
		clock_iso(iso, at->ms);
		return talloc_strdup(mem, iso);
	}
	buf_init(&out, mem, 64);
	while (*format != '\0')
		format += add_token(format, at, &out);
	return out.data;
}

/* "+7:days" at *text, which moves behind it. */
static bool
read_offset(const char **text, struct instant *at)
{
	const char *digits = *text + 1;
	size_t n = strspn(digits, "0123456789"), unit;
	int64_t count;

	if (n == 0 || n > DIGITS_MAX || digits[n] != ':')
		return false;
	count = strtoll(digits, NULL, 10) * (**text == '-' ? -1 : 1);
	unit = strcspn(digits + n + 1, ":");
	*text = digits + n + 1 + unit;
	return add_offset(at, count, digits + n + 1, unit);
}

bool
expand_now(TALLOC_CTX *mem, const char *name, int64_t now_ms, const char **out)
{
	const char *rest = name + strlen("now");
	struct instant at;

	if (strncmp(name, "now", strlen("now")) != 0 || !set_instant(&at, now_ms))
		return false;
	if ((*rest == '+' || *rest == '-') && !read_offset(&rest, &at))
		return false;
	if (*rest != '\0' && *rest != ':')
		return false;
	*out = format_instant(mem, *rest == ':' ? rest + 1 : NULL, &at);
	return true;
}
