/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_group: turns, and the shares that nobody exceeds.
 */
#include "http/client_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CALLS 600

struct fixture {
	struct call_queue *queue;
	struct queued_call calls[CALLS];
	size_t used;
};

static struct queued_call *
add(struct fixture *f, const char *group, const char *host)
{
	struct queued_call *call = &f->calls[f->used++];

	assert_true(f->used <= CALLS);
	call->host = host;
	call_queue_add(f->queue, call, group);
	return call;
}

/* How many of the group's calls are taken at once, if it adds many. */
static size_t
take_all(struct fixture *f, const char *group, const char *host)
{
	size_t taken = 0;

	for (int i = 0; i < 80; i++)
		add(f, group, host);
	while (call_queue_next(f->queue) != NULL)
		taken++;
	return taken;
}

static void
test_groups_share_a_host(void **state)
{
	static const struct {
		const char *group;
		size_t places;
	} rows[] = {{"a", 48}, {"b", 12}, {"c", 3}, {"d", 1}, {"e", 0}};
	struct fixture f = {.queue = call_queue_new(NULL, 256, 64)};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(take_all(&f, rows[i].group, "host"), rows[i].places);
	assert_int_equal(take_all(&f, "a", "another"), 36); /* what it has elsewhere counts */
	talloc_free(f.queue);
}

static void
test_hosts_share_all(void **state)
{
	static const struct {
		const char *host;
		size_t places;
	} rows[] = {{"a", 48}, {"b", 48}, {"c", 48}, {"d", 48}, {"e", 48}, {"f", 12}, {"g", 3}};
	struct fixture f = {.queue = call_queue_new(NULL, 256, 64)};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(take_all(&f, rows[i].host, rows[i].host), rows[i].places);
	talloc_free(f.queue);
}

/* What is freed goes to who has less. */
static void
test_freed(void **state)
{
	struct fixture f = {.queue = call_queue_new(NULL, 64, 8)};
	struct queued_call *of_b;

	(void)state;
	assert_int_equal(take_all(&f, "a", "host"), 6);
	assert_int_equal(take_all(&f, "b", "host"), 2);
	of_b = &f.calls[80 + 2]; /* its next */
	call_queue_leave(f.queue, &f.calls[0]);
	assert_ptr_equal(call_queue_next(f.queue), of_b);
	assert_null(call_queue_next(f.queue));
	talloc_free(f.queue);
}

static void
test_one_place(void **state)
{
	struct fixture f = {.queue = call_queue_new(NULL, 1, 1)};
	struct queued_call *first = add(&f, "a", "host"), *second = add(&f, "a", "host");

	(void)state;
	assert_ptr_equal(call_queue_next(f.queue), first);
	assert_null(call_queue_next(f.queue));
	call_queue_leave(f.queue, first);
	call_queue_leave(f.queue, first); /* twice is once */
	assert_ptr_equal(call_queue_next(f.queue), second);
	talloc_free(f.queue);
}

static void
test_again(void **state)
{
	struct fixture f = {.queue = call_queue_new(NULL, 4, 4)};
	struct queued_call *first = add(&f, "a", "host"), *second;

	(void)state;
	assert_ptr_equal(call_queue_next(f.queue), first);
	second = add(&f, "a", "host");
	call_queue_again(f.queue, first);
	assert_int_equal(call_queue_waiting(f.queue), 2);
	assert_ptr_equal(call_queue_next(f.queue), second);
	assert_ptr_equal(call_queue_next(f.queue), first);
	assert_null(call_queue_next(f.queue));
	talloc_free(f.queue);
}

/* One turn a group, whatever it has waiting. */
static void
test_turns(void **state)
{
	struct fixture f = {.queue = call_queue_new(NULL, 64, 64)};
	const char *order[] = {"a", "b", "a", "b", "a"};

	(void)state;
	for (int i = 0; i < 3; i++)
		add(&f, "a", "host1");
	for (int i = 0; i < 2; i++)
		add(&f, "b", "host2");
	for (size_t i = 0; i < COUNT(order); i++)
		assert_string_equal(call_queue_next(f.queue)->host,
				    *order[i] == 'a' ? "host1" : "host2");
	talloc_free(f.queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_groups_share_a_host),
	    cmocka_unit_test(test_hosts_share_all),
	    cmocka_unit_test(test_freed),
	    cmocka_unit_test(test_one_place),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
