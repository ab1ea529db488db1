/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone -- see zone.h. A file's table of changes is followed by the rule for all time after it,
 * which is looked at year by year.
 */
#include "base/zone.h"
#include "base/zone_rule.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_BYTES_MAX 65536
#define ZONE_CHANGES_MAX 4096
#define ZONES_MAX 1024 /* kept at a time: the tz database has about 600 */
#define DAY_S 86400

struct zone {
	struct zone *next;
	char name[ZONE_NAME_MAX + 1];
	size_t count;
	int64_t *changes;
	int32_t *offsets; /* from changes[i] on */
	int32_t first;	  /* before the first change */
	bool has_rule;
	struct zone_rule rule;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct zone *zones;
static size_t zones_count;

/* ---- the calendar ---- */

/* Howard Hinnant, "chrono-compatible low-level date algorithms". */
int64_t
zone_days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void
zone_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

int
zone_month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* ---- the file (RFC 8536) ---- */

struct header {
	uint32_t utc_marks, standard_marks, leaps, changes, types, letters;
};

static uint32_t
read32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t
read64(const unsigned char *p)
{
	return (int64_t)((uint64_t)read32(p) << 32 | read32(p + 4));
}

static int
read_header(const unsigned char *data, size_t length, struct header *out)
{
	if (length < 44 || memcmp(data, "TZif", 4) != 0 || data[4] < '2')
		return -1;
	*out = (struct header){read32(data + 20), read32(data + 24), read32(data + 28),
			       read32(data + 32), read32(data + 36), read32(data + 40)};
	if (out->changes > ZONE_CHANGES_MAX || out->types == 0 || out->types > 256 ||
	    out->leaps > ZONE_CHANGES_MAX || out->letters > ZONE_CHANGES_MAX ||
	    out->utc_marks > 256 || out->standard_marks > 256)
		return -1;
	return 0;
}

static size_t
body_bytes(const struct header *h, size_t time_bytes)
{
	return h->changes * (time_bytes + 1) + h->types * 6 + h->letters +
	       h->leaps * (time_bytes + 4) + h->standard_marks + h->utc_marks;
}

static int
read_changes(struct zone *zone, const unsigned char *p, const struct header *h)
{
	const unsigned char *kinds = p + h->changes * 8, *types = kinds + h->changes;

	zone->changes = calloc(h->changes + 1, sizeof(*zone->changes));
	zone->offsets = calloc(h->changes + 1, sizeof(*zone->offsets));
	if (zone->changes == NULL || zone->offsets == NULL)
		abort();
	zone->first = (int32_t)read32(types);
	for (uint32_t i = 0; i < h->changes; i++) {
		if (kinds[i] >= h->types)
			return -1;
		zone->changes[i] = read64(p + 8 * i);
		zone->offsets[i] = (int32_t)read32(types + 6 * kinds[i]);
		if (i > 0 && zone->changes[i] <= zone->changes[i - 1])
			return -1;
	}
	zone->count = h->changes;
	return 0;
}

/* The second block has times of 64 bits, then the rule between two line breaks. */
static int
read_file(struct zone *zone, const unsigned char *data, size_t length)
{
	const unsigned char *end = data + length;
	struct header h;
	char rule[128];
	size_t n, body;

	if (read_header(data, length, &h) < 0)
		return -1;
	body = 44 + body_bytes(&h, 4);
	if (body > length || read_header(data + body, length - body, &h) < 0)
		return -1;
	data += body + 44;
	body = body_bytes(&h, 8);
	if (body > (size_t)(end - data) || read_changes(zone, data, &h) < 0)
		return -1;
	data += body;
	if (data == end || *data != '\n')
		return -1;
	n = strcspn((const char *)++data, "\n");
	if (n >= sizeof(rule))
		return -1;
	memcpy(rule, data, n);
	rule[n] = '\0';
	zone->has_rule = n > 0;
	return n > 0 ? zone_rule_parse(rule, &zone->rule) : 0;
}

static void
zone_free(struct zone *zone)
{
	free(zone->changes);
	free(zone->offsets);
	free(zone);
}

static struct zone *
zone_load(const char *name)
{
	const char *folder = getenv("TZDIR");
	unsigned char data[ZONE_BYTES_MAX + 1];
	struct zone *zone;
	char path[512];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder == NULL ? "/usr/share/zoneinfo" : folder,
		 name);
	file = fopen(path, "re");
	if (file == NULL)
		return NULL;
	length = fread(data, 1, ZONE_BYTES_MAX, file);
	fclose(file);
	data[length] = '\0';
	zone = calloc(1, sizeof(*zone));
	if (zone == NULL)
		abort();
	strcpy(zone->name, name);
	if (read_file(zone, data, length) < 0) {
		zone_free(zone);
		return NULL;
	}
	return zone;
}

