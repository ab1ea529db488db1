/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/schema -- walks a YAML tree beside the table; a kind is a function in a table here.
 */
#include "provider/schema.h"
#include "base/buf.h"
#include "provider/pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 256

/* Where we are: "proxy.retry"; made to text only when there is something to say. */
struct path {
	const struct path *up;
	const char *key;
};

typedef void check_fn(struct schema_walk *walk, const struct path *path,
		      const struct schema_key *row, const struct yaml_node *node);

static check_fn check;

/* ---- saying ---- */

static void
say(struct schema_walk *walk, const struct yaml_node *at, const char *code,
    const char *const *words, const char *text)
{
	finding_add(walk->findings,
		    (struct template_finding){.is_error = walk->is_own,
					      .is_own = walk->is_own,
					      .template = walk->name,
					      .word = words == NULL ? NULL : at->text,
					      .words = words},
		    walk->file, at, code, "%s", text);
	walk->is_usable &= !walk->is_own;
}

void
schema_fault(struct schema_walk *walk, const struct yaml_node *at, const char *code,
	     const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(walk, at, code, NULL, text);
}

static void
add_path(struct buf *out, const struct path *path)
{
	if (path->up != NULL) {
		add_path(out, path->up);
		buf_addc(out, '.');
	}
	buf_adds(out, path->key);
}

static const char *
path_text(const struct schema_walk *walk, const struct path *path)
{
	struct buf out;

	if (path == NULL)
		return "a template";
	buf_init(&out, walk->findings, 64);
	add_path(&out, path);
	return out.data;
}

static void
wrong_shape(struct schema_walk *walk, const struct path *path, const struct yaml_node *node,
	    const char *wanted)
{
	schema_fault(walk, node, "E0704", "%s must be %s", path_text(walk, path), wanted);
}

/* ---- scalars ---- */

/* What a scalar is once it is JSON; null for what is no scalar. */
static enum json_type
scalar_type(const struct yaml_node *node)
{
	struct json_object *value;
	enum json_type type;

	if (node->kind != YAML_SCALAR)
		return json_type_null;
	if (!node->is_plain ||
	    (node->text[0] != '\0' && strchr("+-.0123456789tfn~", node->text[0]) == NULL))
		return json_type_string;
	value = yaml_to_json(node);
	type = json_object_get_type(value);
	json_object_put(value);
	return type;
}

static void
check_text(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	   const struct yaml_node *node)
{
	(void)row;
	if (scalar_type(node) != json_type_string)
		wrong_shape(walk, path, node,
			    "a text (what YAML would read as a number, true or null goes into "
			    "quotes)");
}

static void
check_template(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	       const struct yaml_node *node)
{
	check_text(walk, path, row, node);
	if (node->kind == YAML_SCALAR)
		schema_check_placeholders(walk, node);
}

static void
check_scalar(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	     const struct yaml_node *node)
{
	(void)row;
	if (scalar_type(node) == json_type_null)
		wrong_shape(walk, path, node, "a text, a number, true or false");
	else
		schema_check_placeholders(walk, node);
}

static void
check_boolean(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	      const struct yaml_node *node)
{
	(void)row;
	if (scalar_type(node) != json_type_boolean)
		wrong_shape(walk, path, node, "true or false");
}

static void
check_integer(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	      const struct yaml_node *node)
{
	(void)row;
	if (scalar_type(node) != json_type_int)
		wrong_shape(walk, path, node, "a whole number");
}

static void
check_word(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	   const struct yaml_node *node)
{
	const char *const *words = row->more;
	char text[MESSAGE_MAX];

	if (node->kind != YAML_SCALAR) {
		wrong_shape(walk, path, node, "a word");
		return;
	}
	for (const char *const *word = words; *word != NULL; word++)
		if (strcmp(*word, node->text) == 0)
			return;
	snprintf(text, sizeof(text), "there is no %s \"%.80s\"", path_text(walk, path),
		 node->text);
	say(walk, node, "E0705", words, text);
}

static void
check_pattern(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	      const struct yaml_node *node)
{
	char text[MESSAGE_MAX];

	check_text(walk, path, row, node);
	if (node->kind == YAML_SCALAR && !pattern_check(node->text, text, sizeof(text)))
		schema_fault(walk, node, "E0708", "%s does not compile: %s",
			     path_text(walk, path), text);
}

/* ---- lists and mappings ---- */

