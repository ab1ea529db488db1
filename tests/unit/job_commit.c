/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_commit -- a run's pages between the loop and the pool: who may overtake whom. The pool,
 * the loop's posts and ingest are stood in for, so that the test says which thread comes first.
 */
#include "engine/job_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CALLS_MAX 8

struct calls { /* in the order of their coming */
	struct {
		void (*fn)(void *arg);
		void *arg;
	} at[CALLS_MAX];
	size_t count;
};

struct ingest_prepared {
	const struct run_page *page;
};

static struct calls work, posts;
static bool is_pool_full;
static char seen[256]; /* what happened, in words */

static void
note(const char *fmt, ...)
{
	size_t used = strlen(seen);
	va_list args;

	va_start(args, fmt);
	vsnprintf(seen + used, sizeof(seen) - used, fmt, args);
	va_end(args);
}

static void
add(struct calls *calls, void (*fn)(void *), void *arg)
{
	assert_true(calls->count < CALLS_MAX);
	calls->at[calls->count].fn = fn;
	calls->at[calls->count++].arg = arg;
}

static void
call(struct calls *calls, size_t index)
{
	void (*fn)(void *), *arg;

	assert_true(index < calls->count);
	fn = calls->at[index].fn;
	arg = calls->at[index].arg;
	calls->count--;
	memmove(&calls->at[index], &calls->at[index + 1],
		(calls->count - index) * sizeof(calls->at[0]));
	fn(arg);
}

/* ---- what job_commit stands on ---- */

int
pool_submit(struct pool *pool, pool_fn *fn, void *arg)
{
	(void)pool;
	if (is_pool_full)
		return -1;
	add(&work, fn, arg);
	return 0;
}

void
loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
	(void)loop;
	add(&posts, fn, arg);
}

static int
prepared_freed(struct ingest_prepared *prepared)
{
	note("free%d ", (int)prepared->page->number);
	return 0;
}

struct ingest_prepared *
ingest_prepare(struct ingest *ingest, const struct run_page *page, int64_t behind)
{
	struct ingest_prepared *prepared = talloc_zero(NULL, struct ingest_prepared);

	(void)ingest;
	(void)behind;
	prepared->page = page;
	talloc_set_destructor(prepared, prepared_freed);
	return prepared;
}

int
ingest_page(struct ingest *ingest, const struct run_page *page,
	    struct ingest_prepared *prepared, struct error *err)
{
	(void)ingest;
	(void)err;
	note("page%d", (int)page->number);
	if (prepared == NULL)
		note("(unprepared) ");
	else
		note("(of %d) ", (int)prepared->page->number);
	talloc_free(prepared);
	return 0;
}

/* ---- the run ---- */

static const struct run_page first = {.number = 1}, second = {.number = 2};
static struct node node;
static struct job job;

static int
setup(void **state)
{
	(void)state;
	work.count = posts.count = 0;
	is_pool_full = false;
	seen[0] = '\0';
	job = (struct job){.node = &node};
	return 0;
}

static void
on_committed(void *arg, const struct error *err)
{
	(void)arg;
	note("%s ", err == NULL ? "committed" : error_name(err->code));
}

static void
on_prepared(void *arg)
{
	(void)arg;
	note("prepared ");
}

static void
commit(const struct run_page *page)
{
	job_commit(&job, page, on_committed, NULL);
}

static void
prepare(const struct run_page *page)
{
	job_prepare_page(&job, page, on_prepared, NULL);
}

/* One thread has taken the first page's commit, and sleeps; another one is through already. */
static void
test_overtaking(void **state)
{
	(void)state;
	commit(&first);
	prepare(&second);
	call(&work, 1);
	call(&posts, 0);
	call(&work, 0);
	call(&posts, 0);
	commit(&second);
	call(&work, 0);
	call(&posts, 0);
	assert_string_equal(
	    seen, "prepared page1(unprepared) committed page2(of 2) free2 committed ");
}

static void
test_commit_waits_for_its_preparation(void **state)
{
	(void)state;
	prepare(&second);
	commit(&second);
	assert_int_equal(work.count, 1);
	call(&work, 0);
	assert_int_equal(work.count, 0);
	call(&posts, 0);
	call(&work, 0);
	call(&posts, 0);
	assert_string_equal(seen, "prepared page2(of 2) free2 committed ");
}

/* The commit that is under way is of another page: it was begun long ago. */
static void
test_preparation_begins_no_commit(void **state)
{
	(void)state;
	commit(&first);
	prepare(&second);
	call(&work, 1);
	call(&posts, 0);
	assert_int_equal(work.count, 1);
	talloc_free(job.prepared);
}

static void
test_full_when_to_be_prepared(void **state)
{
	(void)state;
	is_pool_full = true;
	prepare(&second);
	is_pool_full = false;
	commit(&second);
	call(&work, 0);
	call(&posts, 0);
	assert_string_equal(seen, "prepared page2(unprepared) committed ");
}

static void
test_full_when_to_be_committed(void **state)
{
	(void)state;
	prepare(&second);
	call(&work, 0);
	call(&posts, 0);
	is_pool_full = true;
	commit(&second);
	assert_string_equal(seen, "prepared free2 busy ");
	assert_null(job.prepared);
	assert_null(job.committing);
}

/* The run ends with the answer, and no thread is there for its end: the job is freed. What was
 * its memory says that a commit waits. */
static void
on_prepared_and_freed(void *arg)
{
	(void)arg;
	talloc_free(job.prepared);
	job.commit_done = on_committed;
	job.page = job.prepare_page;
}

static void
test_job_ends_with_the_answer(void **state)
{
	(void)state;
	job_prepare_page(&job, &second, on_prepared_and_freed, NULL);
	call(&work, 0);
	call(&posts, 0);
	assert_int_equal(work.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_overtaking, setup),
	    cmocka_unit_test_setup(test_commit_waits_for_its_preparation, setup),
	    cmocka_unit_test_setup(test_preparation_begins_no_commit, setup),
	    cmocka_unit_test_setup(test_full_when_to_be_prepared, setup),
	    cmocka_unit_test_setup(test_full_when_to_be_committed, setup),
	    cmocka_unit_test_setup(test_job_ends_with_the_answer, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
