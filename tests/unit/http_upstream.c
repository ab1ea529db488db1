/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream against a server that does what each test says: what is kept and used again,
 * what is sent anew, what never is, and how long anything is waited for.
 */
#include "base/loop.h"
#include "http/upstream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define OK "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

struct fixture;
typedef void serve_fn(struct fixture *f, int socket, int number);

struct fixture {
	struct loop *loop;
	struct upstream *upstream;
	TALLOC_CTX *mem;
	struct upstream_place *place;
	struct loop_timer *timer;
	int listener, port;
	pthread_t thread;
	serve_fn *serve;
	atomic_int connections;
	char got[4096]; /* by the server, on the connection that the test looks at */
	/* The call. */
	struct upstream_call *call;
	int made, later; /* times that it was; times that it is put off */
	bool is_unmade;
	const char *body; /* that follows; NULL: none */
	bool is_over, has_failed, was_sent;
	int status;
	struct error err;
};

/* ---- the server ---- */

/* Reads until the text has come; 0 at the end of the connection. */
static int
expect(struct fixture *f, int socket, const char *text)
{
	size_t used = 0;

	memset(f->got, 0, sizeof(f->got));
	while (strstr(f->got, text) == NULL && used + 1 < sizeof(f->got)) {
		ssize_t n = recv(socket, f->got + used, sizeof(f->got) - 1 - used, 0);

		if (n <= 0)
			return 0;
		used += (size_t)n;
	}
	return 1;
}

static void
say(int socket, const char *text)
{
	(void)!send(socket, text, strlen(text), MSG_NOSIGNAL);
}

static void
wait_for_end(int socket)
{
	char byte;

	while (recv(socket, &byte, 1, 0) > 0)
		;
}

static void
serve_ok(struct fixture *f, int socket, int number)
{
	(void)number;
	while (expect(f, socket, "\r\n\r\n") > 0)
		say(socket, OK);
}

/* The first connection ends with its second request. */
static void
serve_and_leave(struct fixture *f, int socket, int number)
{
	if (expect(f, socket, "\r\n\r\n") > 0)
		say(socket, OK);
	if (expect(f, socket, "\r\n\r\n") > 0 && number > 0)
		say(socket, OK);
}

static void
serve_half(struct fixture *f, int socket, int number)
{
	(void)number;
	if (expect(f, socket, "\r\n\r\n") > 0)
		say(socket, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
	wait_for_end(socket);
}

static void
serve_nothing(struct fixture *f, int socket, int number)
{
	(void)f;
	(void)number;
	wait_for_end(socket);
}

static void
serve_at_once(struct fixture *f, int socket, int number)
{
	(void)f;
	(void)number;
	say(socket, OK);
	wait_for_end(socket);
}

/* The body is over with "done", or when nothing comes any more. */
static void
serve_body(struct fixture *f, int socket, int number)
{
	if (number > 0) {
		char kept[sizeof(f->got)];

		memcpy(kept, f->got, sizeof(kept));
		if (expect(f, socket, "\r\n\r\n") > 0)
			say(socket, OK);
		memcpy(f->got, kept, sizeof(kept));
		return;
	}
	if (expect(f, socket, "done") > 0)
		say(socket, OK);
	wait_for_end(socket);
}

static void *
serve(void *arg)
{
	struct fixture *f = arg;
	int socket;

	while ((socket = accept(f->listener, NULL, NULL)) >= 0) {
		f->serve(f, socket, f->connections++);
		close(socket);
	}
	return NULL;
}

/* ---- the call ---- */

static enum upstream_made
on_make(void *arg, struct buf *out, struct error *err)
{
	struct fixture *f = arg;

	if (f->later > 0) {
		f->later--;
		loop_timer_set(f->timer, 100);
		return UPSTREAM_MADE_LATER;
	}
	if (f->is_unmade) {
		error_set(err, ERR_TEMPLATE, "nothing comes out");
		return UPSTREAM_NOT_MADE;
	}
	f->made++;
	buf_adds(out, f->body == NULL
			  ? "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
			  : "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n");
	return UPSTREAM_MADE;
}

static void
on_timer(void *arg)
{
	struct fixture *f = arg;

	if (f->call != NULL)
		upstream_go(f->call);
	else
		loop_stop(f->loop);
}

static void
on_head(void *arg, const struct upstream_answer *answer)
{
	((struct fixture *)arg)->status = answer->status;
}

static void
on_data(void *arg, const char *data, size_t length)
{
	(void)arg;
	(void)data;
	(void)length;
}

static void
on_turn(void *arg)
{
	(void)arg;
}

static void
on_end(void *arg)
{
	struct fixture *f = arg;

	f->is_over = true;
	f->call = NULL;
	loop_stop(f->loop);
}

static void
on_drained(void *arg)
{
	struct fixture *f = arg;

	upstream_write(f->call, f->body, strlen(f->body));
	upstream_finish(f->call);
}

static void
on_fail(void *arg, const struct error *err, bool was_sent)
{
	struct fixture *f = arg;

	f->has_failed = true;
	f->was_sent = was_sent;
	f->err = *err;
	f->call = NULL;
	loop_stop(f->loop);
}

static const struct upstream_events events = {.make = on_make,
					      .head = on_head,
					      .data = on_data,
					      .turn = on_turn,
					      .end = on_end,
					      .drained = on_drained,
					      .fail = on_fail};

static void
ask(struct fixture *f, bool may_repeat)
{
	const struct upstream_request request = {.place = f->place,
						 .has_body = f->body != NULL,
						 .body_length = 8,
						 .may_repeat = may_repeat,
						 .queue_ms = 5000,
						 .timeout_ms = 5000};

	f->is_over = f->has_failed = false;
	f->status = f->made = 0;
	f->call = upstream_send(f->upstream, &request, &events, f);
	loop_run(f->loop);
}

static void
let_pass(struct fixture *f, int64_t ms)
{
	loop_timer_set(f->timer, ms);
	loop_run(f->loop);
}

static void
assert_ok(const struct fixture *f)
{
	assert_false(f->has_failed);
	assert_true(f->is_over);
	assert_int_equal(f->status, 200);
}

static void
assert_failed(const struct fixture *f, enum error_code code, bool was_sent)
{
	assert_true(f->has_failed);
	assert_int_equal(f->err.code, code);
	assert_int_equal(f->was_sent, was_sent);
}

/* ---- the fixture ---- */

static void
open_listener(struct fixture *f)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 8), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&address, &length), 0);
	f->port = ntohs(address.sin_port);
}

