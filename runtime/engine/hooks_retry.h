/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_retry -- what becomes of a delivery after an attempt. Any thread.
 *
 * Delivered: any 2xx. Tried again, with growing waits until the ceiling: no answer, 408, 429,
 * 5xx. Given up at once: any other status, and addresses that may not be reached; redirects are
 * not followed. What was given up is kept and can be replayed.
 */
#ifndef NANGO_ENGINE_HOOKS_RETRY_H
#define NANGO_ENGINE_HOOKS_RETRY_H

#include "base/error.h"
#include <stdint.h>

struct hooks_attempt {
	int status;		 /* of the answer; 0: there was none */
	enum error_code code;	 /* then why not */
	int64_t number;		 /* of this attempt, from 1 */
	int64_t age_ms;		 /* since the event became due */
	const char *retry_after; /* the answer's header, or NULL */
};

struct hooks_verdict {
	const char *state; /* delivered, due, dead */
	int64_t wait_ms;   /* when due */
};

/* jitter: 0..65535 spreads a wait over 0.8 to 1.2 of it. now_ms: for dates in Retry-After. */
struct hooks_verdict hooks_decide(const struct hooks_attempt *attempt, int64_t ceiling_ms,
				  uint16_t jitter, int64_t now_ms);

#endif