static void
check_each(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	   const struct yaml_node *node, check_fn *fn, const char *wanted)
{
	if (node->kind != YAML_SEQUENCE) {
		wrong_shape(walk, path, node, wanted);
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		fn(walk, path, row, node->items[i]);
}

static void
check_texts(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	    const struct yaml_node *node)
{
	check_each(walk, path, row, node, check_text, "a list of texts");
}

static void
check_words(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	    const struct yaml_node *node)
{
	check_each(walk, path, row, node, check_word, "a list of words");
}

static void
check_text_or_texts(struct schema_walk *walk, const struct path *path,
		    const struct schema_key *row, const struct yaml_node *node)
{
	if (node->kind == YAML_SEQUENCE)
		check_texts(walk, path, row, node);
	else
		check_text(walk, path, row, node);
}

/* A mapping of any names. */
static void
check_values(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	     const struct yaml_node *node, check_fn *fn)
{
	if (node->kind != YAML_MAPPING) {
		wrong_shape(walk, path, node, "a mapping");
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		fn(walk, &(struct path){path, node->items[2 * i]->text}, row,
		   node->items[2 * i + 1]);
}

static void
check_scalars(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	      const struct yaml_node *node)
{
	check_values(walk, path, row, node, check_scalar);
}

static void
check_param(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	    const struct yaml_node *node)
{
	if (node->kind == YAML_MAPPING)
		check_values(walk, path, row, node, check_param);
	else if (node->kind == YAML_SEQUENCE)
		check_each(walk, path, row, node, check_param, "");
	else
		schema_check_placeholders(walk, node);
}

static void
check_params(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	     const struct yaml_node *node)
{
	check_values(walk, path, row, node, check_param);
}

static const char *const *
key_names(const struct schema_walk *walk, const struct schema_key *keys)
{
	size_t count = 0;
	const char **names;

	while (keys[count].name != NULL)
		count++;
	names = talloc_zero_array(walk->findings, const char *, (unsigned)count + 1);
	for (size_t i = 0; i < count; i++)
		names[i] = keys[i].name;
	return names;
}

static void
unknown_key(struct schema_walk *walk, const struct path *path, const struct schema_key *keys,
	    const struct yaml_node *key)
{
	char text[MESSAGE_MAX];

	snprintf(text, sizeof(text), "%s has no key \"%.80s\"%s", path_text(walk, path),
		 key->text,
		 path == NULL && walk->is_own ? ": what is ours stands under x" : "");
	say(walk, key, "E0702", key_names(walk, keys), text);
}

static void
check_only(struct schema_walk *walk, const struct path *path, const struct yaml_node *key)
{
	finding_add(walk->findings,
		    (struct template_finding){.is_own = walk->is_own, .template = walk->name},
		    walk->file, key, "E0702", "%s is not carried out yet",
		    path_text(walk, path));
}

static void
check_known(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	    const struct yaml_node *key, const struct yaml_node *value)
{
	struct path here = {path, key->text};

	if ((row->flags & SCHEMA_DEAD) != 0)
		schema_fault(walk, key, "E0702", "nothing reads %s", path_text(walk, &here));
	else if ((row->flags & SCHEMA_HOOK) != 0 && walk->is_own)
		schema_fault(walk, key, "E0702",
			     "%s names code of the reference, which is not here",
			     path_text(walk, &here));
	else
		check(walk, &here, row, value);
	if ((row->flags & SCHEMA_CHECKED) != 0 && walk->is_own)
		check_only(walk, &here, key);
}

static void
check_keys(struct schema_walk *walk, const struct path *path, const struct schema_key *keys,
	   const struct yaml_node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *key = node->items[2 * i];
		const struct schema_key *row = keys;

		while (row->name != NULL && strcmp(row->name, key->text) != 0)
			row++;
		if (row->name == NULL)
			unknown_key(walk, path, keys, key);
		else
			check_known(walk, path, row, key, node->items[2 * i + 1]);
	}
	for (const struct schema_key *row = keys; row->name != NULL; row++)
		if ((row->flags & SCHEMA_REQUIRED) != 0 &&
		    ((row->flags & SCHEMA_OURS) == 0 || walk->is_own) &&
		    yaml_get(node, row->name) == NULL)
			schema_fault(walk, node, "E0703", "%s has no \"%s\"",
				     path_text(walk, path), row->name);
}

static void
check_mapping(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	      const struct yaml_node *node)
{
	if (node->kind != YAML_MAPPING)
		wrong_shape(walk, path, node, "a mapping");
	else
		check_keys(walk, path, row->more, node);
}

static void
check_mappings(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	       const struct yaml_node *node)
{
	check_values(walk, path, row, node, check_mapping);
}

static void
check_list(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
	   const struct yaml_node *node)
{
	check_each(walk, path, row, node, check_mapping, "a list of mappings");
}

static void
check_template_or_mapping(struct schema_walk *walk, const struct path *path,
			  const struct schema_key *row, const struct yaml_node *node)
{
	if (node->kind == YAML_MAPPING)
		check_mapping(walk, path, row, node);
	else
		check_template(walk, path, row, node);
}

static check_fn *const kinds[] = {
    [SCHEMA_TEXT] = check_text,	      [SCHEMA_TEMPLATE] = check_template,
    [SCHEMA_SCALAR] = check_scalar,   [SCHEMA_BOOLEAN] = check_boolean,
    [SCHEMA_INTEGER] = check_integer, [SCHEMA_WORD] = check_word,
    [SCHEMA_WORDS] = check_words,     [SCHEMA_PATTERN] = check_pattern,
    [SCHEMA_TEXTS] = check_texts,     [SCHEMA_TEXT_OR_TEXTS] = check_text_or_texts,
    [SCHEMA_SCALARS] = check_scalars, [SCHEMA_PARAMS] = check_params,
    [SCHEMA_MAPPING] = check_mapping, [SCHEMA_MAPPINGS] = check_mappings,
    [SCHEMA_LIST] = check_list,	      [SCHEMA_TEMPLATE_OR_MAPPING] = check_template_or_mapping,
};

static void
check(struct schema_walk *walk, const struct path *path, const struct schema_key *row,
      const struct yaml_node *node)
{
	if (row->kind != SCHEMA_ANY)
		kinds[row->kind](walk, path, row, node);
}

bool
schema_check(struct findings *findings, const char *file, const char *name, bool is_own,
	     const struct yaml_node *root)
{
	struct schema_walk walk = {findings, file, name, is_own, true, root};
	const struct yaml_node *mode = yaml_get(root, "auth_mode");

	if (mode == NULL || scalar_type(mode) != json_type_string || mode->text[0] == '\0') {
		finding_add(findings,
			    (struct template_finding){
				.is_error = true, .is_own = is_own, .template = name},
			    file, root, "E0703", "%s has no \"auth_mode\"", name);
		return false;
	}
	check_keys(&walk, NULL, schema_template, root);
	schema_check_rules(&walk);
	return walk.is_usable;
}
