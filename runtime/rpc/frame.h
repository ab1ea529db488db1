/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc/frame -- how a message looks on the wire: u32 length of the payload, u16 type, u16 zero,
 * then the payload; everything little-endian, as both ends are one machine. The table of
 * messages is rpc.def. Links libc only, because nango-runner shares it; allocates nothing.
 *
 * What a runner sends is an enemy's: rpc_header_read refuses before anything is allocated, and
 * the fields of a payload are read through struct rpc_in, which never leaves it.
 */
#ifndef NANGO_RPC_FRAME_H
#define NANGO_RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_VERSION 3
#define RPC_HEADER_BYTES 8
#define RPC_NO_TEXT UINT32_MAX

enum rpc_direction { RPC_TO_ZYGOTE, RPC_FROM_ZYGOTE, RPC_TO_RUN, RPC_FROM_RUN };

enum rpc_type {
	RPC_NONE = 0,
#define RPC(name, direction, max, doc) RPC_##name,
#include "rpc/rpc.def"
#undef RPC
	RPC_COUNT
};

enum rpc_window { /* flags of WINDOW */
		  RPC_WINDOW_OPENS = 1,
		  RPC_WINDOW_CLOSES = 2,
		  RPC_WINDOW_OVERRIDES = 4,
		  RPC_WINDOW_VOUCHED = 8,
		  RPC_WINDOW_ALL = 15
};

struct rpc_header {
	uint32_t length; /* of the payload */
	enum rpc_type type;
};

/* A payload that is being read. After a field that is not there is_bad stays true. */
struct rpc_in {
	const char *at, *end;
	bool is_bad;
};

/* NULL, or why these RPC_HEADER_BYTES are not the header of a message in that direction. */
const char *rpc_header_read(const void *bytes, enum rpc_direction direction,
			    struct rpc_header *out);
void rpc_header_write(void *bytes, enum rpc_type type, uint32_t length);

const char *rpc_name(enum rpc_type type);
const char *rpc_doc(enum rpc_type type);
enum rpc_direction rpc_direction(enum rpc_type type);
uint32_t rpc_max(enum rpc_type type);

struct rpc_in rpc_in(const void *payload, size_t length);
uint32_t rpc_in_u32(struct rpc_in *in); /* 0 when it is not there */
uint64_t rpc_in_u64(struct rpc_in *in);
const char *rpc_in_text(struct rpc_in *in, size_t *length); /* not terminated; NULL: none */
bool rpc_in_is_over(const struct rpc_in *in); /* all was there, and nothing is left */

/* To a buffer that the caller has made large enough; they return what is behind. */
char *rpc_put_u32(char *at, uint32_t value);
char *rpc_put_u64(char *at, uint64_t value);
char *rpc_put_text(char *at, const char *text, size_t length); /* NULL: none */

#endif
