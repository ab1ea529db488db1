/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonmerge -- see jsonmerge.h. The members of all objects are found by hash, and each byte is
 * read once a level, however many objects there are.
 *
 * What is gathered is malloc's, not talloc's: a record of 10 MB may have two million members,
 * and talloc has no block of 256 MiB or more.
 */
#include "base/jsonmerge.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define NONE UINT32_MAX

struct member {
	const char *name; /* unescaped, so that "a" and "\u0061" are one */
	const char *key, *value;
	uint32_t name_length, key_length, value_length;
	uint32_t source;     /* which of the objects it stands in */
	uint32_t next, last; /* of its name, in later objects; last is NONE but in the first */
};

struct members {
	struct member *at;
	size_t count, capacity;
	uint32_t *slots; /* by name: the first one's place and 1; 0: free */
	size_t mask;
	TALLOC_CTX *names;
};

static void *
must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void
read_name(struct members *m, struct member *one, struct jsonspan key)
{
	char *text;
	long length;

	one->name = key.data + 1;
	one->name_length = (uint32_t)key.length - 2;
	if (memchr(key.data, '\\', key.length) == NULL)
		return;
	one->name = text = must(talloc_size(m->names, key.length + 1));
	length = jsonspan_unescape(key, text);
	one->name_length = length < 0 ? 0 : (uint32_t)length;
}

static void
members_add(struct members *m, size_t source, struct jsonspan key, struct jsonspan value)
{
	struct member *one;

	if (m->count == m->capacity) {
		m->capacity = m->capacity == 0 ? 16 : m->capacity * 2;
		m->at = must(realloc(m->at, m->capacity * sizeof(*m->at)));
	}
	one = &m->at[m->count++];
	*one = (struct member){.key = key.data,
			       .key_length = (uint32_t)key.length,
			       .value = value.data,
			       .value_length = (uint32_t)value.length,
			       .source = (uint32_t)source,
			       .next = NONE,
			       .last = NONE};
	read_name(m, one, key);
}

static uint32_t *
slot_of(const struct members *m, const struct member *one)
{
	size_t at = (size_t)XXH3_64bits(one->name, one->name_length) & m->mask;

	for (; m->slots[at] != 0; at = (at + 1) & m->mask) {
		const struct member *other = &m->at[m->slots[at] - 1];

		if (other->name_length == one->name_length &&
		    memcmp(other->name, one->name, one->name_length) == 0)
			break;
	}
	return &m->slots[at];
}

/* Behind those of its name; of several in one object the last one counts. */
static void
member_link(struct members *m, uint32_t place)
{
	struct member *one = &m->at[place], *first, *last;
	uint32_t *slot = slot_of(m, one);

	first = *slot == 0 ? NULL : &m->at[*slot - 1];
	last = first == NULL ? NULL : &m->at[first->last];
	if (first == NULL || (last == first && last->source == one->source)) {
		if (first != NULL)
			first->last = NONE; /* it is left out */
		*slot = place + 1;
		one->last = place;
	} else if (last->source == one->source) {
		last->value = one->value;
		last->value_length = one->value_length;
	} else {
		last->next = place;
		first->last = place;
	}
}

static void
members_read(struct members *m, const struct jsonspan *objects, size_t count)
{
	struct jsonspan key, value;
	size_t size = 16;

	for (size_t i = 0; i < count; i++)
		for (size_t at = 0; jsonspan_next_member(objects[i], &at, &key, &value);)
			members_add(m, i, key, value);
	while (size < 2 * m->count)
		size *= 2;
	m->mask = size - 1;
	m->slots = must(calloc(size, sizeof(*m->slots)));
	for (size_t i = 0; i < m->count; i++)
		member_link(m, (uint32_t)i);
}

static void
merge_objects(struct buf *out, const struct jsonspan *objects, size_t count)
{
	struct members m = {.names = must(talloc_new(NULL))};
	struct jsonspan *values = must(malloc(count * sizeof(*values)));
	bool is_first = true;

	members_read(&m, objects, count);
	buf_addc(out, '{');
	for (size_t i = 0; i < m.count; i++) {
		const struct member *one = &m.at[i];
		size_t n = 0;

		if (one->last == NONE)
			continue;
		if (!is_first)
			buf_addc(out, ',');
		is_first = false;
		buf_add(out, one->key, one->key_length);
		buf_addc(out, ':');
		for (uint32_t at = (uint32_t)i; at != NONE; at = m.at[at].next)
			values[n++] = (struct jsonspan){m.at[at].value, m.at[at].value_length};
		jsonmerge_all(out, values, n);
	}
	buf_addc(out, '}');
	talloc_free(m.names);
	free(m.slots);
	free(m.at);
	free(values);
}

void
jsonmerge_all(struct buf *out, const struct jsonspan *values, size_t count)
{
	size_t from = count - 1;

	/* What lies under a value that is no object counts no more. */
	if (jsonspan_type(values[from]) == JSONSPAN_OBJECT)
		while (from > 0 && jsonspan_type(values[from - 1]) == JSONSPAN_OBJECT)
			from--;
	if (from == count - 1)
		buf_add(out, values[from].data, values[from].length);
	else
		merge_objects(out, values + from, count - from);
}

void
jsonmerge(struct buf *out, struct jsonspan base, struct jsonspan patch)
{
	const struct jsonspan both[] = {base, patch};

	jsonmerge_all(out, both, 2);
}
