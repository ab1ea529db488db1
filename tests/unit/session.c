/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session -- a run's conversation, spoken by hand: which message is taken in which state, what
 * is too large, too many or damaged, what happens to bytes that come too early or in pieces,
 * and what may overtake a commit.
 */
#include "session_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_a_whole_run(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	assert_int_equal(heard(&t), RPC_START);
	say(&t, RPC_HELLO, "u", RPC_VERSION);
	say_http(&t);
	assert_int_equal(heard(&t), RPC_ANSWER);
	say_paginate(&t, 1);
	say(&t, RPC_NEXT, "u", 1u);
	assert_int_equal(heard(&t), RPC_PAGE);
	say(&t, RPC_SAVE, "suusnsn", "Item", 0u, 2u, "{\"id\":1}", "{\"id\":\"b\"}");
	say(&t, RPC_COMMIT, "us", 0u, "{\"a\":1}");
	say(&t, RPC_NEXT, "u", 1u);
	assert_int_equal(heard(&t), RPC_PAGE); /* that there is none */
	say(&t, RPC_OUTPUT, "b", "[1]");
	say(&t, RPC_DONE, "");
	assert_int_equal(t.stopped, 0);
	talk_close(&t);
	assert_true(t.end.is_done);
	assert_string_equal(t.ids, "1 \"b\" ");
	assert_int_equal(t.end.pages, 1);
	assert_int_equal(t.end.requests, 2);
}

static void
test_order(void **state)
{
	static const struct {
		const char *why, *letters, *cause; /* cause NULL: none yet */
	} rows[] = {
	    {"nothing said", "", NULL},
	    {"done at once", "hd", ""},
	    {"a log before HELLO", "lh", NULL},
	    {"a death before HELLO", "x", "sandbox: connect"},
	    {"a request before HELLO", "q", "protocol violation"},
	    {"a save before HELLO", "s", "protocol violation"},
	    {"DONE before HELLO", "d", "protocol violation"},
	    {"HELLO twice", "hh", "protocol violation"},
	    {"saved and not committed", "hsd", "protocol violation"},
	    {"saved and committed", "hscd", ""},
	    {"a commit of nothing", "hcd", ""},
	    {"two commits without waiting", "hsccd", ""},
	    {"DONE twice", "hdd", "protocol violation"},
	    {"a save after DONE", "hds", "protocol violation"},
	    {"a log after DONE", "hdl", "protocol violation"},
	    {"a failure after DONE", "hdf", "protocol violation"},
	    {"DONE after a failure", "hfd", "failed"},
	    {"a death after a failure", "hfx", "failed"},
	    {"a page of no iteration", "hn", "protocol violation"},
	    {"an iteration", "hpnd", ""},
	    {"the same number twice", "hpp", "protocol violation"},
	    {"left, then asked for", "hpvn", "protocol violation"},
	    {"left twice", "hpvv", "protocol violation"},
	    {"a window and no commit", "hwd", "protocol violation"},
	    {"a window opened and committed", "hwcd", ""},
	    {"a window closed without a walk", "hwec", "failed"},
	    {"closed, while the list is open", "hwpec", "failed"},
	    {"closed, a list was left", "hwpvec", "failed"},
	    {"closed behind the last page, not asked for more", "hwpnecd", ""},
	    {"closed behind the end", "hwpnnecd", ""},
	    {"closed by the plugin's word", "hwEcd", ""},
	    {"opened again in the page that closes it", "hwEwc", "failed"},
	    {"closed and opened a page later", "hwEcwcd", ""},
	    {"a lookup", "hkd", ""},
	    {"a lookup before HELLO", "k", "protocol violation"},
	    {"a lookup after DONE", "hdk", "protocol violation"},
	    {"everything", "hlqpnsnsckwelod", "protocol violation"},
	    {"everything, committed", "hlqpnsnsckweclod", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_bad = rows[i].cause != NULL && *rows[i].cause != '\0';
		struct talk t;

		talk_open(&t);
		for (const char *c = rows[i].letters; *c != '\0'; c++)
			say_letter(&t, *c);
		assert_int_equal(t.stopped, is_bad);
		assert_int_equal(session_has_verdict(t.session), rows[i].cause != NULL);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause == NULL ? "" : rows[i].cause) != 0)
			fail_msg("%s: %s (%s)", rows[i].why, t.end.cause, t.end.message);
		assert_int_equal(t.end.is_done, rows[i].cause != NULL && !is_bad);
	}
}

