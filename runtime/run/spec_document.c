/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_document -- the top of plugin.yaml: provider, version, syncs, actions, import.
 *
 * The canonical JSON has the same shape (with runs_ms and schemas beside), so both are read
 * here.
 */
#include "run/spec_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS_MAX 500
#define IMPORTS_MAX 50

static const char *const top_keys[] = {"nango",	  "provider", "version", "syncs",
				       "actions", "import",   "models",	 NULL};
static const char *const json_keys[] = {"nango",   "provider", "version", "syncs",
					"actions", "models",   "schemas", NULL};
static const char *const import_keys[] = {"nango", "models", NULL};
static const char *const sync_keys[] = {"description",	 "runs",     "missed", "models",
					"checkpoint",	 "metadata", "scopes", "auto_start",
					"track_deletes", NULL};
static const char *const sync_json_keys[] = {
    "description", "runs",   "missed",	   "runs_ms",	    "models", "checkpoint",
    "metadata",	   "scopes", "auto_start", "track_deletes", NULL};
static const char *const action_keys[] = {"description", "input", "output", "scopes", NULL};

static int
require(struct spec_reader *r, const struct yaml_node *mapping, const struct yaml_node *at,
	const char *key, const char *help, const struct yaml_node **out)
{
	*out = yaml_get(mapping, key);
	if (*out != NULL)
		return 0;
	return spec_fault(r, at, "E0102", help, "the key \"%s\" is missing", key);
}

static int
read_boolean(struct spec_reader *r, const struct yaml_node *node, const char *what, bool *out)
{
	if (node == NULL)
		return 0;
	if (node->kind != YAML_SCALAR ||
	    (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0))
		return spec_fault(r, node, "E0118", "write true or false",
				  "%s is true or false", what);
	*out = node->text[0] == 't';
	return 0;
}

static int
read_description(struct spec_reader *r, const struct yaml_node *mapping, const char **out)
{
	const struct yaml_node *node = yaml_get(mapping, "description");

	return node == NULL ? 0 : spec_expect_text(r, node, "description", out);
}

static int
read_runs(struct spec_reader *r, const struct yaml_node *mapping, const struct yaml_node *key,
	  struct spec_sync *sync)
{
	const struct yaml_node *node;

	if (require(r, mapping, key, "runs", "write `runs: every 1h`", &node) < 0 ||
	    spec_read_runs(r, node, sync) < 0)
		return -1;
	return spec_read_missed(r, yaml_get(mapping, "missed"), sync);
}

static bool
type_is_flat(const struct spec_type *type)
{
	return !type->is_array && type->base != SPEC_MODEL && type->base != SPEC_JSON &&
	       type->base != SPEC_NULL;
}

static int
read_checkpoint(struct spec_reader *r, const struct yaml_node *node, struct spec_sync *sync)
{
	if (node == NULL)
		return 0;
	if (spec_expect_mapping(r, node, "checkpoint") < 0 ||
	    spec_read_fields(r, node, &sync->checkpoint) < 0)
		return -1;
	if (sync->checkpoint.count == 0 || sync->checkpoint.count > SPEC_CHECKPOINT_FIELDS_MAX)
		return spec_fault(r, node, "E0113", "1 to 16 members",
				  "a checkpoint with %zu members", sync->checkpoint.count);
	for (size_t i = 0; i < sync->checkpoint.count; i++) {
		const struct spec_field *field = &sync->checkpoint.at[i];

		if (!type_is_flat(&field->type))
			return spec_fault(r, yaml_get(node, field->name), "E0113",
					  "use strings, numbers and booleans",
					  "a checkpoint is flat, but \"%s\" is not",
					  field->name);
	}
	sync->has_checkpoint = true;
	return 0;
}

static int
read_metadata(struct spec_reader *r, const struct yaml_node *node, struct spec_sync *sync)
{
	if (node == NULL)
		return 0;
	if (spec_expect_mapping(r, node, "metadata") < 0 ||
	    spec_read_fields(r, node, &sync->metadata) < 0)
		return -1;
	if (sync->metadata.count == 0)
		return spec_fault(r, node, "E0102",
				  "name what the connection's metadata must hold",
				  "metadata without members");
	sync->has_metadata = true;
	return 0;
}

static int
check_model_id(struct spec_reader *r, const struct yaml_node *at, const char *name)
{
	const struct spec_model *model = spec_model(r->spec, name);

	for (size_t i = 0; i < model->fields.count; i++) {
		const struct spec_type *type = &model->fields.at[i].type;

		if (strcmp(model->fields.at[i].name, "id") != 0)
			continue;
		if (!type->is_array && !type->is_optional && !type->is_nullable &&
		    (type->base == SPEC_STRING || type->base == SPEC_INTEGER))
			return 0;
		return spec_fault(
		    r, at, "E0112", "write `id: string`",
		    "the id of %s must be a string or integer that is always there", name);
	}
	return spec_fault(r, at, "E0112", "add `id: string` to it",
			  "%s is synced but has no member id", name);
}

