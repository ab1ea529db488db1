/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/sync_status -- the state of syncs: schedule, newest run, records.
 */
#include "api/sync_target.h"
#include "base/clock.h"
#include "engine/deploy.h"
#include "store/checkpoint.h"
#include "store/dataset.h"

#include <inttypes.h>
#include <string.h>

static const char *
status_word(const struct sync *s)
{
	if (s->run_state != NULL &&
	    (strcmp(s->run_state, "running") == 0 || strcmp(s->run_state, "queued") == 0 ||
	     strcmp(s->run_state, "parked") == 0))
		return "RUNNING";
	if (s->is_paused)
		return "PAUSED";
	/* As in the reference a run that was stopped leaves its sync in error, too. */
	return s->run_state != NULL && (strcmp(s->run_state, "failed") == 0 ||
					strcmp(s->run_state, "cancelled") == 0)
		   ? "ERROR"
		   : "SUCCESS";
}

static const char *
execution_word(const struct sync *s)
{
	if (s->run_state == NULL)
		return NULL;
	if (strcmp(s->run_state, "success") == 0)
		return "SUCCESS";
	return strcmp(s->run_state, "failed") == 0	? "ERROR"
	       : strcmp(s->run_state, "cancelled") == 0 ? "STOPPED"
							: "RUNNING";
}

char *
sync_frequency_text(TALLOC_CTX *mem, int64_t interval_ms, const char *cron,
		    const char *time_zone)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	if (cron != NULL)
		return talloc_asprintf(mem, "%s (%s)", cron,
				       time_zone == NULL ? "UTC" : time_zone);
	while (i < 4 && interval_ms % units[i].ms != 0)
		i++;
	return talloc_asprintf(mem, "every %" PRId64 "%s", interval_ms / units[i].ms,
			       units[i].unit);
}

static void
add_time_or_null(struct json_object *object, const char *key, int64_t ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(text, ms);
	json_add(object, key, ms == 0 ? NULL : text);
}

/* 0: never by itself. In a zone that this node does not know, what is known. */
static int64_t
next_run_ms(const struct sync *s)
{
	struct schedule schedule;
	struct error ignored;

	if (s->is_paused)
		return 0;
	if (schedule_init(&schedule, s->interval_ms, s->cron, s->time_zone, s->id, &ignored) <
	    0)
		return s->next_due_ms;
	return schedule_put_off(&schedule, s->next_due_ms, s->failures);
}

static bool
has_model(const struct spec_sync *sync, const char *model)
{
	for (size_t i = 0; sync != NULL && sync->models[i] != NULL; i++)
		if (strcmp(sync->models[i], model) == 0)
			return true;
	return false;
}

static int
add_data(struct call *call, const struct spec *spec, const struct sync *s,
	 struct json_object *out, struct error *err)
{
	const char *counts, *checkpoint;
	int64_t version;
	struct json_object *list, *wanted = json_object_new_object(), *body = NULL;
	struct db *data;

	json_object_object_add(out, "recordCount", wanted);
	if (call_data(call, &data, err) < 0 ||
	    dataset_counts(call->mem, data, s->connection_row, &counts, err) < 0 ||
	    json_parse(call->mem, counts, strlen(counts), &list, err) < 0 ||
	    checkpoint_get(call->mem, data, s->connection_row,
			   sync_checkpoint_key(call->mem, s), &checkpoint, &version, err) < 0)
		return -1;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (has_model(spec_sync(spec, s->name), json_string(one, "model")) &&
		    strcmp(json_string(one, "variant"), s->variant) == 0)
			json_add_integer(wanted, json_string(one, "model"),
					 json_integer(one, "records", 0));
	}
	if (checkpoint != NULL &&
	    json_parse(call->mem, checkpoint, strlen(checkpoint), &body, err) < 0)
		return -1;
	json_object_object_add(out, "checkpoint", json_object_get(body));
	return 0;
}

static int
status_json(struct call *call, const struct spec *spec, const struct sync *s,
	    struct json_object *out, struct error *err)
{
	struct json_object *result = NULL;

	json_add(out, "id", s->id);
	json_add(out, "name", s->name);
	json_add(out, "variant", s->variant);
	json_add(out, "connection_id", s->connection_id);
	json_add(out, "type", "INCREMENTAL");
	json_add(out, "status", status_word(s));
	json_add(out, "frequency",
		 sync_frequency_text(call->mem, s->interval_ms, s->cron, s->time_zone));
	add_time_or_null(out, "finishedAt", s->run_finished_ms);
	add_time_or_null(out, "nextScheduledSyncAt", next_run_ms(s));
	json_add_integer(out, "consecutiveFailures", s->failures);
	json_add(out, "latestExecutionStatus", execution_word(s));
	json_add(out, "jobStatus", execution_word(s));
	if (s->run_result != NULL &&
	    json_parse(call->mem, s->run_result, strlen(s->run_result), &result, err) < 0)
		return -1;
	json_object_object_add(out, "latestResult", json_object_get(result));
	if (s->run_cause != NULL && s->run_cause[0] != '\0') {
		struct json_object *failure = json_object_new_object();

		json_add(failure, "cause", s->run_cause);
		json_add(failure, "code", s->run_code);
		json_add(failure, "message", s->run_message);
		json_object_object_add(out, "latestError", failure);
	}
	return add_data(call, spec, s, out, err);
}

static int
read_status_query(struct call *call, struct sync_target *t, struct error *err)
{
	static const char *const names[] = {"syncs", "provider_config_key", "connection_id",
					    NULL};
	struct json_object *list = json_own(call->mem, json_object_new_array());
	const char *p = request_query(call->req, "syncs");

	if (check_query(call, names, err) < 0)
		return -1;
	t->integration = request_query(call->req, "provider_config_key");
	t->connection = request_query(call->req, "connection_id");
	if (t->integration == NULL || p == NULL || p[0] == '\0')
		return error_set_at(err, ERR_INVALID_QUERY,
				    t->integration == NULL ? "provider_config_key" : "syncs",
				    "provider_config_key and syncs (names, or *) are required");
	while (strcmp(p, "*") != 0 && *p != '\0') {
		size_t n = strcspn(p, ",");

		json_object_array_add(list, json_object_new_string_len(p, (int)n));
		p += n + (p[n] == ',');
	}
	return sync_target_names(call, list, t, err);
}

int
api_sync_status(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body, *list;
	struct sync_target t = {0};
	struct spec *spec = NULL;
	struct sync *syncs;
	size_t count;
	struct db *db;

	if (read_status_query(call, &t, err) < 0 || call_db(call, &db, err) < 0 ||
	    sync_target_find(call, db, &t, &syncs, &count, err) < 0)
		return -1;
	/* All are of one integration, and so of one plugin. */
	if (count > 0 && deploy_spec(call->mem, db, syncs[0].integration_id, &spec, err) < 0)
		return -1;
	body = json_own(call->mem, json_object_new_object());
	list = json_object_new_array();
	json_object_object_add(body, "syncs", list);
	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_new_object();

		json_object_array_add(list, one);
		if (status_json(call, spec, &syncs[i], one, err) < 0)
			return -1;
	}
	return response_json(res, 200, json_object_get(body));
}
