/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/budget_limit and what run/budget reads of answers: arithmetic, classes, headers. Slots
 * are held against a provider that counts exactly, and used as late as they may be.
 */
#include "run/budget.h"
#include "run/fetch_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define US 1000000
#define SLOTS 600

static const struct {
	const char *why;
	int64_t requests, seconds, burst;
	double used; /* of what the provider allows, at least, in the long run */
} shapes[] = {
    {"a bucket of ten", 10, 1, 10, 1.0},
    {"a bucket without a reserve to leave", 1, 1, 1, 0.97},
    {"a bucket of two", 1, 1, 2, 1.0},
    {"a slow and large one", 5000, 3600, 5000, 1.0},
    {"a fast one", 1000, 1, 100, 1.0},
    {"a burst larger than the rate", 2, 1, 40, 1.0},
    {"one in a window", 1, 1, 0, 0.97},
    {"two in a window", 2, 1, 0, 0.97},
    {"a window of a hundred", 100, 10, 0, 0.93},
    {"a window of a minute", 30, 60, 0, 0.97},
    {"a large window", 1000, 60, 0, 0.93},
};

static int
by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A rested bucket's slots; those before `from` are used as late as may be, the others at once.
 */
static void
use_slots(const struct budget_shape *shape, int64_t times[SLOTS], int from)
{
	for (int i = 0; i < SLOTS; i++) {
		int64_t at = i * shape->period_us - shape->tau_us;

		times[i] = (at > 0 ? at : 0) + (i < from ? shape->hold_us : 0);
	}
	qsort(times, SLOTS, sizeof(times[0]), by_time);
}

static void
assert_bucket(const char *why, const int64_t *times, int64_t requests, int64_t seconds,
	      int64_t burst)
{
	double rate = (double)requests / (double)(seconds * US), tokens = (double)burst;

	for (int i = 0; i < SLOTS; i++) {
		if (i > 0)
			tokens += (double)(times[i] - times[i - 1]) * rate;
		if (tokens > (double)burst)
			tokens = (double)burst;
		tokens -= 1;
		if (tokens < -1e-6)
			fail_msg("%s: call %d is refused", why, i);
	}
}

static void
assert_window(const char *why, const int64_t *times, int64_t requests, int64_t seconds)
{
	for (int i = 0; i + requests < SLOTS; i++)
		if (times[i + requests] - times[i] < seconds * US)
			fail_msg("%s: %d calls from call %d on", why, (int)requests + 1, i);
}

static void
test_shapes(void **state)
{
	int64_t times[SLOTS];

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct budget_shape shape =
		    budget_shape_of(shapes[i].requests, shapes[i].seconds, shapes[i].burst);
		double period = (double)(shapes[i].seconds * US) / (double)shapes[i].requests;

		assert_true(shape.hold_us > 0 && shape.tau_us >= 0);
		if (period / (double)shape.period_us < shapes[i].used - 0.001)
			fail_msg("%s: %f of it is used", shapes[i].why,
				 period / (double)shape.period_us);
		for (int from = 0; from <= SLOTS; from += 7) {
			use_slots(&shape, times, from);
			if (shapes[i].burst > 0)
				assert_bucket(shapes[i].why, times, shapes[i].requests,
					      shapes[i].seconds, shapes[i].burst);
			else
				assert_window(shapes[i].why, times, shapes[i].requests,
					      shapes[i].seconds);
		}
	}
}

static const struct {
	const char *why, *method, *url;
	uint32_t mask;
} calls[] = {
    {"what has no class counts all", "GET", "https://api.example.com/v1/users", 1},
    {"a path's class counts, too", "GET", "https://api.example.com/v1/crm/users?a=1", 1 | 2},
    {"apart: only there", "POST", "https://api.example.com/v1/search/issues", 4},
    {"the method is the class's", "GET", "https://api.example.com/v1/search/issues", 1},
    {"in any case", "post", "https://api.example.com/v1/search/x#y", 4},
    {"the query is no path", "POST", "https://api.example.com/v1/a?/search/x", 1},
    {"another path of the same host is whole", "GET", "https://api.example.com/v10/crm/x", 1},
    {"the base alone", "GET", "https://api.example.com/v1", 1},
};

