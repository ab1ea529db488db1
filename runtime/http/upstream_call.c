/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_call -- one call's life: its turn, what it sends, its end. What is answered is
 * upstream_answer's.
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

/* ---- its end ---- */

/* Credentials are in it. */
static void
forget_made(struct upstream_call *call)
{
	crypto_wipe(call->out.data, call->out.capacity);
	buf_reset(&call->out);
}

void
call_release(struct upstream_call *call, bool is_link_good)
{
	struct upstream *up = call->upstream;

	call_queue_leave(up->queue, &call->queued);
	link_leave(call, is_link_good);
	if (call_queue_waiting(up->queue) > 0 && !up->is_freed)
		loop_timer_set(up->kick, 0);
}

void
call_free(struct upstream_call *call)
{
	call->origin->calls--;
	TAILQ_REMOVE(&call->upstream->calls, call, entry);
	stream_free(call);
	forget_made(call);
	talloc_free(call);
}

void
upstream_cancel(struct upstream_call *call)
{
	if (call == NULL || call->is_cancelled)
		return;
	call_release(call, false);
	call->is_cancelled = true;
	if (!call->is_telling)
		call_free(call);
}

static void
tell_failure(struct upstream_call *call, const struct error *err)
{
	call_release(call, false);
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

/* ---- its turn ---- */

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

/* On its link. Nothing may come before it was asked for. */
static void
send_made(struct upstream_call *call)
{
	call->progress_ms = clock_monotonic_ms();
	call->is_out_whole = call->is_finished;
	if (call->link->h2 != NULL && !stream_begin(call)) {
		call_repeat(call);
		return;
	}
	call->was_sent = true;
	call->is_out_sent = true;
	if (call->link->h2 == NULL)
		link_send(call->link, call->out.data, call->out.length);
	forget_made(call);
	if (call->is_held)
		link_hold(call->link, true);
	if (!call->is_finished)
		call_tell_drained(call);
}

void
call_link_ready(struct upstream_call *call)
{
	struct error err;

	if (call->link->h2 == NULL)
		answer_expect(call);
	switch (call_make(call)) {
	case UPSTREAM_MADE_LATER:
		return;
	case UPSTREAM_NOT_MADE:
		err = call->err;
		tell_failure(call, &err);
		return;
	default:
		send_made(call);
	}
}

/* A kept connection was dead already, or the server would not have it just now. */
void
call_repeat(struct upstream_call *call)
{
	link_leave(call, false);
	stream_free(call);
	call->was_sent = false;
	call->is_out_sent = false;
	call->has_begun = false;
	forget_made(call);
	call_queue_again(call->upstream->queue, &call->queued);
	loop_timer_set(call->upstream->kick, 0);
}

bool
call_try_again(struct upstream_call *call)
{
	if (call->repeats >= UPSTREAM_REPEATS_MAX)
		return false;
	call->repeats++;
	call_repeat(call);
	return true;
}

bool
upstream_goes_to(const struct upstream_call *call, const struct upstream_place *place)
{
	return strcmp(call->origin->place->key, place->key) == 0;
}

void
upstream_go(struct upstream_call *call)
{
	if (call->is_cancelled || call->is_out_sent || call->link == NULL ||
	    call->link->state != LINK_READY)
		return;
	if (call->link->is_closing)
		call_repeat(call);
	else
		call_link_ready(call);
}

void
call_take_turn(struct upstream_call *call)
{
	struct upstream *up = call->upstream;
	struct link *link;

	call->deadline_ms = clock_monotonic_ms() + call->timeout_ms;
	if (call->err.code != ERR_NONE) {
		struct error err = call->err;

		tell_failure(call, &err);
		return;
	}
	while ((link = TAILQ_FIRST(&call->origin->free)) != NULL) {
		if (!link_give(link, call))
			continue;
		call_link_ready(call);
		return;
	}
	forget_made(call); /* it may take a while */
	if (link_wait(call))
		return;
	if (up->links >= up->config.connections_max && !TAILQ_EMPTY(&up->idle))
		link_close(TAILQ_FIRST(&up->idle));
	link_open(call->origin, call);
}
