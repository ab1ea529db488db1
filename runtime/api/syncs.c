/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/syncs -- trigger, start and pause. The state of syncs is sync_status.c, their timing and
 * variants sync_timing.c.
 */
#include "api/sync_target.h"
#include "engine/cancel.h"
#include "engine/deploy.h"
#include "engine/worker.h"
#include "store/connection.h"
#include "store/checkpoint.h"
#include "store/dataset.h"
#include "store/sync.h"

#include <string.h>

#define SYNCS_MAX 256

static const struct check_member members[] = {
    {"syncs", CHECK_ARRAY},
    {"provider_config_key", CHECK_STRING},
    {"connection_id", CHECK_STRING, .may_be_null = true},
    {"opts", CHECK_OBJECT},
    {"sync_mode", CHECK_STRING},
    {"full_resync", CHECK_BOOLEAN},
};

static int
add_name(struct json_object *names, const char *name, const char *variant, struct error *err)
{
	const char *split = strstr(name, "::");
	struct json_object *pair = json_object_new_array();
	char base[256];

	json_object_array_add(names, pair);
	if (split != NULL && (size_t)(split - name) < sizeof(base)) {
		memcpy(base, name, (size_t)(split - name));
		base[split - name] = '\0';
		name = base;
		variant = split + 2;
	}
	json_object_array_add(pair, json_object_new_string(name));
	json_object_array_add(pair, json_object_new_string(variant == NULL ? "base" : variant));
	if (check_name(NAME_FUNCTION, name, ERR_INVALID_BODY, "syncs", err) < 0)
		return -1;
	return variant == NULL
		   ? 0
		   : check_name(NAME_FUNCTION, variant, ERR_INVALID_BODY, "syncs", err);
}

int
sync_target_names(struct call *call, struct json_object *list, struct sync_target *t,
		  struct error *err)
{
	struct json_object *names = json_own(call->mem, json_object_new_array());
	size_t count = list == NULL ? 0 : json_object_array_length(list);

	if (count > SYNCS_MAX)
		return error_set_at(err, ERR_INVALID_BODY, "syncs", "at most %d at once",
				    SYNCS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *name = json_object_is_type(item, json_type_string)
				       ? json_object_get_string(item)
				       : json_string(item, "name");

		if (name == NULL)
			return error_set_at(
			    err, ERR_INVALID_BODY, "syncs",
			    "each must be a name, name::variant, or {name, variant}");
		if (add_name(names, name, json_string(item, "variant"), err) < 0)
			return -1;
	}
	t->names = count == 0 ? NULL : json_text(call->mem, names);
	return 0;
}

static int
read_mode(struct json_object *body, struct sync_target *t, struct error *err)
{
	struct json_object *opts = json_object_in(body, "opts");
	const char *mode = json_string(body, "sync_mode");

	if (opts != NULL && (mode != NULL || json_member(body, "full_resync") != NULL))
		return error_set_at(err, ERR_INVALID_BODY, "opts",
				    "give either opts or the older sync_mode, not both");
	t->reset = json_boolean(opts, "reset", json_boolean(body, "full_resync", false));
	t->empty = json_boolean(opts, "emptyCache", false);
	t->force_deletes = json_boolean(opts, "force_deletes", false);
	if (mode == NULL || strcmp(mode, "incremental") == 0)
		return 0;
	if (strcmp(mode, "full_refresh") != 0 &&
	    strcmp(mode, "full_refresh_and_clear_cache") != 0)
		return error_set_at(err, ERR_INVALID_BODY, "sync_mode",
				    "must be incremental, full_refresh or "
				    "full_refresh_and_clear_cache");
	t->reset = true;
	t->empty = strcmp(mode, "full_refresh") != 0;
	return 0;
}

static int
read_command(struct call *call, struct sync_target *t, struct error *err)
{
	struct json_object *body;

	if (call_body(call, members, sizeof(members) / sizeof(members[0]), &body, err) < 0 ||
	    read_mode(body, t, err) < 0 ||
	    sync_target_names(call, json_array_in(body, "syncs"), t, err) < 0)
		return -1;
	t->integration = json_string(body, "provider_config_key");
	if (t->integration == NULL)
		t->integration = request_header(call->req, "provider-config-key");
	t->connection = json_string(body, "connection_id");
	if (t->connection == NULL)
		t->connection = request_header(call->req, "connection-id");
	if (t->integration == NULL)
		return error_set_at(err, ERR_MISSING_INTEGRATION, "provider_config_key",
				    "provider_config_key is required");
	return 0;
}

/* The integration must exist, and so must the connection when one is named. */
int
sync_target_find(struct call *call, struct db *db, const struct sync_target *t,
		 struct sync **out, size_t *count, struct error *err)
{
	struct connection *connection;

	if (connection_find(call->mem, db, call->env->id, t->integration,
			    t->connection == NULL ? "" : t->connection, &connection, err) < 0 &&
	    !(t->connection == NULL && err->code == ERR_NOT_FOUND)) {
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_UNKNOWN_CONNECTION;
		return -1;
	}
	return sync_list(call->mem, db, call->env->id, t->integration, t->connection, t->names,
			 out, count, err);
}

