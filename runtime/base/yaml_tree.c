/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_tree -- looking at a tree that was read, and what it is as JSON. Declared in yaml.h.
 */
#include "base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct yaml_node *
yaml_get(const struct yaml_node *mapping, const char *key)
{
	if (mapping == NULL || mapping->kind != YAML_MAPPING)
		return NULL;
	for (size_t i = 0; i < mapping->count; i++)
		if (strcmp(mapping->items[2 * i]->text, key) == 0)
			return mapping->items[2 * i + 1];
	return NULL;
}

const char *
yaml_text(const struct yaml_node *mapping, const char *key)
{
	const struct yaml_node *node = yaml_get(mapping, key);

	return node == NULL || node->kind != YAML_SCALAR ? NULL : node->text;
}

/* Core schema of YAML 1.2, section 10.3.2, without octal and hexadecimal numbers. */
static struct json_object *
scalar_to_json(const struct yaml_node *node)
{
	const char *text = node->text;
	char *end;
	long long integer;
	double number;

	if (!node->is_plain)
		return json_object_new_string(text);
	if (text[0] == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
		return NULL;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_object_new_boolean(text[0] == 't');
	if (strspn(text, "+-0123456789.eE") != strlen(text))
		return json_object_new_string(text);
	errno = 0;
	integer = strtoll(text, &end, 10);
	if (*end == '\0' && errno == 0)
		return json_object_new_int64(integer);
	number = strtod(text, &end);
	if (*end == '\0' && errno == 0)
		return json_object_new_double_s(number, text);
	return json_object_new_string(text);
}

struct json_object *
yaml_to_json(const struct yaml_node *node)
{
	struct json_object *tree;

	if (node->kind == YAML_SCALAR)
		return scalar_to_json(node);
	if (node->kind == YAML_SEQUENCE) {
		tree = json_object_new_array();
		for (size_t i = 0; i < node->count; i++)
			json_object_array_add(tree, yaml_to_json(node->items[i]));
		return tree;
	}
	tree = json_object_new_object();
	for (size_t i = 0; i < node->count; i++)
		json_object_object_add(tree, node->items[2 * i]->text,
				       yaml_to_json(node->items[2 * i + 1]));
	return tree;
}
