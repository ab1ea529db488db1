/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop -- how long its turns take, as those who wait for it feel it; and what is forgotten.
 */
#include "base/loop.h"
#include "base/clock.h"
#include "base/peak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000000)
#define LONG_US 20000

static void
test_peak(void **state)
{
	static const struct {
		const char *why;
		struct {
			int64_t at, value;
		} notes[3];
		int64_t now, peak;
	} rows[] = {
	    {"nothing was noted", {{0}}, 0, 0},
	    {"the largest, not the last", {{0, 5}, {1, 9}, {2, 7}}, 3, 9},
	    {"of the minute before", {{0, 9}, {MINUTE, 5}}, MINUTE + 1, 9},
	    {"not of two before", {{0, 9}, {MINUTE, 5}, {2 * MINUTE, 3}}, 2 * MINUTE, 5},
	    {"nothing since", {{0, 9}, {1, 8}, {2, 7}}, 2 * MINUTE - 1, 9},
	    {"nothing for long", {{0, 9}, {1, 8}, {2, 7}}, 2 * MINUTE, 0},
	    {"a minute without any lies between",
	     {{0, 9}, {2 * MINUTE, 5}, {2 * MINUTE, 4}},
	     2 * MINUTE,
	     5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peak peak = {0};
		int64_t found;

		for (size_t n = 0; n < 3 && rows[i].notes[n].value > 0; n++)
			peak_note(&peak, rows[i].notes[n].at, rows[i].notes[n].value);
		found = peak_read(&peak, rows[i].now);
		if (found != rows[i].peak)
			fail_msg("%s: %d", rows[i].why, (int)found);
	}
}

static struct loop *loop;

static void
take_long(void *arg)
{
	int64_t from = clock_monotonic_us();

	(void)arg;
	while (clock_monotonic_us() - from < LONG_US)
		;
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
test_who_waits(void **state)
{
	(void)state;
	for (int is_timer = 0; is_timer < 2; is_timer++) {
		struct loop_timer *timer;
		struct error err;

		assert_int_equal(loop_new(&loop, &err), 0);
		assert_int_equal(loop_longest_wait_us(loop), 0);
		timer = loop_timer_new(loop, stop, NULL);
		loop_post(loop, take_long, NULL);
		if (is_timer)
			loop_timer_set(timer, 1);
		else
			loop_post(loop, stop, NULL);
		loop_run(loop);
		assert_true(loop_longest_wait_us(loop) >= LONG_US - 1000);
		loop_timer_free(timer);
		loop_free(loop);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_peak),
	    cmocka_unit_test(test_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
