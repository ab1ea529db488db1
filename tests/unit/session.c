/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session -- a run's conversation, spoken by hand: which message is taken in which state, what
 * is too large, too many or damaged, and what happens to bytes that come too early or in
 * pieces.
 */
#include "run/session.h"

#include "http/server.h"
#include "rpc/frame.h"

#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct talk { /* one conversation */
	struct loop *loop;
	struct session *session;
	int fd; /* the run's end */
	int stopped, settled, commits;
	size_t records;
	char ids[128];
	run_fetch_done *fetch_done;
	void *fetch_arg;
	run_commit_done *commit_done;
	void *commit_arg;
	bool is_slow; /* answers are given by the test */
	struct run_end end;
};

static const struct http_field no_headers[] = {{NULL, NULL}};
static const struct run_response three_items = {200, no_headers, "[{\"id\":1},2,3]", 14};

static void
on_fetch(void *host, const struct run_request *request, run_fetch_done *done, void *arg)
{
	struct talk *t = host;

	(void)request;
	t->fetch_done = done;
	t->fetch_arg = arg;
	if (!t->is_slow)
		done(arg, &three_items, NULL);
}

static void
on_commit(void *host, const struct run_page *page, run_commit_done *done, void *arg)
{
	struct talk *t = host;

	t->commits++;
	for (size_t m = 0; m < page->models_count; m++) {
		for (size_t i = 0; i < page->models[m].count; i++) {
			size_t used = strlen(t->ids);

			t->records++;
			snprintf(t->ids + used, sizeof(t->ids) - used, "%.*s ",
				 (int)page->models[m].records[i].id.length,
				 page->models[m].records[i].id.data);
		}
	}
	t->commit_done = done;
	t->commit_arg = arg;
	if (!t->is_slow)
		done(arg, NULL);
}

static void
on_stopped(void *owner)
{
	((struct talk *)owner)->stopped++;
}

static void
on_settled(void *owner)
{
	((struct talk *)owner)->settled++;
}

static void
turn(struct talk *t)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
}

