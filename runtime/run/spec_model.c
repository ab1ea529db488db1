/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_model -- the models of plugin.yaml and of the files it imports.
 *
 * Two passes: first every model is noted with its place, then each is resolved, because a model
 * may extend, or be a member of, one that stands further down or in another file. Models may
 * refer to each other in circles (a comment with replies); $extends may not.
 */
#include "run/spec_internal.h"
#include "run/suggest.h"

#include <stdlib.h>
#include <string.h>

/* A model as it was written. */
struct spec_source {
	const char *name, *file;
	const struct yaml_node *key, *node;
	enum { UNTOUCHED, UNDER_WAY, RESOLVED } state;
	struct spec_model *model;
};

static const char *const model_keys[] = {"$description", "$extends",  "$extra",
					 "$invalid",	 "$volatile", NULL};

static int
compare_fields(const void *a, const void *b)
{
	const struct spec_field *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
compare_models(const void *a, const void *b)
{
	const struct spec_model *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
check_field_name(struct spec_reader *r, const struct yaml_node *key)
{
	size_t n = strlen(key->text);

	if (n == 0 || n > SPEC_NAME_MAX)
		return spec_fault(r, key, "E0105", "1 to 255 bytes",
				  "a member's name of this length");
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)key->text[i] < ' ' || key->text[i] == 0x7f)
			return spec_fault(r, key, "E0105", "leave it out",
					  "a control character in a member's name");
	if (key->text[n - 1] == '?')
		return spec_fault(r, key, "E0105",
				  "the ? belongs to the type: `body: \"string?\"`",
				  "a member's name that ends with ?");
	return 0;
}

static int
read_type(struct spec_reader *r, const struct yaml_node *key, const struct yaml_node *node,
	  struct spec_type *out)
{
	struct spec_type_fault fault;
	struct yaml_node at;

	if (node->kind == YAML_MAPPING)
		return spec_fault(
		    r, node, "E0104",
		    "give it a name: write the members as a model of its own under "
		    "models, and its name here",
		    "\"%.64s\" is written as a mapping", key->text);
	if (node->kind == YAML_SEQUENCE)
		return spec_fault(r, node, "E0104", "a list is written \"Type[]\", in quotes",
				  "\"%.64s\" is written as a list", key->text);
	if (spec_type_parse(r->mem, node->text, out, &fault) == 0)
		return 0;
	at = *node;
	at.column += (int)fault.offset + (node->is_plain ? 0 : 1);
	return spec_fault(r, &at, fault.code, fault.help, "%s", fault.text);
}

int
spec_read_fields(struct spec_reader *r, const struct yaml_node *mapping,
		 struct spec_fields *out)
{
	struct spec_fields fields = {0};

	if (mapping->count > SPEC_FIELDS_MAX)
		return spec_fault(r, mapping, "E0117", "split it", "over %d members",
				  SPEC_FIELDS_MAX);
	fields.at = spec_allocate(r->mem, (mapping->count + 1) * sizeof(*fields.at));
	for (size_t i = 0; i < mapping->count; i++) {
		const struct yaml_node *key = mapping->items[2 * i];
		struct spec_field *field = &fields.at[fields.count];

		if (key->text[0] == '$')
			continue;
		if (check_field_name(r, key) < 0 ||
		    read_type(r, key, mapping->items[2 * i + 1], &field->type) < 0)
			return -1;
		if (field->type.base == SPEC_MODEL &&
		    spec_expect_model(r, mapping->items[2 * i + 1], field->type.model) < 0)
			return -1;
		field->name = key->text;
		fields.count++;
	}
	qsort(fields.at, fields.count, sizeof(*fields.at), compare_fields);
	*out = fields;
	return 0;
}

static struct spec_source *
find_source(struct spec_reader *r, const char *name)
{
	for (size_t i = 0; i < r->sources_count; i++)
		if (strcmp(r->sources[i].name, name) == 0)
			return &r->sources[i];
	return NULL;
}

int
spec_expect_model(struct spec_reader *r, const struct yaml_node *at, const char *name)
{
	const char **names;
	const char *near;

	if (find_source(r, name) != NULL)
		return 0;
	names = spec_allocate(r->mem, (r->sources_count + 1) * sizeof(*names));
	for (size_t i = 0; i < r->sources_count; i++)
		names[i] = r->sources[i].name;
	near = suggest_word(name, names);
	return spec_fault(r, at, "E0109",
			  near != NULL ? talloc_asprintf(r->mem, "did you mean %s?", near)
				       : "write it under models; a literal that begins with a "
					 "capital goes into single quotes",
			  "there is no model %.64s", name);
}

