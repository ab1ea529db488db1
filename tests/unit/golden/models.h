/*
 * Written by nango-plugin generate from plugin.yaml (golden 2.3.4). Edit that instead.
 *
 * No value is a NULL pointer, or has_x == false. It means absent where the model
 * says `?`, null where it says `| null`, and with both, null when x_is_null is
 * set. A reader never fails: what does not fit is kept in `problem` and travels
 * with the record, and nangod names it instead of storing the record.
 */
/* clang-format off */
#ifndef MODELS_H
#define MODELS_H

#include <nango/plugin.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is the same for every plugin: how the readers and writers below work -------------
 */

#define MODELS_INTERNAL static inline __attribute__((unused))

enum { MODELS_OPTIONAL = 1, MODELS_NULLABLE = 2 };

/* A member: its name, and `"name":` as it is written. Tables are in byte order of the names. */
struct models_name {
	const char *name;
	const char *key;
	size_t key_length;
};

struct models_reader {
	struct nango_run *run;
	const struct models_name *names;
	struct nango_value *members; /* as many as names */
	const char **problem;	     /* the first fault: "path: reason" */
	const char *name;	     /* of the member at hand */
	size_t index;		     /* within a list; SIZE_MAX outside */
	struct nango_value value;
};

/* An unknown member that is passed through. */
struct models_extra {
	const char *name;
	size_t length, order;
	struct nango_value value;
};

struct models_writer {
	struct nango_writer *out;
	const struct models_name *names;
	const char *problem;
	bool has_member;
	struct models_extra *extra;
	size_t extra_count, extra_next;
};

/* Keeps the first fault. An inner one begins with its own path, or with ':' when it has none.
 */
MODELS_INTERNAL void
models_fault(struct models_reader *m, const char *inner)
{
	if (*m->problem != NULL || inner == NULL)
		return;
	if (m->index == SIZE_MAX)
		*m->problem =
		    nango_format(m->run, "%s%s%s", m->name, inner[0] == ':' ? "" : ".", inner);
	else
		*m->problem = nango_format(m->run, "%s[%zu]%s%s", m->name, m->index,
					   inner[0] == ':' ? "" : ".", inner);
}

/* The text between the quotes of a member's name. */
MODELS_INTERNAL const char *
models_key_text(const struct nango_value *key, size_t *length)
{
	const char *text;

	if (key->length >= 2 && memchr(key->data, '\\', key->length) == NULL) {
		*length = key->length - 2;
		return key->data + 1;
	}
	text = key->calls->value_string(key);
	*length = text == NULL ? 0 : strlen(text);
	return text == NULL ? "" : text;
}

MODELS_INTERNAL int
models_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* The place of a name in the table, or SIZE_MAX. */
MODELS_INTERNAL size_t
models_find(const struct models_name *names, size_t count, const char *text, size_t length)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = models_compare(text, length, names[middle].name,
					   strlen(names[middle].name));

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SIZE_MAX;
}

/* One pass over the object: every known member finds its place; of duplicates the last counts.
 */
MODELS_INTERNAL void
models_split(struct models_reader *m, struct nango_value object, size_t count)
{
	struct nango_value key = {m->run->calls, NULL, 0}, value = {m->run->calls, NULL, 0};

	for (size_t i = 0; i < count; i++)
		m->members[i] = value;
	if (nango_type(object) != NANGO_OBJECT) {
		if (*m->problem == NULL)
			*m->problem = ": is not an object";
		return;
	}
	while (m->run->calls->value_next_member(&object, &key, &value)) {
		size_t length, at;
		const char *text = models_key_text(&key, &length);

		at = models_find(m->names, count, text, length);
		if (at != SIZE_MAX)
			m->members[at] = value;
	}
}

MODELS_INTERNAL struct models_reader *
models_at(struct models_reader *m, size_t member)
{
	m->name = m->names[member].name;
	m->index = SIZE_MAX;
	m->value = m->members[member];
	return m;
}

MODELS_INTERNAL struct models_reader *
models_item(struct models_reader *m, struct nango_value item, size_t index)
{
	m->index = index;
	m->value = item;
	return m;
}

/*
 * Is there a value? Null where the model knows no null is read as absent: providers write null
 * for "not there", and a model that does not say `| null` promises its readers none.
 */
MODELS_INTERNAL bool
models_has(struct models_reader *m, int flags, bool *is_null)
{
	enum nango_type type = nango_type(m->value);

	if (type > NANGO_NULL)
		return true;
	if (type == NANGO_NULL && (flags & MODELS_NULLABLE) != 0) {
		if (is_null != NULL)
			*is_null = true;
		return false;
	}
	if ((flags & MODELS_OPTIONAL) == 0)
		models_fault(m, type == NANGO_NULL ? ": is null" : ": is absent");
	return false;
}

/*
 * A run for what must outlive the page: metadata, checkpoint, input. Readers allocate and keep
 * through the table in run, so one with these calls makes the same readers keep all they read.
 */
struct models_keeper {
	struct nango_run run;
	struct nango_calls calls;
};

MODELS_INTERNAL void *
models_keeper_allocate(struct nango_run *run, size_t size)
{
	(void)run;
	return calloc(1, size); /* never NULL: the runner ends the run with `out of memory` */
}

MODELS_INTERNAL const char *
models_keeper_keep(struct nango_run *run, const char *text, size_t length)
{
	char *copy = (char *)models_keeper_allocate(run, length + 1);

	memcpy(copy, text, length);
	return copy;
}

