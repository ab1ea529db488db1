/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_frames -- what comes for the streams of HTTP/2: answers, and their ends (RFC
 * 9113). That the server keeps to the rules is nghttp2's to check; a field that it would only
 * leave out breaks the answer off here, as in HTTP/1.1.
 *
 * An event may end its own call, so none is looked at after it was told something.
 */
#include "http/upstream_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct upstream_call *
call_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- the end ---- */

/* It was not looked at, so it may be sent again, whatever it does. */
static void
refused(struct upstream_call *call, const char *why)
{
	call->was_sent = false;
	if (!call->is_out_whole || !call_try_again(call))
		call_fail(call, ERR_NETWORK, "%s does not take the request: %s",
			  call->origin->place->host, why);
}

static void
broken(struct upstream_call *call, uint32_t code)
{
	const char *why = call->stream->why;

	if (code == NGHTTP2_HTTP_1_1_REQUIRED) {
		call->origin->wants_old = true;
		call->link->is_closing = true;
	}
	if (!call->has_begun &&
	    (code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_HTTP_1_1_REQUIRED))
		refused(call, nghttp2_http2_strerror(code));
	else
		call_fail(call, ERR_NETWORK, "%s %s: %s", call->origin->place->host,
			  call->has_answer ? "broke off its answer" : "did not answer",
			  why != NULL ? why : nghttp2_http2_strerror(code));
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct upstream_call *call = call_of(session, id);

	(void)arg;
	if (call == NULL)
		return 0;
	stream_untouch(call);
	call->stream->id = 0;
	broken(call, code);
	return 0;
}

