/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonmerge -- see jsonmerge.h. The members of both objects are found by hash, so that a record
 * of many members costs no more than its length.
 */
#include "base/jsonmerge.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct member {
	struct jsonspan key, value;
	char *name; /* unescaped, so that "a" and "\u0061" are one */
	size_t name_length;
};

struct members {
	struct member *at;
	size_t count, mask;
	struct member **slots; /* by name; of several of one name the last */
};

static struct member **
slot_of(const struct members *m, const char *name, size_t length)
{
	size_t at = (size_t)XXH3_64bits(name, length) & m->mask;

	while (m->slots[at] != NULL && (m->slots[at]->name_length != length ||
					memcmp(m->slots[at]->name, name, length) != 0))
		at = (at + 1) & m->mask;
	return &m->slots[at];
}

static void
members_add(TALLOC_CTX *mem, struct members *m, struct jsonspan key, struct jsonspan value)
{
	struct member *one;
	long length;

	if ((m->count & (m->count - 1)) == 0)
		m->at = talloc_realloc(mem, m->at, struct member,
				       (unsigned)(m->count == 0 ? 1 : 2 * m->count));
	if (m->at == NULL)
		abort();
	one = &m->at[m->count++];
	*one = (struct member){.key = key, .value = value};
	one->name = talloc_size(mem, key.length + 1);
	if (one->name == NULL)
		abort();
	length = jsonspan_unescape(key, one->name);
	one->name_length = length < 0 ? 0 : (size_t)length;
}

static void
members_read(TALLOC_CTX *mem, struct members *m, struct jsonspan object)
{
	struct jsonspan key, value;
	size_t cursor = 0, size = 16;

	*m = (struct members){0};
	while (jsonspan_next_member(object, &cursor, &key, &value))
		members_add(mem, m, key, value);
	while (size < 2 * m->count)
		size *= 2;
	m->mask = size - 1;
	m->slots = talloc_zero_size(mem, size * sizeof(*m->slots));
	if (m->slots == NULL)
		abort();
	for (size_t i = 0; i < m->count; i++)
		*slot_of(m, m->at[i].name, m->at[i].name_length) = &m->at[i];
}

static void
add_key(struct buf *out, struct jsonspan key, bool *is_first)
{
	if (!*is_first)
		buf_addc(out, ',');
	*is_first = false;
	buf_add(out, key.data, key.length);
	buf_addc(out, ':');
}

void
jsonmerge(struct buf *out, struct jsonspan base, struct jsonspan patch)
{
	struct members old, new;
	TALLOC_CTX *mem;
	bool is_first = true;

	if (jsonspan_type(base) != JSONSPAN_OBJECT || jsonspan_type(patch) != JSONSPAN_OBJECT) {
		buf_add(out, patch.data, patch.length);
		return;
	}
	mem = talloc_new(NULL);
	members_read(mem, &old, base);
	members_read(mem, &new, patch);
	buf_addc(out, '{');
	for (size_t i = 0; i < old.count; i++) {
		const struct member *m = &old.at[i],
				    *other = *slot_of(&new, m->name, m->name_length);

		if (*slot_of(&old, m->name, m->name_length) != m)
			continue; /* a duplicate: the last one counts */
		add_key(out, m->key, &is_first);
		if (other == NULL)
			buf_add(out, m->value.data, m->value.length);
		else
			jsonmerge(out, m->value, other->value);
	}
	for (size_t i = 0; i < new.count; i++) {
		const struct member *m = &new.at[i];

		if (*slot_of(&old, m->name, m->name_length) != NULL ||
		    *slot_of(&new, m->name, m->name_length) != m)
			continue;
		add_key(out, m->key, &is_first);
		buf_add(out, m->value.data, m->value.length);
	}
	buf_addc(out, '}');
	talloc_free(mem);
}