MODELS_INTERNAL void
models_keeper_begin(struct models_keeper *keeper, struct nango_run *run)
{
	keeper->calls = *run->calls;
	keeper->calls.allocate = models_keeper_allocate;
	keeper->calls.keep = models_keeper_keep;
	keeper->run.calls = &keeper->calls;
}

MODELS_INTERNAL const char *
models_lasting(struct nango_run *run, const char *bytes, size_t length)
{
	return run->calls->keep == models_keeper_keep ? models_keeper_keep(run, bytes, length)
						      : bytes;
}

/* The text of a string or number; NULL where there is none. */
MODELS_INTERNAL const char *
models_string(struct models_reader *m, int flags, bool *is_null)
{
	const char *text;

	if (!models_has(m, flags, is_null))
		return NULL;
	text = m->value.calls->value_string(&m->value);
	if (text == NULL)
		models_fault(m, ": is not text");
	return text == NULL ? NULL : models_lasting(m->run, text, strlen(text));
}

MODELS_INTERNAL const char *
models_date(struct models_reader *m, int flags, bool *is_null)
{
	if (nango_type(m->value) > NANGO_NULL && nango_type(m->value) != NANGO_STRING) {
		models_fault(m, ": is not a date");
		return NULL;
	}
	return models_string(m, flags, is_null);
}

MODELS_INTERNAL bool
models_is_decimal(const char *text)
{
	size_t digits;

	text += text[0] == '-';
	digits = strspn(text, "0123456789");
	if (digits == 0 || (digits > 1 && text[0] == '0'))
		return false;
	text += digits;
	if (text[0] == '.') {
		digits = strspn(text + 1, "0123456789");
		text += digits == 0 ? 0 : digits + 1;
	}
	if (text[0] == 'e' || text[0] == 'E') {
		size_t sign = text[1] == '+' || text[1] == '-';

		digits = strspn(text + 1 + sign, "0123456789");
		text += digits == 0 ? 0 : 1 + sign + digits;
	}
	return text[0] == '\0';
}

MODELS_INTERNAL const char *
models_decimal(struct models_reader *m, int flags, bool *is_null)
{
	const char *text = models_string(m, flags, is_null);

	if (text == NULL || models_is_decimal(text))
		return text;
	models_fault(m, ": is not a decimal number");
	return NULL;
}

MODELS_INTERNAL const char *
models_word(struct models_reader *m, const char *const *words, const char *known, int flags,
	    bool *is_null)
{
	const char *text = models_string(m, flags, is_null);

	if (text == NULL)
		return NULL;
	for (; *words != NULL; words++)
		if (strcmp(*words, text) == 0)
			return *words;
	models_fault(m, nango_format(m->run, ": is none of %s", known));
	return NULL;
}

MODELS_INTERNAL bool
models_integer(struct models_reader *m, int64_t *out, int flags, bool *is_null)
{
	if (!models_has(m, flags, is_null))
		return false;
	if (m->value.calls->value_integer(&m->value, out))
		return true;
	models_fault(m, ": is not an integer of 64 bits");
	return false;
}

MODELS_INTERNAL bool
models_number(struct models_reader *m, double *out, int flags, bool *is_null)
{
	if (!models_has(m, flags, is_null))
		return false;
	if (m->value.calls->value_number(&m->value, out))
		return true;
	models_fault(m, ": is not a number");
	return false;
}

MODELS_INTERNAL bool
models_boolean(struct models_reader *m, bool *out, int flags, bool *is_null)
{
	if (!models_has(m, flags, is_null))
		return false;
	if (m->value.calls->value_boolean(&m->value, out))
		return true;
	models_fault(m, ": is not true or false");
	return false;
}

/* Anything, null included; data is NULL where it is absent. */
MODELS_INTERNAL struct nango_value
models_json(struct models_reader *m, int flags)
{
	if (nango_type(m->value) == NANGO_ABSENT && (flags & MODELS_OPTIONAL) == 0)
		models_fault(m, ": is absent");
	if (m->value.data != NULL)
		m->value.data = models_lasting(m->run, m->value.data, m->value.length);
	return m->value;
}

MODELS_INTERNAL void
models_null(struct models_reader *m, int flags)
{
	enum nango_type type = nango_type(m->value);

	if (type > NANGO_NULL || (type == NANGO_ABSENT && (flags & MODELS_OPTIONAL) == 0))
		models_fault(m, type == NANGO_ABSENT ? ": is absent" : ": is not null");
}

/* Room for the items of a list, zeroed; NULL where there is no list. */
MODELS_INTERNAL void *
models_list(struct models_reader *m, size_t item_size, size_t *count, int flags, bool *is_null)
{
	size_t n = 0;

	*count = 0;
	if (!models_has(m, flags, is_null))
		return NULL;
	if (nango_type(m->value) != NANGO_ARRAY) {
		models_fault(m, ": is not a list");
		return NULL;
	}
	nango_each (item, m->value)
		n++;
	*count = n;
	return nango_allocate(m->run, (n == 0 ? 1 : n) * item_size);
}