/* The stream was opened for it, and is closed next. */
static int
on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg)
{
	struct upstream_call *call = call_of(session, frame->hd.stream_id);

	(void)arg;
	if (frame->hd.type != NGHTTP2_HEADERS || call == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
	stream_untouch(call);
	call->stream->id = 0;
	call->was_sent = false;
	if (code == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED)
		refused(call, nghttp2_strerror(code));
	else
		call_fail(call, ERR_NETWORK, "%s cannot be asked: %s",
			  call->origin->place->host, nghttp2_strerror(code));
	return 0;
}

/* ---- the answer ---- */

static int
break_off(struct h2_stream *s, const char *why)
{
	s->why = why;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the stream is reset */
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct upstream_call *call = call_of(session, frame->hd.stream_id);

	(void)arg;
	if (call == NULL)
		return 0;
	call->has_begun = true;
	call->progress_ms = clock_monotonic_ms();
	call->stream->fields_count = call->stream->fields_bytes = 0;
	return 0;
}

static char *
copy(struct upstream_call *call, const uint8_t *text, size_t length)
{
	char *made = talloc_strndup(call->stream, (const char *)text, length);

	if (made == NULL)
		abort();
	return made;
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void
keep(struct upstream_call *call, const uint8_t *name, size_t name_length, const uint8_t *value,
     size_t length)
{
	struct h2_stream *s = call->stream;
	struct http_field *field = &s->fields[s->fields_count++];

	while (length > 0 && is_space(value[0]))
		value++, length--;
	while (length > 0 && is_space(value[length - 1]))
		length--;
	field->name = copy(call, name, name_length);
	field->value = copy(call, value, length);
	if (strcmp(field->name, "content-length") == 0)
		s->length = strtoll(field->value, NULL, 10);
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	  size_t name_length, const uint8_t *value, size_t length, uint8_t flags, void *arg)
{
	struct upstream_call *call = call_of(session, frame->hd.stream_id);
	struct h2_stream *s;

	(void)flags;
	(void)arg;
	if (call == NULL)
		return 0;
	s = call->stream;
	s->fields_bytes += name_length + length + 4; /* as in HTTP/1.1, with ": " and its end */
	if (s->fields_bytes > HTTP_HEADER_BYTES_MAX ||
	    s->fields_count == HTTP_HEADER_FIELDS_MAX)
		return break_off(s, "its header is too large");
	if (name[0] == ':' && value[0] == '0')
		return break_off(s, "its status is none");
	if (name[0] == ':')
		s->status = atoi((const char *)value);
	else if (!call->has_answer && s->status / 100 != 1) /* trailers are dropped, too */
		keep(call, name, name_length, value, length);
	return 0;
}

static int
on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		  nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct upstream_call *call = call_of(session, frame->hd.stream_id);

	(void)name;
	(void)value;
	(void)flags;
	(void)arg;
	return call == NULL
		   ? 0
		   : break_off(call->stream,
			       "a field of its header holds what does not belong there");
}

/* Whether the call goes on. Interim answers are dropped. */
static bool
read_head(struct upstream_call *call, bool is_end)
{
	struct h2_stream *s = call->stream;
	struct upstream_answer answer = {.status = s->status, .fields = s->fields};

	if (s->status / 100 == 1) {
		if (++s->interims > HTTP_INTERIM_MAX) {
			call_fail(call, ERR_NETWORK, "%s sends interim answers only",
				  call->origin->place->host);
			return false;
		}
		return true;
	}
	s->fields[s->fields_count].name = NULL;
	answer.has_body = !is_end && !call->is_head && s->status != 204 && s->status != 304;
	answer.length = is_end && !call->is_head && s->length < 0 ? 0 : s->length;
	stream_touch(call, true);
	return call_tell_head(call, &answer);
}

static void
read_end(struct upstream_call *call)
{
	call->stream->is_answered = true;
	call_end(call, true);
}

static void
received(struct upstream_call *call, const nghttp2_frame *frame)
{
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (frame->hd.type == NGHTTP2_HEADERS && !call->has_answer && !read_head(call, is_end))
		return;
	if (is_end)
		read_end(call);
}

/* Others may have room for those that wait here. What has a body that follows stays. */
static void
send_waiting_back(struct h2 *h2)
{
	struct upstream_call *call, *next;

	for (call = TAILQ_FIRST(&h2->link->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, link_entry);
		if (call->is_out_whole && stream_waits(call))
			(void)call_try_again(call);
	}
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	struct upstream_call *call;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		call = call_of(session, frame->hd.stream_id);
		if (call != NULL)
			received(call, frame);
		break;
	case NGHTTP2_SETTINGS:
		h2->link->origin->streams_max = h2_streams_max(h2);
		if (h2->link->calls_count > h2_streams_max(h2))
			send_waiting_back(h2);
		break;
	case NGHTTP2_GOAWAY:
		h2->link->is_closing = true;
		send_waiting_back(h2);
		if (frame->goaway.error_code == NGHTTP2_HTTP_1_1_REQUIRED)
			h2->link->origin->wants_old = true;
		break;
	default:
		break;
	}
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t length,
	void *arg)
{
	struct upstream_call *call = call_of(session, id);

	(void)flags;
	(void)arg;
	nghttp2_session_consume_connection(session, length); /* others go on */
	if (call == NULL)
		return 0;
	stream_touch(call, true);
	call->progress_ms = clock_monotonic_ms();
	call->stream->unread += length;
	(void)call_tell_data(call, (const char *)data, length);
	return 0;
}

/* ---- what nghttp2 says about them ---- */

/* What it says last is why. */
static void
say_why(struct h2 *h2, const char *text)
{
	snprintf(h2->why, sizeof(h2->why), "%s", text);
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg)
{
	struct h2 *h2 = arg;
	struct upstream_call *call = call_of(session, frame->hd.stream_id);

	if (call != NULL && call->stream->why == NULL)
		call->stream->why = nghttp2_strerror(code);
	say_why(h2, nghttp2_strerror(code));
	return 0;
}

static int
on_error(nghttp2_session *session, int code, const char *text, size_t length, void *arg)
{
	(void)session;
	(void)length;
	if (code != NGHTTP2_ERR_HTTP_HEADER) /* it would show the field */
		say_why(arg, text);
	return 0;
}

void
frames_set_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
								     on_invalid_frame);
	nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}
