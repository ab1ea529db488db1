/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_wire -- the bytes of a run's channel, both ways, without blocking.
 *
 * Small frames are cut out of one buffer that all sessions of the loop's thread share, so a
 * thousand parked runs do not hold a thousand buffers; the rest of a large payload is read
 * straight to where it stays. A payload's memory is asked for only after its header was checked
 * against the table and the state.
 */
#include "run/session_internal.h"
#include "base/fault.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHARED_BYTES                                                             \
	(8 * 1024) /* what is behind a frame, and small frames: copied once more \
		    */
#define TURN_BYTES_MAX (1024 * 1024) /* then it is the others' turn */

static char shared[SHARED_BYTES];

static void
frame_finish(struct session *s)
{
	struct frame *payload = s->payload;
	struct rpc_in in =
	    rpc_in(payload == NULL ? NULL : frame_data(payload), s->header.length);

	s->head_have = s->payload_have = 0;
	s->is_begun = false;
	s->payload = NULL;
	s->frame = payload;
	fault_point("takes", rpc_name(s->header.type));
	session_frame(s, s->header.type, &in);
	talloc_free(s->frame); /* NULL when SAVE has moved it to its page */
	s->frame = NULL;
}

/* False when the header was not taken: it is wrong, or stands and waits for a commit. */
static bool
frame_begin(struct session *s)
{
	const char *fault = rpc_header_read(s->head, RPC_FROM_RUN, &s->header);

	if (fault == NULL && !session_may(s, s->header.type))
		fault = "a message out of order";
	if (fault != NULL) {
		session_violation(s, "the plugin's process sent %s", fault);
		return false;
	}
	if (session_must_hold(s, s->header.type)) {
		if (s->header.type == RPC_COMMIT)
			page_prepare(s);
		session_enter(s, SESSION_HOLDING);
		return false;
	}
	s->is_begun = true;
	if (s->header.length > 0)
		s->payload = frame_new(s, s->header.length);
	return true;
}

static bool
is_listening(const struct session *s)
{
	return s->state == SESSION_OPENING || s->state == SESSION_RUNNING ||
	       s->state == SESSION_DONE;
}

/* Adds to a part of the frame what is here of it; how many bytes that were. */
static size_t
fill(char *part, size_t *have, size_t wanted, const char *data, size_t length)
{
	size_t n = wanted - *have < length ? wanted - *have : length;

	if (n > 0)
		memcpy(part + *have, data, n);
	*have += n;
	return n;
}

/* Handles what it can of these bytes; how many it took. */
static size_t
wire_feed(struct session *s, const char *data, size_t length)
{
	size_t at = 0;

	while (is_listening(s)) {
		if (!s->is_begun) {
			at += fill(s->head, &s->head_have, RPC_HEADER_BYTES, data + at,
				   length - at);
			if (s->head_have < RPC_HEADER_BYTES)
				break;
			if (!frame_begin(s))
				continue;
		}
		if (s->payload != NULL)
			at += fill(frame_data(s->payload), &s->payload_have, s->header.length,
				   data + at, length - at);
		if (s->payload_have < s->header.length)
			break;
		frame_finish(s);
	}
	/* A run with a verdict is not listened to any more. */
	return s->state == SESSION_STOPPED ? length : at;
}

static void
hold(struct session *s, const char *data, size_t length)
{
	char *held = length == 0 ? NULL : talloc_memdup(s, data, length);

	talloc_free(s->held);
	s->held = held;
	s->held_length = length;
}

static ssize_t
read_some(struct session *s, size_t *direct)
{
	struct iovec iov[2];
	int count = 0;

	*direct = s->payload == NULL ? 0 : s->header.length - s->payload_have;
	if (*direct > 0)
		iov[count++] =
		    (struct iovec){frame_data(s->payload) + s->payload_have, *direct};
	iov[count++] = (struct iovec){shared, sizeof(shared)};
	return readv(s->fd, iov, count);
}

