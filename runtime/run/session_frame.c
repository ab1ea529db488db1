/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_frame -- memory of the frames that come in.
 *
 * Frames of saves stay until their page is stored, megabytes of them, and asking the kernel for
 * fresh pages each time was measured to cost more than reading and checking the records. So
 * blocks of the size that a runner fills are kept for the next frame, a bounded number of them,
 * and given back when the last session ends. Sessions live on one thread, and so does the list.
 */
#include "run/session_internal.h"

#include <stdlib.h>

#define BLOCK_BYTES (320 * 1024) /* a runner ends a frame of saves behind 256 KiB */
#define BLOCK_FROM (32 * 1024)	 /* smaller ones are malloc's own business */
#define KEPT_MAX 64		 /* 20 MiB */

struct frame {
	char *data;
	bool is_block;
};

struct block { /* while it is free */
	struct block *next;
};

static struct block *kept;
static unsigned kept_count, sessions;

static int
frame_free(struct frame *frame)
{
	struct block *block = (struct block *)(void *)frame->data;

	if (!frame->is_block || kept_count == KEPT_MAX || sessions == 0) {
		free(frame->data);
		return 0;
	}
	block->next = kept;
	kept = block;
	kept_count++;
	return 0;
}

struct frame *
frame_new(struct session *s, size_t length)
{
	struct frame *frame = talloc_zero(s, struct frame);

	if (frame == NULL)
		abort();
	frame->is_block = length >= BLOCK_FROM && length <= BLOCK_BYTES;
	if (frame->is_block && kept != NULL) {
		frame->data = (char *)kept;
		kept = kept->next;
		kept_count--;
	} else {
		frame->data = malloc(frame->is_block ? BLOCK_BYTES : length + 1);
	}
	if (frame->data == NULL)
		abort();
	talloc_set_destructor(frame, frame_free);
	return frame;
}

char *
frame_data(struct frame *frame)
{
	return frame->data;
}

void
frame_pool_open(void)
{
	sessions++;
}

void
frame_pool_close(void)
{
	struct block *block = kept, *next;

	if (--sessions > 0)
		return;
	for (; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	kept = NULL;
	kept_count = 0;
}
