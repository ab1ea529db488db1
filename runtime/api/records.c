/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/records -- GET /records: one pass from Postgres to the socket.
 *
 * Payloads are never parsed: `_nango_metadata` is spliced in before the last brace. A cursor is
 * "1:<dataset>:<epoch>:<seq>" in base64: it says which dataset it belongs to, and a cursor from
 * before the dataset was emptied is an error rather than a silence.
 */
#include "api/check.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "store/connection.h"
#include "store/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CURSOR_MAX 1000
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define IDS_MAX 100
#define ID_LENGTH_MAX 256
#define CHUNK_BYTES 65536

static char *
cursor_make(TALLOC_CTX *mem, const struct dataset *d, int64_t seq)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "1:%" PRId64 ":%" PRId64 ":%" PRId64, d->id,
			 d->epoch, seq);

	return crypto_base64(mem, text, (size_t)n);
}

static int
cursor_read(TALLOC_CTX *mem, const char *cursor, const struct dataset *d, int64_t *seq,
	    struct error *err)
{
	size_t length = 0;
	char *text =
	    strlen(cursor) > CURSOR_MAX ? NULL : (char *)crypto_unbase64(mem, cursor, &length);
	int64_t id, epoch;
	int used = 0;

	if (text == NULL || strlen(text) != length ||
	    sscanf(text, "1:%" SCNd64 ":%" SCNd64 ":%" SCNd64 "%n", &id, &epoch, seq, &used) !=
		3 ||
	    (size_t)used != length || id != d->id || *seq < 0)
		return error_set_at(
		    err, ERR_INVALID_CURSOR, "cursor",
		    "the cursor was not given out for this model of this connection");
	if (epoch != d->epoch)
		return error_set_at(
		    err, ERR_STALE_CURSOR, "cursor",
		    "the dataset was emptied since this cursor was given out: read it "
		    "again without a cursor");
	if (*seq > d->seq)
		return error_set_at(err, ERR_INVALID_CURSOR, "cursor",
				    "the cursor is beyond the newest change");
	return 0;
}

static int
read_filter(struct call *call, struct record_query *q, struct error *err)
{
	static const char *const words[] = {"added", "updated", "deleted"};
	bool *flags[] = {&q->with_added, &q->with_updated, &q->with_deleted};
	const char *p = request_query(call->req, "filter");

	if (p == NULL || p[0] == '\0') {
		q->with_added = q->with_updated = q->with_deleted = true;
		return 0;
	}
	while (*p != '\0') {
		size_t n = strcspn(p, ","), i = 0;

		while (i < 3 && !(strlen(words[i]) == n && strncasecmp(p, words[i], n) == 0))
			i++;
		if (i == 3)
			return error_set_at(
			    err, ERR_INVALID_QUERY, "filter",
			    "must be some of added, updated and deleted, separated by "
			    "commas");
		*flags[i] = true;
		p += n + (p[n] == ',');
	}
	return 0;
}

static int
read_ids(struct call *call, struct record_query *q, struct error *err)
{
	struct json_object *list = json_own(call->mem, json_object_new_array());
	size_t count;
	const struct http_field *fields = request_queries(call->req, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, "ids") != 0 &&
		    strncmp(fields[i].name, "ids[", 4) != 0)
			continue;
		if (fields[i].value[0] == '\0' || strlen(fields[i].value) > ID_LENGTH_MAX)
			return error_set_at(err, ERR_INVALID_QUERY, "ids",
					    "an id has 1 to %d bytes", ID_LENGTH_MAX);
		json_object_array_add(list, json_object_new_string(fields[i].value));
	}
	if (json_object_array_length(list) > IDS_MAX)
		return error_set_at(err, ERR_INVALID_QUERY, "ids", "at most %d ids at once",
				    IDS_MAX);
	if (json_object_array_length(list) > 0)
		q->ids_json = json_text(call->mem, list);
	return 0;
}

static int
read_query(struct call *call, struct record_query *q, struct error *err)
{
	static const char *const names[] = {
	    "model",	      "variant", "cursor", "limit", "filter",
	    "modified_after", "delta",	 "ids",	   "ids[",  NULL};
	const char *after = request_query(call->req, "modified_after");

	if (after == NULL)
		after = request_query(call->req, "delta");
	if (after != NULL && after[0] != '\0' && clock_parse(after, &q->modified_after_ms) < 0)
		return error_set_at(err, ERR_INVALID_QUERY, "modified_after",
				    "must be a time such as 2026-01-31T00:00:00Z");
	if (check_query(call, names, err) < 0 || read_filter(call, q, err) < 0 ||
	    read_ids(call, q, err) < 0)
		return -1;
	return query_integer(call, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &q->limit, err);
}

