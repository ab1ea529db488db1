/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/death -- the runner's last words: why this process ends, said to the server, then
 * _exit.
 *
 * Works in a signal handler and without memory. Before the fork the words are a REFUSED on the
 * control socket, after it a DEATH on the run's channel.
 */
#ifndef NANGO_RUNNER_DEATH_H
#define NANGO_RUNNER_DEATH_H

#include "rpc/frame.h"
#include <stdbool.h>

#define RUNNER_FD 3	       /* the control socket; in a run, its channel */
#define RUNNER_EXIT_DEATH 71   /* last words were sent */
#define RUNNER_EXIT_CHANNEL 72 /* they could not be: the descriptor is gone */

void death_in_run(void); /* from now on words go to the channel */
bool death_is_in_run(void);

/* cause: a text of run/cause.def. */
__attribute__((noreturn, format(printf, 2, 3))) void death(const char *cause, const char *fmt,
							   ...);

/* Without formatting, for signal handlers. */
__attribute__((noreturn)) void death_plain(const char *cause, const char *message);

#endif