static void
test_damaged(void **state)
{
	static const struct {
		const char *why;
		enum rpc_type type;
		const char *pattern, *a, *b, *c, *cause;
	} rows[] = {
	    {"a cause of the server's", RPC_DEATH, "ss", "lost lease", "m", NULL,
	     "protocol violation"},
	    {"success as a cause", RPC_DEATH, "ss", "", "m", NULL, "protocol violation"},
	    {"an unknown cause", RPC_DEATH, "ss", "bad luck", "m", NULL, "protocol violation"},
	    {"no message", RPC_DEATH, "sn", "exit", NULL, NULL, "protocol violation"},
	    {"no flag", RPC_COMMIT, "s", "{}", NULL, NULL, "protocol violation"},
	    {"an empty lookup", RPC_LOOKUP, "", NULL, NULL, NULL, "protocol violation"},
	    {"a lookup without a limit", RPC_LOOKUP, "snn", "Item", NULL, NULL,
	     "protocol violation"},
	    {"an empty window", RPC_WINDOW, "", NULL, NULL, NULL, "protocol violation"},
	    {"a window of nothing", RPC_WINDOW, "sn", "Item", NULL, NULL, "protocol violation"},
	    {"output that is no JSON", RPC_OUTPUT, "b", "[1", NULL, NULL, "failed"},
	    {"an empty output", RPC_OUTPUT, "", NULL, NULL, NULL, "failed"},
	    {"no code", RPC_FAIL, "nsn", "m", NULL, NULL, "protocol violation"},
	    {"a save of nothing", RPC_SAVE, "s", "Item", NULL, NULL, "protocol violation"},
	    {"an empty payload", RPC_SAVE, "", NULL, NULL, NULL, "protocol violation"},
	    {"an empty request", RPC_HTTP, "", NULL, NULL, NULL, "protocol violation"},
	    {"an empty page", RPC_NEXT, "", NULL, NULL, NULL, "protocol violation"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say(&t, RPC_HELLO, "u", RPC_VERSION);
		say(&t, rows[i].type, rows[i].pattern, rows[i].a, rows[i].b, rows[i].c);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0)
			fail_msg("%s: %s", rows[i].why, t.end.cause);
	}
}

/* Byte by byte, and all at once: the same. */
static void
test_pieces(void **state)
{
	char bytes[512], *at;
	size_t length = 0;
	struct talk t;

	(void)state;
	rpc_header_write(bytes, RPC_HELLO, 4);
	rpc_put_u32(bytes + 8, RPC_VERSION);
	length = 12;
	rpc_header_write(bytes + length, RPC_SAVE, 32);
	at = rpc_put_u32(rpc_put_text(bytes + length + 8, "Item", 4), 0);
	rpc_put_u32(rpc_put_text(rpc_put_u32(at, 1), "{\"id\":1}", 8), RPC_NO_TEXT);
	length += 40;
	rpc_header_write(bytes + length, RPC_COMMIT, 8);
	rpc_put_u32(rpc_put_u32(bytes + length + 8, 0), RPC_NO_TEXT);
	length += 16;
	rpc_header_write(bytes + length, RPC_DONE, 0);
	length += 8;
	for (size_t piece = 1; piece <= length; piece++) {
		talk_open(&t);
		for (size_t from = 0; from < length; from += piece)
			say_bytes(&t, bytes + from,
				  length - from < piece ? length - from : piece);
		talk_close(&t);
		assert_true(t.end.is_done);
		assert_string_equal(t.ids, "1 ");
	}
}

/*
 * While a page is committed the next one is taken in; what the author could tell the difference
 * by waits. The letters after | come while the commit of the first page is under way.
 */
