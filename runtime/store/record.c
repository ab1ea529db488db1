/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/record -- see record.h.
 *
 * New rows go by COPY, changed and deleted ones by one statement, and an unchanged record is
 * not written at all: no row, no WAL.
 */
#include "store/record.h"
#include "store/pgbinary.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
probe_read(const struct db_result *found, record_find_fn *find, void *arg, struct error *err)
{
	for (size_t i = 0; i < db_rows(found); i++) {
		size_t length, hash_length;
		const char *id = db_bytes(found, i, 0, &length);
		struct record_write *row = find(arg, id, length);
		const void *hash = db_bytes(found, i, 1, &hash_length);

		if (row == NULL || hash_length != RECORD_HASH_BYTES)
			return error_set(err, ERR_INTERNAL,
					 "a probe found what it did not ask");
		row->old.is_known = true;
		row->old.is_deleted = db_boolean(found, i, 2);
		memcpy(row->old.hash, hash, RECORD_HASH_BYTES);
	}
	return 0;
}

int
record_probe(struct db *db, const struct dataset *d, struct record_write *const *rows,
	     size_t count, record_find_fn *find, void *arg, struct error *err)
{
	/*
	 * One look-up by the primary key for each id. As long as the statistics do not know the
	 * connection, "= ANY" is a scan of its whole dataset for each page; LIMIT keeps the
	 * subquery from being joined otherwise, and the feed's index is partial so that it is
	 * not taken here.
	 */
	static const char sql[] =
	    "SELECT r.external_id, r.hash, r.is_deleted FROM unnest($3) AS w (id), LATERAL ("
	    "    SELECT external_id, hash, action = 3 AS is_deleted "
	    "    FROM nango_data.record "
	    "    WHERE connection_id = $1 AND dataset_id = $2 "
	    "      AND external_id = w.id COLLATE \"C\" LIMIT 1) r";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	struct buf ids;
	int result;

	buf_init(&ids, mem, count * 24 + 64);
	pg_array_begin(&ids, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++) {
		rows[i]->old = (struct record_state){0};
		pg_field(&ids, rows[i]->external_id, rows[i]->external_id_length);
	}
	result = db_exec(db, mem, &found, err, sql,
			 DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
				   DB_BINARY(PG_OID_TEXT_ARRAY, ids.data, ids.length)));
	if (result == 0)
		result = probe_read(found, find, arg, err);
	talloc_free(mem);
	return result;
}

struct inserting {
	const struct dataset *dataset;
	struct record_write *const *rows;
	size_t count, at;
	bool is_over;
};

static void
add_row(struct buf *out, const struct dataset *d, const struct record_write *row)
{
	pg_copy_row(out, 10);
	pg_field_int8(out, d->connection_row);
	pg_field_int8(out, d->id);
	pg_field_int8(out, row->seq);
	pg_field_int8(out, d->now_us2000);
	pg_field_int8(out, d->now_us2000);
	pg_field(out, row->hash, RECORD_HASH_BYTES);
	pg_field_int2(out, (int16_t)row->action);
	pg_field_int2(out, (int16_t)row->codec);
	pg_field(out, row->external_id, row->external_id_length);
	pg_field(out, row->payload, row->payload_length);
}

static void
add_rows(void *arg, struct buf *out)
{
	struct inserting *in = arg;

	if (in->is_over)
		return;
	if (in->at == 0)
		pg_copy_begin(out);
	while (in->at < in->count && out->length < DB_COPY_PIECE)
		add_row(out, in->dataset, in->rows[in->at++]);
	in->is_over = in->at == in->count;
	if (in->is_over)
		pg_copy_end(out);
}

int
record_insert(struct db *db, const struct dataset *d, struct record_write *const *rows,
	      size_t count, struct error *err)
{
	static const char sql[] =
	    "COPY nango_data.record (connection_id, dataset_id, seq, first_seen_at, "
	    "last_modified_at, hash, action, codec, external_id, payload) "
	    "FROM STDIN (FORMAT binary)";
	struct inserting in = {.dataset = d, .rows = rows, .count = count};

	return count == 0 ? 0 : db_copy_in(db, sql, add_rows, &in, err);
}

/* ---- rows that are there ---- */

enum {
	ARRAY_ID,
	ARRAY_SEQ,
	ARRAY_HASH,
	ARRAYS_OF_DELETE,
	ARRAY_ACTION = ARRAYS_OF_DELETE,
	ARRAY_CODEC,
	ARRAY_PAYLOAD,
	ARRAYS
};

