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
	int stopped, settled, commits, fetches, lookups;
	size_t records;
	char ids[128];	   /* of what was committed; with the problem where there is one */
	char windows[128]; /* "Item:open,close,force" */
	char asked[128];   /* of the last lookup */
	run_lookup_done *lookup_done;
	void *lookup_arg;
	bool was_cleared;
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
	t->fetches++;
	t->fetch_done = done;
	t->fetch_arg = arg;
	if (!t->is_slow)
		done(arg, &three_items, NULL);
}

static void
note(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + used, size - used, fmt, args);
	va_end(args);
}

static void
note_model(struct talk *t, const struct run_page_model *model)
{
	static const char *const changes[] = {"", "~", "-"};

	for (size_t i = 0; i < model->count; i++) {
		const struct run_record *r = &model->records[i];

		t->records++;
		if (r->problem != NULL)
			note(t->ids, sizeof(t->ids), "(%s)", r->problem);
		note(t->ids, sizeof(t->ids), "%s%.*s ", changes[r->change], (int)r->id.length,
		     r->id.data == NULL ? "" : r->id.data);
	}
	if (model->opens_window || model->closes_window)
		note(t->windows, sizeof(t->windows), "%s%s%s%s ", model->model,
		     model->opens_window ? "+" : "", model->closes_window ? "-" : "",
		     model->overrides_guard ? "!" : "");
}

static void
on_commit(void *host, const struct run_page *page, run_commit_done *done, void *arg)
{
	struct talk *t = host;

	t->commits++;
	t->was_cleared = page->clears_checkpoint;
	assert_true(page->number == (uint64_t)t->commits);
	for (size_t m = 0; m < page->models_count; m++)
		note_model(t, &page->models[m]);
	t->commit_done = done;
	t->commit_arg = arg;
	if (!t->is_slow)
		done(arg, NULL);
}

static void
on_lookup(void *host, const struct run_lookup *lookup, run_lookup_done *done, void *arg)
{
	struct talk *t = host;

	t->lookups++;
	snprintf(t->asked, sizeof(t->asked), "%s %s %s %zu", lookup->model,
		 lookup->ids == NULL ? "*" : lookup->ids,
		 lookup->cursor == NULL ? "-" : lookup->cursor, lookup->limit);
	t->lookup_done = done;
	t->lookup_arg = arg;
	if (!t->is_slow)
		done(arg, "{\"records\":[],\"cursor\":null}", 28, NULL);
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
	static const struct run_backend backend = {
	    .fetch = on_fetch, .commit = on_commit, .lookup = on_lookup};
	static const char *const models[] = {"Item", "Other", NULL};
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
		say(t, RPC_SAVE, "suusn", "Item", 0u, 1u, "{\"id\":1}");
		break;
	case 'w':
		say(t, RPC_WINDOW, "su", "Item", RPC_WINDOW_OPENS);
		break;
	case 'e':
		say(t, RPC_WINDOW, "su", "Item", RPC_WINDOW_CLOSES);
		break;
	case 'E':
		say(t, RPC_WINDOW, "su", "Item", RPC_WINDOW_CLOSES | RPC_WINDOW_VOUCHED);
		break;
	case 'k':
		say(t, RPC_LOOKUP, "snnu", "Item", 10u);
		break;
	case 'c':
		say(t, RPC_COMMIT, "un", 0u);
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

static void
test_checkpoint(void **state)
{
	static const struct {
		const char *why, *json, *cause;
	} rows[] = {
	    {"as it should be", "{\"a\":\"x\",\"b\":1,\"c\":true,\"d\":null}", ""},
	    {"empty", "{}", ""},
	    {"no JSON", "{", "failed"},
	    {"a list", "[]", "failed"},
	    {"nested", "{\"a\":{}}", "failed"},
	    {"a list within", "{\"a\":[]}", "failed"},
	    {"16 members",
	     "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
	     "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1}",
	     ""},
	    {"17 members",
	     "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
	     "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1}",
	     "failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say_letter(&t, 'h');
		say(&t, RPC_COMMIT, "us", 0u, rows[i].json);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0)
			fail_msg("%s: %s (%s)", rows[i].why, t.end.cause, t.end.message);
		assert_int_equal(t.commits, *rows[i].cause == '\0');
	}
}

/* A checkpoint of one member whose name and text have that many characters. */
static void
say_long_checkpoint(struct talk *t, size_t name, size_t text, const char *unit)
{
	static char bytes[65536];
	char *at = bytes + RPC_HEADER_BYTES + 8;

	at = stpcpy(at, "{\"");
	memset(at, 'k', name);
	at = stpcpy(at + name, "\":\"");
	for (size_t i = 0; i < text; i++)
		at = stpcpy(at, unit);
	at = stpcpy(at, "\"}");
	rpc_put_u32(bytes + RPC_HEADER_BYTES, 0);
	rpc_put_u32(bytes + RPC_HEADER_BYTES + 4,
		    (uint32_t)(at - bytes - RPC_HEADER_BYTES - 8));
	rpc_header_write(bytes, RPC_COMMIT, (uint32_t)(at - bytes - RPC_HEADER_BYTES));
	say_bytes(t, bytes, (size_t)(at - bytes));
}

/* Characters are counted, not bytes and not escapes. */
static void
test_checkpoint_lengths(void **state)
{
	static const struct {
		const char *why;
		size_t name, text;
		const char *unit, *cause;
	} rows[] = {
	    {"the longest text", 1, 4000, "x", ""},
	    {"one more", 1, 4001, "x", "failed"},
	    {"of two bytes each", 1, 4000, "\xc3\xa9", ""},
	    {"of two bytes each, one more", 1, 4001, "\xc3\xa9", "failed"},
	    {"as surrogates", 1, 4000, "\\ud83d\\ude00", ""},
	    {"as surrogates, one more", 1, 4001, "\\ud83d\\ude00", "failed"},
	    {"the longest name", 255, 1, "x", ""},
	    {"a name of one more", 256, 1, "x", "failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say_letter(&t, 'h');
		say_long_checkpoint(&t, rows[i].name, rows[i].text, rows[i].unit);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0)
			fail_msg("%s: %s (%s)", rows[i].why, t.end.cause, t.end.message);
	}
}

static void
test_clear(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_COMMIT, "un", 1u);
	assert_true(t.was_cleared);
	say(&t, RPC_COMMIT, "un", 0u);
	assert_false(t.was_cleared);
	say(&t, RPC_COMMIT, "us", 1u, "{}"); /* both */
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
}

