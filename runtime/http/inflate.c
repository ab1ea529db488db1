/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/inflate -- see inflate.h.
 */
#include "http/inflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define OUT_BYTES (32 * 1024)
#define EITHER_HEADER (15 + 32) /* zlib's or gzip's, whichever comes */

struct inflate {
	z_stream z;
	bool is_over;
	char out[OUT_BYTES];
};

static int
inflate_destructor(struct inflate *it)
{
	inflateEnd(&it->z);
	return 0;
}

struct inflate *
inflate_new(TALLOC_CTX *mem, const char *coding)
{
	struct inflate *it;

	if (strcasecmp(coding, "gzip") != 0 && strcasecmp(coding, "x-gzip") != 0 &&
	    strcasecmp(coding, "deflate") != 0)
		return NULL;
	it = talloc_zero(mem, struct inflate);
	if (it == NULL || inflateInit2(&it->z, EITHER_HEADER) != Z_OK)
		abort();
	talloc_set_destructor(it, inflate_destructor);
	return it;
}

/* Bytes behind the end may be another member (RFC 1952 2.2). */
static int
begin_again(struct inflate *it)
{
	if (!it->is_over)
		return 0;
	it->is_over = false;
	return inflateReset(&it->z) == Z_OK ? 0 : -1;
}

int
inflate_feed(struct inflate *it, const char *data, size_t length, inflate_out *out, void *arg)
{
	z_stream *z = &it->z;
	int result = Z_OK;

	z->next_in = (unsigned char *)(uintptr_t)data;
	z->avail_in = (unsigned)length;
	do {
		if (z->avail_in > 0 && begin_again(it) < 0)
			return -1;
		z->next_out = (unsigned char *)it->out;
		z->avail_out = sizeof(it->out);
		result = inflate(z, Z_NO_FLUSH);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return -1;
		if (z->avail_out < sizeof(it->out))
			out(arg, it->out, sizeof(it->out) - z->avail_out);
		it->is_over = result == Z_STREAM_END;
	} while (z->avail_in > 0 || z->avail_out == 0);
	return 0;
}

bool
inflate_is_over(const struct inflate *it)
{
	return it->is_over || it->z.total_in == 0; /* nothing is packed as nothing, too */
}