static void
test_classes(void **state)
{
	static const struct budget_limit limits[] = {
	    {.key = "all"},
	    {.key = "crm", .path = "/crm/*"},
	    {.key = "search", .methods = {"POST"}, .path = "/search/*", .is_apart = true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		uint32_t mask = budget_matches(limits, 3, "https://api.example.com/v1/",
					       calls[i].method, calls[i].url);

		if (mask != calls[i].mask)
			fail_msg("%s: %u", calls[i].why, (unsigned)mask);
	}
}

static const struct {
	const char *pattern, *path;
	bool fits;
} paths[] = {
    {"/a", "/a", true},
    {"/a", "/ab", false},
    {"/a/*", "/a/", true},
    {"/a/*", "/a", false},
    {"*", "", true},
    {"*/items", "/x/y/items", true},
    {"/a/*/b", "/a/1/2/b", true},
    {"/a/*/b", "/a/b", false},
    {"/a*b*c", "/abbbcbc", true},
    {"/a*b*c", "/acb", false},
    {"", "", true},
    {"", "/", false},
};

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (budget_path_matches(paths[i].pattern, paths[i].path,
					strlen(paths[i].path)) != paths[i].fits)
			fail_msg("%s and %s", paths[i].pattern, paths[i].path);
}

static const struct {
	const char *why, *name, *value;
	int64_t wait_ms;
} told[] = {
    {"seconds", "Retry-After", "7", 7000},
    {"a part of one", "retry-after", "0.5", 500},
    {"a date", "retry-after", "Thu, 01 Jan 2026 00:00:30 GMT", 30000},
    {"a date that is over", "retry-after", "Thu, 01 Jan 2025 00:00:30 GMT", -1},
    {"a delay", "x-ratelimit-reset", "12", 12000},
    {"the epoch", "X-RateLimit-Reset", "1767225612", 12000},
    {"in milliseconds", "x-rate-limit-reset", "1767225612000", 12000},
    {"the draft", "ratelimit", "\"default\";r=0;t=30", 30000},
    {"two policies: the longer", "ratelimit", "\"a\";r=0;t=3, \"b\";r=0;t=60", 60000},
    {"an older draft", "ratelimit", "limit=10, remaining=0, reset=9", 9000},
    {"and its own header", "ratelimit-reset", "4", 4000},
    {"no limit lasts for years", "retry-after", "99999999", -1},
    {"not a number", "retry-after", "soon", -1},
    {"another header", "x-reset", "12", -1},
};

static void
test_told(void **state)
{
	const int64_t now = 1767225600000; /* 2026-01-01T00:00:00Z */

	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		const struct http_field headers[] = {{told[i].name, told[i].value},
						     {NULL, NULL}};
		int64_t wait = budget_told_ms(headers, now);

		if (wait != told[i].wait_ms)
			fail_msg("%s: %lld", told[i].why, (long long)wait);
	}
}

static const struct {
	const char *why;
	int status;
	const char *rules, *name, *value;
	bool is_refused;
} refusals[] = {
    {"429 always", 429, "{}", "a", "b", true},
    {"an error is none", 500, "{}", "a", "b", false},
    {"nor is a 403", 403, "{\"error_code\":[\"403\"]}", "a", "b", false},
    {"but one that names a wait", 403, "{\"error_code\":[\"403\"],\"after\":\"retry-after\"}",
     "retry-after", "5", true},
    {"or has nothing left", 403, "{\"remaining\":\"x-left\"}", "x-left", "0", true},
    {"one with something left is a matter of rights", 403, "{\"remaining\":\"x-left\"}",
     "x-left", "9", false},
    {"503 without a rule may be an outage", 503, "{\"after\":\"retry-after\"}", "retry-after",
     "5", false},
};

static void
test_refused(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct http_field headers[] = {{refusals[i].name, refusals[i].value},
						     {NULL, NULL}};
		struct json_object *rules;
		struct error err;

		assert_int_equal(
		    json_parse(mem, refusals[i].rules, strlen(refusals[i].rules), &rules, &err),
		    0);
		if (fetch_is_refused(rules, refusals[i].status, headers) !=
		    refusals[i].is_refused)
			fail_msg("%s", refusals[i].why);
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes),  cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_paths),   cmocka_unit_test(test_told),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