static int
read_sync_models(struct spec_reader *r, const struct yaml_node *mapping,
		 const struct yaml_node *key, struct spec_sync *sync)
{
	const struct yaml_node *node;

	if (require(r, mapping, key, "models", "write `models: [Issue]`", &node) < 0 ||
	    spec_expect_texts(r, node, "models", &sync->models) < 0)
		return -1;
	if (sync->models[0] == NULL)
		return spec_fault(r, node, "E0102", "write `models: [Issue]`",
				  "a sync needs at least one model");
	for (size_t i = 0; sync->models[i] != NULL; i++) {
		const struct yaml_node *at =
		    node->kind == YAML_SEQUENCE ? node->items[i] : node;

		if (spec_expect_model(r, at, sync->models[i]) < 0 ||
		    check_model_id(r, at, sync->models[i]) < 0)
			return -1;
	}
	return 0;
}

static int
check_function_name(struct spec_reader *r, const struct yaml_node *key, const char *what)
{
	if (spec_name_is_plain(key->text))
		return 0;
	return spec_fault(r, key, "E0105",
			  "lower-case letters, digits, - and _: `create-issue`",
			  "\"%.64s\" is no name of %s", key->text, what);
}

static int
read_sync(struct spec_reader *r, const struct yaml_node *key, const struct yaml_node *node,
	  struct spec_sync *sync)
{
	sync->name = key->text;
	sync->auto_start = true;
	if (check_function_name(r, key, "a sync") < 0 ||
	    spec_expect_mapping(r, node, "a sync") < 0 ||
	    spec_check_keys(r, node, "a sync", r->file == NULL ? sync_json_keys : sync_keys) <
		0 ||
	    read_description(r, node, &sync->description) < 0 ||
	    read_runs(r, node, key, sync) < 0 || read_sync_models(r, node, key, sync) < 0 ||
	    read_checkpoint(r, yaml_get(node, "checkpoint"), sync) < 0 ||
	    read_metadata(r, yaml_get(node, "metadata"), sync) < 0 ||
	    spec_expect_texts(r, yaml_get(node, "scopes"), "scopes", &sync->scopes) < 0 ||
	    read_boolean(r, yaml_get(node, "track_deletes"), "track_deletes",
			 &sync->tracks_deletes) < 0)
		return -1;
	if (sync->tracks_deletes && sync->has_checkpoint)
		return spec_fault(
		    r, yaml_get(node, "track_deletes"), "E0121",
		    "a sync that goes on in the middle uses nango_track_deletes_start and _end",
		    "a sync with track_deletes walks everything in one run and has no "
		    "checkpoint");
	return read_boolean(r, yaml_get(node, "auto_start"), "auto_start", &sync->auto_start);
}

static int
read_action_model(struct spec_reader *r, const struct yaml_node *node, const char *what,
		  const char **out)
{
	if (node == NULL)
		return 0;
	if (node->kind == YAML_MAPPING)
		return spec_fault(
		    r, node, "E0104",
		    "write the members as a model under models, and its name here",
		    "%s is the name of a model", what);
	if (spec_expect_text(r, node, what, out) < 0)
		return -1;
	return spec_expect_model(r, node, *out);
}

static int
read_action(struct spec_reader *r, const struct yaml_node *key, const struct yaml_node *node,
	    struct spec_action *action)
{
	action->name = key->text;
	if (check_function_name(r, key, "an action") < 0 ||
	    spec_expect_mapping(r, node, "an action") < 0 ||
	    spec_check_keys(r, node, "an action", action_keys) < 0 ||
	    read_description(r, node, &action->description) < 0 ||
	    read_action_model(r, yaml_get(node, "input"), "input", &action->input) < 0 ||
	    read_action_model(r, yaml_get(node, "output"), "output", &action->output) < 0)
		return -1;
	return spec_expect_texts(r, yaml_get(node, "scopes"), "scopes", &action->scopes);
}

static int
compare_syncs(const void *a, const void *b)
{
	return strcmp(((const struct spec_sync *)a)->name, ((const struct spec_sync *)b)->name);
}

static int
compare_actions(const void *a, const void *b)
{
	return strcmp(((const struct spec_action *)a)->name,
		      ((const struct spec_action *)b)->name);
}

static int
read_syncs(struct spec_reader *r, const struct yaml_node *node)
{
	struct spec *spec = r->spec;

	if (node == NULL)
		return 0;
	if (spec_expect_mapping(r, node, "syncs") < 0)
		return -1;
	if (node->count > FUNCTIONS_MAX)
		return spec_fault(r, node, "E0117", "split the plugin", "over %d syncs",
				  FUNCTIONS_MAX);
	spec->syncs = spec_allocate(r->mem, (node->count + 1) * sizeof(*spec->syncs));
	for (size_t i = 0; i < node->count; i++)
		if (read_sync(r, node->items[2 * i], node->items[2 * i + 1], &spec->syncs[i]) <
		    0)
			return -1;
	spec->syncs_count = node->count;
	qsort(spec->syncs, spec->syncs_count, sizeof(*spec->syncs), compare_syncs);
	return 0;
}