static int
collect_model(struct spec_reader *r, const struct yaml_node *key, const struct yaml_node *node)
{
	struct spec_source *known = find_source(r, key->text);

	if (!spec_name_is_model(key->text))
		return spec_fault(r, key, "E0105",
				  "a capital first, then letters, digits and _: `NewIssue`",
				  "\"%.64s\" is no name of a model", key->text);
	if (strncmp(key->text, "Nango", 5) == 0)
		return spec_fault(r, key, "E0105", "take another name",
				  "names that begin with Nango are the SDK's");
	if (known != NULL)
		return spec_fault(r, key, "E0114", "rename one, or import only one",
				  "the model %.64s exists already (%s:%d)", key->text,
				  known->file == NULL ? "spec" : known->file, known->key->line);
	if (r->sources_count == SPEC_MODELS_MAX)
		return spec_fault(r, key, "E0117", "split the plugin", "over %d models",
				  SPEC_MODELS_MAX);
	if (spec_expect_mapping(r, node, "a model") < 0)
		return -1;
	if (r->sources == NULL)
		r->sources = spec_allocate(r->mem, SPEC_MODELS_MAX * sizeof(*r->sources));
	r->sources[r->sources_count++] =
	    (struct spec_source){.name = key->text, .file = r->file, .key = key, .node = node};
	return 0;
}

int
spec_collect_models(struct spec_reader *r, const struct yaml_node *mapping)
{
	if (spec_expect_mapping(r, mapping, "models") < 0)
		return -1;
	for (size_t i = 0; i < mapping->count; i++)
		if (collect_model(r, mapping->items[2 * i], mapping->items[2 * i + 1]) < 0)
			return -1;
	return 0;
}

static const struct spec_field *
find_field(const struct spec_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++)
		if (strcmp(fields->at[i].name, name) == 0)
			return &fields->at[i];
	return NULL;
}

/* The members of base that the model does not have itself. */
static void
inherit(struct spec_reader *r, struct spec_model *model, const struct spec_model *base)
{
	size_t count = model->fields.count;
	struct spec_field *all =
	    spec_allocate(r->mem, (count + base->fields.count + 1) * sizeof(*all));

	if (count > 0)
		memcpy(all, model->fields.at, count * sizeof(*all));
	for (size_t i = 0; i < base->fields.count; i++)
		if (find_field(&model->fields, base->fields.at[i].name) == NULL)
			all[count++] = base->fields.at[i];
	qsort(all, count, sizeof(*all), compare_fields);
	model->fields = (struct spec_fields){all, count};
	model->keeps_extra = model->keeps_extra || base->keeps_extra;
}

/* A key with two words; *out is whether the second one stands there. */
static int
read_either(struct spec_reader *r, const struct spec_source *source, const char *key,
	    const char *no, const char *yes, bool *out)
{
	const struct yaml_node *node = yaml_get(source->node, key);

	if (node == NULL)
		return 0;
	if (node->kind != YAML_SCALAR ||
	    (strcmp(node->text, no) != 0 && strcmp(node->text, yes) != 0))
		return spec_fault(
		    r, node, "E0104",
		    talloc_asprintf(r->mem, "write `%s: %s`, or take it out", key, yes),
		    "%s is %s or %s", key, yes, no);
	*out = strcmp(node->text, yes) == 0;
	return 0;
}

static int
read_dollar_keys(struct spec_reader *r, struct spec_source *source, struct spec_model *model)
{
	const struct yaml_node *description = yaml_get(source->node, "$description");
	const struct yaml_node *names = yaml_get(source->node, "$volatile");

	for (size_t i = 0; i < source->node->count; i++) {
		const struct yaml_node *key = source->node->items[2 * i];
		struct yaml_node one = {
		    .kind = YAML_MAPPING, .items = &source->node->items[2 * i], .count = 1};

		if (key->text[0] == '$' && spec_check_keys(r, &one, "a model", model_keys) < 0)
			return -1;
	}
	if (description != NULL &&
	    spec_expect_text(r, description, "$description", &model->description) < 0)
		return -1;
	if (read_either(r, source, "$extra", "drop", "keep", &model->keeps_extra) < 0 ||
	    read_either(r, source, "$invalid", "quarantine", "fail", &model->fails_run) < 0)
		return -1;
	return spec_expect_texts(r, names, "$volatile", &model->volatile_names);
}

