/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_stream -- a call as a stream of HTTP/2 (RFC 9113): its request's fields and
 * body, and how it leaves. What comes is upstream_frames's.
 *
 * A stream knows its call (nghttp2's user data) for as long as the call has it.
 */
#include "http/upstream_internal.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct h2 *
h2_of(const struct upstream_call *call)
{
	return call->link->h2;
}

void
stream_touch(struct upstream_call *call, bool was_read)
{
	struct h2_stream *s = call->stream;

	if (!s->was_read && !s->was_written)
		TAILQ_INSERT_TAIL(&h2_of(call)->touched, call, stream_entry);
	s->was_read |= was_read;
	s->was_written |= !was_read;
}

void
stream_untouch(struct upstream_call *call)
{
	struct h2_stream *s = call->stream;

	if (s->was_read || s->was_written)
		TAILQ_REMOVE(&h2_of(call)->touched, call, stream_entry);
	s->was_read = s->was_written = false;
}

/* ---- the request ---- */

static ssize_t
on_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
	nghttp2_data_source *source, void *arg)
{
	struct upstream_call *call = nghttp2_session_get_stream_user_data(session, id);
	struct h2_stream *s;
	int n;

	(void)source;
	(void)arg;
	if (call == NULL)
		return NGHTTP2_ERR_DEFERRED; /* it is being reset */
	s = call->stream;
	n = evbuffer_remove(s->body, out, size);
	if (n > 0)
		stream_touch(call, false);
	if (call->is_finished && evbuffer_get_length(s->body) == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n <= 0)
		return NGHTTP2_ERR_DEFERRED;
	return n < 0 ? 0 : n;
}

static void
add(nghttp2_nv *list, size_t *count, const char *name, size_t name_length, const char *value,
    size_t length)
{
	list[(*count)++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
					.value = (uint8_t *)(uintptr_t)value,
					.namelen = name_length,
					.valuelen = length,
					.flags = NGHTTP2_NV_FLAG_NO_INDEX};
}

/* Of the connection in HTTP/1.1. */
static bool
is_of_framing(const char *name, size_t length)
{
	static const char *const names[] = {"connection", "transfer-encoding", "keep-alive",
					    "upgrade",	  "proxy-connection",  "te"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length && strncasecmp(names[i], name, length) == 0)
			return true;
	return false;
}

/* The next line without its end; NULL behind the last. */
static const char *
next_line(const char **at, const char *end, size_t *length)
{
	const char *line = *at, *line_end = memchr(line, '\r', (size_t)(end - line));

	if (line_end == NULL)
		abort(); /* `make` ends each */
	*length = (size_t)(line_end - line);
	*at = line_end + 2;
	return *length == 0 ? NULL : line;
}

/* What `make` wrote for HTTP/1.1, as HTTP/2 has it; *at is behind it afterwards. */
static size_t
read_made(const struct origin *origin, const char **at, const char *end, nghttp2_nv *list)
{
	const char *line, *target, *colon;
	size_t length, count = 0, method;

	line = next_line(at, end, &length);
	target = (const char *)memchr(line, ' ', length) + 1;
	method = (size_t)(target - line) - 1;
	add(list, &count, ":method", 7, line, method);
	add(list, &count, ":scheme", 7, "https", 5);
	add(list, &count, ":authority", 10, origin->place->authority,
	    strlen(origin->place->authority));
	add(list, &count, ":path", 5, target, length - method - 1 - strlen(" HTTP/1.1"));
	while ((line = next_line(at, end, &length)) != NULL) {
		size_t name = (size_t)((const char *)memchr(line, ':', length) - line);

		colon = line + name + 1;
		if (is_of_framing(line, name) ||
		    (name == 4 && strncasecmp(line, "host", 4) == 0))
			continue;
		while (*colon == ' ')
			colon++;
		while (length > 0 && line[length - 1] == ' ' && line + length > colon)
			length--;
		add(list, &count, line, name, colon, length - (size_t)(colon - line));
	}
	return count;
}