/* The bytes that readv put into the payload, then those behind it. */
static void
take(struct session *s, size_t n, size_t direct)
{
	size_t placed = n < direct ? n : direct, used;

	if (placed > 0 && s->payload != NULL) {
		s->payload_have += placed;
		if (s->payload_have == s->header.length)
			frame_finish(s);
	}
	n -= placed;
	used = wire_feed(s, shared, n);
	if (used < n)
		hold(s, shared + used, n - used);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = session_ref(arg);
	size_t direct, turn = 0;
	ssize_t n = 1;

	(void)fd;
	(void)what;
	while (!s->is_freed && s->is_reading && s->held == NULL && turn < TURN_BYTES_MAX) {
		n = read_some(s, &direct);
		if (n <= 0)
			break;
		turn += (size_t)n;
		take(s, (size_t)n, direct);
	}
	if (!s->is_freed && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))) {
		s->is_eof = true;
		wire_read(s, false);
		session_enter(s, s->state);
	}
	session_unref(s);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)what;
	while (s->out_first != NULL) {
		struct outgoing *out = s->out_first;
		ssize_t n =
		    send(fd, out->data + out->sent, out->length - out->sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			event_add(s->writable, NULL);
			return;
		}
		out->sent +=
		    n < 0 ? out->length - out->sent : (size_t)n; /* gone: EOF will tell */
		if (out->sent < out->length)
			continue;
		s->out_first = out->next;
		if (s->out_first == NULL)
			s->out_last = &s->out_first;
		talloc_free(out);
	}
}

/* Bytes that came too early are handled in a turn of their own, never within an answer's. */
static void
on_held(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = session_ref(arg);
	size_t length = s->held_length, used;
	char *held = s->held;

	(void)fd;
	(void)what;
	s->held = NULL;
	s->held_length = 0;
	s->is_resuming = false;
	used = wire_feed(s, held == NULL ? "" : held, length);
	if (used < length)
		hold(s, held + used, length - used);
	talloc_free(held);
	if (!s->is_freed && s->is_reading && !s->is_resuming)
		event_add(s->readable, NULL);
	session_unref(s);
}

int
wire_open(struct session *s)
{
	s->out_last = &s->out_first;
	s->readable =
	    event_new(loop_base(s->loop), s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(loop_base(s->loop), s->fd, EV_WRITE, on_writable, s);
	s->resume = event_new(loop_base(s->loop), -1, 0, on_held, s);
	if (s->readable == NULL || s->writable == NULL || s->resume == NULL)
		abort();
	return 0;
}

void
wire_read(struct session *s, bool is_wanted)
{
	bool was = s->is_reading;

	s->is_reading = is_wanted && !s->is_eof;
	if (!s->is_reading) {
		event_del(s->readable);
		return;
	}
	if (was)
		return;
	if (s->is_resuming)
		return;
	if (s->held != NULL || s->head_have == RPC_HEADER_BYTES) {
		s->is_resuming = true;
		event_active(s->resume, EV_TIMEOUT, 0);
	} else {
		event_add(s->readable, NULL);
	}
}

char *
wire_frame(struct session *s, enum rpc_type type, size_t length)
{
	char *frame = talloc_size(s, RPC_HEADER_BYTES + length);

	if (frame == NULL)
		abort();
	rpc_header_write(frame, type, (uint32_t)length);
	return frame;
}

void
wire_send(struct session *s, char *frame, size_t length)
{
	struct outgoing *out = talloc(s, struct outgoing);
	bool was_idle = s->out_first == NULL;

	fault_point("sends", rpc_name((enum rpc_type)(unsigned char)frame[4]));
	talloc_reparent(s, out, frame);
	*out = (struct outgoing){NULL, frame, length + RPC_HEADER_BYTES, 0};
	*s->out_last = out;
	s->out_last = &out->next;
	if (was_idle)
		on_writable(s->fd, EV_WRITE, s);
}

void
wire_close(struct session *s)
{
	event_free(s->readable);
	event_free(s->writable);
	event_free(s->resume);
	close(s->fd);
	s->fd = -1;
}
