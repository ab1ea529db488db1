/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/record -- probing, writing and reading records. Heads and fences are in dataset.c.
 *
 * A page asks for its ids' hashes first; new rows go by COPY, changed ones by one UPDATE, and
 * an unchanged record is not written at all: no row, no WAL.
 */
#include "store/record.h"
#include "store/pgbinary.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Open addressing over the page's own ids, to find the row that an answer belongs to. */
struct id_table {
	struct record_write **slots;
	size_t mask;
};

static struct record_write **
id_slot(const struct id_table *table, const char *id, size_t length)
{
	size_t at = (size_t)XXH3_64bits(id, length) & table->mask;

	while (table->slots[at] != NULL &&
	       (table->slots[at]->external_id_length != length ||
		memcmp(table->slots[at]->external_id, id, length) != 0))
		at = (at + 1) & table->mask;
	return &table->slots[at];
}

static void
id_table_fill(TALLOC_CTX *mem, struct id_table *table, struct record_write **rows, size_t count)
{
	size_t size = 16;

	while (size < count * 2)
		size *= 2;
	table->mask = size - 1;
	table->slots = talloc_zero_size(mem, size * sizeof(*table->slots));
	if (table->slots == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		*id_slot(table, rows[i]->external_id, rows[i]->external_id_length) = rows[i];
}

size_t
record_unique(struct record_write **rows, size_t count)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct id_table table;
	size_t kept = 0;

	id_table_fill(mem, &table, rows,
		      count); /* a later row takes the slot of an earlier one */
	for (size_t i = 0; i < count; i++)
		if (*id_slot(&table, rows[i]->external_id, rows[i]->external_id_length) ==
		    rows[i])
			rows[kept++] = rows[i];
	talloc_free(mem);
	return kept;
}

static void
probe_read(const struct db_result *found, const struct id_table *table)
{
	for (size_t i = 0; i < db_rows(found); i++) {
		size_t length, hash_length;
		const char *id = db_bytes(found, i, 0, &length);
		struct record_write *row = *id_slot(table, id, length);
		const void *hash = db_bytes(found, i, 1, &hash_length);

		if (row == NULL || hash_length != RECORD_HASH_BYTES)
			abort(); /* the statement asked for these ids and for a uuid */
		row->is_known = true;
		memcpy(row->old_hash, hash, RECORD_HASH_BYTES);
		row->is_deleted = db_boolean(found, i, 2);
	}
}

int
record_probe(struct db *db, const struct dataset *d, struct record_write **rows, size_t count,
	     struct error *err)
{
	/*
	 * One look-up by the primary key for each id. As long as the statistics do not know the
	 * connection, "= ANY" is a scan of its whole dataset for each page; LIMIT keeps the
	 * subquery from being joined otherwise, and the feed's index is partial so that it is
	 * not taken here.
	 */
	static const char sql[] =
	    "SELECT r.external_id, r.hash, r.is_deleted FROM unnest($3) AS w (id), LATERAL ("
	    "    SELECT external_id, hash, deleted_at IS NOT NULL AS is_deleted "
	    "    FROM nango_data.record "
	    "    WHERE connection_id = $1 AND dataset_id = $2 "
	    "      AND external_id = w.id COLLATE \"C\" LIMIT 1) r";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct id_table table;
	struct db_result *found;
	struct buf ids;
	int result;

	buf_init(&ids, mem, count * 24 + 64);
	pg_array_begin(&ids, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(&ids, rows[i]->external_id, rows[i]->external_id_length);
	result = db_exec(db, mem, &found, err, sql,
			 DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
				   DB_BINARY(PG_OID_TEXT_ARRAY, ids.data, ids.length)));
	if (result == 0) {
		id_table_fill(mem, &table, rows, count);
		probe_read(found, &table);
	}
	talloc_free(mem);
	return result;
}

int
record_insert(struct db *db, const struct dataset *d, struct record_write *const *rows,
	      size_t count, struct error *err)
{
	static const char sql[] =
	    "COPY nango_data.record (connection_id, dataset_id, seq, first_seen_at, "
	    "last_modified_at, hash, action, codec, external_id, payload) "
	    "FROM STDIN (FORMAT binary)";
	TALLOC_CTX *mem;
	struct buf copy;
	size_t bytes = 64;
	int result;

	if (count == 0)
		return 0;
	mem = talloc_new(NULL);
	for (size_t i = 0; i < count; i++)
		bytes += rows[i]->payload_length + rows[i]->external_id_length + 128;
	buf_init(&copy, mem, bytes);
	pg_copy_begin(&copy);
	for (size_t i = 0; i < count; i++) {
		pg_copy_row(&copy, 10);
		pg_field_int8(&copy, d->connection_row);
		pg_field_int8(&copy, d->id);
		pg_field_int8(&copy, rows[i]->seq);
		pg_field_int8(&copy, d->now_us2000);
		pg_field_int8(&copy, d->now_us2000);
		pg_field(&copy, rows[i]->hash, RECORD_HASH_BYTES);
		pg_field_int2(&copy, (int16_t)rows[i]->action);
		pg_field_int2(&copy, RECORD_RAW);
		pg_field(&copy, rows[i]->external_id, rows[i]->external_id_length);
		pg_field(&copy, rows[i]->payload, rows[i]->payload_length);
	}
	pg_copy_end(&copy);
	result = db_copy_in(db, sql, copy.data, copy.length, err);
	talloc_free(mem);
	return result;
}

struct update_arrays {
	struct buf ids, seqs, hashes, actions, payloads;
};