MODELS_INTERNAL int
models_compare_extra(const void *a, const void *b)
{
	const struct models_extra *x = (const struct models_extra *)a;
	const struct models_extra *y = (const struct models_extra *)b;
	int order = models_compare(x->name, x->length, y->name, y->length);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* The members of object that the model does not name, sorted; of duplicates the last. */
MODELS_INTERNAL void
models_collect_extra(struct models_writer *m, size_t names_count, struct nango_value object)
{
	struct nango_run *run = m->out->run;
	struct nango_value key = {run->calls, NULL, 0}, value = {run->calls, NULL, 0};
	size_t n = 0, kept = 0;

	while (run->calls->value_next_member(&object, &key, &value))
		n++;
	m->extra = (struct models_extra *)nango_allocate(run, (n + 1) * sizeof(*m->extra));
	key.data = value.data = NULL;
	key.length = value.length = n = 0;
	while (run->calls->value_next_member(&object, &key, &value)) {
		struct models_extra *extra = &m->extra[n];

		extra->name = models_key_text(&key, &extra->length);
		extra->order = n;
		extra->value = value;
		if (models_find(m->names, names_count, extra->name, extra->length) == SIZE_MAX)
			n++;
	}
	qsort(m->extra, n, sizeof(*m->extra), models_compare_extra);
	for (size_t i = 0; i < n; i++) {
		const struct models_extra *next = &m->extra[i + 1 < n ? i + 1 : i];

		if (i + 1 == n || models_compare(m->extra[i].name, m->extra[i].length,
						 next->name, next->length) != 0)
			m->extra[kept++] = m->extra[i];
	}
	m->extra_count = kept;
}

MODELS_INTERNAL void
models_comma(struct models_writer *m)
{
	if (m->has_member)
		nango_write(m->out, ",", 1);
	m->has_member = true;
}

/* The passed-through members whose names stand before this one; NULL: all that are left. */
MODELS_INTERNAL void
models_write_extra(struct models_writer *m, const char *before)
{
	for (; m->extra_next < m->extra_count; m->extra_next++) {
		const struct models_extra *extra = &m->extra[m->extra_next];
		char *name;

		if (before != NULL &&
		    models_compare(extra->name, extra->length, before, strlen(before)) > 0)
			return;
		name = (char *)nango_allocate(m->out->run, extra->length + 1);
		memcpy(name, extra->name, extra->length);
		models_comma(m);
		m->out->run->calls->write_string(m->out, name);
		nango_write(m->out, ":", 1);
		nango_write(m->out, extra->value.data, extra->value.length);
	}
}

MODELS_INTERNAL struct models_writer
models_open(struct nango_writer *out, const struct models_name *names, const char *problem)
{
	struct models_writer m = {out, names, problem, false, NULL, 0, 0};

	nango_write(out, "{", 1);
	return m;
}

MODELS_INTERNAL const char *
models_close(struct models_writer *m)
{
	models_write_extra(m, NULL);
	nango_write(m->out, "}", 1);
	return m->problem;
}

/* As models_fault, for what a writer finds. */
MODELS_INTERNAL void
models_put_fault(struct models_writer *m, size_t member, size_t index, const char *inner)
{
	const char *name = m->names[member].name;

	if (m->problem != NULL || inner == NULL)
		return;
	if (index == SIZE_MAX)
		m->problem = nango_format(m->out->run, "%s%s%s", name,
					  inner[0] == ':' ? "" : ".", inner);
	else
		m->problem = nango_format(m->out->run, "%s[%zu]%s%s", name, index,
					  inner[0] == ':' ? "" : ".", inner);
}

MODELS_INTERNAL void
models_put_key(struct models_writer *m, size_t member)
{
	models_write_extra(m, m->names[member].name);
	models_comma(m);
	nango_write(m->out, m->names[member].key, m->names[member].key_length);
}

/* Begins the member when it has a value; else writes null, leaves it out, or keeps the fault.
 */
MODELS_INTERNAL bool
models_put(struct models_writer *m, size_t member, bool has_value, int flags, bool is_null)
{
	if (has_value) {
		models_put_key(m, member);
		return true;
	}
	if ((flags & MODELS_NULLABLE) != 0 && ((flags & MODELS_OPTIONAL) == 0 || is_null)) {
		models_put_key(m, member);
		nango_write(m->out, "null", 4);
	} else if ((flags & MODELS_OPTIONAL) == 0) {
		models_put_fault(m, member, SIZE_MAX, ": is absent");
	}
	return false;
}

MODELS_INTERNAL void
models_write_string(struct models_writer *m, size_t member, size_t index, const char *text)
{
	if (text == NULL)
		models_put_fault(m, member, index, ": is absent");
	m->out->run->calls->write_string(m->out, text == NULL ? "" : text);
}

MODELS_INTERNAL void
models_write_integer(struct models_writer *m, int64_t number)
{
	char digits[24], *at = digits + sizeof(digits);
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + (char)(rest % 10));
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		*--at = '-';
	nango_write(m->out, at, (size_t)(digits + sizeof(digits) - at));
}

MODELS_INTERNAL void
models_write_number(struct models_writer *m, size_t member, size_t index, double number)
{
	if (__builtin_isfinite(number)) {
		m->out->run->calls->write_number(m->out, number);
		return;
	}
	models_put_fault(m, member, index, ": is not a finite number");
	nango_write(m->out, "0", 1);
}

MODELS_INTERNAL void
models_write_boolean(struct models_writer *m, bool value)
{
	nango_write(m->out, value ? "true" : "false", value ? 4 : 5);
}

MODELS_INTERNAL void
models_write_json(struct models_writer *m, struct nango_value value)
{
	if (value.data == NULL)
		nango_write(m->out, "null", 4);
	else
		nango_write(m->out, value.data, value.length);
}

/* A fault without a path, for a message. */
MODELS_INTERNAL const char *
models_reason(const char *problem)
{
	return problem != NULL && problem[0] == ':' ? problem + 2 : problem;
}

/*
 * A writer into page memory, for checkpoints and outputs, which are handed over as text. The
 * generated writers reach room and strings only through the table in writer.run, so a table
 * with these three calls is all it takes.
 */
struct models_text {
	struct nango_run run; /* first: writer.run points here */
	struct nango_calls calls;
	struct nango_run *real;
	struct nango_writer writer;
	char *data;
};

