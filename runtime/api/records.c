/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/records -- GET /records: one pass from Postgres to the socket; pruning what was read; and
 * what is in quarantine.
 */
#include "api/check.h"
#include "api/record_json.h"
#include "base/jsonspan.h"
#include "base/clock.h"
#include "engine/feed.h"
#include "store/connection.h"
#include "store/quarantine.h"

#include <string.h>
#include <strings.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define PRUNE_DEFAULT 1000
#define IDS_MAX 100
#define ID_LENGTH_MAX 256
#define CHUNK_BYTES 65536
#define LOOK_BACK_MS (INT64_C(366) * 86400000) /* 12 months, whichever they are */

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

/* As the reference: who was away for longer reads without it, or by a cursor. */
static int
read_time(const char *after, struct record_query *q, struct error *err)
{
	if (after == NULL || after[0] == '\0')
		return 0;
	if (clock_parse(after, &q->modified_after_ms) < 0)
		return error_set_at(err, ERR_INVALID_QUERY, "modified_after",
				    "must be a time such as 2026-01-31T00:00:00Z");
	if (q->modified_after_ms < clock_wall_ms() - LOOK_BACK_MS)
		return error_set_at(err, ERR_INVALID_QUERY, "modified_after",
				    "lies more than 12 months back: leave it out, or read "
				    "from a cursor");
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
	if (check_query(call, names, err) < 0 || read_time(after, q, err) < 0 ||
	    read_filter(call, q, err) < 0 || read_ids(call, q, err) < 0)
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
	struct response *res;
	const struct dataset *dataset;
	struct buf out;
	int64_t limit, written, last_seq;
	bool has_more;
};

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
	record_json_add(&w->out, w->dataset, r);
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
	struct writing w = {.res = res, .dataset = dataset, .limit = q->limit};

	buf_init(&w.out, call->mem, CHUNK_BYTES * 2);
	buf_adds(&w.out, "{\"records\":[");
	response_begin(res, 200, "application/json");
	q->limit++; /* one more tells whether there is a next page */
	if (feed_stream(call->node, call->env, db, dataset, q, write_record, &w, err) < 0)
		return -1;
	buf_adds(&w.out, w.has_more ? "],\"next_cursor\":\"" : "],\"next_cursor\":null}");
	if (w.has_more) {
		cursor_add(&w.out, dataset, w.last_seq);
		buf_adds(&w.out, "\"}");
	}
	return response_write(res, w.out.data, w.out.length, err);
}

/* Which dataset a request is about. */
struct subject {
	const char *model, *variant;
	struct connection *connection;
	struct dataset dataset;
	struct db *data;
};

/* ERR_NOT_FOUND: nothing was ever saved for it. */
static int
subject_find(struct call *call, struct subject *s, enum error_code where, struct error *err)
{
	struct db *db;

	if (s->model == NULL)
		return error_set_at(err, where, "model", "model is required");
	if (s->variant == NULL || s->variant[0] == '\0')
		s->variant = "base";
	if (check_name(NAME_MODEL, s->model, where, "model", err) < 0 ||
	    check_name(NAME_FUNCTION, s->variant, where, "variant", err) < 0 ||
	    call_db(call, &db, err) < 0 || find_connection(call, db, &s->connection, err) < 0 ||
	    call_data(call, &s->data, err) < 0)
		return -1;
	return dataset_find(s->data, s->connection->id, s->model, s->variant, &s->dataset, err);
}