/* What is wrong with the frame ends the run; what is wrong with a record travels with it. */
static void
test_records(void **state)
{
	static const struct {
		const char *why, *model;
		unsigned change;
		const char *json, *problem;
		unsigned count;
		const char *cause, *seen;
	} rows[] = {
	    {"as it should be", "Item", 0, "{\"id\":1}", NULL, 1, "", "1 "},
	    {"an update", "Item", 1, "{\"id\":1}", NULL, 1, "", "~1 "},
	    {"a deletion", "Item", 2, "{\"id\":1}", NULL, 1, "", "-1 "},
	    {"another change", "Item", 3, "{\"id\":1}", NULL, 1, "protocol violation", ""},
	    {"count says more", "Item", 0, "{\"id\":1}", NULL, 2, "protocol violation", ""},
	    {"count says none", "Item", 0, "{\"id\":1}", NULL, 0, "protocol violation", ""},
	    {"count over the limit", "Item", 0, "{\"id\":1}", NULL, 1001, "protocol violation",
	     ""},
	    {"another model", "Itemx", 0, "{\"id\":1}", NULL, 1, "invalid record", ""},
	    {"a part of its name", "Ite", 0, "{\"id\":1}", NULL, 1, "invalid record", ""},
	    {"no object", "Item", 0, "[]", NULL, 1, "",
	     "(byte 0: a record must be an object) "},
	    {"nothing", "Item", 0, "", NULL, 1, "", "(byte 0: unfinished) "},
	    {"no id", "Item", 0, "{}", NULL, 1, "", "(id: is absent) "},
	    {"id null", "Item", 0, "{\"id\":null}", NULL, 1, "", "(id: is absent) "},
	    {"id empty", "Item", 0, "{\"id\":\"\"}", NULL, 1, "", "(id: is empty) "},
	    {"id an object", "Item", 0, "{\"id\":{}}", NULL, 1, "",
	     "(id: is neither a text nor a number) "},
	    {"id true", "Item", 0, "{\"id\":true}", NULL, 1, "",
	     "(id: is neither a text nor a number) "},
	    {"id with U+0000", "Item", 0, "{\"id\":\"a\\u0000\"}", NULL, 1, "",
	     "(id: holds U+0000) "},
	    {"a problem", "Item", 0, "{\"id\":1}", "size: too large", 1, "",
	     "(size: too large)1 "},
	    {"a problem, and no JSON", "Item", 0, "{", "size: too large", 1, "",
	     "(size: too large) "},
	    {"a lone surrogate", "Item", 0, "{\"id\":\"\\ud800\"}", NULL, 1, "",
	     "(byte 7: lone surrogate) "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		say(&t, RPC_HELLO, "u", RPC_VERSION);
		say(&t, RPC_SAVE, "suuss", rows[i].model, rows[i].change, rows[i].count,
		    rows[i].json, rows[i].problem);
		say(&t, RPC_COMMIT, "un", 0u);
		talk_close(&t);
		if (strcmp(t.end.cause, rows[i].cause) != 0 || strcmp(t.ids, rows[i].seen) != 0)
			fail_msg("%s: %s (%s), %s", rows[i].why, t.end.cause, t.end.message,
				 t.ids);
		assert_int_equal(t.commits, *rows[i].cause == '\0');
	}
}

/* Bytes that may be more than the socket takes at once: the session reads in between. */
static void
say_much(struct talk *t, const char *bytes, size_t length)
{
	ssize_t n;

	for (; length > 0; bytes += n, length -= (size_t)n) {
		n = send(t->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			n = 0;
		turn(t);
	}
}

/* A SAVE of one record of that many bytes, in all. */
static void
say_large_record(struct talk *t, size_t size)
{
	size_t length = 4 + 4 + 4 + 4 + 4 + size + 4;
	char *bytes = malloc(RPC_HEADER_BYTES + length), *at;

	assert_non_null(bytes);
	rpc_header_write(bytes, RPC_SAVE, (uint32_t)length);
	at = rpc_put_text(bytes + RPC_HEADER_BYTES, "Item", 4);
	at = rpc_put_u32(rpc_put_u32(at, 0), 1);
	at = rpc_put_u32(at, (uint32_t)size);
	memcpy(at, "{\"id\":1,\"t\":\"", 13);
	memset(at + 13, 'x', size - 15);
	memcpy(at + size - 2, "\"}", 2);
	rpc_put_u32(at + size, RPC_NO_TEXT);
	say_much(t, bytes, RPC_HEADER_BYTES + length);
	free(bytes);
}

static void
test_record_size(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say_large_record(&t, SESSION_RECORD_BYTES_MAX);
	say_letter(&t, 'c');
	assert_string_equal(t.ids, "1 ");
	say_large_record(&t, SESSION_RECORD_BYTES_MAX + 1);
	talk_close(&t);
	assert_string_equal(t.end.cause, "invalid record");
	assert_string_equal(t.end.code, "record_too_large");
}

/* 100 MB may be saved between two commits, and again after one. */
static void
test_page_size(void **state)
{
	const size_t each = SESSION_RECORD_BYTES_MAX - 8; /* with two lengths: 10 MiB */
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	for (int page = 0; page < 2; page++) {
		for (int i = 0; i < 10; i++)
			say_large_record(&t, each);
		assert_false(session_has_verdict(t.session));
		if (page == 0)
			say_letter(&t, 'c');
	}
	say_letter(&t, 's');
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	assert_non_null(strstr(t.end.message, "commit each page"));
	assert_int_equal(t.commits, 1);
}

static void
test_id_length(void **state)
{
	char id[300], json[400];

	(void)state;
	for (size_t length = 255; length <= 256; length++) {
		struct talk t;

		memset(id, 'i', length);
		id[length] = '\0';
		snprintf(json, sizeof(json), "{\"id\":\"%s\"}", id);
		talk_open(&t);
		say_letter(&t, 'h');
		say(&t, RPC_SAVE, "suusn", "Item", 0u, 1u, json);
		say_letter(&t, 'c');
		talk_close(&t);
		assert_int_equal(t.ids[0] == '(', length > 255);
	}
}

static void
test_windows(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_WINDOW, "su", "Item", RPC_WINDOW_OPENS);
	say(&t, RPC_SAVE, "suusn", "Other", 0u, 1u, "{\"id\":1}");
	say_letter(&t, 'c');
	assert_string_equal(t.windows, "Item+ ");
	say(&t, RPC_WINDOW, "su", "Item",
	    RPC_WINDOW_CLOSES | RPC_WINDOW_OVERRIDES | RPC_WINDOW_VOUCHED);
	say_letter(&t, 'c');
	assert_string_equal(t.windows, "Item+ Item-! ");
	say(&t, RPC_WINDOW, "su", "Nobody", RPC_WINDOW_OPENS);
	talk_close(&t);
	assert_string_equal(t.end.code, "unknown_model");
}

/* The message says which list is to blame. */
static void
test_incomplete_walk(void **state)
{
	static const struct run_response gone = {404, no_headers, "{}", 2};
	struct talk t;

	(void)state;
	talk_open(&t);
	say_letter(&t, 'h');
	say_letter(&t, 'p');
	say_letter(&t, 'v');
	say_letter(&t, 'e');
	talk_close(&t);
	assert_string_equal(t.end.cause, "failed");
	assert_string_equal(t.end.code, "incomplete_walk");
	assert_non_null(strstr(t.end.message, "GET /x was left before its last page"));
	/* An accepted 404 ends a list, but proves nothing. */
	talk_open(&t);
	t.is_slow = true;
	say_letter(&t, 'h');
	say(&t, RPC_PAGINATE, "ussuunnuuuuu", 1u, "GET", "/x", 0u, 0u, 0u, 0u, 1u, 404u, 0u);
	t.fetch_done(t.fetch_arg, &gone, NULL);
	say_letter(&t, 'n');
	say_letter(&t, 'e');
	talk_close(&t);
	assert_string_equal(t.end.code, "incomplete_walk");
	assert_non_null(strstr(t.end.message, "GET /x answered 404"));
}

static void
test_walk_at_the_end(void **state)
{
	static const struct {
		const char *letters;
		bool is_complete;
	} rows[] = {
	    {"hd", false},   {"hpd", false}, {"hpnd", true},  {"hpnnd", true},	{"hpvd", false},
	    {"hpnvd", true}, {"hVd", true},  {"hpvVd", true}, {"hpnnf", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_open(&t);
		for (const char *c = rows[i].letters; *c != '\0'; c++) {
			if (*c == 'V')
				say(&t, RPC_WINDOW, "nu", RPC_WINDOW_VOUCHED);
			else
				say_letter(&t, *c);
		}
		talk_close(&t);
		if (t.end.is_walk_complete != rows[i].is_complete)
			fail_msg("%s", rows[i].letters);
	}
}

static void
test_lookup(void **state)
{
	struct error err;
	struct talk t;

	(void)state;
	talk_open(&t);
	assert_int_equal(heard(&t), RPC_START);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "ssnu", "Item", "[\"1\"]", 1000u);
	assert_string_equal(t.asked, "Item [\"1\"] - 1000");
	assert_int_equal(heard(&t), RPC_RECORDS);
	t.is_slow = true;
	say(&t, RPC_LOOKUP, "snsu", "Item", "c1", 1u);
	assert_string_equal(t.asked, "Item * c1 1");
	say_letter(&t, 'd'); /* waits */
	error_set(&err, ERR_NOT_FOUND, "no");
	t.lookup_done(t.lookup_arg, NULL, 0, &err);
	talk_close(&t);
	assert_string_equal(t.end.cause, "store");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "snnu", "Item", 1001u);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "ssnu", "Item", "[1]", 10u);
	talk_close(&t);
	assert_string_equal(t.end.cause, "protocol violation");
	talk_open(&t);
	say_letter(&t, 'h');
	say(&t, RPC_LOOKUP, "snnu", "Nobody", 10u);
	talk_close(&t);
	assert_string_equal(t.end.code, "unknown_model");
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

