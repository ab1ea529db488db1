/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc/frame -- see frame.h. The bytes are put together by shifts, so neither alignment nor the
 * host's byte order matters.
 */
#include "rpc/frame.h"

#include <string.h>

static const struct {
	const char *name, *doc;
	enum rpc_direction direction;
	uint32_t max;
} rows[RPC_COUNT] = {
    [RPC_NONE] = {"NONE", "No message.", RPC_TO_ZYGOTE, 0},
#define RPC(name, direction, max, doc) [RPC_##name] = {#name, doc, RPC_##direction, max},
#include "rpc/rpc.def"
#undef RPC
};

static uint32_t
u32_at(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[3] << 24;
}

const char *
rpc_header_read(const void *bytes, enum rpc_direction direction, struct rpc_header *out)
{
	uint32_t length = u32_at(bytes), word = u32_at((const char *)bytes + 4);

	if (word == RPC_NONE || word >= RPC_COUNT)
		return "unknown message";
	if (rows[word].direction != direction)
		return "a message of the other side";
	if (length > rows[word].max)
		return "a message over its maximum";
	*out = (struct rpc_header){length, (enum rpc_type)word};
	return NULL;
}

void
rpc_header_write(void *bytes, enum rpc_type type, uint32_t length)
{
	rpc_put_u32(rpc_put_u32(bytes, length), (uint32_t)type);
}

const char *
rpc_name(enum rpc_type type)
{
	return rows[type].name;
}

const char *
rpc_doc(enum rpc_type type)
{
	return rows[type].doc;
}

enum rpc_direction
rpc_direction(enum rpc_type type)
{
	return rows[type].direction;
}

uint32_t
rpc_max(enum rpc_type type)
{
	return rows[type].max;
}

struct rpc_in
rpc_in(const void *payload, size_t length)
{
	const char *at = payload == NULL ? "" : payload;

	return (struct rpc_in){at, at + length, false};
}

static const char *
in_take(struct rpc_in *in, size_t length)
{
	const char *at = in->at;

	if (in->is_bad || (size_t)(in->end - at) < length) {
		in->is_bad = true;
		return NULL;
	}
	in->at += length;
	return at;
}

uint32_t
rpc_in_u32(struct rpc_in *in)
{
	const char *at = in_take(in, 4);

	return at == NULL ? 0 : u32_at(at);
}

uint64_t
rpc_in_u64(struct rpc_in *in)
{
	const char *at = in_take(in, 8);

	return at == NULL ? 0 : u32_at(at) | (uint64_t)u32_at(at + 4) << 32;
}

const char *
rpc_in_text(struct rpc_in *in, size_t *length)
{
	uint32_t n = rpc_in_u32(in);
	const char *at;

	*length = 0;
	if (in->is_bad || n == RPC_NO_TEXT)
		return NULL;
	at = in_take(in, n);
	if (at != NULL)
		*length = n;
	return at;
}

bool
rpc_in_is_over(const struct rpc_in *in)
{
	return !in->is_bad && in->at == in->end;
}

char *
rpc_put_u32(char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		*at++ = (char)(unsigned char)(value >> (8 * i));
	return at;
}

char *
rpc_put_u64(char *at, uint64_t value)
{
	return rpc_put_u32(rpc_put_u32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

char *
rpc_put_text(char *at, const char *text, size_t length)
{
	if (text == NULL)
		return rpc_put_u32(at, RPC_NO_TEXT);
	at = rpc_put_u32(at, (uint32_t)length);
	memcpy(at, text, length);
	return at + length;
}