int
api_record_list(struct call *call, struct response *res, struct error *err)
{
	const char *cursor = request_query(call->req, "cursor");
	struct subject s = {.model = request_query(call->req, "model"),
			    .variant = request_query(call->req, "variant")};
	struct record_query q = {0};

	if (read_query(call, &q, err) < 0)
		return -1;
	if (subject_find(call, &s, ERR_INVALID_QUERY, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		if (cursor != NULL && cursor[0] != '\0')
			return error_set_at(err, ERR_INVALID_CURSOR, "cursor",
					    "nothing is saved for this model, or not any more: "
					    "read it without a cursor");
		return response_json(
		    res, 200, json_tokener_parse("{\"records\":[],\"next_cursor\":null}"));
	}
	if (cursor != NULL && cursor[0] != '\0' &&
	    cursor_read(call->mem, "cursor", cursor, &s.dataset, &q.after_seq, err) < 0)
		return -1;
	q.connection_row = s.connection->id;
	q.dataset_id = s.dataset.id;
	return stream(call, res, s.data, &q, &s.dataset, err);
}

int
api_record_prune(struct call *call, struct response *res, struct error *err)
{
	static const struct check_member members[] = {
	    {"model", CHECK_STRING},
	    {"until_cursor", CHECK_STRING},
	    {"variant", CHECK_STRING},
	    {"limit", CHECK_INTEGER},
	};
	struct json_object *body, *answer;
	struct subject s = {0};
	struct prune prune = {0};
	const char *cursor;
	int64_t count = 0;
	bool has_more = false;

	if (call_body(call, members, sizeof(members) / sizeof(members[0]), &body, err) < 0)
		return -1;
	s.model = json_string(body, "model");
	s.variant = json_string(body, "variant");
	cursor = json_string(body, "until_cursor");
	prune.limit = json_integer(body, "limit", PRUNE_DEFAULT);
	if (cursor == NULL || prune.limit < 1 || prune.limit > LIMIT_MAX)
		return error_set_at(err, ERR_INVALID_BODY,
				    cursor == NULL ? "until_cursor" : "limit",
				    "until_cursor is required, limit is 1 to %d", LIMIT_MAX);
	if (subject_find(call, &s, ERR_INVALID_BODY, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_INVALID_CURSOR;
		return -1;
	}
	if (cursor_read(call->mem, "until_cursor", cursor, &s.dataset, &prune.until_seq, err) <
		0 ||
	    feed_prune(call->node, &s.dataset, &prune, &count, &has_more, err) < 0)
		return -1;
	answer = json_object_new_object();
	json_add_integer(answer, "count", count);
	json_add_boolean(answer, "has_more", has_more);
	return response_json(res, 200, answer);
}

/* ---- quarantine ---- */

static int
add_bad(struct call *call, const struct payload_codec *codec, const struct dataset *dataset,
	const struct quarantine_row *row, struct json_object *list, struct error *err)
{
	const struct payload_place place = {dataset, row->key, strlen(row->key)};
	struct json_object *one = json_object_new_object();
	const char *data = row->bytes;
	size_t length = row->bytes_length;
	char time[CLOCK_ISO_MAX];

	json_object_array_add(list, one);
	if (payload_decode(call->mem, codec, &place, row->codec, &data, &length, err) < 0)
		return -1;
	json_add(one, "id", row->key[0] == 'i' ? row->key + 1 : NULL);
	json_add(one, "path", row->path);
	json_add(one, "reason", row->reason);
	/* Text where it is text: it may be no JSON at all. */
	if (jsonspan_check(data, length, NULL) == 0)
		json_object_object_add(one, "record",
				       json_object_new_string_len(data, (int)length));
	else
		json_add(one, "record_base64", crypto_base64(call->mem, data, length));
	json_add_integer(one, "times", row->times);
	json_add_integer(one, "run_id", row->run_id);
	clock_iso(time, row->first_seen_ms);
	json_add(one, "first_seen_at", time);
	clock_iso(time, row->last_seen_ms);
	json_add(one, "last_seen_at", time);
	return 0;
}

int
api_quarantine_list(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"model", "variant", "after", "limit", NULL};
	struct subject s = {.model = request_query(call->req, "model"),
			    .variant = request_query(call->req, "variant")};
	struct json_object *body = json_own(call->mem, json_object_new_object()),
			   *list = json_object_new_array();
	struct quarantine_row *rows = NULL;
	struct payload_codec codec;
	int64_t after, limit;
	bool has_more = false;
	size_t count = 0;

	json_object_object_add(body, "records", list);
	if (check_query(call, names, err) < 0 ||
	    query_integer(call, "after", 0, INT64_MAX, 0, &after, err) < 0 ||
	    query_integer(call, "limit", 1, IDS_MAX, IDS_MAX, &limit, err) < 0 ||
	    feed_codec(call->node, call->env, &codec, err) < 0)
		return -1;
	if (subject_find(call, &s, ERR_INVALID_QUERY, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
	} else if (quarantine_list(call->mem, s.data, &s.dataset, after, limit, &rows, &count,
				   &has_more, err) < 0) {
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (add_bad(call, &codec, &s.dataset, &rows[i], list, err) < 0)
			return -1;
	if (has_more)
		json_add_integer(body, "next_after", rows[count - 1].id);
	else
		json_object_object_add(body, "next_after", NULL);
	crypto_wipe(&codec, sizeof(codec));
	return response_json(res, 200, json_object_get(body));
}