static void
talk_open(struct talk *t)
{
	static const struct session_owner owner = {on_stopped, on_settled};
	static const struct run_backend backend = {on_fetch, on_commit, NULL, NULL};
	static const char *const models[] = {"Item", NULL};
	static const struct run_start start = {
	    .kind = 1,
	    .function = "f",
	    .connection_id = "c",
	    .paginate = "{\"type\":\"link\",\"link_rel_in_response_header\":\"next\"}",
	    .models = models};
	struct error err;
	int fds[2];

	*t = (struct talk){0};
	assert_int_equal(loop_new(&t->loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	t->fd = fds[1];
	t->session = session_new(t->loop, fds[0], &start, &backend, t, &owner, t);
}

static void
talk_close(struct talk *t)
{
	close(t->fd);
	turn(t);
	assert_int_equal(session_is_settled(t->session), 1);
	assert_int_equal(t->settled, 1);
	session_fill(t->session, &t->end);
	session_free(t->session);
	turn(t);
	loop_free(t->loop);
}

static void
say_bytes(struct talk *t, const void *bytes, size_t length)
{
	assert_int_equal(send(t->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT), length);
	turn(t);
}

/* One frame from a pattern: u a number, s a text, n none, b bare text; arguments follow. */
static size_t
frame(char *out, enum rpc_type type, const char *pattern, va_list args)
{
	char *at = out + RPC_HEADER_BYTES;

	for (; *pattern != '\0'; pattern++) {
		const char *text =
		    *pattern == 's' || *pattern == 'b' ? va_arg(args, const char *) : NULL;

		if (*pattern == 'u')
			at = rpc_put_u32(at, va_arg(args, unsigned));
		else if (*pattern == 'b')
			at = stpcpy(at, text);
		else
			at = rpc_put_text(at, text, text == NULL ? 0 : strlen(text));
	}
	rpc_header_write(out, type, (uint32_t)(at - out - RPC_HEADER_BYTES));
	return (size_t)(at - out);
}

static void
say(struct talk *t, enum rpc_type type, const char *pattern, ...)
{
	char bytes[4096];
	size_t length;
	va_list args;

	va_start(args, pattern);
	length = frame(bytes, type, pattern, args);
	va_end(args);
	say_bytes(t, bytes, length);
}

/* The type of the next message from the server, RPC_NONE when there is none. */
static enum rpc_type
heard(struct talk *t)
{
	char head[RPC_HEADER_BYTES], payload[4096];
	struct rpc_header header;

	turn(t);
	if (recv(t->fd, head, sizeof(head), MSG_DONTWAIT) != sizeof(head))
		return RPC_NONE;
	assert_null(rpc_header_read(head, RPC_TO_RUN, &header));
	assert_true(header.length <= sizeof(payload));
	if (header.length > 0)
		assert_int_equal(recv(t->fd, payload, header.length, MSG_DONTWAIT),
				 header.length);
	return header.type;
}

static void
say_http(struct talk *t)
{
	say(t, RPC_HTTP, "ssuunnuuu", "GET", "/x", 0u, 0u, 0u, 0u, 0u);
}

static void
say_paginate(struct talk *t, unsigned number)
{
	say(t, RPC_PAGINATE, "ussuunnuuuu", number, "GET", "/x", 0u, 0u, 0u, 0u, 0u, 0u);
}

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
	say(&t, RPC_SAVE, "susnsn", "Item", 2u, "{\"id\":1}", "{\"id\":\"b\"}");
	say(&t, RPC_COMMIT, "s", "{\"a\":1}");
	assert_int_equal(heard(&t), RPC_COMMITTED);
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

/* A letter is a message that is in order but for its place. */
static void
say_letter(struct talk *t, char letter)
{
	switch (letter) {
	case 'h':
		say(t, RPC_HELLO, "u", RPC_VERSION);
		break;
	case 'l':
		say(t, RPC_LOG, "ub", 1u, "text");
		break;
	case 'q':
		say_http(t);
		break;
	case 'p':
		say_paginate(t, 1);
		break;
	case 'n':
		say(t, RPC_NEXT, "u", 1u);
		break;
	case 'v':
		say(t, RPC_LEAVE, "u", 1u);
		break;
	case 's':
		say(t, RPC_SAVE, "susn", "Item", 1u, "{\"id\":1}");
		break;
	case 'c':
		say(t, RPC_COMMIT, "n");
		break;
	case 'o':
		say(t, RPC_OUTPUT, "b", "1");
		break;
	case 'f':
		say(t, RPC_FAIL, "ssn", "code", "message");
		break;
	case 'd':
		say(t, RPC_DONE, "");
		break;
	case 'x':
		say(t, RPC_DEATH, "ss", "sandbox: connect", "m");
		break;
	default:
		fail();
	}
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
	    {"everything", "hlqpnsnsclod", ""},
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
	    {"more behind", RPC_COMMIT, "sb", "{}", "x", NULL, "protocol violation"},
	    {"no JSON", RPC_COMMIT, "s", "{", NULL, NULL, "failed"},
	    {"a list as checkpoint", RPC_COMMIT, "s", "[]", NULL, NULL, "failed"},
	    {"a nested checkpoint", RPC_COMMIT, "s", "{\"a\":{}}", NULL, NULL, "failed"},
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

static void
test_records(void **state)
{
	static const struct {
		const char *why, *model, *json, *problem;
		unsigned count;
		const char *cause;
	} rows[] = {
	    {"as it should be", "Item", "{\"id\":1}", NULL, 1, ""},
	    {"count says more", "Item", "{\"id\":1}", NULL, 2, "protocol violation"},
	    {"count says none", "Item", "{\"id\":1}", NULL, 0, "protocol violation"},
	    {"count over the limit", "Item", "{\"id\":1}", NULL, 1001, "protocol violation"},
	    {"another model", "Itemx", "{\"id\":1}", NULL, 1, "invalid record"},
	    {"a part of its name", "Ite", "{\"id\":1}", NULL, 1, "invalid record"},
	    {"no object", "Item", "[]", NULL, 1, "invalid record"},
	    {"nothing", "Item", "", NULL, 1, "invalid record"},
	    {"id null", "Item", "{\"id\":null}", NULL, 1, "invalid record"},
	    {"id empty", "Item", "{\"id\":\"\"}", NULL, 1, "invalid record"},
	    {"id an object", "Item", "{\"id\":{}}", NULL, 1, "invalid record"},
	    {"id true", "Item", "{\"id\":true}", NULL, 1, "invalid record"},
	    {"a problem", "Item", "{\"id\":1}", "too large", 1, "invalid record"},
	    {"a lone surrogate", "Item", "{\"id\":\"\\ud800\"}", NULL, 1, "invalid record"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say(&t, RPC_HELLO, "u", RPC_VERSION);
		say(&t, RPC_SAVE, "suss", rows[i].model, rows[i].count, rows[i].json,
		    rows[i].problem);
		say(&t, RPC_COMMIT, "n");
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0)
			fail_msg("%s: %s (%s)", rows[i].why, t.end.cause, t.end.message);
		assert_int_equal(t.commits, *rows[i].cause == '\0');
	}
}

/* Byte by byte, and all at once: the same. */
static void
test_pieces(void **state)
{
	char bytes[512];
	size_t length = 0;
	struct talk t;

	(void)state;
	rpc_header_write(bytes, RPC_HELLO, 4);
	rpc_put_u32(bytes + 8, RPC_VERSION);
	length = 12;
	rpc_header_write(bytes + length, RPC_SAVE, 28);
	rpc_put_u32(rpc_put_text(rpc_put_u32(rpc_put_text(bytes + length + 8, "Item", 4), 1),
				 "{\"id\":1}", 8),
		    RPC_NO_TEXT);
	length += 36;
	rpc_header_write(bytes + length, RPC_COMMIT, 4);
	rpc_put_u32(bytes + length + 8, RPC_NO_TEXT);
	length += 12;
	rpc_header_write(bytes + length, RPC_DONE, 0);
	length += 8;
	for (size_t piece = 1; piece <= length; piece++) {
		talk_open(&t);
		for (size_t at = 0; at < length; at += piece)
			say_bytes(&t, bytes + at, length - at < piece ? length - at : piece);
		talk_close(&t);
		assert_true(t.end.is_done);
		assert_string_equal(t.ids, "1 ");
	}
}

/* What comes while the store or the provider is asked waits its turn. */
static void
test_early_bytes_wait(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letter(&t, 'h');
	say_letter(&t, 's');
	say_letter(&t, 'c');
	say_letter(&t, 's');
	say_letter(&t, 'c');
	say_letter(&t, 'd');
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
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_early_bytes_wait),
	    cmocka_unit_test(test_death_while_waiting),
	    cmocka_unit_test(test_first_verdict_stands),
	    cmocka_unit_test(test_ahead),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