/* Bytes in one write: the order of handling is then the session's alone. */
static void
say_letters(struct talk *t, const char *letters)
{
	for (; *letters != '\0'; letters++)
		say_letter(t, *letters);
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

/* A third page is not read while the first is committed and the second is full. */
static void
test_two_pages_at_most(void **state)
{
	char bytes[4096] = {0};
	size_t sent = 0;
	ssize_t n;
	struct talk t;

	(void)state;
	talk_open(&t);
	t.is_slow = true;
	say_letters(&t, "hscsc");
	while ((n = send(t.fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) {
		sent += (size_t)n;
		turn(&t);
	}
	assert_true(sent < 4 * 1024 * 1024); /* the socket is full: nobody reads */
	t.commit_done(t.commit_arg, NULL);
	turn(&t); /* the second commit is begun; the zeroes are no message */
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
	    cmocka_unit_test(test_checkpoint),
	    cmocka_unit_test(test_checkpoint_lengths),
	    cmocka_unit_test(test_clear),
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_record_size),
	    cmocka_unit_test(test_page_size),
	    cmocka_unit_test(test_id_length),
	    cmocka_unit_test(test_windows),
	    cmocka_unit_test(test_incomplete_walk),
	    cmocka_unit_test(test_walk_at_the_end),
	    cmocka_unit_test(test_lookup),
	    cmocka_unit_test(test_during_a_commit),
	    cmocka_unit_test(test_failed_commit),
	    cmocka_unit_test(test_two_pages_at_most),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_early_bytes_wait),
	    cmocka_unit_test(test_death_while_waiting),
	    cmocka_unit_test(test_first_verdict_stands),
	    cmocka_unit_test(test_ahead),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
