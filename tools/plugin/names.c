/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names -- names of plugin.yaml as names of C, and what would collide.
 */
#include "generate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Words of C17, C23 and C++20 that cannot be a member's name, and names the header uses. */
static const char *const reserved[] = {
    "alignas",	 "alignof",  "and",	  "asm",     "auto",	  "bool",     "break",
    "case",	 "catch",    "char",	  "class",   "compl",	  "concept",  "const",
    "constexpr", "continue", "decltype",  "default", "delete",	  "do",	      "double",
    "else",	 "enum",     "explicit",  "export",  "extern",	  "extra",    "false",
    "float",	 "for",	     "friend",	  "goto",    "if",	  "inline",   "int",
    "long",	 "mutable",  "namespace", "new",     "noexcept",  "not",      "nullptr",
    "operator",	 "or",	     "private",	  "problem", "protected", "public",   "register",
    "requires",	 "restrict", "return",	  "short",   "signed",	  "sizeof",   "static",
    "struct",	 "switch",   "template",  "this",    "throw",	  "true",     "try",
    "typedef",	 "typeid",   "typename",  "typeof",  "union",	  "unsigned", "using",
    "virtual",	 "void",     "volatile",  "while",   "xor",	  "linux",    "unix",
    "errno",	 "stdin",    "stdout",	  "stderr",  "NULL",
};

char *
generate_name(TALLOC_CTX *mem, const char *name)
{
	struct buf out;

	buf_init(&out, mem, 2 * strlen(name) + 3);
	if (isdigit((unsigned char)name[0]))
		buf_addc(&out, '_');
	for (size_t i = 0; name[i] != '\0'; i++) {
		unsigned char c = (unsigned char)name[i];
		bool is_after_small = i > 0 && (islower((unsigned char)name[i - 1]) ||
						isdigit((unsigned char)name[i - 1]));

		if (c < 0x80 && isupper(c) &&
		    (is_after_small || (i > 0 && isupper((unsigned char)name[i - 1]) &&
					islower((unsigned char)name[i + 1]))))
			buf_addc(&out, '_');
		buf_addc(&out, c < 0x80 && isalnum(c) ? (char)tolower(c) : '_');
	}
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (strcmp(out.data, reserved[i]) == 0) {
			buf_addc(&out, '_');
			break;
		}
	return out.data;
}

char *
generate_type_name(TALLOC_CTX *mem, const char *name)
{
	struct buf out;
	bool is_start = true;

	buf_init(&out, mem, strlen(name) + 1);
	for (; *name != '\0'; name++) {
		if (!isalnum((unsigned char)*name)) {
			is_start = true;
			continue;
		}
		buf_addc(&out, is_start ? (char)toupper((unsigned char)*name) : *name);
		is_start = false;
	}
	return out.data;
}

void
generate_c_text(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < ' ' || c > '~' || c == '?') /* ? could begin a trigraph */
			buf_addf(out, "\\%03o", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

/* A name in C, what it came from, and the group in which it must be alone. */
struct taken {
	const char *name, *from;
};

struct taken_list {
	TALLOC_CTX *mem;
	struct taken *at;
	size_t count;
};

static void
take(struct taken_list *list, const char *name, const char *from)
{
	if ((list->count & (list->count - 1)) == 0)
		list->at = talloc_realloc(list->mem, list->at, struct taken,
					  (unsigned)(list->count == 0 ? 2 : 2 * list->count));
	if (list->at == NULL)
		abort();
	list->at[list->count++] = (struct taken){name, from};
}

static int
compare_taken(const void *a, const void *b)
{
	return strcmp(((const struct taken *)a)->name, ((const struct taken *)b)->name);
}

static int
check_taken(struct taken_list *list, const char *where, struct error *err)
{
	if (list->count == 0)
		return 0;
	qsort(list->at, list->count, sizeof(*list->at), compare_taken);
	for (size_t i = 1; i < list->count; i++)
		if (strcmp(list->at[i - 1].name, list->at[i].name) == 0)
			return error_set(err, ERR_CONFIG,
					 "%s: \"%s\" and \"%s\" would both be %s in C "
					 "[E0119]\nhelp: rename one of them in plugin.yaml",
					 where, list->at[i - 1].from, list->at[i].from,
					 list->at[i].name);
	return 0;
}

static int
check_members(TALLOC_CTX *mem, const char *where, const struct spec_fields *fields,
	      struct error *err)
{
	struct taken_list list = {.mem = mem};

	for (size_t i = 0; i < fields->count; i++) {
		const struct spec_field *field = &fields->at[i];
		const struct spec_type *type = &field->type;
		const char *name = generate_name(mem, field->name);

		take(&list, name, field->name);
		if (type->is_array)
			take(&list, talloc_asprintf(mem, "%s_count", name), field->name);
		if (type->is_optional && type->is_nullable)
			take(&list, talloc_asprintf(mem, "%s_is_null", name), field->name);
		if (type->is_optional || type->is_nullable)
			take(&list, talloc_asprintf(mem, "has_%s", name), field->name);
	}
	return check_taken(&list, where, err);
}

static void
take_functions(struct taken_list *list, const char *from, const char *const *suffixes)
{
	const char *name = generate_name(list->mem, from);

	for (; *suffixes != NULL; suffixes++)
		take(list, talloc_asprintf(list->mem, "%s%s", name, *suffixes), from);
}

static int
check_globals(TALLOC_CTX *mem, const struct spec *spec, struct error *err)
{
	static const char *const of_models[] = {
	    "",	       "_read",	  "_write",  "_write_members", "_save",
	    "_update", "_delete", "_by_ids", "_names",	       NULL};
	static const char *const of_syncs[] = {"_checkpoint", "_metadata", "_commit", NULL};
	static const char *const of_actions[] = {"_input", "_output", NULL};
	static const char *const of_prelude[] = {"",	   "_read",   "_write",	 "_save",
						 "_names", "_reader", "_writer", "_text",
						 "_name",  "_extra",  "_keeper", NULL};
	struct taken_list list = {.mem = mem};

	for (size_t i = 0; i < spec->models_count; i++)
		take_functions(&list, spec->models[i].name, of_models);
	for (size_t i = 0; i < spec->syncs_count; i++)
		take_functions(&list, spec->syncs[i].name, of_syncs);
	for (size_t i = 0; i < spec->actions_count; i++)
		take_functions(&list, spec->actions[i].name, of_actions);
	take_functions(&list, "models", of_prelude);
	return check_taken(&list, "plugin.yaml", err);
}

int
generate_check_names(TALLOC_CTX *mem, const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->models_count; i++)
		if (check_members(mem, spec->models[i].name, &spec->models[i].fields, err) < 0)
			return -1;
	for (size_t i = 0; i < spec->syncs_count; i++)
		if (check_members(mem, spec->syncs[i].name, &spec->syncs[i].checkpoint, err) <
			0 ||
		    check_members(mem, spec->syncs[i].name, &spec->syncs[i].metadata, err) < 0)
			return -1;
	return check_globals(mem, spec, err);
}