/* The connection that the two headers name. */
static int
find_connection(struct call *call, struct db *db, struct connection **out, struct error *err)
{
	const char *id = request_header(call->req, "connection-id");
	const char *key = request_header(call->req, "provider-config-key");

	if (id == NULL || key == NULL)
		return error_set_at(
		    err, ERR_INVALID_HEADERS,
		    id == NULL ? "connection-id" : "provider-config-key",
		    "the headers Connection-Id and Provider-Config-Key are required");
	if (connection_find(call->mem, db, call->env->id, key, id, out, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_UNKNOWN_CONNECTION;
		return -1;
	}
	return 0;
}

struct writing {
	struct call *call;
	struct response *res;
	const struct dataset *dataset;
	struct buf out;
	int64_t limit, written, last_seq;
	bool has_more;
};

static void
add_us_time(struct buf *out, const char *name, int64_t us)
{
	char text[CLOCK_ISO_MAX];

	if (us == 0) {
		buf_addf(out, "\"%s\":null", name);
		return;
	}
	/* Microseconds, as the records' own clock has them. */
	clock_iso(text, us / 1000);
	text[19] = '\0';
	buf_addf(out, "\"%s\":\"%s.%06d+00:00\"", name, text, (int)(us % 1000000));
}

static void
add_metadata(struct writing *w, const struct record_read *r)
{
	static const char *const actions[] = {[RECORD_ADDED] = "ADDED",
					      [RECORD_UPDATED] = "UPDATED",
					      [RECORD_DELETED] = "DELETED"};
	char *cursor = cursor_make(w->call->mem, w->dataset, r->seq);

	buf_adds(&w->out, "\"_nango_metadata\":{");
	add_us_time(&w->out, "first_seen_at", r->first_seen_us);
	buf_addc(&w->out, ',');
	add_us_time(&w->out, "last_modified_at", r->last_modified_us);
	buf_addf(&w->out, ",\"last_action\":\"%s\",", actions[r->action]);
	add_us_time(&w->out, "deleted_at", r->deleted_us);
	buf_addc(&w->out, ',');
	add_us_time(&w->out, "pruned_at", r->pruned_us);
	buf_addf(&w->out, ",\"cursor\":\"%s\"}", cursor);
	talloc_free(cursor);
}

/* The payload up to its last brace, a comma unless it is empty, and the metadata. */
static void
add_record(struct writing *w, const struct record_read *r)
{
	size_t n = r->payload_length;

	if (r->payload == NULL) { /* pruned: the id is all that is left */
		buf_adds(&w->out, "{\"id\":");
		buf_add_json_str(&w->out, r->external_id);
	} else {
		while (n > 0 && r->payload[n - 1] != '}')
			n--;
		n--;
		buf_add(&w->out, r->payload, n);
	}
	buf_addc(&w->out, ',');
	add_metadata(w, r);
	buf_addc(&w->out, '}');
}

static int
write_record(void *arg, const struct record_read *r, struct error *err)
{
	struct writing *w = arg;

	if (w->written == w->limit) {
		w->has_more = true;
		return 0;
	}
	if (w->written++ > 0)
		buf_addc(&w->out, ',');
	add_record(w, r);
	w->last_seq = r->seq;
	if (w->out.length < CHUNK_BYTES)
		return 0;
	if (response_write(w->res, w->out.data, w->out.length, err) < 0)
		return -1;
	buf_reset(&w->out);
	return 0;
}

static int
stream(struct call *call, struct response *res, struct db *db, struct record_query *q,
       const struct dataset *dataset, struct error *err)
{
	struct writing w = {.call = call, .res = res, .dataset = dataset, .limit = q->limit};

	buf_init(&w.out, call->mem, CHUNK_BYTES * 2);
	buf_adds(&w.out, "{\"records\":[");
	response_begin(res, 200, "application/json");
	q->limit++; /* one more tells whether there is a next page */
	if (record_stream(db, q, write_record, &w, err) < 0)
		return -1;
	buf_adds(&w.out, "],\"next_cursor\":");
	buf_add_json_str(&w.out,
			 w.has_more ? cursor_make(call->mem, dataset, w.last_seq) : NULL);
	buf_addc(&w.out, '}');
	return response_write(res, w.out.data, w.out.length, err);
}

int
api_record_list(struct call *call, struct response *res, struct error *err)
{
	const char *model = request_query(call->req, "model");
	const char *variant = request_query(call->req, "variant");
	const char *cursor = request_query(call->req, "cursor");
	struct record_query q = {0};
	struct connection *connection;
	struct dataset dataset;
	struct db *db, *data;

	if (model == NULL)
		return error_set_at(err, ERR_INVALID_QUERY, "model", "model is required");
	if (variant == NULL || variant[0] == '\0')
		variant = "base";
	if (check_name(NAME_MODEL, model, ERR_INVALID_QUERY, "model", err) < 0 ||
	    check_name(NAME_FUNCTION, variant, ERR_INVALID_QUERY, "variant", err) < 0 ||
	    read_query(call, &q, err) < 0 || call_db(call, &db, err) < 0 ||
	    find_connection(call, db, &connection, err) < 0 || call_data(call, &data, err) < 0)
		return -1;
	if (dataset_find(data, connection->id, model, variant, &dataset, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		if (cursor != NULL && cursor[0] != '\0')
			return error_set_at(err, ERR_INVALID_CURSOR, "cursor",
					    "nothing was ever saved for this model");
		return response_json(
		    res, 200, json_tokener_parse("{\"records\":[],\"next_cursor\":null}"));
	}
	if (cursor != NULL && cursor[0] != '\0' &&
	    cursor_read(call->mem, cursor, &dataset, &q.after_seq, err) < 0)
		return -1;
	q.connection_row = connection->id;
	q.dataset_id = dataset.id;
	return stream(call, res, data, &q, &dataset, err);
}
