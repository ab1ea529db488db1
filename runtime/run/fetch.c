/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch -- see fetch.h. One struct fetch lives from fetch_send until its done; between
 * tries it holds a timer, during one a call. A try that may have reached the provider is
 * repeated only where that is harmless: the method is safe to repeat, or the provider said 429.
 * Before each there may be a ticket: the provider's limit leaves it no turn yet.
 */
#include "run/fetch_internal.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "http/url.h"
#include "run/fetch_body.h"
#include "run/fetch_request.h"
#include "run/fetch_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The others may all be waiting. */
static int
fetch_destructor(struct fetch *fetch)
{
	fetch_leave_waiting(fetch);
	fetch->scope->active--;
	if (fetch->scope->waiting != NULL)
		loop_timer_set(fetch->scope->parking, 0);
	budget_cancel(fetch->fetcher->budget, fetch->ticket);
	http_call_cancel(fetch->call);
	loop_timer_free(fetch->timer);
	return 0;
}

/* The fetch is gone before its done is called, which may free the scope. */
static void
fetch_finish(struct fetch *fetch, const struct run_response *response, const struct error *err)
{
	run_fetch_done *done = fetch->done;
	void *arg = fetch->arg;

	talloc_free(fetch);
	done(arg, response, err);
}

static bool
may_repeat(const struct fetch *fetch, const struct http_incoming *answer,
	   const struct error *err)
{
	bool is_unsafe = http_method_is_unsafe(fetch->request.method) &&
			 !fetch_is_recognised(fetch->target, fetch->headers);

	if (fetch->attempt >= fetch->request.retries || fetch->attempt >= FETCH_RETRIES_MAX)
		return false;
	if (err != NULL)
		return err->code == ERR_NETWORK && (!is_unsafe || !answer->was_sent);
	if (is_unsafe && answer->status != 429)
		return false;
	if (answer->status == 401 && fetch->target->is_renewable)
		return false; /* not with these credentials: its owner has others made */
	return fetch_may_repeat(fetch->target->retry, answer->status, answer->headers);
}

static void
fetch_later(struct fetch *fetch, const struct http_incoming *answer, const struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *told = NULL;
	int64_t wait;

	if (err == NULL)
		told = fetch_told(mem, fetch->target->retry, answer->body, answer->body_length);
	wait = fetch_wait_ms(fetch->target->retry, answer->status,
			     err == NULL ? answer->headers : NULL, told, fetch->attempt,
			     clock_wall_ms(), crypto_random_part());
	fetch->attempt++;
	loop_timer_set(fetch->timer, wait / fetch->fetcher->hurry);
	if (err == NULL)
		fetch_note_long_wait(fetch, answer, told, wait);
	talloc_free(mem);
}

static const char *
location_of(const struct http_incoming *answer)
{
	static const int statuses[] = {301, 302, 303, 307, 308};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (answer->status != statuses[i])
			continue;
		for (const struct http_field *f = answer->headers; f->name != NULL; f++)
			if (strcmp(f->name, "location") == 0)
				return f->value;
	}
	return NULL;
}

/*
 * Follows a redirect of a reading request on the same host (a renamed repository). Any other is
 * the plugin's to see: the credentials do not go to a host that an answer names.
 */
static bool
follow(struct fetch *fetch, const struct http_incoming *answer)
{
	const char *location = location_of(answer);
	struct run_request request = {0};
	struct error err;
	char *url;

	if (location == NULL || fetch->hops == FETCH_HOPS_MAX ||
	    (strcmp(fetch->request.method, "GET") != 0 &&
	     strcmp(fetch->request.method, "HEAD") != 0))
		return false;
	url = http_url_resolve(fetch, fetch->url, location);
	if (url == NULL || !http_url_same_origin(fetch->target->base_url, url))
		return false;
	request.path = url; /* what is put into queries belongs to this one, too */
	if (fetch_url(fetch, fetch->target, &request, &fetch->url, &err) < 0)
		return false;
	fetch->hops++;
	loop_timer_set(fetch->timer, 0);
	return true;
}

static void
note(const struct fetch *fetch, const struct http_incoming *answer)
{
	TALLOC_CTX *mem;
	const char *told;
	int64_t asked = -1;

	if (fetch->fetcher->budget == NULL || fetch->target->budget == NULL)
		return;
	if (answer->status >= 400) {
		mem = talloc_new(NULL);
		told = fetch_told(mem, fetch->target->retry, answer->body, answer->body_length);
		asked = fetch_asked_ms(fetch->target->retry, answer->status, answer->headers,
				       told, clock_wall_ms());
		talloc_free(mem);
	}
	budget_note(fetch->fetcher->budget, &fetch->asking, answer->status, answer->headers,
		    asked);
}

static void
on_answer(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct fetch *fetch = arg;
	TALLOC_CTX *mem;
	struct run_response response;

	fetch->call = NULL;
	if (err == NULL) {
		fetch->scope->received += answer->body_length;
		note(fetch, answer);
	}
	if (may_repeat(fetch, answer, err)) {
		fetch_later(fetch, answer, err);
		return;
	}
	if (err != NULL) {
		fetch_finish(fetch, NULL, err);
		return;
	}
	if (follow(fetch, answer))
		return;
	mem = talloc_new(NULL);
	response = (struct run_response){
	    .status = answer->status,
	    .headers = fetch_visible(mem, fetch->target, fetch->with, answer->headers),
	    .body = answer->body,
	    .body_length = answer->body_length,
	};
	fetch_finish(fetch, &response, NULL);
	talloc_free(mem);
}

