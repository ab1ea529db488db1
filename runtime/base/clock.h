/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock -- the three times: monotonic for time-outs, wall for display, ISO 8601 for people.
 * Stored times and leases come from the database (design: one SQL function), never from here.
 */
#ifndef NANGO_BASE_CLOCK_H
#define NANGO_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_ISO_MAX 32

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_wall_ms(void);

/* 2026-11-23T20:25:00.123Z; out has at least CLOCK_ISO_MAX bytes. */
void clock_iso(char *out, int64_t wall_ms);

/* RFC 3339 with a zone, or HTTP-date; -1 when it is neither. */
int clock_parse(const char *text, int64_t *wall_ms);

#endif
