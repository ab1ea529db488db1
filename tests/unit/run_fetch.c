/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch against the real server, which plays a provider by a script: each request takes the
 * next answer of it.
 */
#include "base/loop.h"
#include "base/pool.h"
#include "run/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ANSWERS_MAX 4

struct answer {
	int status;
	const char *name, *value; /* a header */
};

struct fixture {
	struct loop *loop;
	struct pool *pool;
	struct http_server *server;
	struct http_client *client;
	struct fetcher *fetcher;
	struct fetch_scope *scope;
	char base[64];
	struct fetch_target target;
	struct answer script[ANSWERS_MAX];
	int requests;
	char seen[ANSWERS_MAX][256]; /* method target authorization body */
	int done, status, code;
	char headers[512];
	bool frees_scope;
	TALLOC_CTX *mem;
	int signatures, requests_when_signed;
	bool cannot_sign;
};

static int
handle(struct request *req, const struct http_route *route, struct response *res,
       struct error *err)
{
	struct fixture *f = request_app(req);
	int n = f->requests < ANSWERS_MAX ? f->requests : ANSWERS_MAX - 1;
	const struct answer *answer = &f->script[n];
	size_t length;
	const char *body = request_body(req, &length);

	(void)route;
	(void)err;
	snprintf(f->seen[n], sizeof(f->seen[n]), "%s %s %s %s", request_method(req),
		 request_target(req), request_header(req, "authorization"), body);
	f->requests++;
	if (answer->name != NULL)
		response_header(res, answer->name, answer->value);
	response_header(res, "Set-Cookie", "session=secret");
	return response_empty(res, answer->status == 0 ? 200 : answer->status);
}

static const struct http_route routes[] = {
    {"GET", "/a", 0, NULL},
    {"GET", "/b", 0, NULL},
    {"POST", "/a", 100, NULL},
};

static const struct http_field injected[] = {{"Authorization", "Bearer s"}, {NULL, NULL}};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_server_config server = {.routes = routes,
					    .routes_count = sizeof(routes) / sizeof(routes[0]),
					    .handle = handle,
					    .app = f};
	struct http_client_config client = {.egress_allow = "127.0.0.0/8"};
	struct error err;

	assert_non_null(f);
	f->mem = talloc_new(NULL);
	assert_int_equal(loop_new(&f->loop, &err), 0);
	assert_int_equal(pool_new(&f->pool, "test", 1, 16, &err), 0);
	server.loop = client.loop = f->loop;
	server.pool = f->pool;
	assert_int_equal(http_server_new(&f->server, &server, &err), 0);
	assert_int_equal(http_server_listen(f->server, "127.0.0.1:0", &err), 0);
	assert_int_equal(http_client_new(&f->client, &client, &err), 0);
	snprintf(f->base, sizeof(f->base), "http://127.0.0.1:%d", http_server_port(f->server));
	f->fetcher = fetcher_new(f->mem, f->loop, f->client);
	fetcher_hurry(f->fetcher, 1000); /* 3 s become 3 ms */
	f->scope = fetch_scope_new(f->fetcher);
	f->target = (struct fetch_target){.base_url = f->base, .headers = injected};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	fetch_scope_free(f->scope);
	http_client_free(f->client);
	http_server_free(f->server);
	pool_free(f->pool);
	loop_free(f->loop);
	talloc_free(f->mem);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct run_response *response, const struct error *err)
{
	struct fixture *f = arg;
	size_t used = 0;

	f->done++;
	f->status = response == NULL ? 0 : response->status;
	f->code = err == NULL ? ERR_NONE : (int)err->code;
	for (size_t i = 0; response != NULL && response->headers[i].name != NULL; i++)
		used += (size_t)snprintf(f->headers + used, sizeof(f->headers) - used, "%s;",
					 response->headers[i].name);
	if (f->frees_scope) {
		fetch_scope_free(f->scope);
		f->scope = NULL;
	}
	loop_stop(f->loop);
}

static void
ask(struct fixture *f, const char *method, const char *path, uint32_t retries)
{
	bool is_post = strcmp(method, "POST") == 0;
	struct run_request request = {.method = method,
				      .path = path,
				      .retries = retries,
				      .body = is_post ? "body" : NULL,
				      .body_length = is_post ? 4 : 0};

	f->done = 0;
	fetch_send(f->fetcher, f->scope, &f->target, &request, on_done, f);
	assert_int_equal(f->done, 0);
	loop_run(f->loop);
	assert_int_equal(f->done, 1);
}

