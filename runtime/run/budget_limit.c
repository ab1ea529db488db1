/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/budget_limit -- see budget_limit.h.
 *
 * Slots of burst b and period T: any span of length s holds at most b + s/T of them, at its
 * ends too, and any window of length w (one end open) at most ceil(w/T) + b - 1. Used up to
 * `hold` late, the same with s + hold.
 */
#include "run/budget_limit.h"

#include <string.h>
#include <strings.h>

#define US 1000000
#define RESERVE 5  /* a token bucket: one part in so many of its burst is left for lateness */
#define AHEAD 20   /* a window: one part in so many may come at once */
#define STRETCH 50 /* where there is nothing to leave: one part in so many more time */

static int64_t
ceil_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* b + (s + hold)/T <= burst + s/T, with hold = (burst - b) * T. */
static struct budget_shape
bucket_shape(int64_t period_us, int64_t burst)
{
	int64_t reserve = ceil_div(burst, RESERVE);

	if (burst == 1)
		return (struct budget_shape){.period_us = period_us + period_us / STRETCH,
					     .tau_us = 0,
					     .hold_us = period_us / STRETCH};
	return (struct budget_shape){.period_us = period_us,
				     .tau_us = (burst - reserve - 1) * period_us,
				     .hold_us = reserve * period_us};
}

/* ceil((w + hold)/T) + b - 1 <= requests. */
static struct budget_shape
window_shape(int64_t requests, int64_t window_us)
{
	int64_t burst = requests < AHEAD ? 1 : requests / AHEAD;
	int64_t hold = window_us / STRETCH;
	int64_t period = ceil_div(window_us + hold, requests - burst + 1);

	return (struct budget_shape){
	    .period_us = period, .tau_us = (burst - 1) * period, .hold_us = hold};
}

struct budget_shape
budget_shape_of(int64_t requests, int64_t seconds, int64_t burst)
{
	if (burst == 0)
		return window_shape(requests, seconds * US);
	return bucket_shape(ceil_div(seconds * US, requests), burst);
}

/* The usual two fingers: back to the last star when what follows it does not fit. */
bool
budget_path_matches(const char *pattern, const char *path, size_t length)
{
	const char *end = path + length, *star = NULL, *from = NULL;

	while (path < end) {
		if (*pattern == '*') {
			star = pattern++;
			from = path;
		} else if (*pattern == *path) {
			pattern++;
			path++;
		} else if (star != NULL) {
			pattern = star + 1;
			path = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
has_method(const struct budget_limit *limit, const char *method)
{
	if (limit->methods[0] == NULL)
		return true;
	for (size_t i = 0; limit->methods[i] != NULL; i++)
		if (strcasecmp(limit->methods[i], method) == 0)
			return true;
	return false;
}

/* Below base_url where it is, else after the host; begins with a slash, but for none. */
static const char *
path_of(const char *base_url, const char *url, size_t *length)
{
	size_t base = base_url == NULL ? 0 : strlen(base_url);
	const char *path;

	while (base > 0 && base_url[base - 1] == '/')
		base--;
	if (base > 0 && strncmp(url, base_url, base) == 0 &&
	    (url[base] == '\0' || strchr("/?#", url[base]) != NULL)) {
		path = url + base;
	} else {
		path = strstr(url, "://");
		path = path == NULL ? url : path + 3;
		path += strcspn(path, "/?#");
	}
	*length = strcspn(path, "?#");
	return path;
}

uint32_t
budget_matches(const struct budget_limit *limits, size_t count, const char *base_url,
	       const char *method, const char *url)
{
	uint32_t with_class = 0, without = 0;
	bool is_apart = false;
	size_t length;
	const char *path = path_of(base_url, url, &length);

	for (size_t i = 0; i < count; i++) {
		const struct budget_limit *limit = &limits[i];

		if (limit->path == NULL && limit->methods[0] == NULL) {
			without |= 1u << i;
		} else if (has_method(limit, method) &&
			   (limit->path == NULL ||
			    budget_path_matches(limit->path, path, length))) {
			with_class |= 1u << i;
			is_apart |= limit->is_apart;
		}
	}
	return is_apart ? with_class : with_class | without;
}
