/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client against the real server, and against one that misbehaves.
 */
#include "base/loop.h"
#include "base/pool.h"
#include "http/client.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#define THREADS 100 /* so that the server's pool is no limit of what is measured */

struct fixture {
	struct loop *loop;
	struct pool *pool;
	struct http_server *server;
	struct http_client *client;
	char base[64];
	int done, wanted; /* the loop stops when they meet */
	int status, was_sent, code;
	char *body, *message;
	struct http_field headers[64];
	TALLOC_CTX *mem;
};

static atomic_int at_once, at_most, served;

static int
handle(struct request *req, const struct http_route *route, struct response *res,
       struct error *err)
{
	static const char text[] = "packed packed packed packed packed packed";
	unsigned char packed[256];
	z_stream z = {0};
	size_t length;
	const char *body = request_body(req, &length);
	char *out;

	(void)err;
	atomic_fetch_add(&served, 1);
	if (strcmp(route->data, "slow") == 0) {
		int now = atomic_fetch_add(&at_once, 1) + 1, most = atomic_load(&at_most);

		while (now > most && !atomic_compare_exchange_weak(&at_most, &most, now))
			continue;
		usleep(20000);
		atomic_fetch_sub(&at_once, 1);
		return response_empty(res, 200);
	}
	if (strcmp(route->data, "big") == 0) {
		out = talloc_zero_size(request_mem(req), 100000);
		return response_bytes(res, 200, "text/plain", out, 100000);
	}
	if (strcmp(route->data, "gzip") == 0) {
		deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
		z.next_in = (unsigned char *)(uintptr_t)text;
		z.avail_in = sizeof(text) - 1;
		z.next_out = packed;
		z.avail_out = sizeof(packed);
		deflate(&z, Z_FINISH);
		deflateEnd(&z);
		response_header(res, "Content-Encoding", "gzip");
		return response_bytes(res, 200, "text/plain", packed, z.total_out);
	}
	out = talloc_asprintf(request_mem(req), "%s %s type=%s agent=%s expect=%s body=%.*s",
			      request_method(req), request_target(req),
			      request_header(req, "content-type"),
			      request_header(req, "user-agent"), request_header(req, "expect"),
			      (int)length, body);
	response_header(res, "X-Mixed-Case", "  Value ");
	return response_bytes(res, 200, "text/plain", out, strlen(out));
}

static const struct http_route routes[] = {
    {"GET", "/echo", 0, "echo"},       {"POST", "/echo", 1000, "echo"},
    {"PUT", "/echo", 1000, "echo"},    {"PATCH", "/echo", 1000, "echo"},
    {"DELETE", "/echo", 1000, "echo"}, {"REPORT", "/echo", 1000, "echo"},
    {"GET", "/slow", 0, "slow"},       {"GET", "/big", 0, "big"},
    {"GET", "/gzip", 0, "gzip"},
};