/* Letters, digits, _ + - and single slashes; no dot, so no way out of the folder. */
static bool
is_zone_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t length = strlen(name);

	return length > 0 && length <= ZONE_NAME_MAX && strchr(letters, name[0]) != NULL &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789_+-/") == length &&
	       strstr(name, "//") == NULL && name[length - 1] != '/';
}

int
zone_find(const char *name, const struct zone **out, struct error *err)
{
	struct zone *zone;

	if (!is_zone_name(name))
		return error_set(err, ERR_INVALID_BODY, "\"%.64s\" is no name of a time zone",
				 name);
	pthread_mutex_lock(&mutex);
	for (zone = zones; zone != NULL && strcmp(zone->name, name) != 0; zone = zone->next)
		;
	if (zone == NULL && zones_count < ZONES_MAX && (zone = zone_load(name)) != NULL) {
		zone->next = zones;
		zones = zone;
		zones_count++;
	}
	pthread_mutex_unlock(&mutex);
	if (zone == NULL)
		return error_set(err, ERR_INVALID_BODY,
				 "the tz database of this system has no zone \"%s\"", name);
	*out = zone;
	return 0;
}

/* ---- instants ---- */

static struct zone_span
span_by_rule(const struct zone *zone, int64_t utc)
{
	const struct zone_rule *rule = &zone->rule;
	struct zone_span span = {INT64_MIN, INT64_MAX, rule->standard};
	int64_t year;
	int month, day;

	if (!rule->has_summer)
		return span;
	zone_date(utc / DAY_S - (utc % DAY_S < 0), &year, &month, &day);
	for (int64_t y = year - 1; y <= year + 1; y++) {
		int64_t change[2];

		zone_rule_year(rule, y, &change[0], &change[1]);
		for (int i = 0; i < 2; i++) {
			if (change[i] <= utc && change[i] > span.since) {
				span.since = change[i];
				span.offset = i == 0 ? rule->summer : rule->standard;
			}
			if (change[i] > utc && change[i] < span.until)
				span.until = change[i];
		}
	}
	return span;
}

struct zone_span
zone_at(const struct zone *zone, int64_t utc)
{
	size_t low = 0, high = zone->count;
	struct zone_span span;
	int64_t last;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (zone->changes[middle] <= utc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < zone->count || !zone->has_rule)
		return (struct zone_span){
		    low == 0 ? INT64_MIN : zone->changes[low - 1],
		    low == zone->count ? INT64_MAX : zone->changes[low],
		    low == 0 ? zone->first : zone->offsets[low - 1],
		};
	span = span_by_rule(zone, utc);
	last = zone->count == 0 ? INT64_MIN : zone->changes[zone->count - 1];
	if (span.since < last)
		span.since = last;
	return span;
}

int64_t
zone_to_utc(const struct zone *zone, int64_t local, bool *is_gap)
{
	/* Whatever holds a day before is the older of the offsets that a change could join. */
	struct zone_span span = zone_at(zone, local - DAY_S);
	int64_t utc = local - span.offset;

	*is_gap = false;
	while (utc >= span.until) {
		int32_t before = span.offset;

		span = zone_at(zone, span.until);
		utc = local - span.offset;
		if (utc < span.since) {
			*is_gap = true;
			return local - before;
		}
	}
	return utc;
}