static void
test_during_a_commit(void **state)
{
	static const struct {
		const char *why, *before, *during;
		int fetches;  /* that were begun before the answer */
		bool is_held; /* something is carried out only after it */
	} rows[] = {
	    {"saves", "hsc", "sss", 0, false},
	    {"a list begins, and is asked for", "hsc", "pn", 1, false},
	    {"a list is left", "hpsc", "v", 0, false},
	    {"windows", "hsc", "ws", 0, false},
	    {"logs", "hsc", "l", 0, false},
	    {"a second commit waits", "hsc", "sc", 0, true},
	    {"a request waits", "hsc", "q", 0, true},
	    {"a lookup waits", "hsc", "k", 0, true},
	    {"an output waits, and what is behind it", "hsc", "of", 0, true},
	    {"a failure waits", "hsc", "f", 0, true},
	    {"a death waits", "hsc", "x", 0, true},
	    {"the end waits", "hsc", "d", 0, true},
	    {"what is behind a request waits with it", "hsc", "qsc", 0, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_carried_out;
		struct talk t;
		int fetches;

		talk_open(&t);
		t.is_slow = true;
		say_letters(&t, rows[i].before);
		fetches = t.fetches;
		say_letters(&t, rows[i].during);
		assert_int_equal(t.commits, 1);
		assert_int_equal(t.lookups, 0);
		assert_int_equal(t.fetches - fetches, rows[i].fetches);
		assert_false(session_has_verdict(t.session));
		t.commit_done(t.commit_arg, NULL);
		turn(&t);
		is_carried_out = t.commits == 2 || t.lookups == 1 ||
				 session_has_verdict(t.session) ||
				 t.fetches - fetches > rows[i].fetches;
		if (is_carried_out != rows[i].is_held)
			fail_msg("%s: carried out: %d", rows[i].why, is_carried_out);
		session_stop(t.session, "cancelled", "", "");
		if (t.commits == 2)
			t.commit_done(t.commit_arg, NULL);
		if (t.fetches > 0)
			t.fetch_done(t.fetch_arg, &three_items, NULL);
		if (t.lookups > 0)
			t.lookup_done(t.lookup_arg, "{}", 2, NULL);
		talk_close(&t);
	}
}

/* A commit that fails ends the run, whatever came behind it: nothing of that is carried out. */
static void
test_failed_commit(void **state)
{
	static const char *const during[] = {"", "s", "sc", "q", "k", "o", "f", "x", "d", "pn"};

	(void)state;
	for (size_t i = 0; i < sizeof(during) / sizeof(during[0]); i++) {
		struct error err;
		struct talk t;

		talk_open(&t);
		t.is_slow = true;
		say_letters(&t, "hsc");
		say_letters(&t, during[i]);
		error_set(&err, ERR_FENCED, "taken over");
		t.commit_done(t.commit_arg, &err);
		turn(&t);
		if (t.fetches > 0)
			t.fetch_done(t.fetch_arg, &three_items, NULL);
		talk_close(&t);
		assert_int_equal(t.commits, 1);
		assert_int_equal(t.lookups, 0);
		assert_string_equal(t.end.cause, "lost lease");
		assert_int_equal(t.end.pages, 0);
	}
}

/* A fourth page is not read while the first is committed, the second waits, the third is full.
 */
static void
test_three_pages_at_most(void **state)
{
	char bytes[4096] = {0};
	size_t sent = 0;
	ssize_t n;
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letters(&t, "hscscsc");
	while ((n = send(t.fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) {
		sent += (size_t)n;
		turn(&t);
	}
	assert_true(sent < 4 * 1024 * 1024); /* the socket is full: nobody reads */
	t.commit_done(t.commit_arg, NULL);
	turn(&t); /* the second is begun, the third waits; the zeroes are no message */
	assert_int_equal(t.commits, 2);
	t.commit_done(t.commit_arg, NULL);
	turn(&t);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	assert_int_equal(t.end.pages, 2);
}

/* What comes while the provider is asked waits its turn. */
static void
test_early_bytes_wait(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letters(&t, "hscscd");
	assert_int_equal(t.commits, 1);
	assert_false(session_has_verdict(t.session));
	t.commit_done(t.commit_arg, NULL);
	turn(&t);
	assert_int_equal(t.commits, 2);
	t.commit_done(t.commit_arg, NULL);
	turn(&t);
	talk_close(&t);
	assert_true(t.end.is_done);
	assert_int_equal(t.end.pages, 2);
}

/* The process is gone while its request is under way: what it sent before still counts. */
static void
test_death_while_waiting(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letter(&t, 'h');
	say_letter(&t, 'q');
	say_letter(&t, 's');
	say_letter(&t, 'c');
	assert_int_equal(t.commits, 0);
	close(dup(t.fd));
	shutdown(t.fd, SHUT_WR);
	session_exited(t.session);
	turn(&t);
	assert_int_equal(t.commits, 1); /* it was asked for, and is whole */
	assert_int_equal(t.settled, 0);
	t.commit_done(t.commit_arg, NULL);
	t.fetch_done(t.fetch_arg, &three_items, NULL); /* nobody waits for it */
	talk_close(&t);
	assert_false(t.end.is_done);
	assert_string_equal(t.end.cause, "");
	assert_int_equal(t.end.pages, 1);
}

static void
test_first_verdict_stands(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letter(&t, 'h');
	say_letter(&t, 's');
	say_letter(&t, 'c');
	session_stop(t.session, "deadline", "", "first");
	session_stop(t.session, "cancelled", "", "second");
	assert_int_equal(t.stopped, 0); /* the store has not answered */
	t.commit_done(t.commit_arg, NULL);
	assert_int_equal(t.stopped, 1);
	say_letter(&t, 's');
	say_letter(&t, 'c');
	say_letter(&t, 'd');
	talk_close(&t);
	assert_string_equal(t.end.cause, "deadline");
	assert_string_equal(t.end.message, "first");
	assert_int_equal(t.commits, 1);
	assert_int_equal(t.end.pages, 1);
}

/* The next page is asked for when one is handed out; a failure ahead ends nothing by itself. */
static void
test_ahead(void **state)
{
	static const struct http_field link[] = {{"link", "</x?page=2>; rel=\"next\""},
						 {NULL, NULL}};
	static const struct run_response first = {200, link, "[1]", 3},
					 broken = {500, no_headers, "no", 2};
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letter(&t, 'h');
	assert_int_equal(heard(&t), RPC_START);
	say_letter(&t, 'p');
	assert_non_null(t.fetch_done); /* before it is asked for */
	t.fetch_done(t.fetch_arg, &first, NULL);
	t.fetch_done = NULL;
	assert_int_equal(heard(&t), RPC_NONE);
	say_letter(&t, 'n');
	assert_int_equal(heard(&t), RPC_PAGE);
	assert_non_null(t.fetch_done); /* page 2, while the plugin works */
	t.fetch_done(t.fetch_arg, &broken, NULL);
	say_letter(&t, 'l');
	assert_false(session_has_verdict(t.session));
	say_letter(&t, 'n');
	talk_close(&t);
	assert_string_equal(t.end.cause, "upstream 500");
	assert_string_equal(t.end.code, "script_http_error");
	assert_int_equal(t.end.requests, 2);
}

static void
test_limits(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	for (unsigned i = 1; i <= SESSION_ITERATIONS_MAX; i++)
		say_paginate(&t, i);
	assert_false(session_has_verdict(t.session));
	say_paginate(&t, 100);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_HTTP, "ssu", "GET", "/x", SESSION_PAIRS_MAX + 1u);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	talk_open(&t);
	say(&t, RPC_HELLO, "u", RPC_VERSION + 1u);
	talk_close(&t);
	assert_string_equal(t.end.cause, "runner lost");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_run),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_during_a_commit),
	    cmocka_unit_test(test_failed_commit),
	    cmocka_unit_test(test_three_pages_at_most),
	    cmocka_unit_test(test_early_bytes_wait),
	    cmocka_unit_test(test_death_while_waiting),
	    cmocka_unit_test(test_first_verdict_stands),
	    cmocka_unit_test(test_ahead),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
