/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/feed -- see feed.h.
 */
#include "store/feed.h"
#include "store/pgbinary.h"

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
	    .codec = (enum record_codec)db_integer(row, 0, 8),
	};

	r.payload = db_bytes(row, 0, 2, &r.payload_length);
	return stream->fn(stream->arg, &r, err);
}

#define FEED_COLUMNS                                                                           \
	"r.seq, r.external_id, r.payload, r.first_seen_at, r.last_modified_at, r.deleted_at, " \
	"r.pruned_at, r.action, r.codec "
#define FEED_CONDITIONS                                                              \
	"($5 OR r.action <> 1) AND ($6 OR r.action <> 2) AND ($7 OR r.action <> 3) " \
	"AND ($8 = 0 OR r.last_modified_at > to_timestamp($8::float8 / 1000)) "

int
record_stream(struct db *db, const struct record_query *q, record_fn *fn, void *arg,
	      struct error *err)
{
	static const char in_order[] =
	    "SELECT " FEED_COLUMNS "FROM nango_data.record r "
	    "WHERE r.connection_id = $1 AND r.dataset_id = $2 "
	    "  AND r.seq > 0 AND r.seq > $3 AND " FEED_CONDITIONS "ORDER BY r.seq LIMIT $4";
	static const char since[] =
	    "SELECT " FEED_COLUMNS "FROM nango_data.record r "
	    "WHERE r.connection_id = $1 AND r.dataset_id = $2 AND r.seq > 0 "
	    "  AND r.seq > nango_data.feed_place($1, $2, $3, to_timestamp($8::float8 / 1000)) "
	    "  AND " FEED_CONDITIONS "ORDER BY r.seq LIMIT $4";
	/* What is left out is not read: the lengths stand beside payloads that are large. */
	static const char bounded[] =
	    "SELECT " FEED_COLUMNS "FROM ("
	    "    SELECT p.*, coalesce(sum(octet_length(p.payload)) OVER (ORDER BY p.seq "
	    "        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before "
	    "    FROM (SELECT * FROM nango_data.record r "
	    "        WHERE r.connection_id = $1 AND r.dataset_id = $2 "
	    "          AND r.seq > 0 AND r.seq > $3 AND " FEED_CONDITIONS
	    "        ORDER BY r.seq LIMIT $4) p) r "
	    "WHERE r.bytes_before < $9 ORDER BY r.seq";
	/* One look-up by the primary key for each id, as in record_probe. */
	static const char by_ids[] =
	    "SELECT " FEED_COLUMNS
	    "FROM (SELECT DISTINCT json_array_elements_text($9::json) AS id) w, LATERAL ("
	    "    SELECT * FROM nango_data.record WHERE connection_id = $1 AND dataset_id = $2 "
	    "      AND external_id = w.id COLLATE \"C\" LIMIT 1) r "
	    "WHERE r.seq > $3 AND " FEED_CONDITIONS "ORDER BY r.seq LIMIT $4";
	struct stream stream = {fn, arg};
	const char *sql = q->ids_json != NULL	      ? by_ids
			  : q->modified_after_ms != 0 ? since
			  : q->bytes_max != 0	      ? bounded
						      : in_order;
	bool has_ninth = sql == by_ids || sql == bounded;

	return db_stream(db, err, stream_row, &stream, sql,
			 (const struct db_param[]){
			     DB_INTEGER(q->connection_row), DB_INTEGER(q->dataset_id),
			     DB_INTEGER(q->after_seq), DB_INTEGER(q->limit),
			     DB_BOOLEAN(q->with_added), DB_BOOLEAN(q->with_updated),
			     DB_BOOLEAN(q->with_deleted), DB_INTEGER(q->modified_after_ms),
			     sql == bounded ? DB_INTEGER(q->bytes_max) : DB_TEXT(q->ids_json)},
			 has_ninth ? 9 : 8);
}

