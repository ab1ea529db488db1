/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/stream -- a reply that is written while it is sent.
 *
 * The handler's thread fills blocks; the loop takes over whatever is there, so many small
 * writes become few large ones by themselves when the loop is busy. The writer waits while more
 * than HTTP_STREAM_WINDOW bytes are unsent; the loop wakes it as the client reads, or when it
 * goes.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void
response_begin(struct response *res, int status, const char *content_type)
{
	struct stream *stream = talloc_zero(res->req, struct stream);
	pthread_condattr_t monotonic;

	if (stream == NULL)
		abort();
	pthread_mutex_init(&stream->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&stream->room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (content_type != NULL)
		response_header(res, "Content-Type", content_type);
	res->status = status;
	res->stream = stream;
}

static size_t
unsent(const struct stream *stream)
{
	return stream->queued + stream->in_output;
}

/* Copies what fits into the last block, or a new one. The lock is held. */
static size_t
stream_put(struct stream *stream, const char *data, size_t length)
{
	struct stream_block *block = stream->last;
	size_t n;

	if (block == NULL || block->length == sizeof(block->data)) {
		block = malloc(sizeof(*block));
		if (block == NULL)
			abort();
		block->next = NULL;
		block->length = 0;
		if (stream->last == NULL)
			stream->first = block;
		else
			stream->last->next = block;
		stream->last = block;
	}
	n = sizeof(block->data) - block->length;
	if (n > length)
		n = length;
	memcpy(block->data + block->length, data, n);
	block->length += n;
	stream->queued += n;
	return n;
}

/*
 * Waits until there is room, at most HTTP_STREAM_STALL_MS. True when the reader took too little
 * in that time: a handful of such readers would hold all threads.
 */
static bool
stream_wait_once(struct stream *stream)
{
	static const size_t enough = (size_t)HTTP_STREAM_RATE_MIN * HTTP_STREAM_STALL_MS / 1000;
	size_t before = unsent(stream);
	struct timespec until;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HTTP_STREAM_STALL_MS / 1000;
	while (unsent(stream) >= HTTP_STREAM_WINDOW && !stream->is_gone && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&stream->room, &stream->mutex, &until);
	return result == ETIMEDOUT && before - unsent(stream) < enough;
}

static int
stream_wait(struct stream *stream, struct error *err)
{
	bool is_slow = false;

	stream->is_waiting = true;
	while (unsent(stream) >= HTTP_STREAM_WINDOW && !stream->is_gone && !is_slow)
		is_slow = stream_wait_once(stream);
	stream->is_waiting = false;
	if (stream->is_gone)
		return error_set(err, ERR_NETWORK, "the client closed the connection");
	if (is_slow)
		return error_set(err, ERR_NETWORK,
				 "the client reads less than %d bytes a second",
				 HTTP_STREAM_RATE_MIN);
	return 0;
}

int
response_write(struct response *res, const void *data, size_t length, struct error *err)
{
	struct stream *stream = res->stream;
	const char *from = data;
	int result = 0;

	if (strcmp(res->req->parser.method, "HEAD") == 0 || !response_may_have_body(res))
		return 0;
	pthread_mutex_lock(&stream->mutex);
	while (length > 0 && (result = stream_wait(stream, err)) == 0) {
		size_t n = stream_put(stream, from, length);

		from += n;
		length -= n;
		if (!stream->is_posted) {
			stream->is_posted = true;
			loop_post(res->req->server->config.loop, stream_pump, res->req);
		}
	}
	pthread_mutex_unlock(&stream->mutex);
	return result;
}

static void
block_free(const void *data, size_t length, void *arg)
{
	(void)data;
	(void)length;
	free(arg);
}

/* One chunk from all blocks, or their bytes as they are for HTTP/1.0. */
static void
send_blocks(struct request *req, struct stream_block *first, size_t length)
{
	bool is_chunked = req->parser.minor == 1;
	struct stream_block *next;
	char line[32];

	if (is_chunked && length > 0)
		conn_send_later(req->conn, line,
				(size_t)snprintf(line, sizeof(line), "%zx\r\n", length), NULL,
				NULL);
	for (; first != NULL; first = next) {
		next = first->next;
		conn_send_later(req->conn, first->data, first->length, block_free, first);
	}
	if (is_chunked && length > 0)
		conn_send_later(req->conn, "\r\n", 2, NULL, NULL);
}

static void
send_head(struct request *req)
{
	struct buf head;

	if (req->parser.minor == 0)
		req->keeps_alive = false; /* the end of the body is the end of the connection */
	buf_init(&head, NULL, 512); /* the request's own memory is the handler's just now */
	response_add_head(&head, &req->res, req->keeps_alive);
	conn_send_later(req->conn, head.data, head.length, NULL, NULL);
	buf_done(&head);
	req->res.stream->is_head_sent = true;
}

static void
drop_blocks(struct stream_block *first)
{
	struct stream_block *next;

	for (; first != NULL; first = next) {
		next = first->next;
		free(first);
	}
}

void
stream_pump(void *arg)
{
	struct request *req = arg;
	struct stream *stream = req->res.stream;
	struct stream_block *first;
	size_t length;

	pthread_mutex_lock(&stream->mutex);
	first = stream->first;
	length = stream->queued;
	stream->first = stream->last = NULL;
	stream->queued = 0;
	stream->in_output += length;
	stream->is_posted = false;
	pthread_mutex_unlock(&stream->mutex);
	if (req->conn == NULL) {
		drop_blocks(first);
		return;
	}
	if (!stream->is_head_sent)
		send_head(req);
	send_blocks(req, first, length);
	conn_flush(req->conn);
}

void
stream_sent(struct stream *stream, size_t in_output)
{
	pthread_mutex_lock(&stream->mutex);
	stream->in_output = in_output;
	if (stream->is_waiting && unsent(stream) < HTTP_STREAM_WINDOW)
		pthread_cond_signal(&stream->room);
	pthread_mutex_unlock(&stream->mutex);
}

void
stream_abandon(struct stream *stream)
{
	pthread_mutex_lock(&stream->mutex);
	stream->is_gone = true;
	pthread_cond_signal(&stream->room);
	pthread_mutex_unlock(&stream->mutex);
}
