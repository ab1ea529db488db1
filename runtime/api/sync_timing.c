/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/sync_timing -- a connection's own frequency for a sync, and variants of a sync.
 *
 * A frequency is an interval in the reference's words, null for the plugin's own, or, with us,
 * an object {cron, time_zone}.
 */
#include "api/sync_target.h"
#include "engine/cancel.h"
#include "engine/deploy.h"
#include "engine/worker.h"

#include <string.h>

static const struct check_member frequency_members[] = {
    {"sync_name", CHECK_STRING, .is_required = true},
    {"sync_variant", CHECK_STRING},
    {"provider_config_key", CHECK_STRING, .is_required = true},
    {"connection_id", CHECK_STRING, .is_required = true},
    {"frequency", CHECK_ANY, .may_be_null = true},
};
static const struct check_member variant_members[] = {
    {"provider_config_key", CHECK_STRING, .is_required = true},
    {"connection_id", CHECK_STRING, .is_required = true},
};
static const struct check_member cron_members[] = {
    {"cron", CHECK_STRING, .is_required = true},
    {"time_zone", CHECK_STRING},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One sync of one connection; NULL when the connection has no such sync or variant. */
static int
find_one(struct call *call, struct db *db, struct json_object *body, const char *name,
	 const char *variant, struct sync **out, struct error *err)
{
	struct json_object *names = json_own(call->mem, json_object_new_array());
	struct json_object *one = json_object_new_object();
	struct sync_target t = {.integration = json_string(body, "provider_config_key"),
				.connection = json_string(body, "connection_id")};
	size_t count;

	json_object_array_add(names, one);
	json_add(one, "name", name);
	json_add(one, "variant", variant);
	if (sync_target_names(call, names, &t, err) < 0 ||
	    sync_target_find(call, db, &t, out, &count, err) < 0)
		return -1;
	if (count == 0)
		*out = NULL;
	return 0;
}

static int
unknown_sync(const char *name, const char *variant, struct error *err)
{
	return error_set(err, ERR_UNKNOWN_SYNC, "the connection has no sync \"%s\"%s%s", name,
			 strcmp(variant, "base") == 0 ? "" : " of variant ",
			 strcmp(variant, "base") == 0 ? "" : variant);
}

/* ---- frequency ---- */

static int
plugin_timing(struct call *call, struct db *db, const struct sync *sync,
	      struct sync_timing *out, struct error *err)
{
	const struct spec_sync *entry;
	struct spec *spec;

	if (deploy_spec(call->mem, db, sync->integration_id, &spec, err) < 0)
		return -1;
	entry = spec_sync(spec, sync->name);
	if (entry == NULL)
		return unknown_sync(sync->name, sync->variant, err);
	*out = (struct sync_timing){.interval_ms = entry->runs_ms,
				    .cron = entry->cron,
				    .time_zone = entry->time_zone,
				    .missed = entry->missed};
	return 0;
}

static int
own_timing(struct json_object *frequency, struct sync_timing *out, struct error *err)
{
	int result;

	out->is_overridden = true;
	if (json_object_is_type(frequency, json_type_string)) {
		result =
		    spec_interval_ms(json_object_get_string(frequency), &out->interval_ms, err);
	} else if (json_object_is_type(frequency, json_type_object)) {
		if (check_body(frequency, cron_members, COUNT(cron_members), err) < 0)
			return -1;
		out->cron = json_string(frequency, "cron");
		out->time_zone = json_string(frequency, "time_zone");
		if (out->time_zone == NULL)
			out->time_zone = "UTC";
		result = schedule_check_cron(out->cron, out->time_zone, &out->interval_ms, err);
	} else {
		result = error_set(
		    err, ERR_INVALID_BODY,
		    "must be an interval (\"every 15m\"), {cron, time_zone}, or null");
	}
	if (result < 0)
		snprintf(err->at, sizeof(err->at), "frequency");
	return result;
}

int
api_sync_frequency(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body, *frequency, *answer;
	struct sync_timing timing = {0};
	const char *name, *variant;
	struct sync *sync;
	struct db *db;
	int result;

	if (call_body(call, frequency_members, COUNT(frequency_members), &body, err) < 0 ||
	    call_db(call, &db, err) < 0)
		return -1;
	name = json_string(body, "sync_name");
	variant = json_string(body, "sync_variant");
	if (variant == NULL)
		variant = "base";
	if (find_one(call, db, body, name, variant, &sync, err) < 0)
		return -1;
	if (sync == NULL)
		return unknown_sync(name, variant, err);
	frequency = json_member(body, "frequency");
	result = frequency == NULL ? plugin_timing(call, db, sync, &timing, err)
				   : own_timing(frequency, &timing, err);
	if (result < 0 || sync_set_timing(db, sync, &timing, err) < 0)
		return -1;
	answer = json_object_new_object();
	json_add(
	    answer, "frequency",
	    sync_frequency_text(call->mem, timing.interval_ms, timing.cron, timing.time_zone));
	return response_json(res, 200, answer);
}

/* ---- variants ---- */

static int
read_variant(struct call *call, struct json_object **body, const char **name,
	     const char **variant, struct error *err)
{
	*name = request_param(call->req, "name");
	*variant = request_param(call->req, "variant");
	if (call_body(call, variant_members, COUNT(variant_members), body, err) < 0 ||
	    check_name(NAME_FUNCTION, *variant, ERR_INVALID_VARIANT, "variant", err) < 0)
		return -1;
	if (strcasecmp(*variant, "base") == 0)
		return error_set_at(
		    err, ERR_INVALID_VARIANT, "variant",
		    "\"base\" is the sync itself: it cannot be made or deleted");
	return 0;
}

int
api_variant_create(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body, *answer;
	const char *name, *variant, *id;
	struct sync *base;
	struct db *db;

	if (read_variant(call, &body, &name, &variant, err) < 0 ||
	    call_db(call, &db, err) < 0 ||
	    find_one(call, db, body, name, "base", &base, err) < 0)
		return -1;
	if (base == NULL)
		return unknown_sync(name, "base", err);
	if (db_begin(db, err) < 0 ||
	    sync_create_variant(call->mem, db, base, variant, &id, err) < 0 ||
	    db_commit(db, err) < 0)
		return -1;
	worker_wake(call->node);
	answer = json_object_new_object();
	json_add(answer, "id", id);
	json_add(answer, "name", name);
	json_add(answer, "variant", variant);
	return response_json(res, 200, answer);
}

/* Its records and checkpoint go, too: the name can be used again, and begins from nothing. */
int
api_variant_delete(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body, *answer;
	const char *name, *variant;
	struct run_scope scope = {0};
	struct cancelled cancelled;
	struct sync *sync;
	struct db *db;

	if (read_variant(call, &body, &name, &variant, err) < 0 ||
	    call_db(call, &db, err) < 0 ||
	    find_one(call, db, body, name, variant, &sync, err) < 0)
		return -1;
	if (sync == NULL)
		return error_set(err, ERR_NOT_FOUND,
				 "the connection has no variant \"%s\" of sync \"%s\"", variant,
				 name);
	scope.sync_id = sync->id;
	if (db_begin(db, err) < 0 || sync_lock(db, sync->id, err) < 0 ||
	    sync_delete(db, sync->id, err) < 0 ||
	    cancel_begin(call->mem, call->node, db, &scope, "the variant was deleted",
			 &cancelled, err) < 0 ||
	    sync_forget_data(call, db, sync, true, err) < 0 ||
	    cancel_end(call->node, db, &cancelled, err) < 0 || db_commit(db, err) < 0)
		return -1;
	worker_cancelled(call->node);
	answer = json_object_new_object();
	json_add_boolean(answer, "success", true);
	return response_json(res, 200, answer);
}
