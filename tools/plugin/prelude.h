/* SPDX-License-Identifier: Apache-2.0 */
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
	const char *const *only; /* the members to write, and id; NULL: all */
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
	struct models_writer m = {out, names, problem, false, NULL, NULL, 0, 0};

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

MODELS_INTERNAL bool
models_is_among(const char *const *names, const char *name)
{
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

/* Writes these members only, and the id. */
MODELS_INTERNAL void
models_write_only(struct models_writer *m, const char *const *only, size_t names_count)
{
	m->only = only;
	for (; only != NULL && *only != NULL; only++)
		if (m->problem == NULL &&
		    models_find(m->names, names_count, *only, strlen(*only)) == SIZE_MAX)
			m->problem =
			    nango_format(m->out->run, "%s: is no member of the model", *only);
}

/* Begins the member when it has a value; else writes null, leaves it out, or keeps the fault.
 */
MODELS_INTERNAL bool
models_put(struct models_writer *m, size_t member, bool has_value, int flags, bool is_null)
{
	if (m->only != NULL && strcmp(m->names[member].name, "id") != 0 &&
	    !models_is_among(m->only, m->names[member].name))
		return false;
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