static int
stored_row(void *arg, const struct db_result *row, struct error *err)
{
	const struct stream *stream = arg;
	struct record_read r = {.external_id = db_text(row, 0, 0),
				.codec = (enum record_codec)db_integer(row, 0, 2)};

	r.payload = db_bytes(row, 0, 1, &r.payload_length);
	return stream->fn(stream->arg, &r, err);
}

int
record_stored(struct db *db, const struct dataset *d, struct record_write *const *rows,
	      size_t count, int64_t bytes_max, record_fn *fn, void *arg, struct error *err)
{
	/* One look-up by the primary key for each id, as in record_probe. */
	static const char sql[] =
	    "SELECT external_id, payload, codec FROM ("
	    "    SELECT w.n, r.*, coalesce(sum(octet_length(r.payload)) OVER (ORDER BY w.n "
	    "        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before "
	    "    FROM unnest($3) WITH ORDINALITY AS w (id, n), LATERAL ("
	    "        SELECT external_id, payload, codec FROM nango_data.record "
	    "        WHERE connection_id = $1 AND dataset_id = $2 "
	    "          AND external_id = w.id COLLATE \"C\" LIMIT 1) r) f "
	    "WHERE bytes_before < $4 ORDER BY n";
	struct stream stream = {fn, arg};
	struct buf ids;
	int result;

	buf_init(&ids, NULL, count * 24 + 64);
	pg_array_begin(&ids, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(&ids, rows[i]->external_id, rows[i]->external_id_length);
	result = db_stream(db, err, stored_row, &stream, sql,
			   DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
				     DB_BINARY(PG_OID_TEXT_ARRAY, ids.data, ids.length),
				     DB_INTEGER(bytes_max)));
	buf_done(&ids);
	return result;
}

/*
 * Sequence numbers and times of change rise together, and whatever lies at or below pruned_seq
 * is empty already, so this is a range of the feed's index.
 */
int
record_prune(struct db *db, const struct dataset *d, const struct prune *p, int64_t *count,
	     bool *has_more, struct error *err)
{
	static const char sql[] =
	    "WITH due AS ("
	    "    SELECT seq FROM nango_data.record "
	    "    WHERE connection_id = $1 AND dataset_id = $2 AND seq > 0 AND seq > $3 "
	    "      AND seq <= $4 "
	    "      AND ($5 = 0 OR last_modified_at < to_timestamp($5::float8 / 1000)) "
	    "    ORDER BY seq LIMIT $6 + 1), "
	    "last AS (SELECT max(seq) AS seq FROM (SELECT seq FROM due ORDER BY seq LIMIT $6) "
	    "t), "
	    "gone AS ("
	    "    UPDATE nango_data.record r SET payload = NULL, codec = 0, "
	    "        pruned_at = nango_data.clock_now() FROM last l "
	    "    WHERE r.connection_id = $1 AND r.dataset_id = $2 AND r.seq > 0 "
	    "      AND r.seq > $3 AND r.seq <= l.seq RETURNING 1), "
	    "moved AS ("
	    "    UPDATE nango_data.dataset d SET pruned_seq = coalesce(l.seq, d.pruned_seq), "
	    "        unpruned_at = (SELECT r.last_modified_at FROM nango_data.record r "
	    "            WHERE r.connection_id = $1 AND r.dataset_id = $2 AND r.seq > 0 "
	    "              AND r.seq > coalesce(l.seq, $3) ORDER BY r.seq LIMIT 1) "
	    "    FROM last l WHERE d.connection_id = $1 AND d.id = $2) "
	    "SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM due) > $6";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result =
	    db_exec(db, mem, &done, err, sql,
		    DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
			      DB_INTEGER(d->pruned_seq), DB_INTEGER(p->until_seq),
			      DB_INTEGER(p->modified_before_ms), DB_INTEGER(p->limit)));

	if (result == 0) {
		*count = db_integer(done, 0, 0);
		*has_more = db_boolean(done, 0, 1);
	}
	talloc_free(mem);
	return result;
}
