/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/budget -- see budget.h; the arithmetic of a lease is in migration control/0015.
 */
#include "store/budget.h"
#include "store/pgbinary.h"

#include <stdlib.h>
#include <string.h>

#define DB_ARRAY(oid, buf) DB_BINARY(oid, (buf).data, (buf).length)

static void
put_numbers(TALLOC_CTX *mem, struct buf out[3], const struct budget_ask *asks, size_t count)
{
	for (size_t i = 0; i < 3; i++) {
		buf_init(&out[i], mem, 32 + count * 12);
		pg_array_begin(&out[i], PG_OID_INT8, count);
	}
	for (size_t i = 0; i < count; i++) {
		pg_field_int8(&out[0], asks[i].take_us);
		pg_field_int8(&out[1], asks[i].back_us);
		pg_field_int8(&out[2], asks[i].epoch);
	}
}

int
budget_lease(TALLOC_CTX *mem, struct db *db, const struct budget_ask *asks, size_t count,
	     struct budget_grant **out, size_t *granted, struct error *err)
{
	static const char sql[] =
	    "SELECT key, now_us, base_us, epoch, "
	    "    CASE WHEN blocked_us > now_us THEN blocked_us ELSE 0 END "
	    "FROM nango.budget_lease($1::text[], $2::int8[], $3::int8[], $4::int8[])";
	struct buf keys, numbers[3];
	struct budget_grant *grants;
	struct db_result *r;

	buf_init(&keys, mem, 32 + count * 64);
	pg_array_begin(&keys, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(&keys, asks[i].key, strlen(asks[i].key));
	put_numbers(mem, numbers, asks, count);
	if (db_exec(db, mem, &r, err, sql,
		    DB_PARAMS(DB_ARRAY(PG_OID_TEXT_ARRAY, keys),
			      DB_ARRAY(PG_OID_INT8_ARRAY, numbers[0]),
			      DB_ARRAY(PG_OID_INT8_ARRAY, numbers[1]),
			      DB_ARRAY(PG_OID_INT8_ARRAY, numbers[2]))) < 0)
		return -1;
	*granted = db_rows(r);
	grants = talloc_zero_array(mem, struct budget_grant, (unsigned)*granted + 1);
	if (grants == NULL)
		abort();
	for (size_t i = 0; i < *granted; i++)
		grants[i] = (struct budget_grant){.key = db_text(r, i, 0),
						  .now_us = db_integer(r, i, 1),
						  .base_us = db_integer(r, i, 2),
						  .epoch = db_integer(r, i, 3),
						  .blocked_us = db_integer(r, i, 4),
						  .is_granted = !db_is_null(r, i, 2)};
	*out = grants;
	return 0;
}

int
budget_block(struct db *db, const char *key, int64_t wait_us, int64_t tau_us,
	     const char *node_id, struct error *err)
{
	static const char sql[] = "SELECT nango.budget_block($1::text, $2::int8, $3::int8, "
				  "$4::text)";

	return db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_TEXT(key), DB_INTEGER(wait_us), DB_INTEGER(tau_us), DB_TEXT(node_id)));
}

int
budget_blocks(TALLOC_CTX *mem, struct db *db, struct budget_block **out, size_t *count,
	      struct error *err)
{
	static const char sql[] = "SELECT key, (blocked_us - c.now_us + 999) / 1000 "
				  "FROM nango.budget, (SELECT nango.clock_us() AS now_us) c "
				  "WHERE blocked_us > 0 AND blocked_us > c.now_us LIMIT $1";
	struct budget_block *blocks;
	struct db_result *r;

	if (db_exec(db, mem, &r, err, sql, DB_PARAMS(DB_INTEGER(BUDGET_BLOCKS_MAX))) < 0)
		return -1;
	*count = db_rows(r);
	blocks = talloc_zero_array(mem, struct budget_block, (unsigned)*count + 1);
	if (blocks == NULL)
		abort();
	for (size_t i = 0; i < *count; i++)
		blocks[i] = (struct budget_block){db_text(r, i, 0), db_integer(r, i, 1)};
	*out = blocks;
	return 0;
}

int
budget_sweep(struct db *db, struct error *err)
{
	static const char sql[] =
	    "WITH old AS (SELECT key FROM nango.budget, "
	    "        (SELECT nango.clock_us() - 86400000000 AS before_us) c "
	    "    WHERE greatest(tat_us, at_us, blocked_us) < before_us "
	    "    ORDER BY key LIMIT 1000 FOR UPDATE SKIP LOCKED) "
	    "DELETE FROM nango.budget USING old WHERE budget.key = old.key";

	return db_exec(db, NULL, NULL, err, sql, DB_NONE);
}
