/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/channel -- see channel.h. Blocking reads and writes: a run has nothing else to do.
 */
#include "runner/channel.h"

#include "runner/death.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_FIRST 16384
#define CAPACITY_KEPT \
	(2 * 1024 * 1024) /* a buffer that one large record blew up is given back */

static struct {
	char *data;
	size_t length, capacity;
	size_t frame; /* where the open frame's header stands */
	enum rpc_type type;
} out;

char *
channel_room(size_t length)
{
	size_t need = out.length + length, capacity = out.capacity;

	if (need < length) /* wrapped: no such memory */
		need = SIZE_MAX;
	if (need > capacity) {
		if (capacity == 0)
			capacity = CAPACITY_FIRST;
		while (capacity < need && capacity <= SIZE_MAX / 2)
			capacity *= 2;
		out.data = realloc(out.data, capacity < need ? need : capacity);
		if (out.data == NULL)
			abort(); /* memory.c has ended the run before */
		out.capacity = capacity;
	}
	return out.data + out.length;
}

void
channel_advance(size_t length)
{
	out.length += length;
}

void
channel_begin(enum rpc_type type)
{
	channel_room(RPC_HEADER_BYTES);
	out.type = type;
	out.frame = out.length;
	out.length += RPC_HEADER_BYTES;
}

size_t
channel_length(void)
{
	return out.length - out.frame - RPC_HEADER_BYTES;
}

char *
channel_payload(size_t at)
{
	return out.data + out.frame + RPC_HEADER_BYTES + at;
}

void
channel_u32(uint32_t value)
{
	rpc_put_u32(channel_room(4), value);
	out.length += 4;
}

void
channel_text(const char *text, size_t length)
{
	char *at = channel_room(4 + length);

	out.length += (size_t)(rpc_put_text(at, text, length) - at);
}

void
channel_string(const char *text)
{
	channel_text(text, text == NULL ? 0 : strlen(text));
}

void
channel_bytes(const void *bytes, size_t length)
{
	char *at = channel_room(length);

	if (length > 0)
		memcpy(at, bytes, length);
	out.length += length;
}

void
channel_end(void)
{
	size_t length = channel_length();

	if (length > rpc_max(out.type))
		death("protocol violation", "%s of %zu bytes; at most %u are allowed",
		      rpc_name(out.type), length, rpc_max(out.type));
	rpc_header_write(out.data + out.frame, out.type, (uint32_t)length);
}

void
channel_flush(void)
{
	for (size_t at = 0; at < out.length;) {
		ssize_t n = write(RUNNER_FD, out.data + at, out.length - at);

		if (n > 0)
			at += (size_t)n;
		else if (errno != EINTR)
			_exit(RUNNER_EXIT_CHANNEL);
	}
	out.length = 0;
	if (out.capacity > CAPACITY_KEPT) {
		free(out.data);
		out.data = NULL;
		out.capacity = 0;
	}
}

static void
receive_all(char *at, size_t length)
{
	while (length > 0) {
		ssize_t n = read(RUNNER_FD, at, length);

		if (n > 0) {
			at += n;
			length -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			_exit(RUNNER_EXIT_CHANNEL);
		}
	}
}

struct rpc_in
channel_receive(enum rpc_type type, struct arena *arena)
{
	char head[RPC_HEADER_BYTES], *payload;
	struct rpc_header header;

	receive_all(head, sizeof(head));
	if (rpc_header_read(head, RPC_TO_RUN, &header) != NULL || header.type != type)
		_exit(RUNNER_EXIT_CHANNEL);
	payload = arena_take(arena, (size_t)header.length + 1);
	receive_all(payload, header.length);
	payload[header.length] = '\0';
	return rpc_in(payload, header.length);
}
