/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peak -- the largest of the values that were noted in this minute and in the one before, so
 * that what was long ago is forgotten. Zeroed is empty. One thread at a time.
 */
#ifndef NANGO_BASE_PEAK_H
#define NANGO_BASE_PEAK_H

#include <stdint.h>

struct peak {
	int64_t minute; /* of current */
	int64_t current, before;
};

/* now_us is of the monotonic clock; values are 0 or more. */
void peak_note(struct peak *peak, int64_t now_us, int64_t value);
int64_t peak_read(const struct peak *peak, int64_t now_us); /* 0: none */

#endif
