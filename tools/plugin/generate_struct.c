/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate_struct -- one model as a struct, the statements that read it, and its writer.
 *
 * "No value" is a NULL pointer, or has_x == false for numbers and booleans. What that means is
 * the model's: absent where it is optional, null where it is nullable, and where it may be
 * both, null when x_is_null is set. So absent, null and value stay three things, and a struct
 * that is all zeroes is always meaningful.
 */
#include "generate.h"

#include <string.h>

bool
generate_is_text(const struct spec_type *type)
{
	return type->base == SPEC_STRING || type->base == SPEC_DATE ||
	       type->base == SPEC_DECIMAL || type->base == SPEC_WORDS;
}

static bool
is_scalar(const struct spec_type *type)
{
	return type->base == SPEC_INTEGER || type->base == SPEC_NUMBER ||
	       type->base == SPEC_BOOLEAN;
}

static bool
may_lack(const struct spec_type *type)
{
	return type->is_optional || type->is_nullable;
}

static bool
has_null_flag(const struct spec_type *type)
{
	return type->is_optional && type->is_nullable && type->base != SPEC_JSON &&
	       type->base != SPEC_NULL;
}

/* The type of one value, up to and with the blank or star before its name. */
static const char *
c_type(TALLOC_CTX *mem, const struct spec_type *type)
{
	if (generate_is_text(type))
		return "const char *";
	if (type->base == SPEC_INTEGER)
		return "int64_t ";
	if (type->base == SPEC_NUMBER)
		return "double ";
	if (type->base == SPEC_BOOLEAN)
		return "bool ";
	if (type->base == SPEC_JSON)
		return "struct nango_value ";
	return talloc_asprintf(mem, type->is_array ? "struct %s " : "struct %s *",
			       generate_name(mem, type->model));
}

static const char *
flags(const struct spec_type *type)
{
	if (type->is_optional && type->is_nullable)
		return "MODELS_OPTIONAL | MODELS_NULLABLE";
	return type->is_optional   ? "MODELS_OPTIONAL"
	       : type->is_nullable ? "MODELS_NULLABLE"
				   : "0";
}

static void
add_comment(struct buf *out, const struct spec_type *type)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	char *text = spec_type_text(scratch, type);

	/* A quoted literal may hold the end of a comment. */
	if (strstr(text, "*/") == NULL && strlen(text) < 200)
		buf_addf(out, " /* %s */", text);
	buf_adds(out, "\n");
	talloc_free(scratch);
}

void
generate_struct(struct buf *out, const struct generate_struct *s)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	buf_addf(out, "struct %s {\n", s->name);
	for (size_t i = 0; i < s->fields->count; i++) {
		const struct spec_type *type = &s->fields->at[i].type;
		const char *name = generate_name(scratch, s->fields->at[i].name);

		if (type->base == SPEC_NULL)
			continue;
		buf_addf(out, "\t%s%s%s;", c_type(scratch, type), type->is_array ? "*" : "",
			 name);
		add_comment(out, type);
		if (type->is_array)
			buf_addf(out, "\tsize_t %s_count;\n", name);
		else if (is_scalar(type) && may_lack(type))
			buf_addf(out, "\tbool has_%s;\n", name);
		if (has_null_flag(type))
			buf_addf(out,
				 "\tbool %s_is_null; /* no value: null rather than absent */\n",
				 name);
	}
	if (s->keeps_extra)
		buf_adds(
		    out,
		    "\tstruct nango_value extra; /* its unknown members pass through */\n");
	buf_adds(
	    out,
	    "\tconst char *problem; /* why it does not fit the model; travels with it */\n");
	buf_adds(out, "};\n\n");
	talloc_free(scratch);
}

static void
words_tables(struct buf *out, const struct generate_struct *s)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	for (size_t i = 0; i < s->fields->count; i++) {
		const struct spec_type *type = &s->fields->at[i].type;

		if (type->base != SPEC_WORDS)
			continue;
		buf_addf(out, "static const char *const %s_%s_words[] = {\n", s->name,
			 generate_name(scratch, s->fields->at[i].name));
		for (size_t w = 0; type->words[w] != NULL; w++) {
			buf_adds(out, "\t");
			generate_c_text(out, type->words[w]);
			buf_adds(out, ",\n");
		}
		buf_adds(out, "\tNULL,\n};\n\n");
	}
	talloc_free(scratch);
}

void
generate_tables(struct buf *out, const struct generate_struct *s)
{
	struct buf key;

	words_tables(out, s);
	buf_init(&key, NULL, 64);
	buf_addf(out, "static const struct models_name %s_names[] = {\n", s->name);
	for (size_t i = 0; i < s->fields->count; i++) {
		buf_reset(&key);
		buf_add_json_str(&key, s->fields->at[i].name);
		buf_addc(&key, ':');
		buf_adds(out, "\t{");
		generate_c_text(out, s->fields->at[i].name);
		buf_adds(out, ", ");
		generate_c_text(out, key.data);
		buf_addf(out, ", %zu},\n", key.length);
	}
	if (s->fields->count == 0)
		buf_adds(out, "\t{\"\", \"\", 0},\n");
	buf_adds(out, "};\n\n");
	buf_done(&key);
}

