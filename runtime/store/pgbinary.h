/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/pgbinary -- arrays and COPY rows in Postgres' binary format (manual, COPY, "Binary
 * Format"; array_send in the server's source).
 */
#ifndef NANGO_STORE_PGBINARY_H
#define NANGO_STORE_PGBINARY_H

#include "base/buf.h"

#define PG_OID_BYTEA 17
#define PG_OID_INT8 20
#define PG_OID_INT2 21
#define PG_OID_TEXT 25
#define PG_OID_TIMESTAMPTZ 1184
#define PG_OID_UUID 2950
#define PG_OID_BYTEA_ARRAY 1001
#define PG_OID_INT2_ARRAY 1005
#define PG_OID_INT8_ARRAY 1016
#define PG_OID_TEXT_ARRAY 1009
#define PG_OID_TIMESTAMPTZ_ARRAY 1185
#define PG_OID_UUID_ARRAY 2951

/* One-dimensional array: begin with the number of items, then that many pg_field calls. */
void pg_array_begin(struct buf *buf, uint32_t item_oid, size_t count);

/* A length and its bytes: an item of an array or a field of a COPY row. */
void pg_field(struct buf *buf, const void *data, size_t length);
void pg_field_int8(struct buf *buf, int64_t value);
void pg_field_int2(struct buf *buf, int16_t value);
void pg_field_null(struct buf *buf);

void pg_copy_begin(struct buf *buf);
void pg_copy_row(struct buf *buf, size_t fields);
void pg_copy_end(struct buf *buf);

#endif
