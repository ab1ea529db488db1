/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_support -- see session_support.h.
 */
#include "session_support.h"

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

const struct http_field no_headers[] = {{NULL, NULL}};
const struct run_response three_items = {200, no_headers, "[{\"id\":1},2,3]", 14};

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
	t->leaves_walk = page->leaves_walk;
	assert_true(page->number == (uint64_t)t->commits);
	for (size_t m = 0; m < page->models_count; m++)
		note_model(t, &page->models[m]);
	t->commit_done = done;
	t->commit_arg = arg;
	if (!t->is_slow)
		done(arg, NULL);
}

static void
on_prepare(void *host, const struct run_page *page, run_prepare_done *done, void *arg)
{
	struct talk *t = host;

	t->prepares++;
	t->prepared = page;
	t->prepare_done = done;
	t->prepare_arg = arg;
	if (!t->is_slow_to_prepare)
		done(arg);
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

void
turn(struct talk *t)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
}

static void
on_log(void *host, int level, const char *text, size_t length)
{
	struct talk *t = host;

	(void)level;
	(void)text;
	(void)length;
	t->logs++;
}

void
talk_open(struct talk *t)
{
	static const struct session_owner owner = {on_stopped, on_settled};
	static const struct run_backend backend = {.fetch = on_fetch,
						   .commit = on_commit,
						   .prepare = on_prepare,
						   .lookup = on_lookup,
						   .log = on_log};
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

void
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

void
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

void
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
enum rpc_type
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

void
say_http(struct talk *t)
{
	say(t, RPC_HTTP, "ssuunnuuu", "GET", "/x", 0u, 0u, 0u, 0u, 0u);
}

void
say_paginate(struct talk *t, unsigned number)
{
	say(t, RPC_PAGINATE, "ussuunnuuuu", number, "GET", "/x", 0u, 0u, 0u, 0u, 0u, 0u);
}

/* A letter is a message that is in order but for its place. */
void
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

/* Bytes in one write: the order of handling is then the session's alone. */
void
say_letters(struct talk *t, const char *letters)
{
	for (; *letters != '\0'; letters++)
		say_letter(t, *letters);
}