/* An expression that reads the value that m stands at into target. */
static void
read_value(struct buf *out, const struct generate_struct *s, const struct spec_field *field,
	   const char *name, const char *target, const char *at, const char *rest)
{
	static const char *const calls[] = {
	    [SPEC_STRING] = "models_string", [SPEC_DECIMAL] = "models_decimal",
	    [SPEC_DATE] = "models_date",     [SPEC_INTEGER] = "models_integer",
	    [SPEC_NUMBER] = "models_number", [SPEC_BOOLEAN] = "models_boolean",
	};
	const struct spec_type *type = &field->type;
	struct buf known;

	if (type->base == SPEC_JSON) {
		buf_addf(out, "%s = models_json(%s, %s);\n", target, at,
			 type->is_array ? "0" : flags(type));
	} else if (type->base == SPEC_WORDS) {
		buf_init(&known, NULL, 128);
		for (size_t i = 0; type->words[i] != NULL && i < 20; i++)
			buf_addf(&known, "%s%s", i > 0 ? ", " : "", type->words[i]);
		buf_addf(out, "%s = models_word(%s, %s_%s_words,\n\t    ", target, at, s->name,
			 name);
		generate_c_text(out, known.data);
		buf_addf(out, ", %s);\n", rest);
		buf_done(&known);
	} else if (is_scalar(type)) {
		buf_addf(out, "%s(%s, &%s, %s);\n", calls[type->base], at, target, rest);
	} else {
		buf_addf(out, "%s = %s(%s, %s);\n", target, calls[type->base], at, rest);
	}
}

static void
read_list(struct buf *out, const struct generate_struct *s, const struct spec_field *field,
	  const char *name, size_t member, const char *rest)
{
	const struct spec_type *type = &field->type;
	TALLOC_CTX *scratch = talloc_new(NULL);
	const char *target = talloc_asprintf(scratch, "out.%s[at]", name);

	buf_addf(out,
		 "\tout.%s = (%s*)models_list(models_at(&m, %zu), sizeof(*out.%s),\n"
		 "\t    &out.%s_count, %s);\n",
		 name, c_type(scratch, type), member, name, name, rest);
	buf_addf(out,
		 "\tif (out.%s != NULL) {\n\t\tstruct nango_value list = m.value;\n"
		 "\t\tsize_t at = 0;\n\n\t\tnango_each(item, list) {\n\t\t\t",
		 name);
	if (type->base == SPEC_MODEL)
		buf_addf(out,
			 "%s = %s_read(run, item);\n"
			 "\t\t\tmodels_fault(models_item(&m, item, at), %s.problem);\n",
			 target, generate_name(scratch, type->model), target);
	else
		read_value(out, s, field, name, target, "models_item(&m, item, at)", "0, NULL");
	buf_adds(out, "\t\t\tat++;\n\t\t}\n\t}\n");
	talloc_free(scratch);
}

static void
read_field(struct buf *out, const struct generate_struct *s, size_t member)
{
	const struct spec_field *field = &s->fields->at[member];
	const struct spec_type *type = &field->type;
	TALLOC_CTX *scratch = talloc_new(NULL);
	const char *name = generate_name(scratch, field->name);
	const char *at = talloc_asprintf(scratch, "models_at(&m, %zu)", member);
	const char *target = talloc_asprintf(scratch, "out.%s", name);
	const char *rest =
	    has_null_flag(type)
		? talloc_asprintf(scratch, "%s, &out.%s_is_null", flags(type), name)
		: talloc_asprintf(scratch, "%s, NULL", flags(type));

	if (type->base == SPEC_NULL) {
		buf_addf(out, "\tmodels_null(%s, %s);\n", at, flags(type));
	} else if (type->is_array) {
		read_list(out, s, field, name, member, rest);
	} else if (type->base == SPEC_MODEL) {
		buf_addf(out,
			 "\tif (models_has(%s, %s)) {\n"
			 "\t\t%s = (struct %s *)nango_allocate(run, sizeof(*%s));\n"
			 "\t\t*%s = %s_read(run, m.value);\n"
			 "\t\tmodels_fault(&m, %s->problem);\n\t}\n",
			 at, rest, target, generate_name(scratch, type->model), target, target,
			 generate_name(scratch, type->model), target);
	} else {
		buf_adds(out, "\t");
		if (is_scalar(type) && may_lack(type))
			buf_addf(out, "out.has_%s = ", name);
		read_value(out, s, field, name, target, at, rest);
	}
	talloc_free(scratch);
}

void
generate_reads(struct buf *out, const struct generate_struct *s)
{
	for (size_t i = 0; i < s->fields->count; i++)
		read_field(out, s, i);
	if (s->keeps_extra)
		buf_adds(out, "\tif (nango_type(in) == NANGO_OBJECT)\n\t\tout.extra = in;\n");
}