static void
client_make(struct fixture *f, const char *allow)
{
	struct http_client_config config = {
	    .loop = f->loop, .egress_allow = allow, .user_agent = "nango-test"};
	struct error err;

	http_client_free(f->client);
	assert_int_equal(http_client_new(&f->client, &config, &err), 0);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_server_config config = {.routes = routes,
					    .routes_count = sizeof(routes) / sizeof(routes[0]),
					    .handle = handle};
	struct error err;

	assert_non_null(f);
	f->mem = talloc_new(NULL);
	assert_int_equal(loop_new(&f->loop, &err), 0);
	assert_int_equal(pool_new(&f->pool, "test", THREADS, 1024, &err), 0);
	config.loop = f->loop;
	config.pool = f->pool;
	assert_int_equal(http_server_new(&f->server, &config, &err), 0);
	assert_int_equal(http_server_listen(f->server, "127.0.0.1:0", &err), 0);
	snprintf(f->base, sizeof(f->base), "http://127.0.0.1:%d", http_server_port(f->server));
	client_make(f, "127.0.0.0/8");
	atomic_store(&at_most, 0);
	atomic_store(&served, 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_client_free(f->client);
	http_server_free(f->server);
	pool_free(f->pool);
	loop_free(f->loop);
	talloc_free(f->mem);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct fixture *f = arg;
	size_t n = 0;

	f->status = answer->status;
	f->was_sent = answer->was_sent;
	f->code = err == NULL ? ERR_NONE : (int)err->code;
	f->message = talloc_strdup(f->mem, err == NULL ? "" : err->message);
	f->body =
	    err == NULL ? talloc_strndup(f->mem, answer->body, answer->body_length) : NULL;
	for (; err == NULL && n < 63 && answer->headers[n].name != NULL; n++)
		f->headers[n] =
		    (struct http_field){talloc_strdup(f->mem, answer->headers[n].name),
					talloc_strdup(f->mem, answer->headers[n].value)};
	f->headers[n].name = NULL;
	if (++f->done == f->wanted)
		loop_stop(f->loop);
}

static const char *
header_of(const struct fixture *f, const char *name)
{
	for (size_t i = 0; f->headers[i].name != NULL; i++)
		if (strcmp(f->headers[i].name, name) == 0)
			return f->headers[i].value;
	return NULL;
}

static void
ask(struct fixture *f, const struct http_outgoing *request)
{
	f->done = 0;
	f->wanted = 1;
	http_client_send(f->client, request, on_done, f);
	assert_int_equal(f->done, 0); /* never from within the call */
	loop_run(f->loop);
}

static char *
at(struct fixture *f, const char *path)
{
	return talloc_asprintf(f->mem, "%s%s", f->base, path);
}

static void
test_methods(void **state)
{
	static const struct {
		const char *why, *method, *body, *type, *want;
	} cases[] = {
	    {"a plain GET", "GET", NULL, NULL,
	     "GET /echo?a=b type=(null) agent=nango-test expect=(null) body="},
	    {"a POST without a type does not become a form", "POST", "x", NULL,
	     "POST /echo?a=b type=(null) agent=nango-test expect=(null) body=x"},
	    {"a POST with its type", "POST", "{}", "application/json",
	     "POST /echo?a=b type=application/json agent=nango-test expect=(null) body={}"},
	    {"a POST without a body has the length 0", "POST", NULL, NULL,
	     "POST /echo?a=b type=(null) agent=nango-test expect=(null) body="},
	    {"PUT", "PUT", "x", NULL,
	     "PUT /echo?a=b type=(null) agent=nango-test expect=(null) body=x"},
	    {"PATCH", "PATCH", "x", NULL,
	     "PATCH /echo?a=b type=(null) agent=nango-test expect=(null) body=x"},
	    {"DELETE without a body", "DELETE", NULL, NULL,
	     "DELETE /echo?a=b type=(null) agent=nango-test expect=(null) body="},
	    {"DELETE with one", "DELETE", "x", NULL,
	     "DELETE /echo?a=b type=(null) agent=nango-test expect=(null) body=x"},
	    {"a method that curl does not know", "REPORT", "x", NULL,
	     "REPORT /echo?a=b type=(null) agent=nango-test expect=(null) body=x"},
	    {"HEAD has no body", "HEAD", NULL, NULL, ""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_field type[] = {{"Content-Type", cases[i].type}, {NULL, NULL}};

		ask(f, &(struct http_outgoing){
			   .method = cases[i].method,
			   .url = at(f, "/echo?a=b"),
			   .body = cases[i].body,
			   .body_length = cases[i].body == NULL ? 0 : strlen(cases[i].body),
			   .headers = cases[i].type == NULL ? NULL : type});
		if (f->status != 200 || strcmp(f->body, cases[i].want) != 0)
			fail_msg("%s: %d %s %s", cases[i].why, f->status, f->body, f->message);
	}
	assert_string_equal(header_of(f, "x-mixed-case"), "Value");
	/* Ten requests in turn, one connection. */
	assert_int_equal(http_server_connections(f->server), 1);
}

static void
test_refused_early(void **state)
{
	static const struct {
		const char *why, *url, *method, *name, *value;
		enum error_code code;
	} cases[] = {
	    {"a file", "file:///etc/passwd", "GET", NULL, NULL, ERR_BAD_REQUEST},
	    {"another protocol", "ftp://127.0.0.1/x", "GET", NULL, NULL, ERR_BAD_REQUEST},
	    {"a mail protocol that curl would guess", "gopher://127.0.0.1/x", "GET", NULL, NULL,
	     ERR_BAD_REQUEST},
	    {"no URL", "nonsense", "GET", NULL, NULL, ERR_BAD_REQUEST},
	    {"a user in the URL", "http://u:p@127.0.0.1/", "GET", NULL, NULL, ERR_BAD_REQUEST},
	    {"a header with a line break", "http://127.0.0.1/", "GET", "X", "a\r\nHost: b",
	     ERR_BAD_REQUEST},
	    {"a header name with a colon", "http://127.0.0.1/", "GET", "X: a", "b",
	     ERR_BAD_REQUEST},
	    {"a header without a name", "http://127.0.0.1/", "GET", "", "b", ERR_BAD_REQUEST},
	    {"a method with a line break", "http://127.0.0.1/", "GET / HTTP/1.1\r\nX:", NULL,
	     NULL, ERR_BAD_REQUEST},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_field fields[] = {{cases[i].name, cases[i].value}, {NULL, NULL}};

		ask(f, &(struct http_outgoing){
			   .method = cases[i].method, .url = cases[i].url, .headers = fields});
		if (f->code != (int)cases[i].code || f->was_sent)
			fail_msg("%s: code %d, sent %d", cases[i].why, f->code, f->was_sent);
	}
	assert_int_equal(atomic_load(&served), 0);
}

static void
test_egress(void **state)
{
	static const char *const hosts[] = {
	    "127.0.0.1",  "localhost", "[::1]", "0.0.0.0",	  "[::ffff:127.0.0.1]",
	    "2130706433", "0x7f.1",    "127.1", "169.254.169.254"};
	struct fixture *f = *state;
	int port = http_server_port(f->server);

	client_make(f, NULL);
	setenv("http_proxy", f->base, 1); /* no proxy may take the address check away */
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		ask(f,
		    &(struct http_outgoing){
			.method = "GET",
			.url = talloc_asprintf(f->mem, "http://%s:%d/echo", hosts[i], port)});
		if (f->code != ERR_EGRESS || f->was_sent)
			fail_msg("%s: code %d %s", hosts[i], f->code, f->message);
	}
	unsetenv("http_proxy");
	assert_int_equal(atomic_load(&served), 0);
	assert_non_null(strstr(f->message, "NANGO_EGRESS_ALLOW"));
}

static void
test_limits(void **state)
{
	struct fixture *f = *state;

	ask(f, &(struct http_outgoing){
		   .method = "GET", .url = at(f, "/big"), .response_max = 99999});
	assert_int_equal(f->code, ERR_NETWORK);
	assert_non_null(strstr(f->message, "99999 bytes"));
	ask(f, &(struct http_outgoing){
		   .method = "GET", .url = at(f, "/big"), .response_max = 100000});
	assert_int_equal(f->code, ERR_NONE);
	ask(f,
	    &(struct http_outgoing){.method = "GET", .url = at(f, "/slow"), .timeout_ms = 5});
	assert_int_equal(f->code, ERR_NETWORK);
	assert_non_null(strstr(f->message, "in time"));
	assert_true(f->was_sent);
}

static void
test_gzip(void **state)
{
	struct fixture *f = *state;

	ask(f, &(struct http_outgoing){.method = "GET", .url = at(f, "/gzip")});
	assert_string_equal(f->body, "packed packed packed packed packed packed");
	assert_null(header_of(f, "content-encoding"));
	assert_null(header_of(f, "content-length"));
	ask(f, &(struct http_outgoing){
		   .method = "GET", .url = at(f, "/gzip"), .response_max = 40});
	assert_int_equal(f->code, ERR_NETWORK); /* the limit is of what comes out */
}

static void
test_refused_connection(void **state)
{
	struct fixture *f = *state;

	ask(f, &(struct http_outgoing){.method = "POST", .url = "http://127.0.0.1:1/"});
	assert_int_equal(f->code, ERR_NETWORK);
	assert_false(f->was_sent);
}

/* ---- many at once ---- */

struct one {
	struct fixture *f;
	int number, place;
};

static void
on_one(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct one *one = arg;

	assert_null(err);
	assert_int_equal(answer->status, 200);
	one->place = ++one->f->done;
	if (one->f->done == one->f->wanted)
		loop_stop(one->f->loop);
}

static void
test_fair_and_bounded(void **state)
{
	struct fixture *f = *state;
	struct one many[200], few[2];
	struct http_outgoing request = {
	    .method = "GET", .url = at(f, "/slow"), .group = "many"};

	f->wanted = 202;
	for (int i = 0; i < 200; i++) {
		many[i] = (struct one){f, i, 0};
		http_client_send(f->client, &request, on_one, &many[i]);
	}
	request.group = "few";
	for (int i = 0; i < 2; i++) {
		few[i] = (struct one){f, i, 0};
		http_client_send(f->client, &request, on_one, &few[i]);
	}
	loop_run(f->loop);
	assert_true(atomic_load(&at_most) <= HTTP_CLIENT_PER_HOST_MAX);
	assert_true(atomic_load(&at_most) > HTTP_CLIENT_PER_HOST_MAX / 2); /* and it is used */
	/* Two hundred before it in time, but its turns come with theirs. */
	assert_true(few[1].place <= HTTP_CLIENT_PER_HOST_MAX);
}

static void
test_cancel(void **state)
{
	struct fixture *f = *state;
	struct one ones[100];
	struct http_call *calls[100];
	struct http_outgoing request = {.method = "GET", .url = at(f, "/slow")};

	f->wanted = 50;
	for (int i = 0; i < 100; i++) {
		ones[i] = (struct one){f, i, 0};
		calls[i] = http_client_send(f->client, &request, on_one, &ones[i]);
	}
	for (int i = 0; i < 100; i += 2)
		http_call_cancel(calls[i]);
	loop_run(f->loop);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ones[i].place > 0, i % 2);
}

