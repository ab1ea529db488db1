/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_wait: threads that wait for answers of the loop, and are sent away at the end.
 */
#include "base/loop.h"
#include "base/pool.h"
#include "http/client_wait.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ASKERS 8
#define ASKED 20 /* times, by each */

struct fixture {
	struct loop *loop;
	struct pool *pool;
	struct http_server *server;
	struct http_client *client;
	struct http_waits *waits;
	char url[64];
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool is_reached, may_answer;
};

static int
handle(struct request *req, const struct http_route *route, struct response *res,
       struct error *err)
{
	struct fixture *f = request_app(req);
	size_t length;
	const char *body = request_body(req, &length);

	(void)err;
	if (strcmp(route->data, "hang") == 0) {
		pthread_mutex_lock(&f->mutex);
		f->is_reached = true;
		pthread_cond_broadcast(&f->changed);
		while (!f->may_answer)
			pthread_cond_wait(&f->changed, &f->mutex);
		pthread_mutex_unlock(&f->mutex);
	}
	response_header(res, "X-Kind", "test");
	return response_bytes(res, 201, "text/plain", body, length);
}

static const struct http_route routes[] = {{"POST", "/echo", 100, "echo"},
					   {"POST", "/hang", 100, "hang"}};

static void *
turn(void *arg)
{
	loop_run(((struct fixture *)arg)->loop);
	return NULL;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_server_config config = {
	    .routes = routes, .routes_count = 2, .handle = handle, .app = f};
	struct http_client_config client = {.egress_allow = "127.0.0.0/8"};
	struct error err;

	assert_non_null(f);
	pthread_mutex_init(&f->mutex, NULL);
	pthread_cond_init(&f->changed, NULL);
	assert_int_equal(loop_new(&f->loop, &err), 0);
	assert_int_equal(pool_new(&f->pool, "test", ASKERS, 64, &err), 0);
	config.loop = client.loop = f->loop;
	config.pool = f->pool;
	assert_int_equal(http_server_new(&f->server, &config, &err), 0);
	assert_int_equal(http_server_listen(f->server, "127.0.0.1:0", &err), 0);
	assert_int_equal(http_client_new(&f->client, &client, &err), 0);
	f->waits = http_waits_new(NULL, f->loop, f->client);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", http_server_port(f->server));
	assert_int_equal(pthread_create(&f->thread, NULL, turn, f), 0);
	*state = f;
	return 0;
}

/* In the order of a node's end: the loop stands while threads may still wait. */
static int
tear_down(void **state)
{
	struct fixture *f = *state;

	loop_stop(f->loop);
	pthread_join(f->thread, NULL);
	http_server_free(f->server);
	pthread_mutex_lock(&f->mutex);
	f->may_answer = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->mutex);
	pool_free(f->pool);
	http_client_free(f->client);
	loop_free(f->loop);
	talloc_free(f->waits);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mutex);
	free(f);
	return 0;
}

static int
post(struct fixture *f, TALLOC_CTX *mem, const char *path, const char *body,
     struct http_incoming *out, struct error *err)
{
	struct http_outgoing request = {.method = "POST",
					.url = talloc_asprintf(mem, "%s%s", f->url, path),
					.body = body,
					.body_length = strlen(body)};

	return http_wait(f->waits, mem, &request, out, err);
}

static void *
ask_often(void *arg)
{
	struct fixture *f = arg;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct http_incoming answer;
	struct error err;
	size_t wrong = 0;

	for (int i = 0; i < ASKED; i++) {
		char body[32];

		snprintf(body, sizeof(body), "%p %d", (void *)mem, i);
		if (post(f, mem, "/echo", body, &answer, &err) < 0 || answer.status != 201 ||
		    strcmp(answer.body, body) != 0)
			wrong++;
	}
	talloc_free(mem);
	return (void *)wrong;
}

static void
test_answers(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[ASKERS];
	void *wrong;

	for (size_t i = 0; i < ASKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, f), 0);
	for (size_t i = 0; i < ASKERS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

static void
test_failures(void **state)
{
	struct fixture *f = *state;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct http_outgoing request = {.method = "GET", .url = "http://10.0.0.1/"};
	struct http_incoming answer;
	struct error err;

	assert_int_equal(http_wait(f->waits, mem, &request, &answer, &err), -1);
	assert_int_equal(err.code, ERR_EGRESS);
	assert_false(answer.was_sent);
	request.url = "nonsense";
	assert_int_equal(http_wait(f->waits, mem, &request, &answer, &err), -1);
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	talloc_free(mem);
}

static void *
ask_hanging(void *arg)
{
	struct fixture *f = arg;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct http_incoming answer;
	struct error err;
	bool is_right = post(f, mem, "/hang", "x", &answer, &err) < 0 &&
			err.code == ERR_NETWORK && answer.was_sent;

	talloc_free(mem);
	return is_right ? NULL : f;
}

static void
test_end(void **state)
{
	struct fixture *f = *state;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct http_incoming answer;
	struct error err;
	pthread_t thread;
	void *wrong;

	assert_int_equal(pthread_create(&thread, NULL, ask_hanging, f), 0);
	pthread_mutex_lock(&f->mutex);
	while (!f->is_reached)
		pthread_cond_wait(&f->changed, &f->mutex);
	pthread_mutex_unlock(&f->mutex);
	http_waits_end(f->waits);
	pthread_join(thread, &wrong);
	assert_null(wrong);
	assert_int_equal(post(f, mem, "/echo", "x", &answer, &err), -1);
	assert_int_equal(err.code, ERR_NETWORK);
	assert_false(answer.was_sent);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
