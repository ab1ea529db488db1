/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault -- places where a test may stop the process and kill somebody: before and after each
 * statement, and at each frame between the server and a run.
 *
 * Armed by the environment variable NANGO_FAULT alone, which names a Unix socket: every point
 * writes a line to it ("before BEGIN") and waits for a byte. Not a setting: nothing but the
 * crash tests sets it. Unarmed, a point is one branch. Any thread.
 */
#ifndef NANGO_BASE_FAULT_H
#define NANGO_BASE_FAULT_H

#include <stdbool.h>

extern bool fault_is_armed;

/* Once, before any point is passed. -1: the socket cannot be reached. */
int fault_arm(const char *socket_path);

void fault_wait(const char *kind, const char *what);

/* kind: "before", "after", "sends", "takes"; what: a statement or a message, cut at its first
 * line and 160 bytes. */
static inline void
fault_point(const char *kind, const char *what)
{
	if (__builtin_expect(fault_is_armed, 0))
		fault_wait(kind, what);
}

#endif