static void
arrays_fill(TALLOC_CTX *mem, struct buf arrays[ARRAYS], struct record_write *const *rows,
	    size_t count)
{
	static const uint32_t oids[ARRAYS] = {PG_OID_TEXT, PG_OID_INT8, PG_OID_UUID,
					      PG_OID_INT2, PG_OID_INT2, PG_OID_BYTEA};

	for (size_t i = 0; i < ARRAYS; i++) {
		buf_init(&arrays[i], mem, count * 32 + 64);
		pg_array_begin(&arrays[i], oids[i], count);
	}
	for (size_t i = 0; i < count; i++) {
		pg_field(&arrays[ARRAY_ID], rows[i]->external_id, rows[i]->external_id_length);
		pg_field_int8(&arrays[ARRAY_SEQ], rows[i]->seq);
		pg_field(&arrays[ARRAY_HASH], rows[i]->hash, RECORD_HASH_BYTES);
		pg_field_int2(&arrays[ARRAY_ACTION], (int16_t)rows[i]->action);
		pg_field_int2(&arrays[ARRAY_CODEC], (int16_t)rows[i]->codec);
		pg_field(&arrays[ARRAY_PAYLOAD], rows[i]->payload, rows[i]->payload_length);
	}
}

#define PIECE_BYTES ((size_t)32 * 1024 * 1024) /* of rows that are written at a time */

/* How many of the first rows are a piece, 1 at least. */
static size_t
piece_of(struct record_write *const *rows, size_t count)
{
	size_t n = 0;

	for (size_t bytes = 0; n < count && bytes < PIECE_BYTES; n++)
		bytes += rows[n]->external_id_length + rows[n]->payload_length + 64;
	return n;
}

/* $1 connection, $2 dataset, $3 now, then the first `used` arrays. */
static int
write_piece(struct db *db, const struct dataset *d, const char *sql,
	    struct record_write *const *rows, size_t count, size_t used, struct error *err)
{
	static const uint32_t oids[ARRAYS] = {PG_OID_TEXT_ARRAY, PG_OID_INT8_ARRAY,
					      PG_OID_UUID_ARRAY, PG_OID_INT2_ARRAY,
					      PG_OID_INT2_ARRAY, PG_OID_BYTEA_ARRAY};
	const uint64_t now = htobe64((uint64_t)d->now_us2000);
	struct db_param params[3 + ARRAYS] = {DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
					      DB_BINARY(PG_OID_TIMESTAMPTZ, &now, sizeof(now))};
	struct buf arrays[ARRAYS];
	TALLOC_CTX *mem = talloc_new(NULL);
	int result;

	arrays_fill(mem, arrays, rows, count);
	for (size_t i = 0; i < used; i++)
		params[3 + i] = DB_BINARY(oids[i], arrays[i].data, arrays[i].length);
	result = db_exec(db, NULL, NULL, err, sql, params, 3 + used);
	talloc_free(mem);
	return result;
}

static int
write_rows(struct db *db, const struct dataset *d, const char *sql,
	   struct record_write *const *rows, size_t count, size_t used, struct error *err)
{
	while (count > 0) {
		size_t n = piece_of(rows, count);

		if (write_piece(db, d, sql, rows, n, used, err) < 0)
			return -1;
		rows += n;
		count -= n;
	}
	return 0;
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
	    "SELECT $1, $2, n.seq, $3, $3, n.hash, n.action, n.codec, n.external_id, n.payload "
	    "FROM unnest($4, $5, $6, $7, $8, $9) "
	    "    AS n (external_id, seq, hash, action, codec, payload) "
	    "ON CONFLICT (connection_id, dataset_id, external_id) DO UPDATE "
	    "SET seq = excluded.seq, hash = excluded.hash, action = excluded.action, "
	    "    codec = excluded.codec, payload = excluded.payload, "
	    "    last_modified_at = excluded.last_modified_at, deleted_at = NULL, "
	    "    pruned_at = NULL, first_seen_at = CASE WHEN excluded.action = 1 "
	    "        THEN excluded.first_seen_at ELSE r.first_seen_at END";

	return write_rows(db, d, sql, rows, count, ARRAYS, err);
}

int
record_delete(struct db *db, const struct dataset *d, struct record_write *const *rows,
	      size_t count, struct error *err)
{
	/* As record_update: bound to the primary key, and it never inserts. */
	static const char sql[] =
	    "INSERT INTO nango_data.record AS r (connection_id, dataset_id, seq, "
	    "    first_seen_at, last_modified_at, deleted_at, hash, action, codec, "
	    "external_id) "
	    "SELECT $1, $2, n.seq, $3, $3, $3, n.hash, 3, 0, n.external_id "
	    "FROM unnest($4, $5, $6) AS n (external_id, seq, hash) "
	    "ON CONFLICT (connection_id, dataset_id, external_id) DO UPDATE "
	    "SET seq = excluded.seq, action = 3, deleted_at = excluded.deleted_at, "
	    "    last_modified_at = excluded.last_modified_at";

	return write_rows(db, d, sql, rows, count, ARRAYS_OF_DELETE, err);
}

