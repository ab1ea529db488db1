/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_call -- one call's life: its turn, what it sends, what is answered.
 *
 * An event may cancel its own call, so a call is freed only when no event of it runs.
 */
#include "http/upstream_internal.h"

#include "base/clock.h"
#include "base/crypto.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a call's turn and its end ---- */

/* A link that may serve again goes on. */
static void
release_link(struct upstream_call *call, bool is_link_good)
{
	if (call->link != NULL && is_link_good) {
		struct link *link = call->link;

		if (call->is_held)
			link_hold(link, false);
		call->link = NULL;
		link_rest(link);
	} else if (call->link != NULL) {
		link_close(call->link);
	}
}

static void
release(struct upstream_call *call, bool is_link_good)
{
	struct upstream *up = call->upstream;

	call_queue_leave(up->queue, &call->queued);
	release_link(call, is_link_good);
	if (call_queue_waiting(up->queue) > 0 && !up->is_freed)
		loop_timer_set(up->kick, 0);
}

void
call_free(struct upstream_call *call)
{
	call->origin->calls--;
	TAILQ_REMOVE(&call->upstream->calls, call, entry);
	crypto_wipe(call->out.data, call->out.capacity); /* credentials are in it */
	talloc_free(call);
}

void
upstream_cancel(struct upstream_call *call)
{
	if (call == NULL || call->is_cancelled)
		return;
	release(call, false);
	call->is_cancelled = true;
	if (!call->is_telling)
		call_free(call);
}

static void
tell_failure(struct upstream_call *call, const struct error *err)
{
	release(call, false);
	call->is_cancelled = true; /* it is over: cancelling it from within changes nothing */
	call->is_telling = true;
	call->events->fail(call->arg, err, call->was_sent);
	call_free(call);
}

void
call_fail(struct upstream_call *call, enum error_code code, const char *fmt, ...)
{
	struct error err;
	va_list args;
	char text[512];

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	error_set(&err, code, "%s", text);
	tell_failure(call, &err);
}

void
call_link_lost(struct upstream_call *call, const struct error *err)
{
	tell_failure(call, err);
}

static bool
is_kept(const struct upstream_call *call)
{
	return call->may_repeat && call->is_finished && call->link->is_reused &&
	       call->out.length <= UPSTREAM_REPEAT_MAX;
}

/* A new parser: this may be the second link that the request goes to. */
static void
expect_answer(struct upstream_call *call)
{
	talloc_free(call->answer);
	call->answer = talloc_new(call);
	call->parser = talloc(call->answer, struct http_parser);
	if (call->parser == NULL)
		abort();
	http_parser_init_answer(call->parser, call->answer, call->is_head);
}

/* Credentials are in it. */
static void
forget_made(struct upstream_call *call)
{
	crypto_wipe(call->out.data, call->out.capacity);
	buf_reset(&call->out);
}

enum upstream_made
call_make(struct upstream_call *call)
{
	const struct origin *origin = call->origin;
	enum upstream_made made;
	struct buf plain;

	if (call->out.length > 0)
		return UPSTREAM_MADE;
	if (origin->via == NULL || origin->place->is_tls) {
		made = call->events->make(call->arg, &call->out, &call->err);
		if (made != UPSTREAM_MADE)
			forget_made(call);
		return made;
	}
	buf_init(&plain, call, 1024);
	made = call->events->make(call->arg, &plain, &call->err);
	if (made == UPSTREAM_MADE)
		via_add_head(origin, &call->out, plain.data, plain.length);
	crypto_wipe(plain.data, plain.capacity);
	buf_done(&plain);
	return made;
}

/* The parser knows what is expected; nothing may come before it was asked for. */
void
call_link_ready(struct upstream_call *call)
{
	struct error err;

	expect_answer(call);
	switch (call_make(call)) {
	case UPSTREAM_MADE_LATER:
		return;
	case UPSTREAM_NOT_MADE:
		err = call->err;
		tell_failure(call, &err);
		return;
	default:
		break;
	}
	call->was_sent = true;
	call->is_out_sent = true;
	call->progress_ms = clock_monotonic_ms();
	link_send(call->link, call->out.data, call->out.length);
	if (!is_kept(call))
		forget_made(call);
	if (call->is_held)
		link_hold(call->link, true);
	if (!call->is_finished)
		call_tell_drained(call);
}

bool
upstream_goes_to(const struct upstream_call *call, const struct upstream_place *place)
{
	return strcmp(call->origin->place->key, place->key) == 0;
}

