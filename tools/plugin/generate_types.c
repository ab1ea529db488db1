/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate_types -- the models for the app that reads the records: TypeScript types and JSON
 * Schema.
 */
#include "generate.h"

#include <string.h>

static void
type_name(struct buf *out, const struct spec_type *type)
{
	static const char *const names[] = {
	    [SPEC_STRING] = "string",  [SPEC_INTEGER] = "number",  [SPEC_NUMBER] = "number",
	    [SPEC_DECIMAL] = "string", [SPEC_BOOLEAN] = "boolean", [SPEC_DATE] = "string",
	    [SPEC_JSON] = "unknown",   [SPEC_NULL] = "null",
	};

	if (type->base == SPEC_MODEL) {
		buf_adds(out, type->model);
	} else if (type->base == SPEC_WORDS) {
		for (size_t i = 0; type->words[i] != NULL; i++) {
			buf_adds(out, i > 0 ? " | " : "");
			buf_add_json_str(out, type->words[i]);
		}
	} else {
		buf_adds(out, names[type->base]);
	}
}

static bool
is_identifier(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$"
				      "0123456789";

	return name[strspn(name, letters)] == '\0' && (name[0] < '0' || name[0] > '9');
}

static void
add_member(struct buf *out, const struct spec_field *field)
{
	bool has_parentheses = field->type.is_array && field->type.base == SPEC_WORDS;

	buf_adds(out, "\t");
	if (is_identifier(field->name))
		buf_adds(out, field->name);
	else
		buf_add_json_str(out, field->name);
	buf_adds(out, field->type.is_optional ? "?: " : ": ");
	buf_adds(out, has_parentheses ? "(" : "");
	type_name(out, &field->type);
	buf_adds(out, has_parentheses ? ")" : "");
	buf_adds(out, field->type.is_array ? "[]" : "");
	buf_adds(out, field->type.is_nullable ? " | null;\n" : ";\n");
}

static void
add_interface(struct buf *out, const char *name, const char *description,
	      const struct spec_fields *fields, bool keeps_extra)
{
	if (description != NULL && strstr(description, "*/") == NULL)
		buf_addf(out, "/** %s */\n", description);
	buf_addf(out, "export interface %s {\n", name);
	for (size_t i = 0; i < fields->count; i++)
		add_member(out, &fields->at[i]);
	if (keeps_extra)
		buf_adds(out, "\t[key: string]: unknown;\n");
	buf_adds(out, "}\n\n");
}

char *
generate_types(TALLOC_CTX *mem, const struct spec *spec)
{
	struct buf out;

	buf_init(&out, mem, 4096);
	buf_addf(&out,
		 "// Written by nango-plugin generate from plugin.yaml (%s %s). Edit that "
		 "instead.\n\n",
		 spec->provider, spec->version);
	for (size_t i = 0; i < spec->models_count; i++)
		add_interface(&out, spec->models[i].name, spec->models[i].description,
			      &spec->models[i].fields, spec->models[i].keeps_extra);
	for (size_t i = 0; i < spec->syncs_count; i++) {
		const struct spec_sync *sync = &spec->syncs[i];
		const char *name = generate_type_name(mem, sync->name);

		if (sync->has_metadata)
			add_interface(&out, talloc_asprintf(mem, "%sMetadata", name), NULL,
				      &sync->metadata, true);
		if (sync->has_checkpoint)
			add_interface(&out, talloc_asprintf(mem, "%sCheckpoint", name), NULL,
				      &sync->checkpoint, false);
	}
	return out.data;
}

char *
generate_schema(TALLOC_CTX *mem, const struct spec *spec)
{
	struct json_object *tree = spec_schema(spec);
	char *out = talloc_asprintf(
	    mem, "%s\n",
	    json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PRETTY |
						     JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(tree);
	return out;
}