/*
 * Does the dotted path lead to a member? A member whose own name has dots comes first; a list
 * stands for its items; below `json` and among kept unknown members anything may be.
 */
static bool
has_path(struct spec_reader *r, const struct spec_model *model, const char *path)
{
	while (find_field(&model->fields, path) == NULL) {
		const struct spec_field *field = NULL;
		size_t length = 0;
		char *name;

		for (size_t dot = strcspn(path, "."); field == NULL && path[dot] == '.';
		     dot += 1 + strcspn(path + dot + 1, ".")) {
			name = talloc_strndup(r->mem, path, dot);
			field = find_field(&model->fields, name);
			length = dot + 1;
		}
		if (field == NULL)
			return model->keeps_extra;
		if (field->type.base != SPEC_MODEL)
			return field->type.base == SPEC_JSON && path[length] != '\0';
		model = find_source(r, field->type.model)->model;
		path += length;
	}
	return true;
}

/* When all models are known, since a path may lead through any of them. */
static int
check_volatile(struct spec_reader *r, const struct spec_source *source)
{
	const char *const *names = source->model->volatile_names;

	for (size_t i = 0; names[i] != NULL; i++) {
		if (has_path(r, source->model, names[i]))
			continue;
		r->file = source->file;
		return spec_fault(r, yaml_get(source->node, "$volatile"), "E0109",
				  "name members of this model, or of one within it: "
				  "`[fetched_at, owner.seen_at]`",
				  "$volatile names \"%.64s\", which %s does not have", names[i],
				  source->name);
	}
	return 0;
}

/* The recursion follows $extends; UNDER_WAY ends circles. */
static int resolve(struct spec_reader *r, struct spec_source *source);

static int
resolve_bases(struct spec_reader *r, struct spec_source *source, struct spec_model *model)
{
	const struct yaml_node *node = yaml_get(source->node, "$extends");
	const char *const *names;

	if (spec_expect_texts(r, node, "$extends", &names) < 0)
		return -1;
	for (size_t i = 0; names[i] != NULL; i++) {
		struct spec_source *base;

		if (spec_expect_model(r, node, names[i]) < 0)
			return -1;
		base = find_source(r, names[i]);
		if (base->state == UNDER_WAY)
			return spec_fault(r, node, "E0116", "break the circle",
					  "%s extends itself through %s", source->name,
					  names[i]);
		if (resolve(r, base) < 0)
			return -1;
		inherit(r, model, base->model);
	}
	return 0;
}

static int
resolve(struct spec_reader *r, struct spec_source *source)
{
	const char *file = r->file;
	struct spec_model *model;

	if (source->state == RESOLVED)
		return 0;
	source->state = UNDER_WAY;
	r->file = source->file;
	model = source->model = spec_allocate(r->mem, sizeof(*model));
	model->name = source->name;
	if (read_dollar_keys(r, source, model) < 0 ||
	    spec_read_fields(r, source->node, &model->fields) < 0 ||
	    resolve_bases(r, source, model) < 0)
		return -1;
	if (model->fields.count > SPEC_FIELDS_MAX)
		return spec_fault(r, source->key, "E0117", "split it",
				  "%s has over %d members with those that it extends",
				  source->name, SPEC_FIELDS_MAX);
	if (model->fields.count == 0 && !model->keeps_extra)
		return spec_fault(r, source->key, "E0102", "give it one, or `$extra: keep`",
				  "the model %s has no members", source->name);
	source->state = RESOLVED;
	r->file = file;
	return 0;
}

int
spec_resolve_models(struct spec_reader *r)
{
	struct spec_model *models =
	    spec_allocate(r->mem, (r->sources_count + 1) * sizeof(*models));

	for (size_t i = 0; i < r->sources_count; i++) {
		if (resolve(r, &r->sources[i]) < 0)
			return -1;
		models[i] = *r->sources[i].model;
	}
	for (size_t i = 0; i < r->sources_count; i++)
		if (check_volatile(r, &r->sources[i]) < 0)
			return -1;
	qsort(models, r->sources_count, sizeof(*models), compare_models);
	r->spec->models = models;
	r->spec->models_count = r->sources_count;
	spec_collect_volatile(r->mem, r->spec);
	return 0;
}
