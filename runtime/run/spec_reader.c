/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_reader -- the questions that every part of plugin.yaml is asked: is it a mapping, a
 * text, a known key? A fault says where it stands and, where there is one, the fix.
 */
#include "run/spec_internal.h"
#include "run/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
spec_fault(struct spec_reader *r, const struct yaml_node *at, const char *code,
	   const char *help, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->file == NULL)
		return error_set(r->err, ERR_PLUGIN, "the plugin's spec: %s [%s]%s%s%s", text,
				 code, help == NULL ? "" : " (", help == NULL ? "" : help,
				 help == NULL ? "" : ")");
	return error_set(r->err, ERR_CONFIG, "%s:%d:%d: %s [%s]%s%s", r->file, at->line,
			 at->column, text, code,
			 help == NULL ? "" : "\nhelp: ", help == NULL ? "" : help);
}

int
spec_expect_mapping(struct spec_reader *r, const struct yaml_node *node, const char *what)
{
	if (node->kind == YAML_MAPPING)
		return 0;
	return spec_fault(r, node, "E0104", "write its members as `name: value` lines below it",
			  "%s must be a mapping", what);
}

int
spec_expect_text(struct spec_reader *r, const struct yaml_node *node, const char *what,
		 const char **out)
{
	if (node->kind != YAML_SCALAR)
		return spec_fault(r, node, "E0104", "write one word or a text in quotes",
				  "%s must be a text", what);
	if (node->text[0] == '\0')
		return spec_fault(r, node, "E0104", "write a text, or take the key out",
				  "%s is empty", what);
	*out = node->text;
	return 0;
}

int
spec_expect_texts(struct spec_reader *r, const struct yaml_node *node, const char *what,
		  const char *const **out)
{
	size_t count = node == NULL ? 0 : node->kind == YAML_SEQUENCE ? node->count : 1;
	const char **list = spec_allocate(r->mem, (count + 1) * sizeof(*list));

	if (node != NULL && node->kind == YAML_MAPPING)
		return spec_fault(r, node, "E0104", "write [a, b]", "%s must be a list", what);
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *item =
		    node->kind == YAML_SCALAR ? node : node->items[i];

		if (spec_expect_text(r, item, what, &list[i]) < 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (strcmp(list[i], list[j]) == 0)
				return spec_fault(r, item, "E0114", "remove one",
						  "%s: \"%s\" stands twice", what, list[i]);
	}
	*out = list;
	return 0;
}

int
spec_check_keys(struct spec_reader *r, const struct yaml_node *mapping, const char *what,
		const char *const *keys)
{
	char help[SPEC_NAME_MAX + 512];
	size_t used;

	for (size_t i = 0; i < mapping->count; i++) {
		const struct yaml_node *key = mapping->items[2 * i];
		const char *near;
		size_t k = 0;

		while (keys[k] != NULL && strcmp(keys[k], key->text) != 0)
			k++;
		if (keys[k] != NULL)
			continue;
		near = suggest_word(key->text, keys);
		if (near != NULL)
			return spec_fault(r, key, "E0103",
					  talloc_asprintf(r->mem, "did you mean \"%s\"?", near),
					  "unknown key \"%.64s\" in %s", key->text, what);
		used = (size_t)snprintf(help, sizeof(help), "known are");
		for (k = 0; keys[k] != NULL && used < sizeof(help); k++)
			used += (size_t)snprintf(help + used, sizeof(help) - used, "%s %s",
						 k > 0 ? "," : "", keys[k]);
		return spec_fault(r, key, "E0103", help, "unknown key \"%.64s\" in %s",
				  key->text, what);
	}
	return 0;
}
