/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop -- one libevent base and the thread that turns it.
 *
 * Everything but loop_post, loop_stop and loop_longest_wait_us is called on the loop's own
 * thread, or before it runs.
 */
#ifndef NANGO_BASE_LOOP_H
#define NANGO_BASE_LOOP_H

#include "base/error.h"
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;

typedef void loop_fn(void *arg);

MUST_CHECK int loop_new(struct loop **out, struct error *err);
/* Of a loop that does not turn any more: the posted calls that did not run yet, and theirs. */
void loop_settle(struct loop *loop);
void loop_free(struct loop *loop); /* settles first */
struct event_base *loop_base(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);

/* Calls fn(arg) on the loop's thread, in the order of posting. Any thread may call. */
void loop_post(struct loop *loop, loop_fn *fn, void *arg);

/* The longest that a posted call, or a timer that was due, waited for its turn: this minute and
 * the one before. It is how long the longest turn took, as those outside felt it. */
int64_t loop_longest_wait_us(struct loop *loop);

int loop_is_current(const struct loop *loop); /* is this the loop's thread? */

/* One shot after delay_ms; 0 runs in the same turn, not in libevent's next millisecond. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_cancel(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

#endif
