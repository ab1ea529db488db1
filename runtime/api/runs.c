/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/runs -- runs as a resource: list, show, cancel, begin again, and what they cost.
 *
 * A cursor is the number of the last run of a page; numbers fall, so what is queued meanwhile
 * does not move a page.
 */
#include "api/check.h"
#include "base/clock.h"
#include "engine/cancel.h"
#include "engine/kind.h"
#include "engine/outcome.h"
#include "engine/worker.h"
#include "store/run.h"
#include "store/sync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1000
#define LIST_DEFAULT 50
#define CURSOR_NUMBER_MAX 16		     /* digits */
#define NUMBER_MAX INT64_C(9007199254740991) /* what JSON numbers hold everywhere */

static const char *const filter_names[] = {
    "state", "kind", "sync", "integration", "connection", "since", "limit", "cursor", NULL};

static void
add_time(struct json_object *out, const char *key, int64_t ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(text, ms);
	json_add(out, key, ms == 0 ? NULL : text);
}

static int
run_json(struct call *call, const struct run_row *r, struct json_object **out,
	 struct error *err)
{
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
	    {"attempts", r->attempts},
	    {"pages", r->pages},
	    {"added", r->added},
	    {"updated", r->updated},
	    {"deleted", r->deleted},
	    {"requests", r->requests},
	    {"request_bytes", r->request_bytes},
	    {"response_bytes", r->response_bytes},
	    {"cpu_us", r->cpu_us},
	    {"max_rss_kb", r->max_rss_kb},
	};
	struct json_object *o = json_own(call->mem, json_object_new_object()), *result;

	if (json_parse(call->mem, r->result, strlen(r->result), &result, err) < 0)
		return -1;
	json_add_integer(o, "id", r->id);
	json_add(o, "kind", kind_name(r->kind));
	json_add(o, "state", r->state);
	json_add(o, "integration", r->integration_key);
	json_add(o, "connection_id", r->connection_id);
	json_add(o, "sync", r->sync_name);
	json_add(o, "variant", r->variant);
	json_add(o, "cause", r->cause);
	json_add(o, "code", r->code);
	json_add(o, "message", r->message);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_add_integer(o, numbers[i].key, numbers[i].value);
	json_object_object_add(o, "result", json_object_get(result));
	json_add_boolean(o, "force_deletes", r->force_deletes);
	add_time(o, "created_at", r->created_ms);
	add_time(o, "started_at", r->started_ms);
	add_time(o, "finished_at", r->finished_ms);
	add_time(o, "due_at", strcmp(r->state, "running") == 0 ? 0 : r->due_ms);
	*out = o;
	return 0;
}

/* ---- filters ---- */

static int
read_state(struct call *call, struct run_filter *f, struct error *err)
{
	static const char *const states[] = {"queued",	"running", "parked",
					     "success", "failed",  "cancelled"};

	f->state = request_query(call->req, "state");
	for (size_t i = 0; f->state != NULL && i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(states[i], f->state) == 0)
			return 0;
	return f->state == NULL ? 0
				: error_set_at(err, ERR_INVALID_QUERY, "state",
					       "is queued, running, parked, success, failed or "
					       "cancelled");
}

static int
read_kind(struct call *call, struct run_filter *f, struct error *err)
{
	const char *kind = request_query(call->req, "kind");

	if (kind == NULL)
		return 0;
	f->kind = kind_find(kind);
	return f->kind != 0 ? 0
			    : error_set_at(err, ERR_INVALID_QUERY, "kind",
					   "is sync, action, event or webhook");
}

static int
read_filter(struct call *call, struct run_filter *f, struct error *err)
{
	const char *since = request_query(call->req, "since");
	const char *sync = request_query(call->req, "sync"), *split;

	f->environment_id = call->env->id;
	f->integration = request_query(call->req, "integration");
	f->connection = request_query(call->req, "connection");
	f->sync = sync;
	split = sync == NULL ? NULL : strstr(sync, "::");
	if (split != NULL) {
		f->sync = talloc_strndup(call->mem, sync, (size_t)(split - sync));
		f->variant = split + 2;
	}
	if (since != NULL && clock_parse(since, &f->since_ms) < 0)
		return error_set_at(err, ERR_INVALID_QUERY, "since",
				    "must be a time such as 2026-01-31T00:00:00Z");
	if (check_query(call, filter_names, err) < 0 || read_state(call, f, err) < 0 ||
	    read_kind(call, f, err) < 0)
		return -1;
	return query_integer(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &f->limit, err);
}

