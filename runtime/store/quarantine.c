/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/quarantine -- see quarantine.h.
 */
#include "store/quarantine.h"
#include "store/pgbinary.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_KEY, COLUMN_PATH, COLUMN_REASON, COLUMN_BYTES, COLUMN_CODEC, COLUMNS };

static void
columns_fill(TALLOC_CTX *mem, struct buf columns[COLUMNS], const struct quarantine_write *rows,
	     size_t count)
{
	static const uint32_t oids[COLUMNS] = {PG_OID_TEXT, PG_OID_TEXT, PG_OID_TEXT,
					       PG_OID_BYTEA, PG_OID_INT2};

	for (int c = 0; c < COLUMNS; c++) {
		buf_init(&columns[c], mem, count * 64 + 32);
		pg_array_begin(&columns[c], oids[c], count);
	}
	for (size_t i = 0; i < count; i++) {
		pg_field(&columns[COLUMN_KEY], rows[i].key, strlen(rows[i].key));
		pg_field(&columns[COLUMN_PATH], rows[i].path, strlen(rows[i].path));
		pg_field(&columns[COLUMN_REASON], rows[i].reason, strlen(rows[i].reason));
		pg_field(&columns[COLUMN_BYTES], rows[i].bytes, rows[i].bytes_length);
		pg_field_int2(&columns[COLUMN_CODEC], (int16_t)rows[i].codec);
	}
}

/* The statement's one number, added to the head's count. */
static int
counted(struct db *db, struct dataset *head, int sign, const char *sql,
	const struct db_param *params, size_t params_count, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql, params, params_count);

	if (result == 0)
		head->quarantined += sign * db_integer(done, 0, 0);
	talloc_free(mem);
	return result;
}

int
quarantine_put(struct db *db, struct dataset *head, int64_t run_id,
	       const struct quarantine_write *rows, size_t count, struct error *err)
{
	static const char sql[] =
	    "WITH bad AS ("
	    "    SELECT DISTINCT ON (key) key, path, reason, bytes, codec "
	    "    FROM unnest($4::text[], $5::text[], $6::text[], $7::bytea[], $8::int2[]) "
	    "        WITH ORDINALITY AS b (key, path, reason, bytes, codec, n) "
	    "    ORDER BY key, n DESC), "
	    "old AS ("
	    "    SELECT q.key FROM bad b JOIN nango_data.quarantine q "
	    "      ON q.connection_id = $1 AND q.dataset_id = $2 AND q.key = b.key), "
	    "put AS ("
	    "    INSERT INTO nango_data.quarantine AS q (connection_id, dataset_id, key, "
	    "        run_id, path, reason, bytes, codec) "
	    "    SELECT $1, $2, key, $3, path, reason, bytes, codec FROM bad "
	    "    ON CONFLICT (connection_id, dataset_id, key) DO UPDATE SET "
	    "        run_id = excluded.run_id, path = excluded.path, "
	    "        reason = excluded.reason, bytes = excluded.bytes, "
	    "        codec = excluded.codec, times = q.times + 1, "
	    "        last_seen_at = nango_data.clock_now() RETURNING 1) "
	    "SELECT (SELECT count(*) FROM put) - (SELECT count(*) FROM old)";
	TALLOC_CTX *mem;
	struct buf c[COLUMNS];
	int result;

	if (count == 0)
		return 0;
	mem = talloc_new(NULL);
	columns_fill(mem, c, rows, count);
	result = counted(
	    db, head, 1, sql,
	    DB_PARAMS(
		DB_INTEGER(head->connection_row), DB_INTEGER(head->id), DB_INTEGER(run_id),
		DB_BINARY(PG_OID_TEXT_ARRAY, c[COLUMN_KEY].data, c[COLUMN_KEY].length),
		DB_BINARY(PG_OID_TEXT_ARRAY, c[COLUMN_PATH].data, c[COLUMN_PATH].length),
		DB_BINARY(PG_OID_TEXT_ARRAY, c[COLUMN_REASON].data, c[COLUMN_REASON].length),
		DB_BINARY(PG_OID_BYTEA_ARRAY, c[COLUMN_BYTES].data, c[COLUMN_BYTES].length),
		DB_BINARY(PG_OID_INT2_ARRAY, c[COLUMN_CODEC].data, c[COLUMN_CODEC].length)),
	    err);
	talloc_free(mem);
	return result;
}