static void
test_retries(void **state)
{
	static const struct {
		const char *why, *method;
		uint32_t retries;
		struct answer script[ANSWERS_MAX];
		int requests, status;
	} cases[] = {
	    {"without retries nothing is repeated", "GET", 0, {{500}}, 1, 500},
	    {"a 500 is repeated", "GET", 3, {{500}, {502}, {200}}, 3, 200},
	    {"as often as was asked, and the last answer counts",
	     "GET",
	     2,
	     {{500}, {500}, {503}},
	     3,
	     503},
	    {"a 404 is an answer", "GET", 3, {{404}}, 1, 404},
	    {"a POST that failed may have been carried out", "POST", 3, {{500}}, 1, 500},
	    {"a POST that was refused by the limit was not", "POST", 3, {{429}, {201}}, 2, 201},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(f->script, cases[i].script, sizeof(f->script));
		f->requests = 0;
		ask(f, cases[i].method, "/a", cases[i].retries);
		if (f->requests != cases[i].requests || f->status != cases[i].status)
			fail_msg("%s: %d requests, %d", cases[i].why, f->requests, f->status);
		for (int n = 1; n < f->requests; n++)
			assert_string_equal(f->seen[n], f->seen[0]);
	}
}

static void
test_nothing_was_sent(void **state)
{
	struct fixture *f = *state;

	/* A port where nobody listens: even a POST may be tried again. */
	f->target.base_url = "http://127.0.0.1:1";
	ask(f, "POST", "/a", 3);
	assert_int_equal(f->code, ERR_NETWORK);
	assert_int_equal(f->requests, 0);
}

static void
test_secrets(void **state)
{
	struct fixture *f = *state;

	f->script[0] = (struct answer){200, "WWW-Authenticate", "Bearer"};
	ask(f, "GET", "/a", 0);
	assert_string_equal(f->seen[0], "GET /a Bearer s ");
	assert_null(strstr(f->headers, "cookie"));
	assert_null(strstr(f->headers, "authenticate"));
	assert_non_null(strstr(f->headers, "x-request-id"));
}

static void
test_foreign_host(void **state)
{
	struct fixture *f = *state;
	char other[128];

	snprintf(other, sizeof(other), "http://localhost:%d/a", http_server_port(f->server));
	ask(f, "GET", other, 3);
	assert_int_equal(f->code, ERR_EGRESS);
	snprintf(other, sizeof(other), "%s/a?p=2", f->base);
	ask(f, "GET", other, 0);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->seen[0], "GET /a?p=2 Bearer s ");
	assert_int_equal(f->requests, 1);
}

static void
test_redirects(void **state)
{
	struct fixture *f = *state;

	f->script[0] = (struct answer){301, "Location", "/b?x=1"};
	ask(f, "GET", "/a", 0);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->seen[1], "GET /b?x=1 Bearer s ");

	f->requests = 0;
	f->script[0] = (struct answer){302, "Location", "http://evil.example/steal"};
	ask(f, "GET", "/a", 0);
	assert_int_equal(f->status, 302); /* the plugin sees it; the credentials stay */
	assert_int_equal(f->requests, 1);

	f->requests = 0;
	f->script[0] = (struct answer){307, "Location", "/b"};
	ask(f, "POST", "/a", 0);
	assert_int_equal(f->status, 307);

	f->requests = 0;
	for (int i = 0; i < ANSWERS_MAX; i++)
		f->script[i] = (struct answer){302, "Location", "/a"};
	ask(f, "GET", "/a", 0);
	assert_int_equal(f->status, 302);
	assert_int_equal(f->requests, 1 + FETCH_HOPS_MAX);
}

static void
test_bad_header(void **state)
{
	static const struct http_field bad[] = {{"X", "a\r\nY: b"}, {NULL, NULL}};
	struct run_request request = {.method = "GET", .path = "/a", .headers = bad};
	struct fixture *f = *state;

	fetch_send(f->fetcher, f->scope, &f->target, &request, on_done, f);
	loop_run(f->loop);
	assert_int_equal(f->code, ERR_BAD_REQUEST);
	assert_int_equal(f->requests, 0);
}

/* ---- signed requests ---- */

static int
sign(void *arg, TALLOC_CTX *mem, const struct http_outgoing *request,
     const struct http_field **out, struct error *err)
{
	struct fixture *f = arg;
	struct http_field *fields = talloc_zero_array(mem, struct http_field, 3);

	f->requests_when_signed = f->requests;
	if (f->cannot_sign)
		return error_set(err, ERR_CREDENTIALS, "no key");
	fields[0] = (struct http_field){
	    "AUTHORIZATION",
	    talloc_asprintf(mem, "%d:%s:%.*s", ++f->signatures, strrchr(request->url, '/'),
			    (int)request->body_length,
			    request->body_length > 0 ? (const char *)request->body : "")};
	fields[1] = (struct http_field){"X-Stamp", "s"};
	*out = fields;
	return 0;
}

