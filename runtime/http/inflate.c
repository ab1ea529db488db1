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
#define NO_HEADER (-15)
#define GZIP_FIRST 0x1f

struct inflate {
	z_stream z;
	bool is_over;
	bool is_deflate; /* which some send with zlib's header, as it should be, and some
			    without */
	bool is_padded;	 /* something that is no member stood behind the end */
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
	it->is_deflate = strcasecmp(coding, "deflate") == 0;
	return it;
}

/* RFC 1950: a header of zlib's begins with the method, 8, and a window of at most 7. */
static bool
has_header(unsigned char first)
{
	return (first & 0x0f) == 8 && first >> 4 <= 7;
}

/* 1: what comes next is to be unpacked; 0: it is padding. */
static int
begin(struct inflate *it)
{
	unsigned char first = *it->z.next_in;
	bool is_first = it->z.total_in == 0 && !it->is_over;

	if (is_first && it->is_deflate && !has_header(first))
		return inflateReset2(&it->z, NO_HEADER) == Z_OK ? 1 : -1;
	if (!it->is_over)
		return 1;
	if (it->is_deflate || it->is_padded || first != GZIP_FIRST) {
		it->is_padded = true;
		return 0;
	}
	it->is_over = false; /* another member (RFC 1952 2.2) */
	return inflateReset(&it->z) == Z_OK ? 1 : -1;
}

int
inflate_feed(struct inflate *it, const char *data, size_t length, inflate_out *out, void *arg)
{
	z_stream *z = &it->z;
	int result = Z_OK, goes_on;

	z->next_in = (unsigned char *)(uintptr_t)data;
	z->avail_in = (unsigned)length;
	do {
		goes_on = z->avail_in == 0 ? 1 : begin(it);
		if (goes_on <= 0)
			return goes_on;
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
