/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peak -- see peak.h.
 */
#include "base/peak.h"

#define MINUTE_US 60000000

void
peak_note(struct peak *peak, int64_t now_us, int64_t value)
{
	int64_t minute = now_us / MINUTE_US;

	if (minute != peak->minute) {
		peak->before = minute == peak->minute + 1 ? peak->current : 0;
		peak->current = 0;
		peak->minute = minute;
	}
	if (value > peak->current)
		peak->current = value;
}

int64_t
peak_read(const struct peak *peak, int64_t now_us)
{
	int64_t age = now_us / MINUTE_US - peak->minute;

	if (age > 1)
		return 0;
	if (age == 1 || peak->current > peak->before)
		return peak->current;
	return peak->before;
}
