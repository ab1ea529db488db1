/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/used -- see used.h.
 */
#include "store/used.h"
#include "store/pgbinary.h"

static struct db_param
ids(TALLOC_CTX *mem, const int64_t *list, size_t count)
{
	struct buf buf;

	buf_init(&buf, mem, 32 + count * 12);
	pg_array_begin(&buf, PG_OID_INT8, count);
	for (size_t i = 0; i < count; i++)
		pg_field_int8(&buf, list[i]);
	return DB_BINARY(PG_OID_INT8_ARRAY, buf.data, buf.length);
}

int
used_note(struct db *db, const int64_t *keys, size_t keys_count, const int64_t *connections,
	  size_t connections_count, struct error *err)
{
	/* Who is being changed has the row; the next writing has it, too. */
	static const char sql[] =
	    "WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', "
	    "true)), "
	    "k AS MATERIALIZED ("
	    "    SELECT a.id FROM quick, nango.api_key a WHERE a.id = ANY ($1::int8[]) "
	    "    ORDER BY a.id FOR NO KEY UPDATE OF a SKIP LOCKED), "
	    "used AS ("
	    "    UPDATE nango.api_key a SET last_used_at = nango.clock_now() "
	    "    FROM k WHERE a.id = k.id), "
	    "c AS MATERIALIZED ("
	    "    SELECT n.id FROM quick, nango.connection n WHERE n.id = ANY ($2::int8[]) "
	    "    ORDER BY n.id FOR NO KEY UPDATE OF n SKIP LOCKED) "
	    "UPDATE nango.connection n SET last_fetched_at = nango.clock_now() "
	    "FROM c WHERE n.id = c.id";
	TALLOC_CTX *mem = talloc_new(NULL);
	int result = db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(ids(mem, keys, keys_count), ids(mem, connections, connections_count)));

	talloc_free(mem);
	return result;
}
