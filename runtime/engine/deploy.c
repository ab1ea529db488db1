/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/deploy -- see deploy.h.
 */
#include "engine/deploy.h"
#include "engine/cancel.h"
#include "engine/worker.h"
#include "run/inspect.h"
#include "store/integration.h"
#include "store/plugin.h"
#include "store/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
deploy_spec(TALLOC_CTX *mem, struct db *db, int64_t integration_id, struct spec **out,
	    struct error *err)
{
	struct deployment *active;

	if (deployment_active(mem, db, integration_id, &active, err) < 0)
		return -1;
	return spec_parse(mem, active->spec, strlen(active->spec), out, err);
}

static char *
wanted_syncs(TALLOC_CTX *mem, const struct spec *spec)
{
	struct json_object *list = json_own(mem, json_object_new_array());

	for (size_t i = 0; i < spec->syncs_count; i++) {
		struct json_object *one = json_object_new_object();

		json_add(one, "name", spec->syncs[i].name);
		json_add_integer(one, "interval_ms", spec->syncs[i].runs_ms);
		json_add(one, "cron", spec->syncs[i].cron);
		json_add(one, "time_zone", spec->syncs[i].time_zone);
		json_add_integer(one, "missed", spec->syncs[i].missed);
		json_add_boolean(one, "auto_start", spec->syncs[i].auto_start);
		json_object_array_add(list, one);
	}
	return json_text(mem, list);
}

int
deploy_connection(struct db *db, int64_t integration_id, int64_t connection_row,
		  struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct spec *spec;
	int result = deploy_spec(mem, db, integration_id, &spec, err);

	if (result == 0)
		result = sync_reconcile(db, integration_id, connection_row,
					wanted_syncs(mem, spec), err);
	else if (err->code == ERR_NOT_FOUND)
		result = 0;
	talloc_free(mem);
	return result;
}

/* One kind of thing in the two specs: {"added":[],"changed":[],"removed":[]}. */
static struct json_object *
diff(struct json_object *before, struct json_object *after)
{
	struct json_object *out = json_object_new_object();
	struct json_object *added = json_object_new_array(), *changed = json_object_new_array(),
			   *removed = json_object_new_array();

	json_object_object_add(out, "added", added);
	json_object_object_add(out, "changed", changed);
	json_object_object_add(out, "removed", removed);
	if (after != NULL) {
		json_object_object_foreach (after, name, value) {
			struct json_object *old = json_member(before, name);

			if (old == NULL)
				json_object_array_add(added, json_object_new_string(name));
			else if (!json_object_equal(old, value))
				json_object_array_add(changed, json_object_new_string(name));
		}
	}
	if (before != NULL) {
		json_object_object_foreach (before, key, old) {
			(void)old;
			if (json_member(after, key) == NULL)
				json_object_array_add(removed, json_object_new_string(key));
		}
	}
	return out;
}

static int
make_changes(TALLOC_CTX *mem, const char *before_json, const char *after_json,
	     struct json_object *plan, struct error *err)
{
	static const char *const kinds[] = {"syncs", "actions", "models"};
	struct json_object *before = NULL, *after, *changes = json_object_new_object();

	json_object_object_add(plan, "changes", changes);
	if (before_json != NULL &&
	    json_parse(mem, before_json, strlen(before_json), &before, err) < 0)
		return -1;
	if (json_parse(mem, after_json, strlen(after_json), &after, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		json_object_object_add(
		    changes, kinds[i],
		    diff(json_object_in(before, kinds[i]), json_object_in(after, kinds[i])));
	return 0;
}

struct activation {
	struct node *node;
	struct deployment deployment;
	struct plugin_build build;
	const void *bytes;
	size_t length;
	const char *wanted;
};

static int
activate(struct db *db, void *arg, struct error *err)
{
	struct activation *a = arg;

	if (plugin_build_insert(db, &a->build, a->bytes, a->length, err) < 0 ||
	    deployment_activate(db, &a->deployment, err) < 0)
		return -1;
	if (sync_reconcile(db, a->deployment.integration_id, 0, a->wanted, err) < 0)
		return -1;
	return cancel_runs(
	    a->node, db, &(struct run_scope){.deleted_syncs_of = a->deployment.integration_id},
	    "the sync is not in the plugin any more", err);
}

static void
unhex(unsigned char *out, const char *hex)
{
	for (size_t i = 0; i < CRYPTO_SHA256_BYTES; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
}

static int
look_up(TALLOC_CTX *mem, struct node *node, const struct environment *env, const char *key,
	const char *provider, struct integration **integration, const char **before,
	struct error *err)
{
	struct deployment *active;
	struct db *db;
	int result;

	if (db_acquire(node->control, &db, err) < 0)
		return -1;
	result = integration_find(mem, db, env->id, key, integration, err);
	if (result == 0 && strcmp((*integration)->provider, provider) != 0)
		result = error_set(
		    err, ERR_PLUGIN,
		    "the plugin is for provider %s, integration \"%s\" is of provider "
		    "%s",
		    provider, key, (*integration)->provider);
	if (result == 0) {
		*before = NULL;
		if (deployment_active(mem, db, (*integration)->id, &active, err) == 0)
			*before = active->spec;
		else if (err->code != ERR_NOT_FOUND)
			result = -1;
	}
	db_release(db);
	return result;
}

static struct json_object *
describe(const struct activation *a, const char *key, const char *sha256)
{
	struct json_object *out = json_object_new_object();

	if (a->deployment.id != 0)
		json_add_integer(out, "id", a->deployment.id);
	else
		json_add(out, "id", NULL);
	json_add(out, "integration", key);
	json_add(out, "provider", a->build.provider);
	json_add(out, "version", a->build.version);
	json_add(out, "sha256", sha256);
	return out;
}

int
deploy_plugin(TALLOC_CTX *mem, struct node *node, const struct environment *env,
	      const char *integration_key, const void *bytes, size_t length, bool is_dry_run,
	      struct json_object **plan, struct error *err)
{
	struct inspection found;
	struct integration *integration;
	struct activation a = {.node = node, .bytes = bytes, .length = length};
	const char *before = NULL;

	if (inspect_plugin(mem, node->config->inspector, bytes, length, &found, err) < 0 ||
	    look_up(mem, node, env, integration_key, found.spec->provider, &integration,
		    &before, err) < 0)
		return -1;
	*plan = json_own(mem, json_object_new_object());
	if (make_changes(mem, before, found.spec_json, *plan, err) < 0)
		return -1;
	unhex(a.build.sha256, found.sha256);
	a.build.spec = found.spec_json;
	a.build.provider = found.spec->provider;
	a.build.version = found.spec->version;
	a.deployment = (struct deployment){.account_id = env->account_id,
					   .environment_id = env->id,
					   .integration_id = integration->id};
	memcpy(a.deployment.sha256, a.build.sha256, sizeof(a.build.sha256));
	a.wanted = wanted_syncs(mem, found.spec);
	if (!is_dry_run &&
	    db_transaction(node->control, &(struct db_work){.run = activate, .arg = &a}, err) <
		0)
		return -1;
	if (!is_dry_run)
		worker_cancelled(node);
	json_object_object_add(*plan, "deployment",
			       describe(&a, integration_key, found.sha256));
	json_add_boolean(*plan, "applied", !is_dry_run);
	return 0;
}
