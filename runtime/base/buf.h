/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf -- a growing run of bytes, always followed by a NUL that does not count.
 *
 * The storage is a talloc child of the context given at the start, so it goes with its owner.
 * Not shared between threads. Out of memory aborts, and so does what would be 256 MiB or more:
 * who gathers what others decide about has a bound below that.
 */
#ifndef NANGO_BASE_BUF_H
#define NANGO_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

struct buf {
	TALLOC_CTX *owner;
	char *data; /* never NULL after buf_init */
	size_t length, capacity;
};

void buf_init(struct buf *buf, TALLOC_CTX *owner, size_t capacity);
void buf_reset(struct buf *buf); /* empty, storage kept */
void buf_done(struct buf *buf);	 /* storage given back before its owner goes */
char *buf_reserve(struct buf *buf, size_t length); /* room for more; advance .length yourself */
void buf_add(struct buf *buf, const void *data, size_t length);
void buf_adds(struct buf *buf, const char *text);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_json(struct buf *buf, const char *text, size_t length); /* a quoted JSON string */
void buf_add_json_str(struct buf *buf, const char *text);	     /* NULL becomes null */
void buf_add_url(struct buf *buf, const char *text); /* RFC 3986 unreserved stay, rest %XX */
void buf_add_be16(struct buf *buf, uint16_t value);  /* network order */
void buf_add_be32(struct buf *buf, uint32_t value);
void buf_add_be64(struct buf *buf, uint64_t value);

#endif
