/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_json -- a spec as canonical JSON. Equal specs are equal bytes, whatever the order and
 * the comments of plugin.yaml, so "did anything change" is a comparison of bytes.
 */
#include "run/spec_internal.h"

#include <string.h>

static struct json_object *
texts(const char *const *list)
{
	struct json_object *tree = json_object_new_array();

	for (; *list != NULL; list++)
		json_object_array_add(tree, json_object_new_string(*list));
	return tree;
}

static void
add_fields(struct json_object *tree, const struct spec_fields *fields)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	for (size_t i = 0; i < fields->count; i++)
		json_add(tree, fields->at[i].name,
			 spec_type_text(scratch, &fields->at[i].type));
	talloc_free(scratch);
}

static void
add_description(struct json_object *tree, const char *key, const char *text)
{
	if (text != NULL)
		json_add(tree, key, text);
}

static void
add_runs(struct json_object *tree, const struct spec_sync *sync)
{
	struct json_object *cron;

	json_add_integer(tree, "runs_ms", sync->runs_ms);
	if (sync->missed != SCHEDULE_ONE)
		json_add(tree, "missed", schedule_missed_names[sync->missed]);
	if (sync->cron == NULL) {
		json_add(tree, "runs", sync->runs);
		return;
	}
	cron = json_object_new_object();
	json_add(cron, "cron", sync->cron);
	json_add(cron, "time_zone", sync->time_zone);
	json_object_object_add(tree, "runs", cron);
}

static struct json_object *
sync_tree(const struct spec_sync *sync)
{
	struct json_object *tree = json_object_new_object(), *fields;

	add_description(tree, "description", sync->description);
	add_runs(tree, sync);
	json_object_object_add(tree, "models", texts(sync->models));
	json_object_object_add(tree, "scopes", texts(sync->scopes));
	json_add_boolean(tree, "auto_start", sync->auto_start);
	if (sync->tracks_deletes)
		json_add_boolean(tree, "track_deletes", true);
	if (sync->has_checkpoint) {
		fields = json_object_new_object();
		add_fields(fields, &sync->checkpoint);
		json_object_object_add(tree, "checkpoint", fields);
	}
	if (sync->has_metadata) {
		fields = json_object_new_object();
		add_fields(fields, &sync->metadata);
		json_object_object_add(tree, "metadata", fields);
	}
	return tree;
}

static struct json_object *
action_tree(const struct spec_action *action)
{
	struct json_object *tree = json_object_new_object();

	add_description(tree, "description", action->description);
	add_description(tree, "input", action->input);
	add_description(tree, "output", action->output);
	json_object_object_add(tree, "scopes", texts(action->scopes));
	return tree;
}

static struct json_object *
model_tree(const struct spec_model *model)
{
	struct json_object *tree = json_object_new_object();

	add_description(tree, "$description", model->description);
	if (model->keeps_extra)
		json_add(tree, "$extra", "keep");
	if (model->fails_run)
		json_add(tree, "$invalid", "fail");
	if (model->volatile_names[0] != NULL)
		json_object_object_add(tree, "$volatile", texts(model->volatile_names));
	add_fields(tree, &model->fields);
	return tree;
}

/* The members' schemas under their models' names; $refs point among them. */
static struct json_object *
schemas_tree(const struct spec *spec)
{
	struct json_object *whole = spec_schema(spec);
	struct json_object *tree = json_object_get(json_member(whole, "definitions"));

	json_object_put(whole);
	return tree;
}

char *
spec_json(TALLOC_CTX *mem, const struct spec *spec)
{
	struct json_object *root = json_object_new_object(), *part;
	char *out;

	json_add_integer(root, "nango", SPEC_FORMAT);
	json_add(root, "provider", spec->provider);
	json_add(root, "version", spec->version);
	part = json_object_new_object();
	for (size_t i = 0; i < spec->syncs_count; i++)
		json_object_object_add(part, spec->syncs[i].name, sync_tree(&spec->syncs[i]));
	json_object_object_add(root, "syncs", part);
	part = json_object_new_object();
	for (size_t i = 0; i < spec->actions_count; i++)
		json_object_object_add(part, spec->actions[i].name,
				       action_tree(&spec->actions[i]));
	json_object_object_add(root, "actions", part);
	part = json_object_new_object();
	for (size_t i = 0; i < spec->models_count; i++)
		json_object_object_add(part, spec->models[i].name,
				       model_tree(&spec->models[i]));
	json_object_object_add(root, "models", part);
	json_object_object_add(root, "schemas", schemas_tree(spec));
	out = json_text_sorted(mem, root);
	json_object_put(root);
	return out;
}
