/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_page -- the page that the backend prepares while another one is committed: it lives
 * exactly until the backend has answered, whatever becomes of the run meanwhile.
 */
#include "session_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <talloc.h>
#include <unistd.h>

#include <cmocka.h>

static int pages_freed;

static int
page_freed(struct run_page_model *models)
{
	(void)models;
	pages_freed++;
	return 0;
}

/* One page is being committed; another one is whole, and being prepared. */
static void
open_preparing(struct talk *t)
{
	talk_open(t);
	t->is_slow = t->is_slow_to_prepare = true;
	say_letters(t, "hscsc");
	assert_int_equal(t->commits, 1);
	assert_int_equal(t->prepares, 1);
	assert_int_equal(t->prepared->models_count, 1);
	assert_int_equal(t->prepared->models[0].count, 1);
	pages_freed = 0;
	talloc_set_destructor(t->prepared->models, page_freed);
}

static void
answer_prepare(struct talk *t)
{
	t->prepare_done(t->prepare_arg);
	turn(t);
}

static void
answer_commit(struct talk *t, const struct error *err)
{
	t->commit_done(t->commit_arg, err);
	turn(t);
}

static void
test_in_its_turn(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	answer_prepare(&t);
	assert_int_equal(t.commits, 1);
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 2);
	assert_int_equal(t.prepares, 1);
	answer_commit(&t, NULL);
	assert_int_equal(pages_freed, 1);
	say_letter(&t, 'd');
	talk_close(&t);
	assert_int_equal(t.end.pages, 2);
	assert_string_equal(t.ids, "1 1 ");
}

/* The session hands it over; the backend begins its commit behind the preparation. */
static void
test_committed_before_it_is_prepared(void **state)
{
	const struct run_page *page;
	struct talk t;

	(void)state;
	open_preparing(&t);
	page = t.prepared;
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 2);
	answer_prepare(&t);
	assert_int_equal(pages_freed, 0);
	assert_int_equal(page->number, 2);
	assert_int_equal(page->models_count, 1);
	answer_commit(&t, NULL);
	assert_int_equal(pages_freed, 1);
	say_letter(&t, 'd');
	talk_close(&t);
	assert_true(t.end.is_done);
	assert_int_equal(t.end.pages, 2);
}

/* One at a time: the third page is prepared with its commit. */
static void
test_third_page_is_not_prepared(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	answer_commit(&t, NULL);
	say_letters(&t, "sc");
	assert_int_equal(t.commits, 2);
	assert_int_equal(t.prepares, 1);
	answer_prepare(&t);
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 3);
	answer_commit(&t, NULL);
	say_letter(&t, 'd');
	talk_close(&t);
	assert_int_equal(t.prepares, 1);
	assert_int_equal(t.end.pages, 3);
	assert_string_equal(t.ids, "1 1 1 ");
}

static void
test_stopped(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	session_stop(t.session, "cancelled", "", "");
	answer_commit(&t, NULL);
	shutdown(t.fd, SHUT_WR);
	turn(&t);
	assert_int_equal(t.stopped, 1);
	assert_int_equal(pages_freed, 0); /* a thread is reading it */
	assert_int_equal(t.settled, 0);	  /* so the run has not ended */
	answer_prepare(&t);
	assert_int_equal(pages_freed, 1);
	assert_int_equal(t.settled, 1);
	talk_close(&t);
	assert_int_equal(t.commits, 1);
	assert_int_equal(t.end.pages, 1);
	assert_string_equal(t.end.cause, "cancelled");
}

static void
test_stopped_when_prepared(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	answer_prepare(&t);
	session_stop(t.session, "cancelled", "", "");
	assert_int_equal(pages_freed, 1);
	answer_commit(&t, NULL);
	talk_close(&t);
	assert_int_equal(t.commits, 1);
}

/* The process is gone: its last page was whole, and is committed. */
static void
test_channel_closed(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	shutdown(t.fd, SHUT_WR);
	session_exited(t.session);
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 2);
	answer_prepare(&t);
	assert_int_equal(t.settled, 0);
	answer_commit(&t, NULL);
	assert_int_equal(t.settled, 1);
	talk_close(&t);
	assert_int_equal(t.end.pages, 2);
}

/* As at the end of the host, which waits for nobody. */
static void
test_freed(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	session_stop(t.session, "cancelled", "", "");
	session_free(t.session);
	answer_commit(&t, NULL);
	assert_int_equal(pages_freed, 0);
	answer_prepare(&t);
	assert_int_equal(pages_freed, 1);
	assert_int_equal(t.settled, 0);
	close(t.fd);
	loop_free(t.loop);
}

static void
test_freed_unstopped(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	session_free(t.session);
	answer_commit(&t, NULL);
	assert_int_equal(pages_freed, 0);
	answer_prepare(&t);
	assert_int_equal(pages_freed, 1);
	close(t.fd);
	loop_free(t.loop);
}

/* The backend has no thread for it, and says so within the call. */
static void
test_full_pool(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letters(&t, "hscsc");
	assert_int_equal(t.prepares, 1);
	assert_int_equal(t.commits, 1);
	pages_freed = 0;
	talloc_set_destructor(t.prepared->models, page_freed);
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 2);
	assert_int_equal(t.prepares, 1);
	assert_int_equal(pages_freed, 0);
	answer_commit(&t, NULL);
	assert_int_equal(pages_freed, 1);
	say_letter(&t, 'd');
	talk_close(&t);
	assert_true(t.end.is_done);
	assert_string_equal(t.ids, "1 1 ");
}

