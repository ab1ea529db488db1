/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out -- see hooks_out.h. Here is the loop's side: timers, requests in flight,
 * results that wait to be written.
 *
 * Results gather while others are written, so that a statement settles as many as there are.
 */
#include "engine/hooks_out.h"
#include "engine/hooks_out_internal.h"
#include "engine/hooks_retry.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "http/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEAN_EVERY_MS 60000
#define CLEAN_AGAIN_MS 2000 /* when the database was away */
#define DRAIN_MS 5000	    /* for receivers at the end */
#define ANSWER_MAX 1048576  /* bytes of a receiver's answer, which nobody reads */
#define HOUR_MS INT64_C(3600000)

TAILQ_HEAD(deliveries, hooks_delivery);

struct hooks_out {
	struct node *node;
	struct loop_timer *tick, *clean, *drain;
	struct deliveries flying;
	size_t flying_count, turn;
	struct buf results[OUTBOX_FAMILIES];
	bool is_looking, look_again, is_settling, is_cleaning, is_stopping;
	bool is_over; /* freed while a pool thread still had work of it */
	loop_fn *stopped;
	void *stopped_arg;
};

static bool
has_results(const struct hooks_out *hooks)
{
	return hooks->results[OUTBOX_CONTROL].length > 0 ||
	       hooks->results[OUTBOX_DATA].length > 0;
}

static void
maybe_stopped(struct hooks_out *hooks)
{
	loop_fn *stopped = hooks->stopped;

	if (!hooks->is_stopping || hooks->flying_count > 0 || hooks->is_looking ||
	    hooks->is_settling || hooks->is_cleaning || has_results(hooks) || stopped == NULL)
		return;
	hooks->stopped = NULL;
	stopped(hooks->stopped_arg);
}

/*
 * A second signal does not wait for pool threads: what they hand over after hooks_out_free is
 * dropped, and the last one takes the rest with it.
 */
static bool
is_over(struct hooks_out *hooks)
{
	if (!hooks->is_over)
		return false;
	if (!hooks->is_looking && !hooks->is_settling && !hooks->is_cleaning)
		talloc_free(hooks);
	return true;
}

/* ---- results ---- */

static void
settle(struct hooks_out *hooks)
{
	struct hooks_settling *s;

	if (hooks->is_settling || !has_results(hooks))
		return;
	s = talloc_zero(NULL, struct hooks_settling);
	if (s == NULL)
		abort();
	s->hooks = hooks;
	s->node = hooks->node;
	for (int i = 0; i < OUTBOX_FAMILIES; i++)
		if (hooks->results[i].length > 0)
			s->results[i] = talloc_asprintf(s, "%s]", hooks->results[i].data);
	if (pool_submit(hooks->node->worker_pool, hooks_settle_in_pool, s) < 0) {
		talloc_free(s); /* the next tick tries again */
		return;
	}
	hooks->is_settling = true;
	for (int i = 0; i < OUTBOX_FAMILIES; i++)
		buf_reset(&hooks->results[i]);
}

/* Results that could not be written stand before those that came since. */
static void
keep_results(struct hooks_out *hooks, int family, const char *unwritten)
{
	struct buf *buf = &hooks->results[family];
	char *since = talloc_strdup(NULL, buf->data);
	size_t length = strlen(unwritten) - 1; /* without the bracket at its end */

	if (since == NULL)
		abort();
	buf_reset(buf);
	buf_add(buf, unwritten, length);
	if (since[0] != '\0')
		buf_addf(buf, ",%s", since + 1);
	talloc_free(since);
}

static bool
may_pass(enum error_code code)
{
	return code == ERR_DB_UNAVAILABLE || code == ERR_DB_RETRY || code == ERR_BUSY ||
	       code == ERR_COMMIT_IN_DOUBT;
}

static void look(struct hooks_out *hooks);

void
hooks_settled(void *arg)
{
	struct hooks_settling *s = arg;
	struct hooks_out *hooks = s->hooks;
	bool has_failed = s->has_failed[OUTBOX_CONTROL] || s->has_failed[OUTBOX_DATA];

	hooks->is_settling = false;
	if (is_over(hooks)) {
		talloc_free(s);
		return;
	}
	if (has_failed)
		log_warn("webhooks", "cannot write down what became of deliveries: %s",
			 s->err.message);
	for (int i = 0; has_failed && i < OUTBOX_FAMILIES; i++)
		if (s->has_failed[i] && may_pass(s->err.code) && !hooks->is_stopping)
			keep_results(hooks, i, s->results[i]);
	talloc_free(s);
	if (!has_failed)
		settle(hooks);
	maybe_stopped(hooks);
	if (!has_failed && hooks->look_again && !hooks->is_stopping)
		look(hooks);
}