void
upstream_go(struct upstream_call *call)
{
	if (!call->is_cancelled && !call->is_out_sent && call->link != NULL &&
	    call->link->state == LINK_READY)
		call_link_ready(call);
}

void
call_take_turn(struct upstream_call *call)
{
	struct upstream *up = call->upstream;
	struct link *idle;

	call->deadline_ms = clock_monotonic_ms() + call->timeout_ms;
	if (call->err.code != ERR_NONE) {
		struct error err = call->err;

		tell_failure(call, &err);
		return;
	}
	while ((idle = TAILQ_FIRST(&call->origin->idle)) != NULL) {
		if (!link_give(idle, call))
			continue;
		call_link_ready(call);
		return;
	}
	forget_made(call); /* it may take a while */
	if (up->links >= up->config.connections_max && !TAILQ_EMPTY(&up->idle))
		link_close(TAILQ_FIRST(&up->idle));
	link_open(call->origin, call);
}

/* ---- the answer ---- */

static int64_t
answer_length(const struct http_parser *p)
{
	return p->has_length ? (int64_t)p->content_length : -1;
}

static void
tell_head(struct upstream_call *call)
{
	const struct http_parser *p = call->parser;
	const struct upstream_answer answer = {.status = p->status,
					       .fields = p->fields,
					       .has_body = p->has_body,
					       .length = answer_length(p)};

	call->has_answer = true;
	call->events->head(call->arg, &answer);
}

static bool
may_rest(const struct upstream_call *call)
{
	const struct http_parser *p = call->parser;

	return call->is_finished && (call->is_chunked || call->body_left == 0) &&
	       !p->wants_close && (p->minor == 1 || p->wants_keep_alive) &&
	       link_unsent(call->link) == 0;
}

/* The answer is complete. */
static void
call_end(struct upstream_call *call, bool is_link_good)
{
	release(call, is_link_good);
	call->is_cancelled = true;
	call->events->end(call->arg);
	call_free(call);
}

static void
tell(struct upstream_call *call, const struct http_event *event)
{
	call->is_telling = true;
	if (event->type == HTTP_EVENT_HEAD)
		tell_head(call);
	else if (event->type == HTTP_EVENT_BODY && event->length > 0)
		call->events->data(call->arg, event->data, event->length);
	call->is_telling = false;
}

bool
call_received(struct upstream_call *call, const char *data, size_t length)
{
	struct http_parser *p = call->parser;
	struct http_event event;
	size_t used = 0;

	call->progress_ms = clock_monotonic_ms();
	if (!call->is_out_sent) {
		call_fail(call, ERR_NETWORK, "%s answers before it was asked",
			  call->origin->place->host);
		return false;
	}
	if (call->out.length > 0)
		forget_made(call);
	while (used < length && !http_parser_is_done(p)) {
		used += http_parser_feed(p, data + used, length - used, &event);
		if (event.type == HTTP_EVENT_FAULT) {
			call_fail(call, ERR_NETWORK, "%s answers in a way that is not HTTP: %s",
				  call->origin->place->host, p->error.message);
			return false;
		}
		tell(call, &event);
		if (call->is_cancelled) {
			call_free(call);
			return false;
		}
	}
	if (http_parser_is_done(p)) {
		call_end(call, used == length && may_rest(call));
		return false;
	}
	return true;
}

void
call_turn(struct upstream_call *call)
{
	call->is_telling = true;
	call->events->turn(call->arg);
	call->is_telling = false;
	if (call->is_cancelled)
		call_free(call);
}

/* Back to the queue: a kept connection that was dead already. */
static void
repeat(struct upstream_call *call)
{
	release_link(call, false);
	call->was_sent = false;
	call->is_out_sent = false;
	forget_made(call);
	call_queue_again(call->upstream->queue, &call->queued);
	loop_timer_set(call->upstream->kick, 0);
}

void
call_eof(struct upstream_call *call)
{
	bool may_be_sent = !call->is_out_sent || call->out.length > 0;

	if (may_be_sent && !http_parser_has_begun(call->parser) && call->link->is_reused) {
		repeat(call);
		return;
	}
	if (call->has_answer && !call->link->is_cut && http_parser_eof(call->parser) == 0) {
		call_end(call, false);
		return;
	}
	call_fail(call, ERR_NETWORK, "%s closed the connection %s", call->origin->place->host,
		  http_parser_has_begun(call->parser) ? "within its answer"
						      : "before it answered");
}
