/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_body -- a request's body on its way, never longer than its head says; in chunks
 * where that does not say how long it is (HTTP/2 has frames of its own).
 */
#include "http/upstream_internal.h"

#include "base/clock.h"

void
call_tell_drained(struct upstream_call *call)
{
	call->is_telling = true;
	call->events->drained(call->arg);
	call->is_telling = false;
	if (call->is_cancelled)
		call_free(call);
}

/* The link took bytes. */
void
call_sent(struct upstream_call *call)
{
	call->progress_ms = clock_monotonic_ms();
	call->deadline_ms = call->progress_ms + call->timeout_ms;
	if (!call->is_clogged || upstream_unsent(call) >= UPSTREAM_LOW)
		return;
	call->is_clogged = false;
	call_tell_drained(call);
}

size_t
upstream_unsent(const struct upstream_call *call)
{
	if (call->link == NULL)
		return 0;
	return call->stream != NULL ? stream_unsent(call) : link_unsent(call->link);
}

static void
put(struct upstream_call *call, const void *data, size_t length)
{
	if (!call->is_out_sent || call->link == NULL)
		return;
	if (call->stream != NULL)
		stream_put(call, data, length);
	else
		link_send(call->link, data, length);
	if (upstream_unsent(call) > UPSTREAM_HIGH)
		call->is_clogged = true;
}

void
upstream_write(struct upstream_call *call, const void *data, size_t length)
{
	struct buf *chunk = &call->upstream->chunk;

	if (!call->is_chunked && (int64_t)length > call->body_left)
		length = (size_t)call->body_left; /* what came behind it would be a request */
	if (length == 0 || call->is_finished)
		return;
	if (!call->is_chunked)
		call->body_left -= (int64_t)length;
	if (!call->is_chunked || call->stream != NULL) {
		put(call, data, length);
		return;
	}
	buf_reset(chunk);
	buf_addf(chunk, "%zx\r\n", length);
	buf_add(chunk, data, length);
	buf_add(chunk, "\r\n", 2);
	put(call, chunk->data, chunk->length);
}

void
upstream_finish(struct upstream_call *call)
{
	if (call->is_finished)
		return;
	call->is_finished = true;
	if (call->stream != NULL)
		stream_resume(call);
	else if (call->is_chunked)
		put(call, "0\r\n\r\n", 5);
}

void
upstream_hold(struct upstream_call *call, bool is_held)
{
	if (call->is_held == is_held || call->is_cancelled)
		return;
	call->is_held = is_held;
	call->progress_ms = clock_monotonic_ms();
	if (call->stream != NULL)
		stream_hold(call, is_held);
	else if (call->link != NULL)
		link_hold(call->link, is_held);
}