MODELS_INTERNAL void
models_text_grow(struct nango_writer *writer, size_t room)
{
	struct models_text *text = (struct models_text *)(void *)writer->run;
	size_t used = (size_t)(writer->at - text->data);
	size_t size = 2 * (size_t)(writer->end - text->data) + room;
	char *data = (char *)text->real->calls->allocate(text->real, size + 1);

	memcpy(data, text->data, used);
	text->data = data;
	writer->at = data + used;
	writer->end = data + size;
}

MODELS_INTERNAL void
models_text_string(struct nango_writer *writer, const char *string)
{
	static const char hex[] = "0123456789abcdef";

	nango_write(writer, "\"", 1);
	for (; *string != '\0'; string++) {
		unsigned char c = (unsigned char)*string;
		char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

		if (c == '"' || c == '\\') {
			escaped[1] = *string;
			nango_write(writer, escaped, 2);
		} else if (c < ' ') {
			nango_write(writer, escaped, sizeof(escaped));
		} else {
			nango_write(writer, string, 1);
		}
	}
	nango_write(writer, "\"", 1);
}

MODELS_INTERNAL void
models_text_number(struct nango_writer *writer, double number)
{
	char text[32];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, number);
		if (digits == 17 ||
		    !(strtod(text, NULL) < number || strtod(text, NULL) > number))
			break;
	}
	nango_write(writer, text, strlen(text));
}

MODELS_INTERNAL void *
models_text_allocate(struct nango_run *run, size_t size)
{
	struct models_text *text = (struct models_text *)(void *)run;

	return text->real->calls->allocate(text->real, size);
}

MODELS_INTERNAL void
models_text_begin(struct models_text *text, struct nango_run *run)
{
	memset(text, 0, sizeof(*text));
	text->calls = *run->calls;
	text->calls.writer_grow = models_text_grow;
	text->calls.write_string = models_text_string;
	text->calls.write_number = models_text_number;
	text->calls.allocate = models_text_allocate;
	text->run.calls = &text->calls;
	text->real = run;
	text->data = (char *)nango_allocate(run, 257);
	text->writer.run = &text->run;
	text->writer.at = text->data;
	text->writer.end = text->data + 256;
}

MODELS_INTERNAL size_t
models_text_end(struct models_text *text)
{
	*text->writer.at = '\0';
	return (size_t)(text->writer.at - text->data);
}

/* ---- models ---- */

struct bag;
struct new_thing;
struct person;
struct thing;

struct bag {
	int64_t id; /* integer */
	const char *zebra; /* string? */
	struct nango_value extra; /* its unknown members pass through */
	const char *problem; /* why it does not fit the model; travels with it */
};

struct new_thing {
	int64_t age; /* integer? */
	bool has_age;
	const char *name; /* string */
	const char *title; /* string */
	const char *problem; /* why it does not fit the model; travels with it */
};

struct person {
	int64_t age; /* integer? */
	bool has_age;
	const char *name; /* string */
	const char *problem; /* why it does not fit the model; travels with it */
};

/* One of everything */
struct thing {
	struct person *boss; /* Person | null */
	const char *camel_case; /* string? */
	struct thing *children; /* Thing[]? */
	size_t children_count;
	const char *class_; /* string? */
	const char *day; /* date? */
	bool flag; /* boolean? */
	bool has_flag;
	const char *id; /* string */
	bool is_on; /* boolean */
	const char *kind; /* ('On Hold' | none)? */
	const char *maybe; /* string | null */
	int64_t nothing_or_number; /* (integer | null)? */
	bool has_nothing_or_number;
	bool nothing_or_number_is_null; /* no value: null rather than absent */
	int64_t number; /* integer */
	const char *odd__name_; /* string? */
	struct person *owner; /* Person? */
	struct person *people; /* Person[] */
	size_t people_count;
	const char *price; /* decimal */
	double ratio; /* number */
	struct nango_value raw; /* json? */
	int64_t *sizes; /* integer[]? */
	size_t sizes_count;
	int64_t some; /* integer? */
	bool has_some;
	const char *state; /* open | closed */
	const char **tags; /* string[] */
	size_t tags_count;
	const char *text; /* string? */
	const char *three; /* (string | null)? */
	bool three_is_null; /* no value: null rather than absent */
	const char **words; /* (a | b)[]? */
	size_t words_count;
	const char *problem; /* why it does not fit the model; travels with it */
};

MODELS_INTERNAL struct bag bag_read(struct nango_run *run, struct nango_value in);
MODELS_INTERNAL const char *bag_write(struct nango_writer *writer,
    const struct bag *in);
MODELS_INTERNAL struct new_thing new_thing_read(struct nango_run *run, struct nango_value in);
MODELS_INTERNAL const char *new_thing_write(struct nango_writer *writer,
    const struct new_thing *in);
MODELS_INTERNAL struct person person_read(struct nango_run *run, struct nango_value in);
MODELS_INTERNAL const char *person_write(struct nango_writer *writer,
    const struct person *in);
MODELS_INTERNAL struct thing thing_read(struct nango_run *run, struct nango_value in);
MODELS_INTERNAL const char *thing_write(struct nango_writer *writer,
    const struct thing *in);

static const struct models_name bag_names[] = {
	{"id", "\"id\":", 5},
	{"zebra", "\"zebra\":", 8},
};

/* Reads a JSON object; what does not fit is in .problem. */
MODELS_INTERNAL struct bag
bag_read(struct nango_run *run, struct nango_value in)
{
	struct nango_value members[2];
	struct bag out;
	struct models_reader m = {run, bag_names, members, &out.problem, "", SIZE_MAX, in};

	memset(&out, 0, sizeof(out));
	models_split(&m, in, 2);
	models_integer(models_at(&m, 0), &out.id, 0, NULL);
	out.zebra = models_string(models_at(&m, 1), MODELS_OPTIONAL, NULL);
	if (nango_type(in) == NANGO_OBJECT)
		out.extra = in;
	return out;
}

