/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/validate -- see validate.h. The bytes are known to be JSON, so the walk only looks at
 * what the model asks about, and what it does not ask about is skipped.
 *
 * Writers put members in the order of their names, which is that of the model: the next member
 * is tried first, and looked up only when it is another.
 */
#include "run/validate.h"

#include <stdio.h>
#include <string.h>

#define NOT_FOUND SIZE_MAX
#define SMALL 2048 /* an escaped name or word of 255 bytes, with room */

/* Where the walk stands, for a fault's path: a member of a member … */
struct place {
	const struct place *outer;
	const char *name;
	size_t length, index; /* SIZE_MAX: no item of a list */
};

struct walk {
	const struct spec *spec;
	const char *at, *end;
	struct validate_fault *fault;
	bool is_partial;
};

/* ---- faults ------------------------------------------------------------------------------ */

static size_t
put_place(char *out, size_t size, const struct place *place)
{
	size_t used = place->outer == NULL ? 0 : put_place(out, size, place->outer);
	int n;

	if (place->index != SIZE_MAX)
		n = snprintf(out + used, size - used, "[%zu]", place->index);
	else
		n = snprintf(out + used, size - used, "%s%.*s", used > 0 ? "." : "",
			     (int)(place->length < 255 ? place->length : 255), place->name);
	used += (size_t)n;
	return used < size ? used : size - 1;
}

static int
fail(const struct walk *w, const struct place *place, const char *reason)
{
	w->fault->path[0] = '\0';
	if (place != NULL)
		put_place(w->fault->path, sizeof(w->fault->path), place);
	snprintf(w->fault->reason, sizeof(w->fault->reason), "%s", reason);
	return -1;
}

static int
fail_words(const struct walk *w, const struct place *place, const char *const *words)
{
	char reason[sizeof(w->fault->reason)] = "is none of ";
	size_t used = strlen(reason);

	for (size_t i = 0; words[i] != NULL && used < sizeof(reason); i++)
		used += (size_t)snprintf(reason + used, sizeof(reason) - used, "%s%s",
					 i > 0 ? ", " : "", words[i]);
	return fail(w, place, reason);
}

/* ---- bytes ------------------------------------------------------------------------------- */

static void
skip_space(struct walk *w)
{
	while (w->at < w->end && (unsigned char)*w->at <= ' ')
		w->at++;
}

/* Behind a comma, or the end of the container: false at its end, which is taken. */
static bool
has_next(struct walk *w, char close)
{
	skip_space(w);
	if (w->at < w->end && *w->at == ',') {
		w->at++;
		skip_space(w);
	}
	if (w->at >= w->end)
		return false;
	if (*w->at != close)
		return true;
	w->at++;
	return false;
}

static struct jsonspan
take_span(struct walk *w)
{
	const char *from = w->at;

	w->at = jsonspan_skip(from, w->end);
	return (struct jsonspan){from, (size_t)(w->at - from)};
}

/* The text between the quotes; unescaped into small where it has escapes. data is NULL when it
 * is too long for that. */
static struct jsonspan
plain_text(struct jsonspan string, char small[SMALL])
{
	long length;

	if (memchr(string.data, '\\', string.length) == NULL)
		return (struct jsonspan){string.data + 1, string.length - 2};
	if (string.length >= SMALL)
		return (struct jsonspan){0};
	length = jsonspan_unescape(string, small);
	return length < 0 ? (struct jsonspan){0} : (struct jsonspan){small, (size_t)length};
}

static bool
is_text(struct jsonspan span, const char *text)
{
	return span.data != NULL && strlen(text) == span.length &&
	       memcmp(span.data, text, span.length) == 0;
}

/* ---- values ------------------------------------------------------------------------------ */

static int
check_string(const struct walk *w, const struct place *place, const struct spec_type *type,
	     struct jsonspan span)
{
	(void)type;
	if (*span.data != '"')
		return fail(w, place, "is not text");
	if (validate_has_nul(span.data, span.length))
		return fail(w, place, "holds U+0000");
	return 0;
}

static int
check_integer(const struct walk *w, const struct place *place, const struct spec_type *type,
	      struct jsonspan span)
{
	int64_t ignored;

	(void)type;
	if (jsonspan_integer(span, &ignored))
		return 0;
	return fail(w, place, "is not an integer of 64 bits");
}