int
quarantine_drop(struct db *db, struct dataset *head, struct record_write *const *rows,
		size_t count, struct error *err)
{
	static const char sql[] =
	    "WITH gone AS ("
	    "    DELETE FROM nango_data.quarantine WHERE connection_id = $1 "
	    "      AND dataset_id = $2 AND key IN (SELECT 'i' || unnest($3::text[])) "
	    "    RETURNING 1) "
	    "SELECT count(*) FROM gone";
	TALLOC_CTX *mem;
	struct buf ids;
	int result;

	if (count == 0 || head->quarantined == 0)
		return 0;
	mem = talloc_new(NULL);
	buf_init(&ids, mem, count * 24 + 32);
	pg_array_begin(&ids, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(&ids, rows[i]->external_id, rows[i]->external_id_length);
	result = counted(db, head, -1, sql,
			 DB_PARAMS(DB_INTEGER(head->connection_row), DB_INTEGER(head->id),
				   DB_BINARY(PG_OID_TEXT_ARRAY, ids.data, ids.length)),
			 err);
	talloc_free(mem);
	return result;
}

int
quarantine_drop_unseen(struct db *db, struct dataset *head, struct error *err)
{
	/* A window that this page opened is not there yet. */
	static const char sql[] =
	    "WITH gone AS ("
	    "    DELETE FROM nango_data.quarantine WHERE connection_id = $1 AND dataset_id = "
	    "$2 "
	    "      AND last_seen_at < coalesce((SELECT d.window_opened_at "
	    "          FROM nango_data.dataset d WHERE d.connection_id = $1 AND d.id = $2), "
	    "$3) "
	    "    RETURNING 1) "
	    "SELECT count(*) FROM gone";
	const uint64_t now = htobe64((uint64_t)head->now_us2000);

	return head->quarantined == 0
		   ? 0
		   : counted(db, head, -1, sql,
			     DB_PARAMS(DB_INTEGER(head->connection_row), DB_INTEGER(head->id),
				       DB_BINARY(PG_OID_TIMESTAMPTZ, &now, sizeof(now))),
			     err);
}

int
quarantine_forget(struct db *db, int64_t age_ms, int64_t *count, struct error *err)
{
	static const char sql[] =
	    "WITH past AS MATERIALIZED ("
	    "    SELECT nango_data.clock_now() - $1 * interval '1 millisecond' AS at), "
	    "oldest AS MATERIALIZED ("
	    "    SELECT q.connection_id, q.dataset_id FROM nango_data.quarantine q "
	    "    WHERE q.last_seen_at < (SELECT at FROM past) "
	    "    ORDER BY q.last_seen_at LIMIT 1), "
	    "head AS MATERIALIZED ("
	    "    SELECT d.connection_id, d.id FROM nango_data.dataset d "
	    "    JOIN oldest o ON o.connection_id = d.connection_id AND o.dataset_id = d.id "
	    "    FOR UPDATE OF d), "
	    "gone AS ("
	    "    DELETE FROM nango_data.quarantine q USING head h "
	    "    WHERE q.connection_id = h.connection_id AND q.dataset_id = h.id "
	    "      AND q.last_seen_at < (SELECT at FROM past) RETURNING 1), "
	    "counted AS ("
	    "    UPDATE nango_data.dataset d "
	    "    SET quarantined = greatest(d.quarantined - (SELECT count(*) FROM gone), 0), "
	    "        model_hash = 0 " /* what is stored of them may be bad, too */
	    "    FROM head h WHERE d.connection_id = h.connection_id AND d.id = h.id) "
	    "SELECT count(*) FROM gone";

	return db_exec_value(db, count, err, sql, DB_PARAMS(DB_INTEGER(age_ms)));
}

int
quarantine_list(TALLOC_CTX *mem, struct db *db, const struct dataset *d, int64_t after_id,
		int64_t limit, struct quarantine_row **out, size_t *count, bool *has_more,
		struct error *err)
{
	static const char sql[] =
	    "SELECT id, run_id, times, first_seen_at, last_seen_at, key, path, reason, bytes, "
	    "    codec, all_count "
	    "FROM (SELECT *, count(*) OVER () AS all_count, "
	    "        sum(octet_length(bytes)) OVER (ORDER BY id) - octet_length(bytes) AS "
	    "before "
	    "    FROM (SELECT * FROM nango_data.quarantine "
	    "        WHERE connection_id = $1 AND dataset_id = $2 AND id > $3 "
	    "        ORDER BY id LIMIT $4 + 1) q) q "
	    "WHERE before < $5 ORDER BY id LIMIT $4";
	struct db_result *found;
	struct quarantine_row *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
			      DB_INTEGER(after_id), DB_INTEGER(limit),
			      DB_INTEGER(QUARANTINE_LIST_BYTES))) < 0)
		return -1;
	*has_more = db_rows(found) > 0 && db_integer(found, 0, 10) > (int64_t)db_rows(found);
	list = talloc_zero_array(mem, struct quarantine_row, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++) {
		struct quarantine_row *row = &list[i];

		row->id = db_integer(found, i, 0);
		row->run_id = db_integer(found, i, 1);
		row->times = db_integer(found, i, 2);
		row->first_seen_ms = db_time_ms(found, i, 3);
		row->last_seen_ms = db_time_ms(found, i, 4);
		row->key = db_text(found, i, 5);
		row->path = db_text(found, i, 6);
		row->reason = db_text(found, i, 7);
		row->bytes = db_bytes(found, i, 8, &row->bytes_length);
		row->codec = (enum record_codec)db_integer(found, i, 9);
	}
	*out = list;
	*count = db_rows(found);
	return 0;
}