static void
test_signed(void **state)
{
	static const struct http_field own[] = {
	    {"authorization", "mine"}, {"x-stamp", "mine"}, {NULL, NULL}};
	struct run_request request = {.method = "GET", .path = "/a", .headers = own};
	struct fixture *f = *state;

	f->target.sign = sign;
	f->target.sign_arg = f;
	f->script[0] = (struct answer){503, NULL, NULL};
	f->script[1] = (struct answer){302, "Location", "/b?x=1"};
	f->script[2] = (struct answer){200, "X-Stamp", "echo"};
	ask(f, "GET", "/a?y=2", 3);
	assert_string_equal(f->seen[0], "GET /a?y=2 1:/a?y=2: ");
	assert_string_equal(f->seen[1], "GET /a?y=2 2:/a?y=2: "); /* each try anew */
	assert_string_equal(f->seen[2], "GET /b?x=1 3:/b?x=1: "); /* and what it goes to */
	assert_null(strstr(f->headers, "x-stamp"));
	f->requests = 0;
	f->script[0] = (struct answer){302, "Location", "http://evil.example/steal"};
	ask(f, "POST", "/a", 0);
	assert_string_equal(f->seen[0], "POST /a 4:/a:body body");
	f->requests = 0;
	ask(f, "GET", "/a", 0);
	assert_int_equal(f->signatures, 5); /* not for another host */
	f->requests = 0;
	fetch_send(f->fetcher, f->scope, &f->target, &request, on_done, f);
	loop_run(f->loop);
	assert_string_equal(f->seen[0], "GET /a 6:/a: "); /* whatever the plugin says */
	f->requests = 0;
	f->cannot_sign = true;
	ask(f, "GET", "/a", 3);
	assert_int_equal(f->code, ERR_CREDENTIALS);
	assert_int_equal(f->requests, 0);
}

/* One that waited for its turn is signed when it has come, not before. */
static void
test_signed_late(void **state)
{
	struct fixture *f = *state;
	struct http_client_config config = {
	    .loop = f->loop, .egress_allow = "127.0.0.0/8", .connections_max = 1};
	struct run_request request = {.method = "GET", .path = "/a"};
	struct http_client *narrow;
	struct fetcher *fetcher;
	struct fetch_scope *scope;
	struct error err;

	assert_int_equal(http_client_new(&narrow, &config, &err), 0);
	fetcher = fetcher_new(f->mem, f->loop, narrow);
	scope = fetch_scope_new(fetcher);
	f->target.sign = sign;
	f->target.sign_arg = f;
	for (int i = 0; i < 2; i++)
		fetch_send(fetcher, scope, &f->target, &request, on_done, f);
	while (f->done < 2)
		loop_run(f->loop);
	assert_int_equal(f->requests_when_signed, 1);
	fetch_scope_free(scope);
	http_client_free(narrow);
}

static void
on_never(void *arg, const struct run_response *response, const struct error *err)
{
	(void)arg;
	(void)response;
	(void)err;
	fail_msg("a call of a scope that is gone was answered");
}

static void
test_scope_ends_calls(void **state)
{
	struct run_request request = {.method = "GET", .path = "/a", .retries = 3};
	struct fixture *f = *state;
	struct fetch_scope *other = fetch_scope_new(f->fetcher);

	fetcher_hurry(f->fetcher, 1); /* those that were answered wait for their next try */
	for (int i = 0; i < ANSWERS_MAX; i++)
		f->script[i].status = 503;
	for (int i = 0; i < 10; i++)
		fetch_send(f->fetcher, other, &f->target, &request, on_never, f);
	ask(f, "GET", "/a", 0);
	for (int i = 0; i < 10; i++)
		fetch_send(f->fetcher, other, &f->target, &request, on_never, f);
	fetch_scope_free(other);
	f->frees_scope = true; /* a run may end in its own answer */
	ask(f, "GET", "/a", 0);
	assert_null(f->scope);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_retries),		 TEST(test_nothing_was_sent), TEST(test_secrets),
	    TEST(test_foreign_host),	 TEST(test_redirects),	      TEST(test_bad_header),
	    TEST(test_scope_ends_calls), TEST(test_signed),	      TEST(test_signed_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