char *
sync_checkpoint_key(TALLOC_CTX *mem, const struct sync *sync)
{
	return worker_checkpoint_key(mem, sync->name, sync->variant);
}

/* The models that the deployed plugin's sync saves, as a JSON list. */
static int
models_json(struct call *call, struct db *db, const struct sync *sync, const char **out,
	    struct error *err)
{
	struct json_object *list = json_own(call->mem, json_object_new_array());
	const struct spec_sync *entry;
	struct spec *spec;

	if (deploy_spec(call->mem, db, sync->integration_id, &spec, err) < 0)
		return -1;
	entry = spec_sync(spec, sync->name);
	for (size_t i = 0; entry != NULL && entry->models[i] != NULL; i++)
		json_object_array_add(list, json_object_new_string(entry->models[i]));
	*out = json_text(call->mem, list);
	return 0;
}

/* On a connection of its own: locks of the data family are never waited for inside a control
 * transaction that a committing run could wait for in turn. */
int
sync_forget_data(struct call *call, struct db *db, const struct sync *sync, bool empties,
		 struct error *err)
{
	const char *models = NULL;
	struct db *data;
	int result;

	if (models_json(call, db, sync, &models, err) < 0)
		return -1;
	if (db_acquire(call->node->data, &data, err) < 0)
		return -1;
	result = checkpoint_clear(data, sync->connection_row,
				  sync_checkpoint_key(call->mem, sync), err);
	if (result == 0)
		result = (empties ? dataset_empty : window_drop)(data, sync->connection_row,
								 models, sync->variant, err);
	db_release(data);
	return result;
}

/* The sync stays locked until its new run is queued, so that no other run comes between. */
static int
trigger_one(struct call *call, struct db *db, const struct sync *sync,
	    const struct sync_target *t, struct error *err)
{
	const struct run_scope scope = {.sync_id = sync->id};
	struct cancelled cancelled;
	int64_t run_id;

	if (!t->reset && !t->empty)
		return sync_enqueue(db, sync->id, t->force_deletes, &run_id, err);
	if (db_begin(db, err) < 0 || sync_lock(db, sync->id, err) < 0 ||
	    cancel_begin(call->mem, call->node, db, &scope, "the sync was reset", &cancelled,
			 err) < 0 ||
	    sync_forget_data(call, db, sync, t->empty, err) < 0 ||
	    cancel_end(call->node, db, &cancelled, err) < 0 ||
	    sync_enqueue(db, sync->id, t->force_deletes, &run_id, err) < 0)
		return -1;
	return db_commit(db, err);
}

static int
start_one(struct call *call, struct db *db, const struct sync *sync,
	  const struct sync_target *t, struct error *err)
{
	bool was_paused;
	int64_t run_id;

	(void)call;
	if (sync_start(db, sync, &was_paused, err) < 0)
		return -1;
	return was_paused ? sync_enqueue(db, sync->id, t->force_deletes, &run_id, err) : 0;
}

static int
pause_one(struct call *call, struct db *db, const struct sync *sync,
	  const struct sync_target *t, struct error *err)
{
	const struct run_scope scope = {.sync_id = sync->id};

	(void)t;
	if (db_begin(db, err) < 0 || sync_pause(db, sync->id, err) < 0 ||
	    cancel_runs(call->node, db, &scope, "the sync was paused", err) < 0)
		return -1;
	return db_commit(db, err);
}

typedef int one_fn(struct call *call, struct db *db, const struct sync *sync,
		   const struct sync_target *t, struct error *err);

static int
command(struct call *call, struct response *res, one_fn *one, bool may_cancel,
	struct error *err)
{
	struct sync_target t = {0};
	struct json_object *body;
	struct sync *syncs;
	size_t count;
	struct db *db;

	if (read_command(call, &t, err) < 0 || call_db(call, &db, err) < 0 ||
	    sync_target_find(call, db, &t, &syncs, &count, err) < 0)
		return -1;
	if (count == 0)
		return error_set(err, ERR_NO_SYNCS, "integration \"%s\" has no such sync%s",
				 t.integration,
				 t.connection == NULL ? "" : " for this connection");
	for (size_t i = 0; i < count; i++)
		if (one(call, db, &syncs[i], &t, err) < 0)
			return -1;
	worker_wake(call->node);
	if (may_cancel)
		worker_cancelled(call->node);
	body = json_object_new_object();
	json_add_boolean(body, "success", true);
	return response_json(res, 200, body);
}

int
api_sync_trigger(struct call *call, struct response *res, struct error *err)
{
	return command(call, res, trigger_one, true, err);
}

int
api_sync_start(struct call *call, struct response *res, struct error *err)
{
	return command(call, res, start_one, false, err);
}

int
api_sync_pause(struct call *call, struct response *res, struct error *err)
{
	return command(call, res, pause_one, true, err);
}
