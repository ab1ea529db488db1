/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/memory -- malloc and its family, so that a run that has used up its memory ends as
 * "out of memory" and not as the signal 11 of whoever did not look at the NULL.
 *
 * These definitions take the place of libc's in the whole process, the plugin and libstdc++
 * included, because an executable's symbols come first. glibc's own stay reachable as __libc_*.
 * While the plugin is being loaded a NULL is just returned: its constructors may cope.
 */
#include "runner/death.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define SEEN __attribute__((visibility("default"), used))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *memalign(size_t alignment, size_t size);

static void *
checked(void *got, size_t size)
{
	if (got == NULL && size > 0 && death_is_in_run())
		death("out of memory",
		      "an allocation of %zu bytes went over the run's memory limit", size);
	return got;
}

SEEN void *
malloc(size_t size)
{
	return checked(__libc_malloc(size), size);
}

SEEN void *
calloc(size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all))
		all = SIZE_MAX;
	return checked(__libc_calloc(count, size), all);
}

SEEN void *
realloc(void *old, size_t size)
{
	/* realloc(p, 0) frees and gives NULL: that is no failure, and checked() lets it pass.
	 */
	return checked(__libc_realloc(old, size), size);
}

SEEN void *
reallocarray(void *old, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return checked(NULL, SIZE_MAX);
	}
	return realloc(old, all);
}

SEEN void *
memalign(size_t alignment, size_t size)
{
	return checked(__libc_memalign(alignment, size), size);
}

SEEN void *
aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

SEEN int
posix_memalign(void **out, size_t alignment, size_t size)
{
	void *got;

	if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
		return EINVAL;
	got = memalign(alignment, size);
	if (got == NULL)
		return ENOMEM;
	*out = got;
	return 0;
}
