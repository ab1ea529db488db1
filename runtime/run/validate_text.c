/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/validate_text -- the texts that a type takes: decimals, dates, numbers that a double
 * holds.
 */
#include "run/validate.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
digits(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && is_digit(*at))
		at++;
	return (size_t)(at - from);
}

bool
validate_is_decimal(const char *text, size_t length)
{
	const char *at = text, *end = text + length;
	size_t n;

	at += at < end && *at == '-';
	n = digits(at, end);
	if (n == 0 || (n > 1 && *at == '0'))
		return false;
	at += n;
	if (at < end && *at == '.') {
		n = digits(at + 1, end);
		if (n == 0)
			return false;
		at += 1 + n;
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		n = digits(at, end);
		if (n == 0)
			return false;
		at += n;
	}
	return at == end;
}

/* Exactly so many digits, as a number; -1 when they are not there. */
static int
fixed(const char **at, const char *end, size_t count)
{
	int value = 0;

	if ((size_t)(end - *at) < count || digits(*at, *at + count) != count)
		return -1;
	for (size_t i = 0; i < count; i++)
		value = value * 10 + (*(*at)++ - '0');
	return value;
}

static bool
take(const char **at, const char *end, char c)
{
	if (*at >= end || **at != c)
		return false;
	(*at)++;
	return true;
}

static bool
take_day(const char **at, const char *end)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day, last;

	year = fixed(at, end, 4);
	if (year < 0 || !take(at, end, '-'))
		return false;
	month = fixed(at, end, 2);
	if (month < 1 || month > 12 || !take(at, end, '-'))
		return false;
	day = fixed(at, end, 2);
	last = lengths[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	return day >= 1 && day <= last;
}

/* Z, or ±hh:mm; *minutes is what it is ahead of UTC. */
static bool
take_offset(const char **at, const char *end, int *minutes)
{
	int sign, hours, rest;

	*minutes = 0;
	if (take(at, end, 'Z') || take(at, end, 'z'))
		return true;
	sign = take(at, end, '-') ? -1 : 1;
	if (sign == 1 && !take(at, end, '+'))
		return false;
	hours = fixed(at, end, 2);
	if (hours < 0 || hours > 23 || !take(at, end, ':'))
		return false;
	rest = fixed(at, end, 2);
	*minutes = sign * (hours * 60 + rest);
	return rest >= 0 && rest <= 59;
}

static bool
take_time(const char **at, const char *end)
{
	int hour, minute, second, ahead, utc;
	size_t n;

	hour = fixed(at, end, 2);
	if (hour < 0 || hour > 23 || !take(at, end, ':'))
		return false;
	minute = fixed(at, end, 2);
	if (minute < 0 || minute > 59 || !take(at, end, ':'))
		return false;
	second = fixed(at, end, 2);
	if (second < 0 || second > 60)
		return false;
	if (take(at, end, '.')) {
		n = digits(*at, end);
		if (n == 0)
			return false;
		*at += n;
	}
	if (!take_offset(at, end, &ahead))
		return false;
	/* A leap second ends a day of UTC (RFC 3339, 5.7). */
	utc = ((hour * 60 + minute - ahead) % 1440 + 1440) % 1440;
	return second < 60 || utc == 1439;
}

bool
validate_is_date(const char *text, size_t length)
{
	const char *at = text, *end = text + length;

	if (!take_day(&at, end))
		return false;
	if (at == end)
		return true;
	if (!take(&at, end, 'T') && !take(&at, end, 't') && !take(&at, end, ' '))
		return false;
	return take_time(&at, end) && at == end;
}

bool
validate_is_double(const char *text, size_t length)
{
	size_t e = 0;
	double ignored;

	while (e < length && (text[e] | 0x20) != 'e')
		e++;
	/* 200 digits and an exponent of two are below 1e300: no need to compute it. */
	if (e <= 200 && length - e <= 3)
		return true;
	return jsonspan_number((struct jsonspan){text, length}, &ignored);
}

bool
validate_has_nul(const char *text, size_t length)
{
	const char *at = text, *end = text + length;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		if (end - at >= 6 && memcmp(at + 1, "u0000", 5) == 0)
			return true;
		at += 2;
		if (at >= end)
			break;
	}
	return false;
}