static int
check_number(const struct walk *w, const struct place *place, const struct spec_type *type,
	     struct jsonspan span)
{
	(void)type;
	if (jsonspan_type(span) != JSONSPAN_NUMBER)
		return fail(w, place, "is not a number");
	if (!validate_is_double(span.data, span.length))
		return fail(w, place, "is not a number that a double can hold");
	return 0;
}

static int
check_decimal(const struct walk *w, const struct place *place, const struct spec_type *type,
	      struct jsonspan span)
{
	char small[SMALL];
	struct jsonspan text;

	(void)type;
	if (*span.data != '"')
		return fail(w, place, "is not a decimal number as text");
	text = plain_text(span, small);
	if (text.data == NULL || !validate_is_decimal(text.data, text.length))
		return fail(w, place, "is not a decimal number");
	return 0;
}

static int
check_boolean(const struct walk *w, const struct place *place, const struct spec_type *type,
	      struct jsonspan span)
{
	(void)type;
	if (jsonspan_type(span) != JSONSPAN_BOOLEAN)
		return fail(w, place, "is not true or false");
	return 0;
}

static int
check_date(const struct walk *w, const struct place *place, const struct spec_type *type,
	   struct jsonspan span)
{
	char small[SMALL];
	struct jsonspan text;

	(void)type;
	if (*span.data != '"')
		return fail(w, place, "is not a date");
	text = plain_text(span, small);
	if (text.data == NULL || !validate_is_date(text.data, text.length))
		return fail(w, place, "is not a date or time of RFC 3339");
	return 0;
}

static int
check_null(const struct walk *w, const struct place *place, const struct spec_type *type,
	   struct jsonspan span)
{
	(void)type;
	return *span.data == 'n' ? 0 : fail(w, place, "is not null");
}

static int
check_words(const struct walk *w, const struct place *place, const struct spec_type *type,
	    struct jsonspan span)
{
	struct jsonspan text;
	char small[SMALL];

	if (*span.data != '"')
		return fail_words(w, place, type->words);
	text = plain_text(span, small);
	for (const char *const *word = type->words; *word != NULL; word++) {
		if (is_text(text, *word))
			return 0;
	}
	return fail_words(w, place, type->words);
}

/* Everything but models, which are walked into, and json, which is skipped. */
static int (*const checks[])(const struct walk *w, const struct place *place,
			     const struct spec_type *type, struct jsonspan span) = {
    [SPEC_STRING] = check_string,   [SPEC_INTEGER] = check_integer,
    [SPEC_NUMBER] = check_number,   [SPEC_DECIMAL] = check_decimal,
    [SPEC_BOOLEAN] = check_boolean, [SPEC_DATE] = check_date,
    [SPEC_NULL] = check_null,	    [SPEC_WORDS] = check_words,
};

/* The recursion follows the bytes, which are at most JSONSPAN_DEPTH_MAX deep. */
static int walk_object(struct walk *w, const struct place *place,
		       const struct spec_model *model);

/* One value that is no list and, unless its type says so, not null; w->at moves behind it. */
static int
walk_one(struct walk *w, const struct place *place, const struct spec_type *type)
{
	if (type->base == SPEC_JSON) {
		w->at = jsonspan_skip(w->at, w->end);
		return 0;
	}
	if (type->base == SPEC_MODEL)
		return walk_object(w, place, spec_model(w->spec, type->model));
	if (*w->at == 'n' && type->base != SPEC_NULL)
		return fail(w, place, "is null");
	return checks[type->base](w, place, type, take_span(w));
}

static int
walk_list(struct walk *w, const struct place *place, const struct spec_type *type)
{
	struct place item = {.outer = place, .index = 0};
	bool is_partial = w->is_partial;
	int result = 0;

	if (*w->at != '[')
		return fail(w, place, "is not a list");
	w->at++;
	w->is_partial = false;
	for (; result == 0 && has_next(w, ']'); item.index++)
		result = walk_one(w, &item, type);
	w->is_partial = is_partial;
	return result;
}

static int
walk_value(struct walk *w, const struct place *place, const struct spec_type *type)
{
	if (*w->at == 'n' && type->is_nullable && type->base != SPEC_JSON) {
		w->at += 4;
		return 0;
	}
	if (!type->is_array)
		return walk_one(w, place, type);
	if (*w->at == 'n')
		return fail(w, place, "is null");
	return walk_list(w, place, type);
}

