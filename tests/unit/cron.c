/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks that change, spreading, missed runs: what the comparison with croner leaves out.
 */
#include "base/clock.h"
#include "base/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t
ms(const char *text)
{
	int64_t out;

	assert_int_equal(clock_parse(text, &out), 0);
	return out;
}

static void
test_clock_changes(void **state)
{
	static const struct {
		const char *why, *cron, *zone, *after, *next;
	} cases[] = {
	    {"02:30 does not exist: it comes as 03:30", "30 2 * * *", "Europe/Berlin",
	     "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"},
	    {"and is over once it was", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:30:00Z",
	     "2026-03-30T00:30:00Z"},
	    {"behind the gap it is still to come", "30 2 * * *", "Europe/Berlin",
	     "2026-03-29T01:10:00Z", "2026-03-29T01:30:00Z"},
	    {"03:00 comes before the moved 02:30", "0,30 2,3 * * *", "Europe/Berlin",
	     "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
	    {"the moved 02:30 and 03:30 are one", "30 2,3 * * *", "Europe/Berlin",
	     "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
	    {"02:30 is there twice: the first counts", "30 2 * * *", "Europe/Berlin",
	     "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"},
	    {"and the second does not", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
	     "2026-10-26T01:30:00Z"},
	    {"every half hour goes by real time in the hour that is there twice",
	     "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"},
	    {"and through the end of it", "*/30 * * * *", "Europe/Berlin",
	     "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"},
	    {"and over the gap without a jump", "*/30 * * * *", "Europe/Berlin",
	     "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
	    {"a gap of half an hour", "15 2 * * *", "Australia/Lord_Howe",
	     "2026-10-03T12:00:00Z", "2026-10-03T15:45:00Z"},
	    {"the rule behind the file's table: summer of 2045", "0 12 * * *", "Europe/Berlin",
	     "2045-07-01T00:00:00Z", "2045-07-01T10:00:00Z"},
	    {"winter of 2045", "0 12 * * *", "Europe/Berlin", "2045-01-01T00:00:00Z",
	     "2045-01-01T11:00:00Z"},
	    {"summer in the south spans the year's end", "0 12 * * *", "Australia/Sydney",
	     "2045-01-01T00:00:00Z", "2045-01-01T01:00:00Z"},
	    {"? is * in the day's fields", "0 0 ? * MON", "UTC", "2026-01-01T00:00:00Z",
	     "2026-01-05T00:00:00Z"},
	    {"1 March from the end of February", "0 3 1,30 * *", "UTC", "2027-02-28T12:00:00Z",
	     "2027-03-01T03:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct zone *zone;
		struct error err = {0};
		struct cron cron;
		char got[CLOCK_ISO_MAX];
		int64_t next;

		if (zone_find(cases[i].zone, &zone, &err) < 0 ||
		    cron_parse(cases[i].cron, &cron, &err) < 0)
			fail_msg("%s: %s", cases[i].why, err.message);
		next = cron_next(&cron, zone, ms(cases[i].after) / 1000);
		clock_iso(got, next * 1000);
		if (next * 1000 != ms(cases[i].next))
			fail_msg("%s: %s", cases[i].why, got);
	}
}

static void
test_interval_slots(void **state)
{
	struct schedule s, other;
	struct error err;
	int64_t now = ms("2026-11-25T12:00:00Z"), next;

	(void)state;
	assert_int_equal(schedule_init(&s, 3600000, NULL, NULL, "a", &err), 0);
	assert_int_equal(schedule_init(&other, 3600000, NULL, NULL, "b", &err), 0);
	next = schedule_next(&s, now);
	assert_true(next > now && next <= now + 3600000);
	assert_int_equal(schedule_next(&s, next), next + 3600000);
	assert_int_equal(schedule_next(&s, next - 1), next);
	assert_int_not_equal(next, schedule_next(&other, now));
}

/* Ten thousand made-up ids fall evenly on the minutes of an hour. */
static void
test_spread(void **state)
{
	int minutes[60] = {0};
	char id[64];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "0b3cf9a0-0000-4000-8000-%012d", i);
		minutes[schedule_spread(id) % 3600000 / 60000]++;
	}
	for (int i = 0; i < 60; i++)
		assert_in_range(minutes[i], 100, 240);
}

static void
test_cron_is_late_by_seconds(void **state)
{
	struct schedule s;
	struct error err;
	int64_t now = ms("2026-11-25T12:00:00Z"), late = 0;

	(void)state;
	for (char id[2] = "a"; id[0] <= 'z'; id[0]++) {
		assert_int_equal(
		    schedule_init(&s, 86400000, "0 6 * * *", "Europe/Berlin", id, &err), 0);
		late = schedule_next(&s, now) - ms("2026-11-26T05:00:00Z");
		assert_in_range(late, 0, SCHEDULE_CRON_SPREAD_MS - 1);
		assert_int_equal(schedule_next(&s, schedule_next(&s, now)),
				 ms("2026-11-27T05:00:00Z") + late);
	}
	assert_int_equal(schedule_init(&s, 60000, "* * * * *", NULL, "a", &err), 0);
	assert_in_range(schedule_next(&s, now) - now, 1, 66000);
}

static void
test_missed(void **state)
{
	static const struct {
		const char *why;
		enum schedule_missed policy;
		int64_t late_ms; /* behind the slot */
		bool is_due;
		int64_t missed;
		int64_t off_ms; /* from a slot to what was due */
	} cases[] = {
	    {"what is no slot is not missed", SCHEDULE_SKIP, 1800000, true, 0, 1000},
	    {"in time", SCHEDULE_ONE, 10, true, 0},
	    {"five slots are one run", SCHEDULE_ONE, 5 * 3600000 + 10, true, 0},
	    {"in time is not missed", SCHEDULE_SKIP, 10, true, 0},
	    {"a minute late is in time", SCHEDULE_SKIP, 60000, true, 0},
	    {"later is missed", SCHEDULE_SKIP, 60001, false, 0},
	    {"in time owes nothing", SCHEDULE_ALL, 10, true, 0},
	    {"five slots owe four more and the newest", SCHEDULE_ALL, 5 * 3600000 + 10, true,
	     5},
	    {"a year owes a hundred", SCHEDULE_ALL, 8760 * INT64_C(3600000), true, 100},
	};
	struct schedule interval, cron;
	struct error err;
	int64_t from = ms("2026-11-25T12:00:00Z");

	(void)state;
	assert_int_equal(schedule_init(&interval, 3600000, NULL, NULL, "a", &err), 0);
	assert_int_equal(schedule_init(&cron, 3600000, "0 * * * *", NULL, "a", &err), 0);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		const struct schedule *s = i % 2 == 0 ? &interval : &cron;
		int64_t due = schedule_next(s, from) + cases[i / 2].off_ms;
		int64_t now = due + cases[i / 2].late_ms;
		struct schedule_step step = schedule_step(s, cases[i / 2].policy, due, now);

		if (step.is_due != cases[i / 2].is_due || step.missed != cases[i / 2].missed ||
		    step.next_ms <= now || step.next_ms > now + 3600000)
			fail_msg("%s: %d, %" PRId64, cases[i / 2].why, step.is_due,
				 step.missed);
	}
}

static void
test_put_off(void **state)
{
	static const struct {
		const char *why, *cron;
		int64_t failures;
		const char *due, *runs;
	} cases[] = {
	    {"a sync that does not fail runs when it is due", "0 6 * * *", 2,
	     "2026-11-25T17:00:00Z", "2026-11-25T17:00:00Z"},
	    {"one that does waits for the next slot", "0 6 * * *", 3, "2026-11-25T17:00:00Z",
	     "2026-11-26T06:00:00Z"},
	    {"a slot is a slot", "0 6 * * *", 3, "2026-11-25T06:00:00Z",
	     "2026-11-25T06:00:00Z"},
	    {"an interval is put off to any moment", NULL, 9, "2026-11-25T17:00:00.001Z",
	     "2026-11-25T17:00:00.001Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct schedule s;
		struct error err;

		/* One millisecond between slots: none is late. */
		assert_int_equal(schedule_init(&s, cases[i].cron == NULL ? 3600000 : 1,
					       cases[i].cron, NULL, "a", &err),
				 0);
		if (schedule_put_off(&s, ms(cases[i].due), cases[i].failures) !=
		    ms(cases[i].runs))
			fail_msg("%s", cases[i].why);
	}
}

static void
test_too_often(void **state)
{
	static const struct {
		const char *why, *cron;
		bool is_allowed;
	} cases[] = {
	    {"half a minute apart", "0,30 * * * * *", true},
	    {"15 s from one minute to the next", "0,45 * * * * *", false},
	    {"15 s within a minute", "0,15 0 * * * *", false},
	    {"the next minute is not there", "0,45 0 * * * *", true},
	    {"nor is it here", "0,45 */2 * * * *", true},
	    {"one of two minutes", "0,45 7,8 3 * * *", false},
	    {"the last minute of an hour and the first of the next", "0,45 0,59 * * * *",
	     false},
	    {"or of a day", "0,45 0,59 0,23 * * *", false},
	    {"but the next hour is not there", "0,45 0,59 3 * * *", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err;
		int64_t distance_ms;

		if ((schedule_check_cron(cases[i].cron, NULL, &distance_ms, &err) == 0) !=
		    cases[i].is_allowed)
			fail_msg("%s: %s", cases[i].why, cases[i].cron);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clock_changes),
	    cmocka_unit_test(test_interval_slots),
	    cmocka_unit_test(test_spread),
	    cmocka_unit_test(test_cron_is_late_by_seconds),
	    cmocka_unit_test(test_missed),
	    cmocka_unit_test(test_put_off),
	    cmocka_unit_test(test_too_often),
	};

	return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}