static void
on_one_lost(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct fixture *f = arg;

	(void)answer;
	assert_non_null(err);
	assert_int_equal(err->code, ERR_NETWORK);
	f->done++;
}

static void
on_stop(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct fixture *f = arg;

	(void)answer;
	(void)err;
	loop_stop(f->loop);
}

static void
test_free_under_way(void **state)
{
	struct fixture *f = *state;
	struct http_outgoing request = {.method = "GET", .url = at(f, "/slow")};

	for (int i = 0; i < 100; i++) /* 64 run, 36 wait */
		http_client_send(f->client, &request, on_one_lost, f);
	request.url = "nonsense";
	http_client_send(f->client, &request, on_stop, f);
	loop_run(f->loop);
	http_client_free(f->client);
	f->client = NULL;
	assert_int_equal(f->done, 100);
}

/* ---- a server that takes the second request of a connection and hangs up ---- */

static void *
hang_up(void *arg)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	int *listener = arg, fd;
	char bytes[4096];

	while ((fd = accept(*listener, NULL, NULL)) >= 0) {
		if (read(fd, bytes, sizeof(bytes)) > 0) {
			atomic_fetch_add(&served, 1);
			if (write(fd, reply, sizeof(reply) - 1) > 0 &&
			    read(fd, bytes, sizeof(bytes)) > 0)
				atomic_fetch_add(&served, 1);
		}
		close(fd);
	}
	return NULL;
}

