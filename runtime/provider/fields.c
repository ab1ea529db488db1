/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/fields -- what a person typed into a connection's form, against the template's field
 * schemas. Checked here and not in the browser alone.
 */
#include "provider/pattern.h"
#include "provider/template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 8192

static int
fail_at(struct error *err, const char *at, const char *field, const char *what)
{
	char path[ERROR_AT_MAX];

	snprintf(path, sizeof(path), "%s.%s", at, field);
	return error_set_at(err, ERR_INVALID_BODY, path, "%s %s", field, what);
}

static bool
is_hostname(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			return false;
	return text[0] != '\0';
}

static bool
is_uri(const char *text)
{
	return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

static bool
fits_format(const char *format, const char *text)
{
	if (strcmp(format, "hostname") == 0)
		return is_hostname(text);
	if (strcmp(format, "uri") == 0)
		return is_uri(text);
	if (strcmp(format, "email") == 0)
		return pattern_matches("^[^@\\s]+@[^@\\s]+$", text);
	if (strcmp(format, "uuid") == 0)
		return pattern_matches("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
				       text);
	return true;
}

static bool
is_listed(struct json_object *list, const char *text)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), text) ==
		    0)
			return true;
	return false;
}

static int
check_value(struct json_object *schema, const char *field, const char *text, const char *at,
	    struct error *err)
{
	const char *pattern = json_string(schema, "pattern"),
		   *format = json_string(schema, "format");
	struct json_object *words = json_array_in(schema, "enum");

	if (strlen(text) > VALUE_MAX)
		return fail_at(err, at, field, "is too long");
	if (pattern != NULL && !pattern_matches(pattern, text))
		return fail_at(err, at, field, "does not have the form that the provider uses");
	if (format != NULL && !fits_format(format, text))
		return fail_at(err, at, field, "does not have the form that the provider uses");
	if (words != NULL && !is_listed(words, text))
		return fail_at(err, at, field, "is not one of the choices");
	return 0;
}

static int
check_field(const char *field, struct json_object *schema, struct json_object *values,
	    const char *at, struct error *err)
{
	struct json_object *value = json_member(values, field);
	const char *otherwise = json_string(schema, "default_value");
	bool may_lack = json_boolean(schema, "optional", false) ||
			json_boolean(schema, "automated", false) ||
			json_boolean(schema, "hidden", false) || otherwise != NULL;

	if (value != NULL && !json_object_is_type(value, json_type_string))
		return fail_at(err, at, field, "must be a string");
	if (value != NULL && json_object_get_string_len(value) > 0)
		return check_value(schema, field, json_object_get_string(value), at, err);
	if (!may_lack)
		return fail_at(err, at, field, "is required");
	if (otherwise != NULL && otherwise[0] != '\0')
		json_add(values, field, otherwise);
	return 0;
}

void
template_drop_automated(const struct template *template, const char *section,
			struct json_object *values)
{
	struct json_object *schemas = json_object_in(template_body(template), section);

	if (schemas == NULL || values == NULL)
		return;
	json_object_object_foreach (schemas, field, schema)
		if (json_boolean(schema, "automated", false))
			json_object_object_del(values, field);
}

void
template_fill_fields(const struct template *template, const char *section,
		     struct json_object *values)
{
	struct json_object *schemas = json_object_in(template_body(template), section);

	if (schemas == NULL || values == NULL)
		return;
	json_object_object_foreach (schemas, field, schema) {
		const char *otherwise = json_string(schema, "default_value");

		if (otherwise != NULL && !json_object_object_get_ex(values, field, NULL))
			json_add(values, field, otherwise);
	}
}

int
template_check_fields(const struct template *template, const char *section,
		      struct json_object *values, const char *at, struct error *err)
{
	struct json_object *schemas = json_object_in(template_body(template), section);

	if (schemas == NULL)
		return 0;
	json_object_object_foreach (schemas, field, schema)
		if (check_field(field, schema, values, at, err) < 0)
			return -1;
	return 0;
}
