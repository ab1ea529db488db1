/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/arena -- memory that is given back all at once: a page's, or the run's.
 */
#ifndef NANGO_RUNNER_ARENA_H
#define NANGO_RUNNER_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
};

void *arena_take(struct arena *arena, size_t size); /* not cleared; aligned to 16 */
void *arena_zeroed(struct arena *arena, size_t size);
char *arena_text(struct arena *arena, const char *text, size_t length); /* copy with a NUL */
void arena_reset(struct arena *arena); /* a small first chunk is kept for the next page */
void arena_free(struct arena *arena);

#endif