static void
test_dead_connection(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	struct fixture *f = *state;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	char *url;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	getsockname(listener, (struct sockaddr *)&address, &length);
	url = talloc_asprintf(f->mem, "http://127.0.0.1:%d/", ntohs(address.sin_port));
	pthread_create(&thread, NULL, hang_up, &listener);

	ask(f, &(struct http_outgoing){.method = "GET", .url = url});
	assert_int_equal(f->status, 200);
	/* On the reused connection nothing comes back: a GET is sent again by curl itself. */
	ask(f, &(struct http_outgoing){.method = "GET", .url = url});
	assert_int_equal(f->status, 200);
	assert_int_equal(atomic_load(&served), 3);
	/* A POST is not: it may have been carried out. */
	ask(f, &(struct http_outgoing){
		   .method = "POST", .url = url, .body = "x", .body_length = 1});
	assert_int_equal(f->code, ERR_NETWORK);
	assert_true(f->was_sent);
	assert_int_equal(atomic_load(&served), 4);

	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_methods),
	    TEST(test_refused_early),
	    TEST(test_egress),
	    TEST(test_limits),
	    TEST(test_gzip),
	    TEST(test_refused_connection),
	    TEST(test_fair_and_bounded),
	    TEST(test_cancel),
	    TEST(test_free_under_way),
	    TEST(test_dead_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