static int
read_cursor(struct call *call, struct run_filter *f, struct error *err)
{
	if (query_integer(call, "cursor", 1, NUMBER_MAX, 0, &f->before, err) < 0) {
		err->code = ERR_INVALID_CURSOR;
		return -1;
	}
	return 0;
}

/*
 * What runs that have not ended committed so far stands in their fences, in the data family.
 * pages, counts and result of such rows are filled in.
 */
static int
add_progress(struct call *call, struct run_row *rows, size_t count, struct error *err)
{
	struct fence_key *keys = talloc_array(call->mem, struct fence_key, (unsigned)count + 1);
	struct fence *fences = talloc_array(call->mem, struct fence, (unsigned)count + 1);
	size_t begun = 0;
	struct db *data;
	int result;

	if (keys == NULL || fences == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		if (rows[i].finished_ms == 0 && rows[i].started_ms != 0)
			keys[begun++] = (struct fence_key){rows[i].connection_row, rows[i].id};
	if (begun == 0)
		return 0;
	if (call_data(call, &data, err) < 0)
		return -1;
	result = fence_list(call->mem, data, keys, begun, fences, err);
	begun = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		struct run_outcome so_far = {0};

		if (rows[i].finished_ms != 0 || rows[i].started_ms == 0)
			continue;
		result = outcome_read(call->mem, &fences[begun++], &so_far, err);
		rows[i].pages = so_far.pages;
		rows[i].added = so_far.added;
		rows[i].updated = so_far.updated;
		rows[i].deleted = so_far.deleted;
		rows[i].result = so_far.result;
	}
	return result;
}