/* The statement that writes one value; index is "at" within a list. */
static void
write_value(struct buf *out, const struct spec_type *type, size_t member, const char *source,
	    const char *index)
{
	TALLOC_CTX *scratch = talloc_new(NULL);

	if (type->base == SPEC_MODEL)
		buf_addf(out, "models_put_fault(&m, %zu, %s, %s_write(writer, %s%s));\n",
			 member, index, generate_name(scratch, type->model),
			 type->is_array ? "&" : "", source);
	else if (type->base == SPEC_INTEGER)
		buf_addf(out, "models_write_integer(&m, %s);\n", source);
	else if (type->base == SPEC_NUMBER)
		buf_addf(out, "models_write_number(&m, %zu, %s, %s);\n", member, index, source);
	else if (type->base == SPEC_BOOLEAN)
		buf_addf(out, "models_write_boolean(&m, %s);\n", source);
	else if (type->base == SPEC_JSON)
		buf_addf(out, "models_write_json(&m, %s);\n", source);
	else
		buf_addf(out, "models_write_string(&m, %zu, %s, %s);\n", member, index, source);
	talloc_free(scratch);
}

/* When has the member a value? */
static char *
has_value(TALLOC_CTX *mem, const struct spec_type *type, const char *name)
{
	if (type->base == SPEC_NULL)
		return talloc_strdup(mem, "false");
	if ((type->is_array || is_scalar(type)) && !may_lack(type))
		return talloc_strdup(mem, "true");
	if (type->is_array || generate_is_text(type) || type->base == SPEC_MODEL)
		return talloc_asprintf(mem, "in->%s != NULL", name);
	if (type->base == SPEC_JSON)
		return talloc_asprintf(mem, "in->%s.data != NULL", name);
	return talloc_asprintf(mem, "in->has_%s", name);
}

static void
write_field(struct buf *out, const struct spec_field *field, size_t member)
{
	const struct spec_type *type = &field->type;
	TALLOC_CTX *scratch = talloc_new(NULL);
	const char *name = generate_name(scratch, field->name);
	const char *is_null =
	    has_null_flag(type) ? talloc_asprintf(scratch, "in->%s_is_null", name) : "false";

	if (type->base == SPEC_NULL) {
		buf_addf(out, "\tmodels_put(&m, %zu, false, MODELS_NULLABLE, true);\n", member);
		talloc_free(scratch);
		return;
	}
	buf_addf(out, "\tif (models_put(&m, %zu, %s, %s, %s))", member,
		 has_value(scratch, type, name), flags(type), is_null);
	if (!type->is_array) {
		buf_adds(out, "\n\t\t");
		write_value(out, type, member, talloc_asprintf(scratch, "in->%s", name),
			    "SIZE_MAX");
	} else {
		buf_addf(out,
			 " {\n\t\tnango_write(writer, \"[\", 1);\n"
			 "\t\tfor (size_t at = 0; at < in->%s_count; at++) {\n"
			 "\t\t\tif (at > 0)\n\t\t\t\tnango_write(writer, \",\", 1);\n\t\t\t",
			 name);
		write_value(out, type, member, talloc_asprintf(scratch, "in->%s[at]", name),
			    "at");
		buf_adds(out, "\t\t}\n\t\tnango_write(writer, \"]\", 1);\n\t}\n");
	}
	talloc_free(scratch);
}

/* A synced model's writer can also write some of the members, for updates. */
static void
open_writer(struct buf *out, const struct generate_struct *s)
{
	buf_addf(out,
		 "/* Writes it to a writer; returns why it does not fit the model, or NULL.%s "
		 "*/\n"
		 "MODELS_INTERNAL const char *\n"
		 "%s_write%s(struct nango_writer *writer, const struct %s *in%s)\n{\n"
		 "\tstruct models_writer m = models_open(writer, %s_names, in->problem);\n\n",
		 s->is_synced ? "\n * only: the members to write, and the id; NULL: all." : "",
		 s->name, s->is_synced ? "_members" : "", s->name,
		 s->is_synced ? ",\n    const char *const *only" : "", s->name);
	if (s->is_synced)
		buf_addf(out, "\tmodels_write_only(&m, only, %zu);\n", s->fields->count);
	if (s->keeps_extra)
		buf_addf(out,
			 "\tif (in->extra.data != NULL%s)\n"
			 "\t\tmodels_collect_extra(&m, %zu, in->extra);\n",
			 s->is_synced ? " && only == NULL" : "", s->fields->count);
}

void
generate_writer(struct buf *out, const struct generate_struct *s)
{
	open_writer(out, s);
	for (size_t i = 0; i < s->fields->count; i++)
		write_field(out, &s->fields->at[i], i);
	buf_adds(out, "\treturn models_close(&m);\n}\n\n");
	if (s->is_synced)
		buf_addf(out,
			 "MODELS_INTERNAL const char *\n"
			 "%s_write(struct nango_writer *writer, const struct %s *in)\n{\n"
			 "\treturn %s_write_members(writer, in, NULL);\n}\n\n",
			 s->name, s->name, s->name);
}
