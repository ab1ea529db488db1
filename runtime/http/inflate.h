/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/inflate -- a body that was packed with gzip or deflate, unpacked as it comes.
 */
#ifndef NANGO_HTTP_INFLATE_H
#define NANGO_HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

struct inflate;

/* NULL: the coding (of Content-Encoding) is not one that is understood here. */
struct inflate *inflate_new(TALLOC_CTX *mem, const char *coding);

/* Hands the bytes on in pieces; -1: they are damaged. */
typedef void inflate_out(void *arg, const char *data, size_t length);
int inflate_feed(struct inflate *inflate, const char *data, size_t length, inflate_out *out,
		 void *arg);
bool inflate_is_over(const struct inflate *inflate); /* its end has come, not just bytes */

#endif