static void
add_result(struct hooks_delivery *d, const char *state, int64_t wait_ms, int64_t attempts,
	   int status, const char *why)
{
	const struct hooks_result result = {.connection_row = d->connection_row,
					    .id = d->id,
					    .token = d->token,
					    .attempts = attempts,
					    .wait_ms = wait_ms,
					    .state = state,
					    .error = why,
					    .status = status};

	hooks_result_add(&d->hooks->results[d->family], &result);
}

/* ---- one delivery ---- */

static const char *
header_of(const struct http_incoming *answer, const char *name)
{
	for (const struct http_field *f = answer->headers; f != NULL && f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f->value;
	return NULL;
}

static void
land(struct hooks_delivery *d)
{
	TAILQ_REMOVE(&d->hooks->flying, d, entry);
	d->hooks->flying_count--;
	talloc_free(d);
}

static void
report(const struct hooks_delivery *d, const struct hooks_verdict *verdict, const char *why)
{
	if (strcmp(verdict->state, "dead") == 0)
		log_warn("webhooks",
			 "event %s was given up after attempt %" PRId64 " (environment %" PRId64
			 "): %s",
			 d->event_id, d->attempts, d->environment_id, why);
	else if (why == NULL)
		log_debug("webhooks", "delivered event %s, attempt %" PRId64, d->event_id,
			  d->attempts);
	else
		log_debug("webhooks",
			  "event %s, attempt %" PRId64 ": %s; again in %" PRId64 " ms",
			  d->event_id, d->attempts, why, verdict->wait_ms);
}

static void
on_answer(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct hooks_delivery *d = arg;
	struct hooks_out *hooks = d->hooks;
	struct hooks_attempt attempt = {.number = d->attempts, .age_ms = d->age_ms};
	struct hooks_verdict verdict;
	char text[64];
	const char *why = text;
	uint16_t jitter;

	if (err != NULL) {
		attempt.code = err->code;
		why = err->message;
	} else {
		attempt.status = answer->status;
		attempt.retry_after = header_of(answer, "retry-after");
		snprintf(text, sizeof(text), "the receiver answered with status %d",
			 answer->status);
	}
	crypto_random(&jitter, sizeof(jitter));
	verdict = hooks_decide(&attempt, hooks->node->config->webhook_retry_hours * HOUR_MS,
			       jitter, clock_wall_ms());
	if (strcmp(verdict.state, "delivered") == 0)
		why = NULL;
	report(d, &verdict, why);
	add_result(d, verdict.state, verdict.wait_ms, d->attempts, attempt.status, why);
	land(d);
	settle(hooks);
}

static void
send_off(struct hooks_out *hooks, struct hooks_delivery *d)
{
	const struct config *config = hooks->node->config;
	char *group = talloc_asprintf(d, "webhooks %" PRId64, d->environment_id);
	const struct http_outgoing request = {.method = "POST",
					      .url = d->url,
					      .headers = d->headers,
					      .body = d->body,
					      .body_length = strlen(d->body),
					      .timeout_ms = config->webhook_timeout_ms,
					      .response_max = ANSWER_MAX,
					      .group = group};

	if (hooks->is_stopping) {
		add_result(d, "due", 0, d->attempts - 1, 0, NULL);
		return;
	}
	talloc_steal(NULL, d);
	d->sent_ms = clock_monotonic_ms();
	TAILQ_INSERT_TAIL(&hooks->flying, d, entry);
	hooks->flying_count++;
	d->call = http_client_send(hooks->node->http, &request, on_answer, d);
}

/* ---- looking for what is due ---- */

static void
note_busy(struct hooks_out *hooks, struct hooks_look *look)
{
	int64_t now_ms = clock_monotonic_ms();
	const struct hooks_delivery *d;

	TAILQ_FOREACH(d, &hooks->flying, entry)
	{
		struct hooks_busy *row = hooks_busy_row(look, d->environment_id, d->url);

		row->count++;
		if (now_ms - d->sent_ms > row->oldest_ms)
			row->oldest_ms = now_ms - d->sent_ms;
	}
}

static void
look(struct hooks_out *hooks)
{
	const struct config *config = hooks->node->config;
	struct hooks_look *look;

	if (hooks->is_stopping)
		return;
	hooks->look_again = true;
	if (hooks->is_looking || hooks->flying_count >= (size_t)config->webhooks_max)
		return;
	look = talloc_zero(NULL, struct hooks_look);
	if (look == NULL)
		abort();
	look->hooks = hooks;
	look->node = hooks->node;
	look->room = (size_t)config->webhooks_max - hooks->flying_count;
	look->turn = hooks->turn++;
	note_busy(hooks, look);
	if (pool_submit(hooks->node->worker_pool, hooks_look_in_pool, look) < 0) {
		talloc_free(look);
		loop_timer_set(hooks->tick, config->tick_ms);
		return;
	}
	hooks->is_looking = true;
	hooks->look_again = false;
}

void
hooks_looked(void *arg)
{
	struct hooks_look *look_done = arg;
	struct hooks_out *hooks = look_done->hooks;
	bool has_failed = look_done->err.code != ERR_NONE, is_full = look_done->is_full;
	bool again = hooks->look_again;

	hooks->is_looking = false;
	if (is_over(hooks)) {
		talloc_free(look_done);
		return;
	}
	if (has_failed)
		log_warn("webhooks", "cannot look for events: %s", look_done->err.message);
	for (size_t i = 0; i < look_done->count; i++)
		send_off(hooks, look_done->deliveries[i]);
	talloc_free(look_done);
	settle(hooks);
	maybe_stopped(hooks);
	if (hooks->is_stopping)
		return;
	hooks->look_again = is_full && !has_failed; /* when a place is free again */
	loop_timer_set(hooks->tick, hooks->node->config->tick_ms);
	if (again && !has_failed)
		look(hooks);
}

static void
on_tick(void *arg)
{
	struct hooks_out *hooks = arg;

	loop_timer_set(hooks->tick, hooks->node->config->tick_ms);
	settle(hooks);
	look(hooks);
}

/* ---- cleaning ---- */

void
hooks_cleaned(void *arg)
{
	struct hooks_cleaning *c = arg;
	struct hooks_out *hooks = c->hooks;

	hooks->is_cleaning = false;
	if (is_over(hooks)) {
		talloc_free(c);
		return;
	}
	if (c->err.code != ERR_NONE) {
		log_warn("webhooks", "cannot remove old events: %s", c->err.message);
		if (!hooks->is_stopping)
			loop_timer_set(hooks->clean, CLEAN_AGAIN_MS);
	}
	talloc_free(c);
	maybe_stopped(hooks);
}

static void
on_clean(void *arg)
{
	struct hooks_out *hooks = arg;
	struct hooks_cleaning *c = talloc_zero(NULL, struct hooks_cleaning);

	if (c == NULL)
		abort();
	loop_timer_set(hooks->clean, CLEAN_EVERY_MS);
	c->hooks = hooks;
	c->node = hooks->node;
	if (hooks->is_cleaning ||
	    pool_submit(hooks->node->worker_pool, hooks_clean_in_pool, c) < 0) {
		talloc_free(c);
		return;
	}
	hooks->is_cleaning = true;
}

/* ---- beginning and end ---- */

static void
wake(void *arg)
{
	struct node *node = arg;

	if (node->hooks_out != NULL)
		look(node->hooks_out);
}

void
hooks_out_wake(struct node *node)
{
	loop_post(node->loop, wake, node);
}

/* What is still in flight goes back; its receiver may hear of it twice, by the same id. */
static void
on_drained(void *arg)
{
	struct hooks_out *hooks = arg;
	struct hooks_delivery *d;

	while ((d = TAILQ_FIRST(&hooks->flying)) != NULL) {
		http_call_cancel(d->call);
		add_result(d, "due", 0, d->attempts, 0, "the server was stopped");
		land(d);
	}
	settle(hooks);
	maybe_stopped(hooks);
}

void
hooks_out_start(struct node *node)
{
	struct hooks_out *hooks = talloc_zero(NULL, struct hooks_out);

	if (hooks == NULL)
		abort();
	hooks->node = node;
	node->hooks_out = hooks;
	TAILQ_INIT(&hooks->flying);
	for (int i = 0; i < OUTBOX_FAMILIES; i++)
		buf_init(&hooks->results[i], hooks, 1024);
	hooks->tick = loop_timer_new(node->loop, on_tick, hooks);
	hooks->clean = loop_timer_new(node->loop, on_clean, hooks);
	hooks->drain = loop_timer_new(node->loop, on_drained, hooks);
	loop_timer_set(hooks->tick, 0);
	loop_timer_set(hooks->clean, 0);
}

void
hooks_out_stop(struct node *node, loop_fn *done, void *arg)
{
	struct hooks_out *hooks = node->hooks_out;

	if (hooks == NULL) {
		done(arg);
		return;
	}
	hooks->is_stopping = true;
	hooks->stopped = done;
	hooks->stopped_arg = arg;
	loop_timer_cancel(hooks->tick);
	loop_timer_cancel(hooks->clean);
	loop_timer_set(hooks->drain, hooks->flying_count == 0 ? 0 : DRAIN_MS);
	settle(hooks);
	maybe_stopped(hooks);
}

void
hooks_out_free(struct node *node)
{
	struct hooks_out *hooks = node->hooks_out;
	struct hooks_delivery *d;

	if (hooks == NULL)
		return;
	node->hooks_out = NULL;
	while ((d = TAILQ_FIRST(&hooks->flying)) != NULL) { /* a stop that did not wait */
		http_call_cancel(d->call);
		land(d);
	}
	loop_timer_free(hooks->tick);
	loop_timer_free(hooks->clean);
	loop_timer_free(hooks->drain);
	hooks->is_over = true;
	is_over(hooks);
}
