/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_schema -- models as JSON Schema, draft-07: what nangod checks records, inputs and
 * outputs against, and what app developers read.
 *
 * A decimal is a string in the record: a JSON number would lose its digits in most readers.
 */
#include "run/spec_internal.h"

#include <string.h>

#define DECIMAL_PATTERN "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$"

static struct json_object *
of_type(const char *name)
{
	struct json_object *tree = json_object_new_object();

	json_add(tree, "type", name);
	return tree;
}

static struct json_object *
either(struct json_object *a, struct json_object *b)
{
	struct json_object *tree = json_object_new_object(), *list = json_object_new_array();

	json_object_array_add(list, a);
	json_object_array_add(list, b);
	json_object_object_add(tree, "anyOf", list);
	return tree;
}

static struct json_object *
date_schema(void)
{
	struct json_object *day = of_type("string"), *instant = of_type("string");

	json_add(day, "format", "date");
	json_add(instant, "format", "date-time");
	return either(instant, day);
}

static struct json_object *
words_schema(const char *const *words)
{
	struct json_object *tree = of_type("string"), *list = json_object_new_array();

	for (; *words != NULL; words++)
		json_object_array_add(list, json_object_new_string(*words));
	json_object_object_add(tree, "enum", list);
	return tree;
}

static struct json_object *
base_schema(const struct spec_type *type)
{
	static const char *const simple[] = {
	    [SPEC_STRING] = "string",  [SPEC_INTEGER] = "integer", [SPEC_NUMBER] = "number",
	    [SPEC_DECIMAL] = "string", [SPEC_BOOLEAN] = "boolean", [SPEC_NULL] = "null",
	};
	struct json_object *tree;
	char *reference;

	if (type->base == SPEC_JSON)
		return json_object_new_object();
	if (type->base == SPEC_DATE)
		return date_schema();
	if (type->base == SPEC_WORDS)
		return words_schema(type->words);
	if (type->base == SPEC_MODEL) {
		reference = talloc_asprintf(NULL, "#/definitions/%s", type->model);
		tree = json_object_new_object();
		json_add(tree, "$ref", reference);
		talloc_free(reference);
		return tree;
	}
	tree = of_type(simple[type->base]);
	if (type->base == SPEC_DECIMAL)
		json_add(tree, "pattern", DECIMAL_PATTERN);
	return tree;
}

static struct json_object *
type_schema(const struct spec_type *type)
{
	struct json_object *tree = base_schema(type), *list;

	if (type->is_array) {
		list = of_type("array");
		json_object_object_add(list, "items", tree);
		tree = list;
	}
	if (type->is_nullable && type->base != SPEC_JSON)
		tree = either(tree, of_type("null"));
	return tree;
}

static struct json_object *
object_schema(const struct spec_fields *fields, bool may_hold_more)
{
	struct json_object *tree = of_type("object"), *properties = json_object_new_object();
	struct json_object *required = json_object_new_array();

	for (size_t i = 0; i < fields->count; i++) {
		const struct spec_field *field = &fields->at[i];

		json_object_object_add(properties, field->name, type_schema(&field->type));
		if (!field->type.is_optional)
			json_object_array_add(required, json_object_new_string(field->name));
	}
	json_object_object_add(tree, "properties", properties);
	json_object_object_add(tree, "required", required);
	json_add_boolean(tree, "additionalProperties", may_hold_more);
	return tree;
}

static struct json_object *
model_schema(const struct spec_model *model)
{
	struct json_object *tree = object_schema(&model->fields, model->keeps_extra);

	if (model->description != NULL)
		json_add(tree, "description", model->description);
	return tree;
}

/* Adds every model that fields lead to; a model that is there already ends the recursion. */
static void
add_reachable(const struct spec *spec, const struct spec_fields *fields,
	      struct json_object *definitions)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct spec_type *type = &fields->at[i].type;
		const struct spec_model *model;

		if (type->base != SPEC_MODEL ||
		    json_object_object_get_ex(definitions, type->model, NULL))
			continue;
		model = spec_model(spec, type->model);
		json_object_object_add(definitions, type->model, model_schema(model));
		add_reachable(spec, &model->fields, definitions);
	}
}

struct json_object *
spec_fields_schema(const struct spec *spec, const struct spec_fields *fields)
{
	struct json_object *tree = object_schema(fields, true);
	struct json_object *definitions = json_object_new_object();

	add_reachable(spec, fields, definitions);
	if (json_object_object_length(definitions) > 0)
		json_object_object_add(tree, "definitions", definitions);
	else
		json_object_put(definitions);
	return tree;
}

struct json_object *
spec_model_schema(const struct spec *spec, const char *name)
{
	const struct spec_model *model = spec_model(spec, name);
	struct json_object *tree = json_object_new_object();
	struct json_object *definitions = json_object_new_object();
	char *reference = talloc_asprintf(NULL, "#/definitions/%s", name);

	json_object_object_add(definitions, name, model_schema(model));
	add_reachable(spec, &model->fields, definitions);
	json_add(tree, "$schema", "http://json-schema.org/draft-07/schema#");
	json_add(tree, "$ref", reference);
	json_object_object_add(tree, "definitions", definitions);
	talloc_free(reference);
	return tree;
}

struct json_object *
spec_schema(const struct spec *spec)
{
	struct json_object *tree = json_object_new_object();
	struct json_object *definitions = json_object_new_object();

	for (size_t i = 0; i < spec->models_count; i++)
		json_object_object_add(definitions, spec->models[i].name,
				       model_schema(&spec->models[i]));
	json_add(tree, "$schema", "http://json-schema.org/draft-07/schema#");
	json_object_object_add(tree, "definitions", definitions);
	return tree;
}
