/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_retry -- see hooks_retry.h.
 */
#include "engine/hooks_retry.h"
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define RETRY_AFTER_MAX_MS (24 * HOUR_MS)

/* Between attempts 1 and 2, 2 and 3, …; the last one repeats. In 72 hours: 13 or 14 attempts.
 */
static const int64_t waits_ms[] = {
    5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS,
    HOUR_MS,	   2 * HOUR_MS,	   4 * HOUR_MS,	  8 * HOUR_MS,	  12 * HOUR_MS,
};

#define WAITS (int64_t)(sizeof(waits_ms) / sizeof(waits_ms[0]))

static bool
passes(const struct hooks_attempt *a)
{
	if (a->status == 0)
		return a->code != ERR_EGRESS && a->code != ERR_BAD_REQUEST;
	return a->status >= 500 || a->status == 408 || a->status == 429;
}

/* Seconds or a date (RFC 9110 10.2.3), within a day; 0 when it is neither. */
static int64_t
retry_after_ms(const char *text, int64_t now_ms)
{
	int64_t ms = 0, at;

	if (text == NULL)
		return 0;
	if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
		errno = 0;
		ms = strtoll(text, NULL, 10);
		if (errno != 0 || ms > RETRY_AFTER_MAX_MS / SECOND_MS)
			return RETRY_AFTER_MAX_MS;
		return ms * SECOND_MS;
	}
	if (clock_parse(text, &at) == 0)
		ms = at - now_ms;
	if (ms < 0)
		return 0;
	return ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

struct hooks_verdict
hooks_decide(const struct hooks_attempt *a, int64_t ceiling_ms, uint16_t jitter, int64_t now_ms)
{
	int64_t step = a->number < 1 ? 0 : a->number - 1;
	int64_t wait = waits_ms[step < WAITS ? step : WAITS - 1];
	int64_t asked = retry_after_ms(a->retry_after, now_ms);

	if (a->status >= 200 && a->status < 300)
		return (struct hooks_verdict){"delivered", 0};
	wait = wait * 8 / 10 + wait * 4 / 10 * jitter / UINT16_MAX;
	if (wait < asked)
		wait = asked;
	if (!passes(a) || a->age_ms + wait > ceiling_ms)
		return (struct hooks_verdict){"dead", 0};
	return (struct hooks_verdict){"due", wait};
}