int
api_run_list(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body, *list = json_object_new_array();
	struct run_filter f = {0};
	struct run_row *rows;
	size_t count, shown;
	struct db *db;

	body = json_own(call->mem, json_object_new_object());
	json_object_object_add(body, "runs", list);
	if (read_filter(call, &f, err) < 0 || read_cursor(call, &f, err) < 0 ||
	    call_db(call, &db, err) < 0)
		return -1;
	shown = (size_t)f.limit++; /* one more tells whether there is a next page */
	if (run_list(call->mem, db, &f, &rows, &count, err) < 0)
		return -1;
	if (add_progress(call, rows, count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && i < shown; i++) {
		struct json_object *one;

		if (run_json(call, &rows[i], &one, err) < 0)
			return -1;
		json_object_array_add(list, json_object_get(one));
	}
	json_add(body, "next_cursor",
		 count > shown ? talloc_asprintf(call->mem, "%" PRId64, rows[shown - 1].id)
			       : NULL);
	return response_json(res, 200, json_object_get(body));
}

/* ---- one run ---- */

static int
find_number(struct call *call, struct db *db, int64_t number, struct run_row **out,
	    struct error *err)
{
	const struct run_filter f = {.environment_id = call->env->id, .limit = 1, .id = number};
	size_t count;

	if (run_list(call->mem, db, &f, out, &count, err) < 0)
		return -1;
	if (count == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no run %" PRId64, number);
	return 0;
}

static int
find(struct call *call, struct db *db, struct run_row **out, struct error *err)
{
	const char *text = request_param(call->req, "runId");
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0 || number < 1 || number > NUMBER_MAX)
		return error_set_at(err, ERR_INVALID_PARAMS, "runId", "must be a run's number");
	return find_number(call, db, number, out, err);
}

static int
answer_run(struct call *call, struct response *res, struct run_row *row, struct error *err)
{
	struct json_object *body;

	if (add_progress(call, row, 1, err) < 0 || run_json(call, row, &body, err) < 0)
		return -1;
	return response_json(res, 200, json_object_get(body));
}

int
api_run_show(struct call *call, struct response *res, struct error *err)
{
	struct run_row *row;
	struct db *db;

	if (call_db(call, &db, err) < 0 || find(call, db, &row, err) < 0)
		return -1;
	return answer_run(call, res, row, err);
}

int
api_run_cancel(struct call *call, struct response *res, struct error *err)
{
	struct run_scope scope = {0};
	struct run_row *row;
	struct db *db;

	if (call_db(call, &db, err) < 0 || find(call, db, &row, err) < 0)
		return -1;
	scope.run_id = row->id;
	if (db_begin(db, err) < 0 ||
	    cancel_runs(call->node, db, &scope, "somebody asked for it", err) < 0 ||
	    db_commit(db, err) < 0 || find(call, db, &row, err) < 0)
		return -1;
	if (strcmp(row->state, "cancelled") != 0)
		return error_set(err, ERR_CONFLICT, "run %" PRId64 " had ended before: %s",
				 row->id, row->state);
	worker_cancelled(call->node);
	return answer_run(call, res, row, err);
}

/* A new run of the same sync; the old one stays as it is. */
int
api_run_retry(struct call *call, struct response *res, struct error *err)
{
	struct run_row *row;
	int64_t run_id = 0;
	struct db *db;

	if (call_db(call, &db, err) < 0 || find(call, db, &row, err) < 0)
		return -1;
	if (row->finished_ms == 0)
		return error_set(err, ERR_CONFLICT, "run %" PRId64 " has not ended: it is %s",
				 row->id, row->state);
	if (row->sync_id == NULL)
		return error_set(err, ERR_UNSUPPORTED, "only runs of syncs are begun again");
	if (sync_enqueue(db, row->sync_id, row->force_deletes, &run_id, err) < 0)
		return -1;
	if (run_id == 0)
		return error_set(err, ERR_CONFLICT,
				 "sync \"%s\" has a run queued or under way already, or was "
				 "deleted",
				 row->sync_name);
	worker_wake(call->node);
	if (find_number(call, db, run_id, &row, err) < 0)
		return -1;
	return answer_run(call, res, row, err);
}

/* ---- costs ---- */

/* CPU-CONNECTION of the last one of a page; runs that have not ended cost nothing yet. */
static int
read_costs_filter(struct call *call, struct run_filter *f, struct error *err)
{
	const char *cursor = request_query(call->req, "cursor");
	int end = 0;

	if (read_filter(call, f, err) < 0)
		return -1;
	if (f->state != NULL && strcmp(f->state, "success") != 0 &&
	    strcmp(f->state, "failed") != 0 && strcmp(f->state, "cancelled") != 0)
		return error_set_at(err, ERR_INVALID_QUERY, "state",
				    "is success, failed or cancelled: costs are of ended runs");
	if (cursor == NULL)
		return 0;
	if (strlen(cursor) <= 2 * CURSOR_NUMBER_MAX + 1 &&
	    sscanf(cursor, "%16" SCNd64 "-%16" SCNd64 "%n", &f->before_cpu_us, &f->before_row,
		   &end) == 2 &&
	    cursor[end] == '\0' && f->before_cpu_us >= 0 && f->before_row > 0)
		return 0;
	return error_set_at(err, ERR_INVALID_CURSOR, "cursor",
			    "must be the next_cursor of the page before");
}

static struct json_object *
cost_json(const struct run_cost *c)
{
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
	    {"runs", c->runs},
	    {"failed", c->failed},
	    {"pages", c->pages},
	    {"added", c->added},
	    {"updated", c->updated},
	    {"deleted", c->deleted},
	    {"requests", c->requests},
	    {"request_bytes", c->request_bytes},
	    {"response_bytes", c->response_bytes},
	    {"cpu_us", c->cpu_us},
	    {"max_rss_kb", c->max_rss_kb},
	    {"wall_ms", c->wall_ms},
	};
	struct json_object *o = json_object_new_object();

	json_add(o, "integration", c->integration_key);
	json_add(o, "connection_id", c->connection_id);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_add_integer(o, numbers[i].key, numbers[i].value);
	return o;
}

int
api_run_costs(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body = json_own(call->mem, json_object_new_object());
	struct json_object *list = json_object_new_array();
	struct run_filter f = {0};
	const char *next = NULL;
	struct run_cost *costs;
	size_t count, shown;
	struct db *db;

	json_object_object_add(body, "connections", list);
	if (read_costs_filter(call, &f, err) < 0 || call_db(call, &db, err) < 0)
		return -1;
	shown = (size_t)f.limit++; /* one more tells whether there is a next page */
	if (run_costs(call->mem, db, &f, &costs, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && i < shown; i++)
		json_object_array_add(list, cost_json(&costs[i]));
	if (count > shown)
		next =
		    talloc_asprintf(call->mem, "%" PRId64 "-%" PRId64, costs[shown - 1].cpu_us,
				    costs[shown - 1].connection_row);
	json_add(body, "next_cursor", next);
	return response_json(res, 200, json_object_get(body));
}
