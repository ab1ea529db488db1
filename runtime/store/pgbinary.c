/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/pgbinary -- see pgbinary.h.
 */
#include "store/pgbinary.h"

void
pg_array_begin(struct buf *buf, uint32_t item_oid, size_t count)
{
	buf_add_be32(buf, count == 0 ? 0 : 1); /* dimensions */
	buf_add_be32(buf, 0);		       /* no nulls */
	buf_add_be32(buf, item_oid);
	if (count == 0)
		return;
	buf_add_be32(buf, (uint32_t)count);
	buf_add_be32(buf, 1); /* lower bound */
}

void
pg_field(struct buf *buf, const void *data, size_t length)
{
	buf_reserve(buf, length + 4);
	buf_add_be32(buf, (uint32_t)length);
	buf_add(buf, data, length);
}

void
pg_field_int8(struct buf *buf, int64_t value)
{
	buf_add_be32(buf, 8);
	buf_add_be64(buf, (uint64_t)value);
}

void
pg_field_int2(struct buf *buf, int16_t value)
{
	buf_add_be32(buf, 2);
	buf_add_be16(buf, (uint16_t)value);
}

void
pg_field_null(struct buf *buf)
{
	buf_add_be32(buf, UINT32_MAX);
}

void
pg_copy_begin(struct buf *buf)
{
	static const char signature[11] = "PGCOPY\n\377\r\n";

	buf_add(buf, signature, sizeof(signature));
	buf_add_be32(buf, 0); /* flags */
	buf_add_be32(buf, 0); /* header extension */
}

void
pg_copy_row(struct buf *buf, size_t fields)
{
	buf_add_be16(buf, (uint16_t)fields);
}

void
pg_copy_end(struct buf *buf)
{
	buf_add_be16(buf, UINT16_MAX);
}
