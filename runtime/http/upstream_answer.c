/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_answer -- what is answered to a call: read strictly where it is HTTP/1.1, and
 * told to whoever asked.
 */
#include "http/upstream_internal.h"

#include "base/clock.h"

#include <stdlib.h>

/* A new parser: this may be the second link that the request goes to. */
void
answer_expect(struct upstream_call *call)
{
	talloc_free(call->parser);
	call->parser = talloc(call, struct http_parser);
	if (call->parser == NULL)
		abort();
	http_parser_init_answer(call->parser, call->parser, call->is_head);
}

/* ---- telling ---- */

static bool
goes_on(struct upstream_call *call)
{
	bool is_over = call->is_cancelled;

	call->is_telling = false;
	if (is_over)
		call_free(call);
	return !is_over;
}

bool
call_tell_head(struct upstream_call *call, const struct upstream_answer *answer)
{
	call->has_answer = true;
	call->is_telling = true;
	call->events->head(call->arg, answer);
	return goes_on(call);
}

bool
call_tell_data(struct upstream_call *call, const char *data, size_t length)
{
	call->is_telling = true;
	call->events->data(call->arg, data, length);
	return goes_on(call);
}

bool
call_turn(struct upstream_call *call)
{
	call->is_telling = true;
	call->events->turn(call->arg);
	return goes_on(call);
}

void
call_end(struct upstream_call *call, bool is_link_good)
{
	call_release(call, is_link_good);
	call->is_cancelled = true;
	call->events->end(call->arg);
	call_free(call);
}

void
call_cut(struct upstream_call *call)
{
	bool has_left = call->is_out_sent && !stream_waits(call);
	bool may_be_sent =
	    !call->is_out_sent || (call->is_out_whole && (call->may_repeat || !has_left));

	if (may_be_sent && !call->has_begun && call->is_on_kept)
		call_repeat(call);
	else if (has_left || !may_be_sent || !call_try_again(call))
		call_fail(call, ERR_NETWORK, "%s closed the connection %s",
			  call->origin->place->host,
			  call->has_begun ? "within its answer" : "before it answered");
}

/* ---- HTTP/1.1 ---- */

static struct upstream_answer
read_head(const struct http_parser *p)
{
	return (struct upstream_answer){.status = p->status,
					.fields = p->fields,
					.has_body = p->has_body,
					.length =
					    p->has_length ? (int64_t)p->content_length : -1};
}

static bool
may_rest(const struct upstream_call *call)
{
	const struct http_parser *p = call->parser;

	return call->is_finished && (call->is_chunked || call->body_left == 0) &&
	       !p->wants_close && (p->minor == 1 || p->wants_keep_alive) &&
	       link_unsent(call->link) == 0;
}

static bool
tell(struct upstream_call *call, const struct http_event *event)
{
	struct upstream_answer answer;

	if (event->type == HTTP_EVENT_HEAD) {
		answer = read_head(call->parser);
		return call_tell_head(call, &answer);
	}
	if (event->type == HTTP_EVENT_BODY && event->length > 0)
		return call_tell_data(call, event->data, event->length);
	return true;
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
	call->has_begun = true;
	while (used < length && !http_parser_is_done(p)) {
		used += http_parser_feed(p, data + used, length - used, &event);
		if (event.type == HTTP_EVENT_FAULT) {
			call_fail(call, ERR_NETWORK, "%s answers in a way that is not HTTP: %s",
				  call->origin->place->host, p->error.message);
			return false;
		}
		if (!tell(call, &event))
			return false;
	}
	if (http_parser_is_done(p)) {
		call_end(call, used == length && may_rest(call));
		return false;
	}
	return true;
}

void
call_eof(struct upstream_call *call)
{
	if (call->has_answer && !call->link->is_cut && http_parser_eof(call->parser) == 0)
		call_end(call, false);
	else
		call_cut(call);
}
