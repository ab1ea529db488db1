/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/budget_limit -- one declared limit, which calls it counts, and its arithmetic. Pure.
 *
 * The arithmetic is GCRA: calls have nominal times ("slots") that are period_us apart, and the
 * first `burst` of a rested bucket have the same. A slot may be used up to hold_us late without
 * the provider seeing more than it allows, wherever its clock ticks.
 */
#ifndef NANGO_RUN_BUDGET_LIMIT_H
#define NANGO_RUN_BUDGET_LIMIT_H

#include "provider/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_per { BUDGET_PER_CONNECTION, BUDGET_PER_CLIENT, BUDGET_PER_ENVIRONMENT };

struct budget_shape {
	int64_t period_us; /* between two slots */
	int64_t
	    tau_us; /* how far the slots of a rested bucket are ahead: (burst - 1) periods */
	int64_t hold_us; /* how late a slot may be used */
};

struct budget_limit {
	enum budget_per per;
	const char *key;			     /* of the bucket: scope, its id, class */
	const char *methods[LIMITS_METHODS_MAX + 1]; /* none: all */
	const char
	    *path; /* a pattern of the path below base_url, with * for any text; NULL: all */
	bool is_apart; /* what it counts is not counted by the limits without a class */
	struct budget_shape shape;
};

/*
 * burst > 0: the provider's is a token bucket of that size. 0: it counts `requests` in any
 * window of `seconds`. Either way something is left unused, for calls that arrive closer
 * together than they left; see the function.
 */
struct budget_shape budget_shape_of(int64_t requests, int64_t seconds, int64_t burst);

/* Which of the limits count this call: a bit each. */
uint32_t budget_matches(const struct budget_limit *limits, size_t count, const char *base_url,
			const char *method, const char *url);

/* * is any text, also none. */
bool budget_path_matches(const char *pattern, const char *path, size_t length);

#endif