static void
test_commit_before_it_fails(void **state)
{
	(void)state;
	for (int is_prepared = 0; is_prepared < 2; is_prepared++) {
		struct error err;
		struct talk t;

		open_preparing(&t);
		if (is_prepared)
			answer_prepare(&t);
		error_set(&err, ERR_FENCED, "taken over");
		answer_commit(&t, &err);
		assert_int_equal(t.stopped, 1);
		assert_int_equal(pages_freed, is_prepared);
		if (!is_prepared)
			answer_prepare(&t);
		assert_int_equal(pages_freed, 1);
		talk_close(&t);
		assert_int_equal(t.commits, 1);
		assert_int_equal(t.end.pages, 0);
		assert_string_equal(t.end.cause, "lost lease");
	}
}

/* The next page's COMMIT is wrong: the run ends once the store has answered for the one before.
 */
static void
test_refused_checkpoint(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letters(&t, "hscs");
	say(&t, RPC_COMMIT, "us", 0u, "[]");
	turn(&t);
	assert_int_equal(t.prepares, 0);
	assert_int_equal(t.stopped, 0);
	answer_commit(&t, NULL);
	assert_int_equal(t.stopped, 1);
	talk_close(&t);
	assert_int_equal(t.commits, 1);
	assert_int_equal(t.end.pages, 1);
	assert_string_equal(t.end.code, "invalid_checkpoint");
}

/* One page is stored, one waits, and a third is filled; its own COMMIT is left unread. */
static void
test_third_page_is_filled(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	say_letters(&t, "sl");
	assert_int_equal(t.logs, 1);
	say_letters(&t, "cl");
	assert_int_equal(t.logs, 1);
	answer_prepare(&t);
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 2);
	assert_int_equal(t.logs, 2);
	assert_int_equal(t.prepares, 2);
	answer_prepare(&t);
	answer_commit(&t, NULL);
	answer_commit(&t, NULL);
	say_letter(&t, 'd');
	talk_close(&t);
	assert_int_equal(t.end.pages, 3);
	assert_string_equal(t.ids, "1 1 1 ");
}

/* What the plugin could tell the difference by waits for both pages. */
static void
test_request_behind_a_page_that_waits(void **state)
{
	struct talk t;

	(void)state;
	open_preparing(&t);
	say_letter(&t, 'q');
	answer_prepare(&t);
	assert_int_equal(t.fetches, 0);
	answer_commit(&t, NULL);
	assert_int_equal(t.fetches, 0);
	answer_commit(&t, NULL);
	assert_int_equal(t.fetches, 1);
	t.fetch_done(t.fetch_arg, &three_items, NULL);
	turn(&t);
	session_stop(t.session, "cancelled", "", "");
	talk_close(&t);
}

/* A large page is not taken before its turn, but it is prepared: its COMMIT stands. */
static void
test_large_page(void **state)
{
	char record[1024];
	struct talk t;

	(void)state;
	snprintf(record, sizeof(record), "{\"id\":2,\"a\":\"%0*d\"}", (int)sizeof(record) - 20,
		 0);
	talk_open(&t);
	t.is_slow = t.is_slow_to_prepare = true;
	say_letters(&t, "hsc");
	for (size_t bytes = 0; bytes <= SESSION_AHEAD_BYTES_MAX; bytes += strlen(record)) {
		say(&t, RPC_SAVE, "suusn", "Item", 0u, 1u, record);
		turn(&t);
	}
	say(&t, RPC_COMMIT, "us", 0u, "[]");
	turn(&t);
	assert_int_equal(t.stopped, 0);
	assert_int_equal(t.prepares, 1);
	pages_freed = 0;
	talloc_set_destructor(t.prepared->models, page_freed);
	answer_commit(&t, NULL);
	assert_int_equal(t.stopped, 1); /* it is no checkpoint */
	assert_int_equal(pages_freed, 0);
	answer_prepare(&t);
	assert_int_equal(pages_freed, 1);
	talk_close(&t);
	assert_int_equal(t.commits, 1);
	assert_string_equal(t.end.code, "invalid_checkpoint");
}

static void
test_nothing_to_prepare(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = t.is_slow_to_prepare = true;
	say_letters(&t, "hscc");
	assert_int_equal(t.prepares, 0);
	answer_commit(&t, NULL);
	assert_int_equal(t.commits, 2);
	answer_commit(&t, NULL);
	say_letter(&t, 'd');
	talk_close(&t);
	assert_true(t.end.is_done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_its_turn),
	    cmocka_unit_test(test_committed_before_it_is_prepared),
	    cmocka_unit_test(test_third_page_is_not_prepared),
	    cmocka_unit_test(test_stopped),
	    cmocka_unit_test(test_stopped_when_prepared),
	    cmocka_unit_test(test_channel_closed),
	    cmocka_unit_test(test_freed),
	    cmocka_unit_test(test_freed_unstopped),
	    cmocka_unit_test(test_full_pool),
	    cmocka_unit_test(test_commit_before_it_fails),
	    cmocka_unit_test(test_refused_checkpoint),
	    cmocka_unit_test(test_third_page_is_filled),
	    cmocka_unit_test(test_request_behind_a_page_that_waits),
	    cmocka_unit_test(test_large_page),
	    cmocka_unit_test(test_nothing_to_prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
