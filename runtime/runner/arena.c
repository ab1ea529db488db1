/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/arena -- see arena.h. Chunks double up to a limit; what is larger gets its own. There
 * is no failure to handle: malloc ends the run (memory.c).
 */
#include "runner/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 16
#define CHUNK_FIRST 4096
#define CHUNK_MAX (256 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used;
	_Alignas(ALIGN) char data[];
};

void *
arena_take(struct arena *arena, size_t size)
{
	struct arena_chunk *top = arena->chunks;
	size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1), room;

	if (need < size)
		need = size; /* malloc below refuses it with its name */
	if (top == NULL || top->size - top->used < need) {
		room = top == NULL ? CHUNK_FIRST : top->size * 2;
		if (room > CHUNK_MAX)
			room = CHUNK_MAX;
		if (room < need)
			room = need;
		top = malloc(room > SIZE_MAX - sizeof(*top) ? SIZE_MAX : sizeof(*top) + room);
		if (top == NULL)
			abort();
		*top = (struct arena_chunk){arena->chunks, room, 0};
		arena->chunks = top;
	}
	top->used += need;
	return top->data + top->used - need;
}

void *
arena_zeroed(struct arena *arena, size_t size)
{
	return memset(arena_take(arena, size), 0, size);
}

char *
arena_text(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_take(arena, length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

void
arena_reset(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks, *next, *kept = NULL;

	for (; chunk != NULL; chunk = next) {
		next = chunk->next;
		if (kept == NULL && chunk->size <= CHUNK_MAX) {
			kept = chunk;
			continue;
		}
		free(chunk);
	}
	if (kept != NULL)
		*kept = (struct arena_chunk){NULL, kept->size, 0};
	arena->chunks = kept;
}

void
arena_free(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks, *next;

	for (; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	arena->chunks = NULL;
}
