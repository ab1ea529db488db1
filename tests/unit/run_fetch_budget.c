/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch with a budget of the test's: it is asked before every try, and a wait for a turn
 * parks a run like any other. Nobody listens where the requests go.
 */
#include "base/loop.h"
#include "run/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct budget_ticket {
	budget_ready *ready;
	void *arg;
};

struct fixture {
	struct budget budget; /* first */
	struct loop *loop;
	struct http_client *client;
	struct fetcher *fetcher;
	struct fetch_scope *scope;
	struct loop_timer *timer;
	struct budget_scopes scopes;
	struct fetch_target target;
	struct budget_ticket ticket;
	int wait_from; /* takes from this one on get the ticket */
	int64_t wait_ms;
	int takes, cancels, notes, done, code, parks;
	char parked_for[256];
	TALLOC_CTX *mem;
};

static struct fixture *the;

static struct budget_ticket *
take(struct budget *budget, const struct budget_call *call, budget_ready *ready, void *arg)
{
	struct fixture *f = (struct fixture *)budget;

	assert_ptr_equal(call->scopes, &f->scopes);
	assert_string_equal(call->method, "GET");
	assert_string_equal(call->url, "http://127.0.0.1:1/a");
	if (++f->takes < f->wait_from)
		return NULL;
	f->ticket = (struct budget_ticket){ready, arg};
	loop_timer_set(f->timer, 1);
	return &f->ticket;
}

static void
cancel(struct budget_ticket *ticket)
{
	assert_ptr_equal(ticket, &the->ticket);
	the->cancels++;
}

static int64_t
wait_ms(const struct budget_ticket *ticket)
{
	(void)ticket;
	return the->wait_ms;
}

static void
note(struct budget *budget, const struct budget_call *call, int64_t wait)
{
	(void)budget;
	(void)call;
	(void)wait;
	the->notes++;
}

static void
give_turn(void *arg)
{
	struct fixture *f = arg;

	if (f->wait_ms == 0)
		f->ticket.ready(f->ticket.arg, NULL);
}

static int
set_up(void **state)
{
	static const struct budget_ops ops = {take, cancel, wait_ms, note};
	struct http_client_config client = {.egress_allow = "127.0.0.0/8"};
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err;

	assert_non_null(f);
	f->mem = talloc_new(NULL);
	f->budget = (struct budget){.ops = &ops, .blocks = 1};
	f->wait_from = 100;
	assert_int_equal(loop_new(&f->loop, &err), 0);
	client.loop = f->loop;
	assert_int_equal(http_client_new(&f->client, &client, &err), 0);
	f->fetcher = fetcher_new(f->mem, f->loop, f->client);
	fetcher_hurry(f->fetcher, 1000);
	fetcher_set_budget(f->fetcher, &f->budget);
	f->scope = fetch_scope_new(f->fetcher);
	f->timer = loop_timer_new(f->loop, give_turn, f);
	f->target =
	    (struct fetch_target){.base_url = "http://127.0.0.1:1", .budget = &f->scopes};
	f->target.headers = talloc_zero(f->mem, struct http_field);
	*state = the = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	fetch_scope_free(f->scope);
	loop_timer_free(f->timer);
	http_client_free(f->client);
	loop_free(f->loop);
	talloc_free(f->mem);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct run_response *response, const struct error *err)
{
	struct fixture *f = arg;

	assert_null(response);
	f->done++;
	f->code = (int)err->code;
	loop_stop(f->loop);
}

static bool
on_park(void *arg, int64_t wait, const char *message)
{
	struct fixture *f = arg;

	assert_in_range(wait, 59000, 60000);
	strncpy(f->parked_for, message, sizeof(f->parked_for) - 1);
	f->parks++;
	loop_stop(f->loop);
	return true;
}

static void
ask(struct fixture *f, uint32_t retries)
{
	static const char path[] = "/a";
	struct run_request request = {.method = "GET", .path = path, .retries = retries};

	fetch_send(f->fetcher, f->scope, &f->target, &request, on_done, f);
	loop_run(f->loop);
}

static void
test_every_try(void **state)
{
	struct fixture *f = *state;

	ask(f, 2);
	assert_int_equal(f->takes, 3);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->code, ERR_NETWORK);
	assert_int_equal(f->notes + f->cancels, 0);
}

static void
test_turn(void **state)
{
	struct fixture *f = *state;

	f->wait_from = 1;
	ask(f, 1);
	assert_int_equal(f->takes, 2);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->cancels, 0);
}

static void
test_parks(void **state)
{
	struct fixture *f = *state;

	f->wait_from = 1;
	f->wait_ms = 60000;
	fetch_scope_may_park(f->scope, 1000, on_park, f);
	ask(f, 0);
	assert_int_equal(f->parks, 1);
	assert_string_equal(f->parked_for,
			    "GET /a waits 60 s for its turn in the provider's limit");
	assert_int_equal(f->done, 0);
	fetch_scope_free(f->scope);
	f->scope = NULL;
	assert_int_equal(f->cancels, 1);
}

static void
test_target_without(void **state)
{
	struct fixture *f = *state;

	f->target.budget = NULL;
	ask(f, 1);
	assert_int_equal(f->takes, 0);
	assert_int_equal(f->done, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_every_try),
	    TEST(test_turn),
	    TEST(test_parks),
	    TEST(test_target_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
