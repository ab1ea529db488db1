/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz/rpc_session -- any bytes on a run's channel: the decoder, the states, staging and pages.
 * The first byte says into how large pieces the rest is cut. Whatever comes, the session ends
 * up settled, with a verdict or not, and says DONE only with no record left uncommitted.
 */
#include "run/session.h"

#include "http/server.h"
#include "rpc/frame.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
fetch(void *host, const struct run_request *request, run_fetch_done *done, void *arg)
{
	static const struct http_field none[] = {{NULL, NULL}};
	static const struct run_response r = {200, none, "[{\"id\":1}]", 10};

	(void)host;
	for (const struct http_field *f = request->query; f->name != NULL; f++)
		if (strlen(f->name) + strlen(f->value) > 100000000)
			abort();
	done(arg, &r, NULL);
}

static void
commit(void *host, const struct run_page *page, run_commit_done *done, void *arg)
{
	(void)host;
	for (size_t m = 0; m < page->models_count; m++)
		for (size_t i = 0; i < page->models[m].count; i++)
			if (page->models[m].records[i].problem == NULL &&
			    jsonspan_type(page->models[m].records[i].bytes) != JSONSPAN_OBJECT)
				abort();
	done(arg, NULL);
}

static void
lookup(void *host, const struct run_lookup *asked, run_lookup_done *done, void *arg)
{
	(void)host;
	if (asked->limit < 1 || asked->limit > 1000 ||
	    (asked->ids != NULL && jsonspan_check(asked->ids, strlen(asked->ids), NULL) < 0))
		abort();
	done(arg, "{\"records\":[],\"cursor\":null}", 28, NULL);
}

static void
no_log(void *host, int level, const char *text, size_t length)
{
	(void)host;
	if (level < 0 || level > 3 ||
	    (length > 0 && text[length - 1] == 'x' && text[0] == 0x7f))
		(void)text;
}

static void
ignore(void *owner)
{
	(void)owner;
}

/* The peer reads what is sent to it, so that nothing waits on a full socket. */
static void
drain(int fd)
{
	char room[65536];

	while (recv(fd, room, sizeof(room), MSG_DONTWAIT) > 0)
		;
}

static void
feed(struct loop *loop, int fd, const unsigned char *data, size_t size, size_t piece)
{
	while (size > 0) {
		size_t n = size < piece ? size : piece;

		if (send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
			break;
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
		drain(fd);
		data += n;
		size -= n;
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct session_owner owner = {ignore, ignore};
	static const struct run_backend backend = {
	    .fetch = fetch, .commit = commit, .lookup = lookup, .log = no_log};
	static const char *const models[] = {"Item", "A", NULL};
	static const struct run_start start = {
	    .kind = 1,
	    .function = "f",
	    .connection_id = "c",
	    .models = models,
	    .paginate = "{\"type\":\"link\",\"link_rel_in_response_header\":\"next\"}"};
	static struct loop *loop;
	struct session *session;
	struct run_end end = {0};
	struct error err;
	int fds[2];

	if (size < 1 || (loop == NULL && loop_new(&loop, &err) < 0))
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		abort();
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	session = session_new(loop, fds[0], &start, &backend, NULL, &owner, NULL);
	feed(loop, fds[1], data + 1, size - 1, data[0] == 0 ? 65536 : data[0]);
	close(fds[1]);
	for (int turn = 0; turn < 10; turn++)
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	if (!session_is_settled(session))
		abort();
	session_fill(session, &end);
	if (end.is_done && end.cause[0] != '\0')
		abort();
	session_free(session);
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	return 0;
}