static int64_t
timeout_for(const struct run_request *request)
{
	if (request->timeout_ms <= 0)
		return FETCH_TIMEOUT_MS;
	return request->timeout_ms > FETCH_TIMEOUT_MAX_MS ? FETCH_TIMEOUT_MAX_MS
							  : request->timeout_ms;
}

/* It leaves now: signed anew, whatever the try before carried. */
static int
sign(void *arg, const struct http_field **out, struct error *err)
{
	struct fetch *fetch = arg;
	const struct fetch_target *target = fetch->target;
	const struct http_outgoing request = {.method = fetch->request.method,
					      .url = fetch->url,
					      .headers = fetch->headers,
					      .body = fetch->request.body,
					      .body_length = fetch->request.body_length};

	talloc_free(fetch->try);
	fetch->with = NULL;
	fetch->try = talloc_new(fetch);
	if (target->sign(target->sign_arg, fetch->try, &request, &fetch->with, err) < 0)
		return -1;
	return fetch_overlay(fetch->try, fetch->headers, fetch->with, out, err);
}

static void
send_try(struct fetch *fetch)
{
	struct http_outgoing outgoing = {
	    .method = fetch->request.method,
	    .url = fetch->url,
	    .headers = fetch->headers,
	    .late = fetch->target->sign == NULL ? NULL : sign,
	    .late_arg = fetch,
	    .body = fetch->request.body,
	    .body_length = fetch->request.body_length,
	    .timeout_ms = timeout_for(&fetch->request),
	    .queue_ms = FETCH_QUEUE_MS,
	    .response_max = FETCH_RESPONSE_MAX,
	    .certificate = fetch->target->certificate,
	    .private_key = fetch->target->private_key,
	    .group = fetch->target->group,
	};

	fetch->scope->sent += fetch->request.body_length;
	fetch->call = http_client_send(fetch->fetcher->client, &outgoing, on_answer, fetch);
}

static void
on_go(void *arg, const struct error *err)
{
	struct fetch *fetch = arg;

	fetch->ticket = NULL;
	fetch_leave_waiting(fetch);
	if (err == NULL)
		send_try(fetch);
	else
		fetch_finish(fetch, NULL, err);
}

/* The timer's turn: the first try, the next one, or the error that was found at the start. */
static void
on_turn(void *arg)
{
	struct fetch *fetch = arg;
	struct error err;

	if (fetch->err.code != ERR_NONE) {
		err = fetch->err;
		fetch_finish(fetch, NULL, &err);
		return;
	}
	fetch_leave_waiting(fetch);
	fetch->asking =
	    (struct budget_call){fetch->target->budget, fetch->request.method, fetch->url};
	fetch->asked_ms = clock_monotonic_ms();
	fetch->ticket = budget_take(fetch->fetcher->budget, &fetch->asking, on_go, fetch);
	if (fetch->ticket == NULL)
		send_try(fetch);
	else if (fetch->scope->park_after_ms > 0)
		fetch_enter_waiting(fetch);
}

struct fetcher *
fetcher_new(TALLOC_CTX *mem, struct loop *loop, struct http_client *client)
{
	struct fetcher *fetcher = talloc_zero(mem, struct fetcher);

	if (fetcher == NULL)
		abort();
	fetcher->loop = loop;
	fetcher->client = client;
	fetcher->hurry = 1;
	return fetcher;
}

void
fetcher_set_budget(struct fetcher *fetcher, struct budget *budget)
{
	fetcher->budget = budget;
}

void
fetcher_hurry(struct fetcher *fetcher, int64_t divisor)
{
	fetcher->hurry = divisor;
}

/* Not a child of the fetcher: a run may end after it, and frees its scope itself. */
struct fetch_scope *
fetch_scope_new(struct fetcher *fetcher)
{
	struct fetch_scope *scope = talloc_zero(NULL, struct fetch_scope);

	if (scope == NULL)
		abort();
	scope->fetcher = fetcher;
	scope->parking = loop_timer_new(fetcher->loop, fetch_look_to_park, scope);
	return scope;
}

void
fetch_scope_free(struct fetch_scope *scope)
{
	if (scope == NULL)
		return;
	talloc_free_children(scope); /* the requests look at the scope as they go */
	loop_timer_free(scope->parking);
	talloc_free(scope);
}

void
fetch_scope_bytes(const struct fetch_scope *scope, uint64_t *sent, uint64_t *received)
{
	*sent = scope->sent;
	*received = scope->received;
}

static int
fill_body(struct fetch *fetch, const struct fetch_target *target, struct error *err)
{
	struct run_request *r = &fetch->request;
	const char *type = fetch_field(fetch->headers, "content-type");

	if (!fetch_body_is_filled(target, r->method, type))
		return 0;
	return fetch_body(fetch, target, type, r->body, r->body_length, &r->body,
			  &r->body_length, err);
}

void
fetch_send(struct fetcher *fetcher, struct fetch_scope *scope,
	   const struct fetch_target *target, const struct run_request *request,
	   run_fetch_done *done, void *arg)
{
	struct fetch *fetch = talloc_zero(scope, struct fetch);

	if (fetch == NULL)
		abort();
	fetch->fetcher = fetcher;
	fetch->scope = scope;
	scope->active++;
	fetch->target = target;
	fetch->request = *request;
	fetch->done = done;
	fetch->arg = arg;
	fetch->timer = loop_timer_new(fetcher->loop, on_turn, fetch);
	talloc_set_destructor(fetch, fetch_destructor);
	if (fetch_url(fetch, target, request, &fetch->url, &fetch->err) == 0 &&
	    fetch_headers(fetch, target, request, &fetch->headers, &fetch->err) == 0 &&
	    fill_body(fetch, target, &fetch->err) == 0)
		fetch->err.code = ERR_NONE;
	loop_timer_set(fetch->timer, 0);
}