static int
read_actions(struct spec_reader *r, const struct yaml_node *node)
{
	struct spec *spec = r->spec;

	if (node == NULL)
		return 0;
	if (spec_expect_mapping(r, node, "actions") < 0)
		return -1;
	if (node->count > FUNCTIONS_MAX)
		return spec_fault(r, node, "E0117", "split the plugin", "over %d actions",
				  FUNCTIONS_MAX);
	spec->actions = spec_allocate(r->mem, (node->count + 1) * sizeof(*spec->actions));
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *key = node->items[2 * i];

		if (read_action(r, key, node->items[2 * i + 1], &spec->actions[i]) < 0)
			return -1;
		if (spec_sync(spec, key->text) != NULL)
			return spec_fault(r, key, "E0114", "rename one of them",
					  "there is a sync of the name \"%s\" too", key->text);
	}
	spec->actions_count = node->count;
	qsort(spec->actions, spec->actions_count, sizeof(*spec->actions), compare_actions);
	return 0;
}

static int
check_format(struct spec_reader *r, const struct yaml_node *root)
{
	const struct yaml_node *node;

	if (require(r, root, root, "nango", "begin the file with `nango: 1`", &node) < 0)
		return -1;
	if (node->kind != YAML_SCALAR || strcmp(node->text, "1") != 0)
		return spec_fault(r, node, "E0101", "write `nango: 1`",
				  "this version reads format 1 only");
	return 0;
}

/* major.minor.patch, as semver.org has them, without the tails. */
static bool
is_version(const char *text)
{
	for (int part = 0; part < 3; part++) {
		size_t n = strspn(text, "0123456789");

		if (n == 0 || n > 9 || (n > 1 && text[0] == '0') ||
		    text[n] != (part < 2 ? '.' : '\0'))
			return false;
		text += n + 1;
	}
	return true;
}

static int
read_identity(struct spec_reader *r, const struct yaml_node *root)
{
	const struct yaml_node *provider, *version;
	struct spec *spec = r->spec;

	if (check_format(r, root) < 0 ||
	    require(r, root, root, "provider", "write `provider: github`", &provider) < 0 ||
	    spec_expect_text(r, provider, "provider", &spec->provider) < 0 ||
	    require(r, root, root, "version", "write `version: 1.0.0`", &version) < 0 ||
	    spec_expect_text(r, version, "version", &spec->version) < 0)
		return -1;
	if (!spec_name_is_plain(spec->provider))
		return spec_fault(r, provider, "E0105", "lower-case letters, digits, - and _",
				  "\"%.64s\" is no name of a provider", spec->provider);
	if (!is_version(spec->version))
		return spec_fault(r, version, "E0106", "three numbers: `version: 1.2.0`",
				  "\"%.64s\" is no version", spec->version);
	return 0;
}

static int
import_file(struct spec_reader *r, const struct yaml_node *at, const char *path)
{
	const char *slash = strrchr(r->file, '/'), *file = r->file;
	char *full =
	    path[0] == '/' || slash == NULL
		? talloc_strdup(r->mem, path)
		: talloc_asprintf(r->mem, "%.*s/%s", (int)(slash - r->file), r->file, path);
	struct yaml_node *root;
	struct error why;
	int result;

	if (yaml_read(r->mem, full, &root, &why) < 0)
		return spec_fault(r, at, "E0115", "paths are relative to plugin.yaml",
				  "cannot import it: %.300s", why.message);
	r->file = full;
	result = spec_expect_mapping(r, root, "an imported file");
	if (result == 0)
		result = spec_check_keys(r, root, "an imported file", import_keys);
	if (result == 0 && yaml_get(root, "models") != NULL)
		result = spec_collect_models(r, yaml_get(root, "models"));
	r->file = file;
	return result;
}

static int
read_imports(struct spec_reader *r, const struct yaml_node *node)
{
	const char *const *paths;

	if (spec_expect_texts(r, node, "import", &paths) < 0)
		return -1;
	for (size_t i = 0; paths[i] != NULL; i++) {
		if (i == IMPORTS_MAX)
			return spec_fault(r, node, "E0117", "merge some", "over %d imports",
					  IMPORTS_MAX);
		if (import_file(r, node->kind == YAML_SEQUENCE ? node->items[i] : node,
				paths[i]) < 0)
			return -1;
	}
	return 0;
}

int
spec_read_document(struct spec_reader *r, const struct yaml_node *root)
{
	const struct yaml_node *models;

	if (spec_expect_mapping(r, root, "plugin.yaml") < 0 ||
	    spec_check_keys(r, root, "plugin.yaml", r->file == NULL ? json_keys : top_keys) <
		0 ||
	    read_identity(r, root) < 0)
		return -1;
	models = yaml_get(root, "models");
	if ((models != NULL && spec_collect_models(r, models) < 0) ||
	    read_imports(r, yaml_get(root, "import")) < 0 || spec_resolve_models(r) < 0 ||
	    read_syncs(r, yaml_get(root, "syncs")) < 0 ||
	    read_actions(r, yaml_get(root, "actions")) < 0)
		return -1;
	if (r->spec->syncs_count + r->spec->actions_count == 0)
		return spec_fault(r, root, "E0102", "write at least one under syncs or actions",
				  "the plugin offers nothing");
	return 0;
}