/* ---- COPY TO STDOUT (FORMAT binary): rows of few short fields ---- */

#define COPY_SIGNATURE 11 /* and two counts of 4 bytes */
#define COPY_FIELDS_MAX 4

struct copy_row {
	const char *fields[COPY_FIELDS_MAX];
	size_t lengths[COPY_FIELDS_MAX];
};

struct copy_reader {
	int (*row)(void *arg, const struct copy_row *row, struct error *err);
	void *arg;
	bool has_begun;
};

static uint32_t
be32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

/* libpq hands out a row at a time; the header comes with the first. */
static int
copy_data(void *arg, const char *data, size_t length, struct error *err)
{
	struct copy_reader *reader = arg;
	const char *at = data, *end = data + length;
	struct copy_row row = {0};
	int fields;

	if (!reader->has_begun && length >= COPY_SIGNATURE + 8)
		at += COPY_SIGNATURE + 8 + be32(at + COPY_SIGNATURE + 4);
	reader->has_begun = true;
	if (end - at < 2)
		return 0;
	fields = (unsigned char)at[0] << 8 | (unsigned char)at[1];
	at += 2;
	if (fields == UINT16_MAX)
		return 0; /* the end */
	for (int i = 0; i < fields && i < COPY_FIELDS_MAX && end - at >= 4; i++) {
		row.lengths[i] = be32(at);
		row.fields[i] = at + 4;
		if (row.lengths[i] > (size_t)(end - at - 4))
			return error_set(err, ERR_DATABASE, "COPY sent a damaged row");
		at += 4 + row.lengths[i];
	}
	return reader->row(reader->arg, &row, err);
}

struct states {
	record_state_fn *fn;
	void *arg;
};

static int
states_row(void *arg, const struct copy_row *row, struct error *err)
{
	const struct states *states = arg;
	struct record_state state = {.is_known = true};

	if (row->lengths[1] != RECORD_HASH_BYTES || row->lengths[2] != 2)
		return error_set(err, ERR_DATABASE, "COPY sent a damaged row");
	memcpy(state.hash, row->fields[1], RECORD_HASH_BYTES);
	state.is_deleted = row->fields[2][1] == RECORD_DELETED;
	return states->fn(states->arg, row->fields[0], row->lengths[0], &state, err);
}

int
record_states(struct db *db, const struct dataset *d, int64_t after_seq, record_state_fn *fn,
	      void *arg, struct error *err)
{
	struct states states = {fn, arg};
	struct copy_reader reader = {states_row, &states, false};
	char sql[512], since[64] = "";

	/* COPY takes no parameters; these are numbers of our own. All rows are in the primary
	 * key with what is asked for; only "seq > 0" leads to the feed's index. */
	if (after_seq > 0)
		snprintf(since, sizeof(since), " AND seq > 0 AND seq > %" PRId64, after_seq);
	snprintf(sql, sizeof(sql),
		 "COPY (SELECT external_id, hash, action FROM nango_data.record "
		 "WHERE connection_id = %" PRId64 " AND dataset_id = %" PRId64
		 "%s) TO STDOUT (FORMAT binary)",
		 d->connection_row, d->id, since);
	return db_copy_out(db, sql, copy_data, &reader, err);
}

/* A cursor, because whoever is given an id may have something to ask or to write. */
int
record_ids_until(struct db *db, const struct dataset *d, int64_t until_seq, record_id_fn *fn,
		 void *arg, struct error *err)
{
	static const char declare[] = "DECLARE record_ids NO SCROLL CURSOR FOR "
				      "SELECT external_id FROM nango_data.record "
				      "WHERE connection_id = $1 AND dataset_id = $2 "
				      "  AND action <> 3 AND seq <= $3";
	size_t count = 1;

	if (db_exec(db, NULL, NULL, err, declare,
		    DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
			      DB_INTEGER(until_seq))) < 0)
		return -1;
	while (count > 0) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct db_result *found;
		int result =
		    db_exec(db, mem, &found, err, "FETCH 10000 FROM record_ids", DB_NONE);

		count = result < 0 ? 0 : db_rows(found);
		for (size_t i = 0; result == 0 && i < count; i++) {
			size_t length;
			const char *id = db_bytes(found, i, 0, &length);

			result = fn(arg, id, length, err);
		}
		talloc_free(mem);
		if (result < 0)
			return -1;
	}
	return db_exec(db, NULL, NULL, err, "CLOSE record_ids", DB_NONE);
}