/* ---- objects ----------------------------------------------------------------------------- */

static int
compare(struct jsonspan name, const char *field)
{
	size_t length = strlen(field), common = name.length < length ? name.length : length;
	int order = memcmp(name.data, field, common);

	return order != 0 ? order : (name.length > length) - (name.length < length);
}

/* The place of a member in the model; hint is where it is when they come in order. */
static size_t
find_field(const struct spec_fields *fields, struct jsonspan name, size_t hint)
{
	size_t low = 0, high = fields->count;

	if (name.data == NULL)
		return NOT_FOUND;
	if (hint < fields->count && is_text(name, fields->at[hint].name))
		return hint;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, fields->at[middle].name);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NOT_FOUND;
}

/* Is there another member of that name between here and the end of the object? Only asked about
 * a member that has a fault. w->at is behind its value. */
static bool
comes_again(struct walk w, struct jsonspan name)
{
	char small[SMALL];

	while (has_next(&w, '}')) {
		struct jsonspan other = plain_text(take_span(&w), small);

		if (other.data != NULL && other.length == name.length &&
		    memcmp(other.data, name.data, name.length) == 0)
			return true;
		skip_space(&w);
		w.at++; /* the colon */
		skip_space(&w);
		w.at = jsonspan_skip(w.at, w.end);
	}
	return false;
}

/* One member, key included. *at is its place in the model, or NOT_FOUND. */
static int
walk_member(struct walk *w, const struct place *place, const struct spec_model *model,
	    size_t hint, size_t *at)
{
	char small[SMALL];
	struct jsonspan key = take_span(w), name = plain_text(key, small);
	struct place here = {place, name.data, name.length, SIZE_MAX};
	const char *value;
	int result;

	skip_space(w);
	w->at++; /* the colon */
	skip_space(w);
	value = w->at;
	*at = find_field(&model->fields, name, hint);
	if (*at != NOT_FOUND) {
		result = walk_value(w, &here, &model->fields.at[*at].type);
	} else {
		if (name.data == NULL)
			here = (struct place){place, key.data, key.length, SIZE_MAX};
		result = model->keeps_extra ? 0 : fail(w, &here, "is no member of the model");
	}
	if (result == 0 && *at != NOT_FOUND)
		return 0;
	w->at = jsonspan_skip(value, w->end);
	if (result == 0)
		return 0;
	return *at != NOT_FOUND && comes_again(*w, name) ? 0 : -1;
}

static int
check_absent(const struct walk *w, const struct place *place, const struct spec_fields *fields,
	     const uint64_t *seen)
{
	for (size_t i = 0; i < fields->count; i++) {
		struct place here = {place, fields->at[i].name, strlen(fields->at[i].name),
				     SIZE_MAX};

		if ((seen[i / 64] >> (i % 64) & 1) == 0 && !fields->at[i].type.is_optional)
			return fail(w, &here, "is absent");
	}
	return 0;
}

static int
walk_object(struct walk *w, const struct place *place, const struct spec_model *model)
{
	uint64_t seen[(SPEC_FIELDS_MAX + 63) / 64] = {0};
	size_t hint = 0, at;

	if (w->at >= w->end || *w->at != '{')
		return fail(w, place, *w->at == 'n' ? "is null" : "is not an object");
	w->at++;
	while (has_next(w, '}')) {
		if (walk_member(w, place, model, hint, &at) < 0)
			return -1;
		if (at == NOT_FOUND)
			continue;
		seen[at / 64] |= (uint64_t)1 << (at % 64);
		hint = at + 1;
	}
	return w->is_partial ? 0 : check_absent(w, place, &model->fields, seen);
}

static int
validate(const struct spec *spec, const struct spec_model *model, struct jsonspan record,
	 bool is_partial, struct validate_fault *fault)
{
	struct walk w = {.spec = spec, .fault = fault, .is_partial = is_partial};

	w.at = record.data;
	w.end = record.data + record.length;
	skip_space(&w);
	return walk_object(&w, NULL, model);
}

int
validate_record(const struct spec *spec, const struct spec_model *model, struct jsonspan record,
		struct validate_fault *fault)
{
	return validate(spec, model, record, false, fault);
}

int
validate_update(const struct spec *spec, const struct spec_model *model,
		struct jsonspan members, struct validate_fault *fault)
{
	return validate(spec, model, members, true, fault);
}
