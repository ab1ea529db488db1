/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a packed body: unpacking ends, and how the bytes were cut changes nothing.
 *
 * The input's first byte is the coding and the size of the pieces.
 */
#include "http/inflate.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX (1024 * 1024) /* more is not looked at: a byte may become a thousand */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t hash;
	size_t length;
	int result;
	bool is_over;
};

static void
see(void *arg, const char *data, size_t length)
{
	struct seen *seen = arg;

	for (size_t i = 0; i < length; i++)
		seen->hash = (seen->hash ^ (unsigned char)data[i]) * 1099511628211U;
	seen->length += length;
}

static struct seen
unpack(const char *coding, const char *data, size_t size, size_t piece)
{
	struct inflate *it = inflate_new(NULL, coding);
	struct seen seen = {0};

	assert(it != NULL);
	for (size_t at = 0; at < size && seen.result == 0 && seen.length < OUT_MAX; at += piece)
		seen.result = inflate_feed(it, data + at, size - at < piece ? size - at : piece,
					   see, &seen);
	seen.is_over = inflate_is_over(it);
	talloc_free(it);
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, pieces;
	const char *coding;

	if (size < 2)
		return 0;
	coding = (data[0] & 1) != 0 ? "gzip" : "deflate";
	whole = unpack(coding, (const char *)data + 1, size - 1, size);
	pieces = unpack(coding, (const char *)data + 1, size - 1, 1 + data[0] / 2);
	if (whole.length >= OUT_MAX || pieces.length >= OUT_MAX)
		return 0;
	assert(whole.result == pieces.result);
	assert(whole.result < 0 || /* what came before the damage may differ */
	       (whole.hash == pieces.hash && whole.is_over == pieces.is_over));
	return 0;
}