static void
update_arrays_fill(TALLOC_CTX *mem, struct update_arrays *a, struct record_write *const *rows,
		   size_t count)
{
	struct buf *all[] = {&a->ids, &a->seqs, &a->hashes, &a->actions, &a->payloads};
	static const uint32_t oids[] = {PG_OID_TEXT, PG_OID_INT8, PG_OID_UUID, PG_OID_INT2,
					PG_OID_BYTEA};

	for (size_t i = 0; i < 5; i++) {
		buf_init(all[i], mem, count * 32 + 64);
		pg_array_begin(all[i], oids[i], count);
	}
	for (size_t i = 0; i < count; i++) {
		pg_field(&a->ids, rows[i]->external_id, rows[i]->external_id_length);
		pg_field_int8(&a->seqs, rows[i]->seq);
		pg_field(&a->hashes, rows[i]->hash, RECORD_HASH_BYTES);
		pg_field_int2(&a->actions, (int16_t)rows[i]->action);
		pg_field(&a->payloads, rows[i]->payload, rows[i]->payload_length);
	}
}

int
record_update(struct db *db, const struct dataset *d, struct record_write *const *rows,
	      size_t count, struct error *err)
{
	/*
	 * Every row is there, so this never inserts. ON CONFLICT is the one form of an UPDATE
	 * that is bound to the primary key: a join scans the whole dataset for each page as
	 * long as the statistics do not know the connection. A record that comes back after its
	 * deletion begins anew: added, first seen now.
	 */
	static const char sql[] =
	    "INSERT INTO nango_data.record AS r (connection_id, dataset_id, seq, "
	    "    first_seen_at, last_modified_at, hash, action, codec, external_id, payload) "
	    "SELECT $1, $2, n.seq, $3, $3, n.hash, n.action, 0, n.external_id, n.payload "
	    "FROM unnest($4, $5, $6, $7, $8) AS n (external_id, seq, hash, action, payload) "
	    "ON CONFLICT (connection_id, dataset_id, external_id) DO UPDATE "
	    "SET seq = excluded.seq, hash = excluded.hash, action = excluded.action, "
	    "    codec = excluded.codec, payload = excluded.payload, "
	    "    last_modified_at = excluded.last_modified_at, deleted_at = NULL, "
	    "    pruned_at = NULL, first_seen_at = CASE WHEN excluded.action = 1 "
	    "        THEN excluded.first_seen_at ELSE r.first_seen_at END";
	TALLOC_CTX *mem;
	struct update_arrays a;
	struct buf now;
	int result;

	if (count == 0)
		return 0;
	mem = talloc_new(NULL);
	update_arrays_fill(mem, &a, rows, count);
	buf_init(&now, mem, 8);
	buf_add_be64(&now, (uint64_t)d->now_us2000);
	result = db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
		      DB_BINARY(1184 /* timestamptz */, now.data, now.length),
		      DB_BINARY(PG_OID_TEXT_ARRAY, a.ids.data, a.ids.length),
		      DB_BINARY(PG_OID_INT8_ARRAY, a.seqs.data, a.seqs.length),
		      DB_BINARY(PG_OID_UUID_ARRAY, a.hashes.data, a.hashes.length),
		      DB_BINARY(PG_OID_INT2_ARRAY, a.actions.data, a.actions.length),
		      DB_BINARY(PG_OID_BYTEA_ARRAY, a.payloads.data, a.payloads.length)));
	talloc_free(mem);
	return result;
}

struct stream {
	record_fn *fn;
	void *arg;
};

static int
stream_row(void *arg, const struct db_result *row, struct error *err)
{
	const struct stream *stream = arg;
	struct record_read r = {
	    .seq = db_integer(row, 0, 0),
	    .external_id = db_text(row, 0, 1),
	    .first_seen_us = db_time_us(row, 0, 3),
	    .last_modified_us = db_time_us(row, 0, 4),
	    .deleted_us = db_time_us(row, 0, 5),
	    .pruned_us = db_time_us(row, 0, 6),
	    .action = db_integer(row, 0, 7),
	};

	r.payload = db_bytes(row, 0, 2, &r.payload_length);
	return stream->fn(stream->arg, &r, err);
}

int
record_stream(struct db *db, const struct record_query *q, record_fn *fn, void *arg,
	      struct error *err)
{
	static const char sql[] =
	    "SELECT seq, external_id, payload, first_seen_at, last_modified_at, deleted_at, "
	    "    pruned_at, action "
	    "FROM nango_data.record "
	    "WHERE connection_id = $1 AND dataset_id = $2 AND seq > 0 AND seq > $3 "
	    "  AND ($5 OR action <> 1) AND ($6 OR action <> 2) AND ($7 OR action <> 3) "
	    "  AND ($8 = 0 OR last_modified_at > to_timestamp($8::float8 / 1000)) "
	    "  AND ($9::text IS NULL OR external_id IN (SELECT "
	    "json_array_elements_text($9::json))) "
	    "ORDER BY seq LIMIT $4";
	struct stream stream = {fn, arg};

	return db_stream(db, err, stream_row, &stream, sql,
			 DB_PARAMS(DB_INTEGER(q->connection_row), DB_INTEGER(q->dataset_id),
				   DB_INTEGER(q->after_seq), DB_INTEGER(q->limit),
				   DB_BOOLEAN(q->with_added), DB_BOOLEAN(q->with_updated),
				   DB_BOOLEAN(q->with_deleted),
				   DB_INTEGER(q->modified_after_ms), DB_TEXT(q->ids_json)));
}