/* As many fields as it may have: each is a line, and there are two more. */
static nghttp2_nv *
make_list(struct upstream_call *call)
{
	size_t lines = 2;
	nghttp2_nv *list;

	for (size_t i = 0; i < call->out.length; i++)
		lines += call->out.data[i] == '\n';
	list = talloc_array(call, nghttp2_nv, (unsigned)lines + 2);
	if (list == NULL)
		abort();
	return list;
}

bool
stream_begin(struct upstream_call *call)
{
	const char *at = call->out.data, *end = at + call->out.length;
	nghttp2_nv *list = make_list(call);
	size_t count = read_made(call->origin, &at, end, list);
	struct h2_stream *s = talloc_zero(call, struct h2_stream);
	const nghttp2_data_provider body = {.read_callback = on_body};

	if (s == NULL)
		abort();
	call->stream = s;
	s->length = -1;
	if (at < end || !call->is_finished) {
		s->body = evbuffer_new();
		if (s->body == NULL)
			abort();
		evbuffer_add(s->body, at, (size_t)(end - at));
	}
	s->id = nghttp2_submit_request(h2_of(call)->session, NULL, list, count,
				       s->body == NULL ? NULL : &body, call);
	talloc_free(list);
	if (s->id < 0) { /* it has had all the streams that it may have */
		s->id = 0;
		call->link->is_closing = true;
		return false;
	}
	h2_schedule(call->link);
	return true;
}

void
stream_put(struct upstream_call *call, const void *data, size_t length)
{
	evbuffer_add(call->stream->body, data, length);
	stream_resume(call);
}

void
stream_resume(struct upstream_call *call)
{
	if (call->link == NULL || call->stream->id == 0)
		return;
	nghttp2_session_resume_data(h2_of(call)->session, call->stream->id);
	h2_schedule(call->link);
}

bool
stream_waits(const struct upstream_call *call)
{
	return call->stream != NULL && call->stream->id > 0 &&
	       nghttp2_session_find_stream(h2_of(call)->session, call->stream->id) == NULL;
}

size_t
stream_unsent(const struct upstream_call *call)
{
	return call->stream->body == NULL ? 0 : evbuffer_get_length(call->stream->body);
}

/* ---- the end ---- */

/* Tells the server, unless both sides are through. */
void
stream_leave(struct upstream_call *call)
{
	struct h2_stream *s = call->stream;
	nghttp2_session *session = h2_of(call)->session;

	stream_untouch(call);
	if (s->id == 0)
		return;
	if (stream_waits(call))
		call->was_sent = false;
	nghttp2_session_set_stream_user_data(session, s->id, NULL);
	if (!s->is_answered || nghttp2_session_get_stream_local_close(session, s->id) == 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id,
					  s->is_answered ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
	s->id = 0;
}

void
stream_free(struct upstream_call *call)
{
	if (call->stream == NULL)
		return;
	if (call->stream->body != NULL)
		evbuffer_free(call->stream->body);
	TALLOC_FREE(call->stream);
}

void
stream_hold(struct upstream_call *call, bool is_held)
{
	struct h2_stream *s = call->stream;

	if (is_held || s->unread == 0 || s->id == 0 || call->link == NULL)
		return;
	nghttp2_session_consume_stream(h2_of(call)->session, s->id, s->unread);
	s->unread = 0;
	h2_schedule(call->link);
}

/* One thing at a time: each may end its call. */
void
stream_tell(struct h2 *h2)
{
	struct upstream_call *call;

	while ((call = TAILQ_FIRST(&h2->touched)) != NULL) {
		struct h2_stream *s = call->stream;
		bool was_read = s->was_read;

		if (!was_read || !s->was_written)
			TAILQ_REMOVE(&h2->touched, call, stream_entry);
		if (was_read) {
			s->was_read = false;
			if (call_turn(call))
				stream_hold(call, call->is_held);
		} else {
			s->was_written = false;
			call_sent(call);
		}
	}
}