static void
set_up(struct fixture *f, serve_fn *serve_it, const char *scheme)
{
	struct upstream_config config = {
	    .egress_allow = "127.0.0.0/8", .connect_ms = 400, .idle_ms = 400, .stall_ms = 400};
	struct error err;
	char url[64];

	*f = (struct fixture){.serve = serve_it, .mem = talloc_new(NULL)};
	open_listener(f);
	assert_int_equal(loop_new(&f->loop, &err), 0);
	config.loop = f->loop;
	assert_int_equal(upstream_new(&f->upstream, &config, &err), 0);
	f->timer = loop_timer_new(f->loop, on_timer, f);
	snprintf(url, sizeof(url), "%s://127.0.0.1:%d", scheme, f->port);
	assert_int_equal(upstream_place_new(f->mem, url, NULL, NULL, &f->place, &err), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void
tear_down(struct fixture *f)
{
	upstream_free(f->upstream); /* its connections end, and with them what serves them */
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	talloc_free(f->mem);
	loop_timer_free(f->timer);
	loop_free(f->loop);
}

/* ---- the tests ---- */

static void
test_used_again(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_ok, "http");
	for (int i = 0; i < 3; i++) {
		ask(&f, false);
		assert_ok(&f);
	}
	tear_down(&f);
	assert_int_equal(f.connections, 1);
}

static void
test_ends_as_it_is_asked(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_and_leave, "http");
	ask(&f, true);
	assert_ok(&f);
	ask(&f, true);
	assert_ok(&f);
	assert_int_equal(f.made, 2); /* anew, and made anew */
	ask(&f, true);
	assert_ok(&f);
	assert_int_equal(f.made, 1);
	tear_down(&f);
}

static void
test_may_have_arrived(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_and_leave, "http");
	ask(&f, false);
	assert_ok(&f);
	ask(&f, false);
	assert_failed(&f, ERR_NETWORK, true);
	assert_int_equal(f.made, 1);
	tear_down(&f);
}

static void
test_stops_within_its_answer(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_half, "http");
	ask(&f, true);
	assert_failed(&f, ERR_GATEWAY_TIMEOUT, true);
	tear_down(&f);
}

static void
test_no_handshake(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_nothing, "https");
	ask(&f, true);
	assert_failed(&f, ERR_GATEWAY_TIMEOUT, false);
	assert_int_equal(f.made, 0);
	tear_down(&f);
}

static void
test_idle(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_ok, "http");
	ask(&f, false);
	assert_ok(&f);
	let_pass(&f, 1000);
	ask(&f, false);
	assert_ok(&f);
	tear_down(&f);
	assert_int_equal(f.connections, 2);
}

static void
test_later(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_ok, "http");
	f.later = 1;
	ask(&f, false);
	assert_ok(&f);
	f.later = 2; /* of a kept connection: at once, and once it has it */
	ask(&f, false);
	assert_ok(&f);
	assert_int_equal(f.made, 1);
	tear_down(&f);
	assert_int_equal(f.connections, 1);
}

static void
test_not_made(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_ok, "http");
	f.is_unmade = true;
	ask(&f, true);
	assert_failed(&f, ERR_TEMPLATE, false);
	tear_down(&f);
}

/* What comes before the request is no answer to it. */
static void
test_answers_unasked(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_at_once, "http");
	f.later = 1000;
	ask(&f, true);
	assert_failed(&f, ERR_NETWORK, false);
	assert_non_null(strstr(f.err.message, "before it was asked"));
	tear_down(&f);
}

/* Of more than it said, the rest stays here: it would be taken for a request. */
static void
test_body_is_too_long(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_body, "http");
	f.body = "halfdoneGET /evil HTTP/1.1\r\n\r\n";
	ask(&f, true);
	assert_ok(&f);
	tear_down(&f);
	assert_non_null(strstr(f.got, "halfdone"));
	assert_null(strstr(f.got, "evil"));
}

/* A connection whose request was never complete is nobody else's. */
static void
test_body_is_too_short(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f, serve_body, "http");
	f.body = "done";
	ask(&f, true);
	assert_ok(&f);
	f.body = NULL;
	ask(&f, true);
	assert_ok(&f);
	tear_down(&f);
	assert_int_equal(f.connections, 2);
	assert_null(strstr(f.got, "GET"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_used_again),
	    cmocka_unit_test(test_ends_as_it_is_asked),
	    cmocka_unit_test(test_may_have_arrived),
	    cmocka_unit_test(test_stops_within_its_answer),
	    cmocka_unit_test(test_no_handshake),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_later),
	    cmocka_unit_test(test_not_made),
	    cmocka_unit_test(test_answers_unasked),
	    cmocka_unit_test(test_body_is_too_long),
	    cmocka_unit_test(test_body_is_too_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
