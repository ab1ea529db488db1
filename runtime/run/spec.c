/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec -- the ways in, and look-ups.
 *
 * Canonical JSON is turned into the tree that YAML gives and read by the same code: one set of
 * checks, so what the tool accepts and what the server accepts cannot drift apart.
 */
#include "run/spec_internal.h"

#include <stdlib.h>
#include <string.h>

static struct yaml_node *
node_of(TALLOC_CTX *mem, enum yaml_kind kind, size_t items)
{
	struct yaml_node *node = spec_allocate(mem, sizeof(*node));

	node->kind = kind;
	if (items > 0)
		node->items = spec_allocate(mem, items * sizeof(*node->items));
	return node;
}

static struct yaml_node *
node_of_text(TALLOC_CTX *mem, const char *text)
{
	struct yaml_node *node = node_of(mem, YAML_SCALAR, 0);

	node->text = talloc_strdup(mem, text);
	return node;
}

/* Depth is bounded by JSON_DEPTH_MAX, which json_parse enforces. */
static struct yaml_node *
node_from_json(TALLOC_CTX *mem, struct json_object *tree)
{
	struct json_object_iterator at, end;
	struct yaml_node *node;
	size_t n;

	if (json_object_is_type(tree, json_type_array)) {
		n = json_object_array_length(tree);
		node = node_of(mem, YAML_SEQUENCE, n);
		for (node->count = 0; node->count < n; node->count++)
			node->items[node->count] =
			    node_from_json(mem, json_object_array_get_idx(tree, node->count));
		return node;
	}
	if (!json_object_is_type(tree, json_type_object))
		return node_of_text(mem, tree == NULL ? "null" : json_object_get_string(tree));
	node = node_of(mem, YAML_MAPPING, 2 * (size_t)json_object_object_length(tree));
	at = json_object_iter_begin(tree);
	end = json_object_iter_end(tree);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		node->items[2 * node->count] =
		    node_of_text(mem, json_object_iter_peek_name(&at));
		node->items[2 * node->count + 1] =
		    node_from_json(mem, json_object_iter_peek_value(&at));
		node->count++;
	}
	return node;
}

static int
read_root(TALLOC_CTX *mem, const char *file, const struct yaml_node *root, struct spec **out,
	  struct error *err)
{
	struct spec_reader r = {.mem = mem, .file = file, .err = err};

	r.spec = spec_allocate(mem, sizeof(*r.spec));
	if (spec_read_document(&r, root) < 0)
		return -1;
	*out = r.spec;
	return 0;
}

int
spec_read(TALLOC_CTX *mem, const char *path, struct spec **out, struct error *err)
{
	struct yaml_node *root;

	if (yaml_read(mem, path, &root, err) < 0)
		return -1;
	return read_root(mem, path, root, out, err);
}

int
spec_read_text(TALLOC_CTX *mem, const char *file, const char *text, size_t length,
	       struct spec **out, struct error *err)
{
	struct yaml_node *root;

	if (yaml_parse(mem, file, text, length, &root, err) < 0)
		return -1;
	return read_root(mem, file, root, out, err);
}

int
spec_parse(TALLOC_CTX *mem, const char *json, size_t length, struct spec **out,
	   struct error *err)
{
	struct json_object *tree;
	struct error why;

	if (length > SPEC_JSON_MAX)
		return error_set(err, ERR_PLUGIN, "the plugin's spec is over %d bytes",
				 SPEC_JSON_MAX);
	if (json_parse(mem, json, length, &tree, &why) < 0)
		return error_set(err, ERR_PLUGIN,
				 "the plugin's spec is no JSON: %.200s [E0312]", why.message);
	return read_root(mem, NULL, node_from_json(mem, tree), out, err);
}

const struct spec_sync *
spec_sync(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->syncs_count; i++)
		if (strcmp(spec->syncs[i].name, name) == 0)
			return &spec->syncs[i];
	return NULL;
}

const struct spec_action *
spec_action(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->actions_count; i++)
		if (strcmp(spec->actions[i].name, name) == 0)
			return &spec->actions[i];
	return NULL;
}

const struct spec_model *
spec_model(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->models_count; i++)
		if (strcmp(spec->models[i].name, name) == 0)
			return &spec->models[i];
	return NULL;
}