/* Writes it to a writer; returns why it does not fit the model, or NULL. */
MODELS_INTERNAL const char *
bag_write(struct nango_writer *writer, const struct bag *in)
{
	struct models_writer m = models_open(writer, bag_names, in->problem);

	if (in->extra.data != NULL)
		models_collect_extra(&m, 2, in->extra);
	if (models_put(&m, 0, true, 0, false))
		models_write_integer(&m, in->id);
	if (models_put(&m, 1, in->zebra != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 1, SIZE_MAX, in->zebra);
	return models_close(&m);
}

/* Saves the record; it is stored with the next commit. */
MODELS_INTERNAL void
bag_save(struct nango_run *run, const struct bag *in)
{
	struct nango_writer writer;
	const char *problem;

	run->calls->save_begin(run, "Bag", &writer);
	problem = bag_write(&writer, in);
	run->calls->save_end(&writer, models_reason(problem));
}

static const struct models_name new_thing_names[] = {
	{"age", "\"age\":", 6},
	{"name", "\"name\":", 7},
	{"title", "\"title\":", 8},
};

/* Reads a JSON object; what does not fit is in .problem. */
MODELS_INTERNAL struct new_thing
new_thing_read(struct nango_run *run, struct nango_value in)
{
	struct nango_value members[3];
	struct new_thing out;
	struct models_reader m = {run, new_thing_names, members, &out.problem, "", SIZE_MAX, in};

	memset(&out, 0, sizeof(out));
	models_split(&m, in, 3);
	out.has_age = models_integer(models_at(&m, 0), &out.age, MODELS_OPTIONAL, NULL);
	out.name = models_string(models_at(&m, 1), 0, NULL);
	out.title = models_string(models_at(&m, 2), 0, NULL);
	return out;
}

/* Writes it to a writer; returns why it does not fit the model, or NULL. */
MODELS_INTERNAL const char *
new_thing_write(struct nango_writer *writer, const struct new_thing *in)
{
	struct models_writer m = models_open(writer, new_thing_names, in->problem);

	if (models_put(&m, 0, in->has_age, MODELS_OPTIONAL, false))
		models_write_integer(&m, in->age);
	if (models_put(&m, 1, in->name != NULL, 0, false))
		models_write_string(&m, 1, SIZE_MAX, in->name);
	if (models_put(&m, 2, in->title != NULL, 0, false))
		models_write_string(&m, 2, SIZE_MAX, in->title);
	return models_close(&m);
}

static const struct models_name person_names[] = {
	{"age", "\"age\":", 6},
	{"name", "\"name\":", 7},
};

/* Reads a JSON object; what does not fit is in .problem. */
MODELS_INTERNAL struct person
person_read(struct nango_run *run, struct nango_value in)
{
	struct nango_value members[2];
	struct person out;
	struct models_reader m = {run, person_names, members, &out.problem, "", SIZE_MAX, in};

	memset(&out, 0, sizeof(out));
	models_split(&m, in, 2);
	out.has_age = models_integer(models_at(&m, 0), &out.age, MODELS_OPTIONAL, NULL);
	out.name = models_string(models_at(&m, 1), 0, NULL);
	return out;
}

/* Writes it to a writer; returns why it does not fit the model, or NULL. */
MODELS_INTERNAL const char *
person_write(struct nango_writer *writer, const struct person *in)
{
	struct models_writer m = models_open(writer, person_names, in->problem);

	if (models_put(&m, 0, in->has_age, MODELS_OPTIONAL, false))
		models_write_integer(&m, in->age);
	if (models_put(&m, 1, in->name != NULL, 0, false))
		models_write_string(&m, 1, SIZE_MAX, in->name);
	return models_close(&m);
}

static const char *const thing_kind_words[] = {
	"On Hold",
	"none",
	NULL,
};

static const char *const thing_state_words[] = {
	"open",
	"closed",
	NULL,
};

static const char *const thing_words_words[] = {
	"a",
	"b",
	NULL,
};

static const struct models_name thing_names[] = {
	{"boss", "\"boss\":", 7},
	{"camelCase", "\"camelCase\":", 12},
	{"children", "\"children\":", 11},
	{"class", "\"class\":", 8},
	{"day", "\"day\":", 6},
	{"flag", "\"flag\":", 7},
	{"id", "\"id\":", 5},
	{"is_on", "\"is_on\":", 8},
	{"kind", "\"kind\":", 7},
	{"maybe", "\"maybe\":", 8},
	{"nothing_or_number", "\"nothing_or_number\":", 20},
	{"number", "\"number\":", 9},
	{"odd \"name\"", "\"odd \\\"name\\\"\":", 15},
	{"owner", "\"owner\":", 8},
	{"people", "\"people\":", 9},
	{"price", "\"price\":", 8},
	{"ratio", "\"ratio\":", 8},
	{"raw", "\"raw\":", 6},
	{"sizes", "\"sizes\":", 8},
	{"some", "\"some\":", 7},
	{"state", "\"state\":", 8},
	{"tags", "\"tags\":", 7},
	{"text", "\"text\":", 7},
	{"three", "\"three\":", 8},
	{"void", "\"void\":", 7},
	{"words", "\"words\":", 8},
};

/* Reads a JSON object; what does not fit is in .problem. */
MODELS_INTERNAL struct thing
thing_read(struct nango_run *run, struct nango_value in)
{
	struct nango_value members[26];
	struct thing out;
	struct models_reader m = {run, thing_names, members, &out.problem, "", SIZE_MAX, in};

	memset(&out, 0, sizeof(out));
	models_split(&m, in, 26);
	if (models_has(models_at(&m, 0), MODELS_NULLABLE, NULL)) {
		out.boss = (struct person *)nango_allocate(run, sizeof(*out.boss));
		*out.boss = person_read(run, m.value);
		models_fault(&m, out.boss->problem);
	}
	out.camel_case = models_string(models_at(&m, 1), MODELS_OPTIONAL, NULL);
	out.children = (struct thing *)models_list(models_at(&m, 2), sizeof(*out.children),
	    &out.children_count, MODELS_OPTIONAL, NULL);
	if (out.children != NULL) {
		struct nango_value list = m.value;
		size_t at = 0;

		nango_each(item, list) {
			out.children[at] = thing_read(run, item);
			models_fault(models_item(&m, item, at), out.children[at].problem);
			at++;
		}
	}
	out.class_ = models_string(models_at(&m, 3), MODELS_OPTIONAL, NULL);
	out.day = models_date(models_at(&m, 4), MODELS_OPTIONAL, NULL);
	out.has_flag = models_boolean(models_at(&m, 5), &out.flag, MODELS_OPTIONAL, NULL);
	out.id = models_string(models_at(&m, 6), 0, NULL);
	models_boolean(models_at(&m, 7), &out.is_on, 0, NULL);
	out.kind = models_word(models_at(&m, 8), thing_kind_words,
	    "On Hold, none", MODELS_OPTIONAL, NULL);
	out.maybe = models_string(models_at(&m, 9), MODELS_NULLABLE, NULL);
	out.has_nothing_or_number = models_integer(models_at(&m, 10), &out.nothing_or_number, MODELS_OPTIONAL | MODELS_NULLABLE, &out.nothing_or_number_is_null);
	models_integer(models_at(&m, 11), &out.number, 0, NULL);
	out.odd__name_ = models_string(models_at(&m, 12), MODELS_OPTIONAL, NULL);
	if (models_has(models_at(&m, 13), MODELS_OPTIONAL, NULL)) {
		out.owner = (struct person *)nango_allocate(run, sizeof(*out.owner));
		*out.owner = person_read(run, m.value);
		models_fault(&m, out.owner->problem);
	}
	out.people = (struct person *)models_list(models_at(&m, 14), sizeof(*out.people),
	    &out.people_count, 0, NULL);
	if (out.people != NULL) {
		struct nango_value list = m.value;
		size_t at = 0;

		nango_each(item, list) {
			out.people[at] = person_read(run, item);
			models_fault(models_item(&m, item, at), out.people[at].problem);
			at++;
		}
	}
	out.price = models_decimal(models_at(&m, 15), 0, NULL);
	models_number(models_at(&m, 16), &out.ratio, 0, NULL);
	out.raw = models_json(models_at(&m, 17), MODELS_OPTIONAL);
	out.sizes = (int64_t *)models_list(models_at(&m, 18), sizeof(*out.sizes),
	    &out.sizes_count, MODELS_OPTIONAL, NULL);
	if (out.sizes != NULL) {
		struct nango_value list = m.value;
		size_t at = 0;

		nango_each(item, list) {
			models_integer(models_item(&m, item, at), &out.sizes[at], 0, NULL);
			at++;
		}
	}
	out.has_some = models_integer(models_at(&m, 19), &out.some, MODELS_OPTIONAL, NULL);
	out.state = models_word(models_at(&m, 20), thing_state_words,
	    "open, closed", 0, NULL);
	out.tags = (const char **)models_list(models_at(&m, 21), sizeof(*out.tags),
	    &out.tags_count, 0, NULL);
	if (out.tags != NULL) {
		struct nango_value list = m.value;
		size_t at = 0;

		nango_each(item, list) {
			out.tags[at] = models_string(models_item(&m, item, at), 0, NULL);
			at++;
		}
	}
	out.text = models_string(models_at(&m, 22), MODELS_OPTIONAL, NULL);
	out.three = models_string(models_at(&m, 23), MODELS_OPTIONAL | MODELS_NULLABLE, &out.three_is_null);
	models_null(models_at(&m, 24), 0);
	out.words = (const char **)models_list(models_at(&m, 25), sizeof(*out.words),
	    &out.words_count, MODELS_OPTIONAL, NULL);
	if (out.words != NULL) {
		struct nango_value list = m.value;
		size_t at = 0;

		nango_each(item, list) {
			out.words[at] = models_word(models_item(&m, item, at), thing_words_words,
	    "a, b", 0, NULL);
			at++;
		}
	}
	return out;
}

/* Writes it to a writer; returns why it does not fit the model, or NULL. */
MODELS_INTERNAL const char *
thing_write(struct nango_writer *writer, const struct thing *in)
{
	struct models_writer m = models_open(writer, thing_names, in->problem);

	if (models_put(&m, 0, in->boss != NULL, MODELS_NULLABLE, false))
		models_put_fault(&m, 0, SIZE_MAX, person_write(writer, in->boss));
	if (models_put(&m, 1, in->camel_case != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 1, SIZE_MAX, in->camel_case);
	if (models_put(&m, 2, in->children != NULL, MODELS_OPTIONAL, false)) {
		nango_write(writer, "[", 1);
		for (size_t at = 0; at < in->children_count; at++) {
			if (at > 0)
				nango_write(writer, ",", 1);
			models_put_fault(&m, 2, at, thing_write(writer, &in->children[at]));
		}
		nango_write(writer, "]", 1);
	}
	if (models_put(&m, 3, in->class_ != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 3, SIZE_MAX, in->class_);
	if (models_put(&m, 4, in->day != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 4, SIZE_MAX, in->day);
	if (models_put(&m, 5, in->has_flag, MODELS_OPTIONAL, false))
		models_write_boolean(&m, in->flag);
	if (models_put(&m, 6, in->id != NULL, 0, false))
		models_write_string(&m, 6, SIZE_MAX, in->id);
	if (models_put(&m, 7, true, 0, false))
		models_write_boolean(&m, in->is_on);
	if (models_put(&m, 8, in->kind != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 8, SIZE_MAX, in->kind);
	if (models_put(&m, 9, in->maybe != NULL, MODELS_NULLABLE, false))
		models_write_string(&m, 9, SIZE_MAX, in->maybe);
	if (models_put(&m, 10, in->has_nothing_or_number, MODELS_OPTIONAL | MODELS_NULLABLE, in->nothing_or_number_is_null))
		models_write_integer(&m, in->nothing_or_number);
	if (models_put(&m, 11, true, 0, false))
		models_write_integer(&m, in->number);
	if (models_put(&m, 12, in->odd__name_ != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 12, SIZE_MAX, in->odd__name_);
	if (models_put(&m, 13, in->owner != NULL, MODELS_OPTIONAL, false))
		models_put_fault(&m, 13, SIZE_MAX, person_write(writer, in->owner));
	if (models_put(&m, 14, true, 0, false)) {
		nango_write(writer, "[", 1);
		for (size_t at = 0; at < in->people_count; at++) {
			if (at > 0)
				nango_write(writer, ",", 1);
			models_put_fault(&m, 14, at, person_write(writer, &in->people[at]));
		}
		nango_write(writer, "]", 1);
	}
	if (models_put(&m, 15, in->price != NULL, 0, false))
		models_write_string(&m, 15, SIZE_MAX, in->price);
	if (models_put(&m, 16, true, 0, false))
		models_write_number(&m, 16, SIZE_MAX, in->ratio);
	if (models_put(&m, 17, in->raw.data != NULL, MODELS_OPTIONAL, false))
		models_write_json(&m, in->raw);
	if (models_put(&m, 18, in->sizes != NULL, MODELS_OPTIONAL, false)) {
		nango_write(writer, "[", 1);
		for (size_t at = 0; at < in->sizes_count; at++) {
			if (at > 0)
				nango_write(writer, ",", 1);
			models_write_integer(&m, in->sizes[at]);
		}
		nango_write(writer, "]", 1);
	}
	if (models_put(&m, 19, in->has_some, MODELS_OPTIONAL, false))
		models_write_integer(&m, in->some);
	if (models_put(&m, 20, in->state != NULL, 0, false))
		models_write_string(&m, 20, SIZE_MAX, in->state);
	if (models_put(&m, 21, true, 0, false)) {
		nango_write(writer, "[", 1);
		for (size_t at = 0; at < in->tags_count; at++) {
			if (at > 0)
				nango_write(writer, ",", 1);
			models_write_string(&m, 21, at, in->tags[at]);
		}
		nango_write(writer, "]", 1);
	}
	if (models_put(&m, 22, in->text != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 22, SIZE_MAX, in->text);
	if (models_put(&m, 23, in->three != NULL, MODELS_OPTIONAL | MODELS_NULLABLE, in->three_is_null))
		models_write_string(&m, 23, SIZE_MAX, in->three);
	models_put(&m, 24, false, MODELS_NULLABLE, true);
	if (models_put(&m, 25, in->words != NULL, MODELS_OPTIONAL, false)) {
		nango_write(writer, "[", 1);
		for (size_t at = 0; at < in->words_count; at++) {
			if (at > 0)
				nango_write(writer, ",", 1);
			models_write_string(&m, 25, at, in->words[at]);
		}
		nango_write(writer, "]", 1);
	}
	return models_close(&m);
}

/* Saves the record; it is stored with the next commit. */
MODELS_INTERNAL void
thing_save(struct nango_run *run, const struct thing *in)
{
	struct nango_writer writer;
	const char *problem;

	run->calls->save_begin(run, "Thing", &writer);
	problem = thing_write(&writer, in);
	run->calls->save_end(&writer, models_reason(problem));
}

/* ---- sync plain ---- */

/* Commits the records saved since the last commit, or none of them. */
MODELS_INTERNAL void
plain_commit(struct nango_run *run)
{
	nango_commit(run, NULL);
}

/* ---- sync things ---- */

struct things_metadata {
	int64_t depth; /* integer? */
	bool has_depth;
	const char *folder; /* string */
	const char **names; /* string[]? */
	size_t names_count;
	const char *problem; /* why it does not fit the model; travels with it */
};

static const struct models_name things_metadata_names[] = {
	{"depth", "\"depth\":", 8},
	{"folder", "\"folder\":", 9},
	{"names", "\"names\":", 8},
};

/* The connection's metadata; ends the run when it does not fit. Lives to the run's end. */
MODELS_INTERNAL struct things_metadata
things_metadata(struct nango_run *run)
{
	struct models_keeper keeper;
	struct nango_value in = nango_metadata(run);
	struct nango_value members[3];
	struct things_metadata out;
	struct models_reader m = {&keeper.run, things_metadata_names, members, &out.problem, "", SIZE_MAX, in};

	memset(&out, 0, sizeof(out));
	models_keeper_begin(&keeper, run);
	if (nango_type(in) <= NANGO_NULL) {
		in.data = "{}";
		in.length = 2;
	}
	models_split(&m, in, 3);
	out.has_depth = models_integer(models_at(&m, 0), &out.depth, MODELS_OPTIONAL, NULL);
	out.folder = models_string(models_at(&m, 1), 0, NULL);
	out.names = (const char **)models_list(models_at(&m, 2), sizeof(*out.names),
	    &out.names_count, MODELS_OPTIONAL, NULL);
	if (out.names != NULL) {
		struct nango_value list = m.value;
		size_t at = 0;

		nango_each(item, list) {
			out.names[at] = models_string(models_item(&m, item, at), 0, NULL);
			at++;
		}
	}
	if (out.problem != NULL)
		nango_fail(run, "invalid_metadata", "the metadata does not fit plugin.yaml: %s (set it with POST /connections/metadata)",
		    models_reason(out.problem));
	return out;
}

struct things_checkpoint {
	const char *after; /* string? */
	int64_t count; /* integer? */
	bool has_count;
	bool done; /* boolean? */
	bool has_done;
	const char *phase; /* (list | search)? */
	double ratio; /* number? */
	bool has_ratio;
	const char *problem; /* why it does not fit the model; travels with it */
};

static const char *const things_checkpoint_phase_words[] = {
	"list",
	"search",
	NULL,
};

static const struct models_name things_checkpoint_names[] = {
	{"after", "\"after\":", 8},
	{"count", "\"count\":", 8},
	{"done", "\"done\":", 7},
	{"phase", "\"phase\":", 8},
	{"ratio", "\"ratio\":", 8},
};

/* The last committed checkpoint; all zeroes on the first run. Lives to the run's end. */
MODELS_INTERNAL struct things_checkpoint
things_checkpoint(struct nango_run *run)
{
	struct models_keeper keeper;
	struct nango_value in = nango_checkpoint(run);
	struct nango_value members[5];
	struct things_checkpoint out;
	struct models_reader m = {&keeper.run, things_checkpoint_names, members, &out.problem, "", SIZE_MAX, in};

	memset(&out, 0, sizeof(out));
	models_keeper_begin(&keeper, run);
	if (nango_type(in) <= NANGO_NULL)
		return out;
	models_split(&m, in, 5);
	out.after = models_string(models_at(&m, 0), MODELS_OPTIONAL, NULL);
	out.has_count = models_integer(models_at(&m, 1), &out.count, MODELS_OPTIONAL, NULL);
	out.has_done = models_boolean(models_at(&m, 2), &out.done, MODELS_OPTIONAL, NULL);
	out.phase = models_word(models_at(&m, 3), things_checkpoint_phase_words,
	    "list, search", MODELS_OPTIONAL, NULL);
	out.has_ratio = models_number(models_at(&m, 4), &out.ratio, MODELS_OPTIONAL, NULL);
	if (out.problem != NULL)
		nango_fail(run, "invalid_checkpoint", "the checkpoint does not fit plugin.yaml: %s",
		    models_reason(out.problem));
	return out;
}

/* Writes it to a writer; returns why it does not fit the model, or NULL. */
MODELS_INTERNAL const char *
things_checkpoint_write(struct nango_writer *writer, const struct things_checkpoint *in)
{
	struct models_writer m = models_open(writer, things_checkpoint_names, in->problem);

	if (models_put(&m, 0, in->after != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 0, SIZE_MAX, in->after);
	if (models_put(&m, 1, in->has_count, MODELS_OPTIONAL, false))
		models_write_integer(&m, in->count);
	if (models_put(&m, 2, in->has_done, MODELS_OPTIONAL, false))
		models_write_boolean(&m, in->done);
	if (models_put(&m, 3, in->phase != NULL, MODELS_OPTIONAL, false))
		models_write_string(&m, 3, SIZE_MAX, in->phase);
	if (models_put(&m, 4, in->has_ratio, MODELS_OPTIONAL, false))
		models_write_number(&m, 4, SIZE_MAX, in->ratio);
	return models_close(&m);
}

/* Commits the records saved since the last commit, and the checkpoint, or neither.
 * The checkpoint's strings are kept for the next page. */
MODELS_INTERNAL void
things_commit(struct nango_run *run, struct things_checkpoint *in)
{
	struct models_text text;
	const char *problem;
	size_t length;

	models_text_begin(&text, run);
	problem = things_checkpoint_write(&text.writer, in);
	if (problem != NULL)
		nango_fail(run, "invalid_checkpoint", "the checkpoint: %s",
		    models_reason(problem));
	length = models_text_end(&text);
	in->after = nango_keep(run, in->after);
	in->phase = nango_keep(run, in->phase);
	run->calls->commit(run, text.data, length);
}

/* ---- action make-thing ---- */

/* What the action was called with; ends it when it does not fit. */
MODELS_INTERNAL struct new_thing
make_thing_input(struct nango_run *run)
{
	struct models_keeper keeper;
	struct nango_value in = {run->calls, NULL, 0};
	struct new_thing out;

	models_keeper_begin(&keeper, run);
	run->calls->input(run, &in);
	out = new_thing_read(&keeper.run, in);
	if (out.problem != NULL)
		nango_fail(run, "invalid_input", "the input: %s", models_reason(out.problem));
	return out;
}

/* What the action returns. */
MODELS_INTERNAL void
make_thing_output(struct nango_run *run, const struct thing *in)
{
	struct models_text text;
	const char *problem;
	size_t length;

	models_text_begin(&text, run);
	problem = thing_write(&text.writer, in);
	if (problem != NULL)
		nango_fail(run, "invalid_output", "the output: %s", models_reason(problem));
	length = models_text_end(&text);
	run->calls->output(run, text.data, length);
}

#endif
