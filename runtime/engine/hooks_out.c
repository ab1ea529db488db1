/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out -- see hooks_out.h. Here is the loop's side: timers, looks, results that
 * wait to be written.
 *
 * Results gather while others are written, so that a statement settles as many as there are.
 */
#include "engine/hooks_out.h"
#include "engine/hooks_out_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/client.h"

#include <stdlib.h>
#include <string.h>

#define CLEAN_EVERY_MS 60000
#define CLEAN_AGAIN_MS 2000 /* when the database was away */
#define DRAIN_MS 5000	    /* for receivers at the end */

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

void
hooks_settle(struct hooks_out *hooks)
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
		if (s->has_failed[i] && db_error_may_pass(s->err.code) && !hooks->is_stopping)
			keep_results(hooks, i, s->results[i]);
	talloc_free(s);
	if (!has_failed)
		hooks_settle(hooks);
	maybe_stopped(hooks);
	if (!has_failed && hooks->look_again && !hooks->is_stopping)
		look(hooks);
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
	/* Where something was sent its landing asks again; otherwise nobody would before the
	 * tick. */
	bool again = hooks->look_again || (is_full && look_done->count == 0);

	hooks->is_looking = false;
	if (is_over(hooks)) {
		talloc_free(look_done);
		return;
	}
	if (has_failed)
		log_warn("webhooks", "cannot look for events: %s", look_done->err.message);
	for (size_t i = 0; i < look_done->count; i++)
		hooks_flight_begin(hooks, look_done->deliveries[i]);
	talloc_free(look_done);
	hooks_settle(hooks);
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
	hooks_settle(hooks);
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
		hooks_flight_result(d, "due", 0, d->attempts, 0, "the server was stopped");
		hooks_flight_end(d);
	}
	hooks_settle(hooks);
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
	hooks_settle(hooks);
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
		hooks_flight_end(d);
	}
	loop_timer_free(hooks->tick);
	loop_timer_free(hooks->clean);
	loop_timer_free(hooks->drain);
	hooks->is_over = true;
	is_over(hooks);
}
