/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/manifest -- see manifest.h. Open addressing; a slot is 32 bytes: 127 bits of the id's
 * hash, one for "deleted", and the record's hash. A slot of zeroes is free, so the lowest bit
 * but one of a key is always set.
 */
#include "engine/manifest.h"
#include "base/jsonhash.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_MIN 1024
#define BIT_DELETED 1u
#define BIT_USED 2u

struct slot {
	uint64_t low, high;
	unsigned char hash[RECORD_HASH_BYTES];
};

struct manifest {
	struct manifest_budget *budget;
	struct slot *slots;
	size_t mask, count;
};

static int
budget_take(struct manifest_budget *budget, size_t bytes)
{
	int64_t after = atomic_fetch_add(&budget->used_bytes, (int64_t)bytes) + (int64_t)bytes;

	if (after <= budget->limit_bytes)
		return 0;
	atomic_fetch_sub(&budget->used_bytes, (int64_t)bytes);
	return -1;
}

static void
budget_give(struct manifest_budget *budget, size_t bytes)
{
	atomic_fetch_sub(&budget->used_bytes, (int64_t)bytes);
}

static size_t
slots_bytes(const struct manifest *m)
{
	return (m->mask + 1) * sizeof(struct slot);
}

/* Room for so many at three quarters full. */
static int
slots_make(struct manifest *m, size_t expected)
{
	size_t size = SLOTS_MIN;

	while (size / 4 * 3 < expected)
		size *= 2;
	m->mask = size - 1;
	if (budget_take(m->budget, slots_bytes(m)) < 0)
		return -1;
	m->slots = calloc(size, sizeof(struct slot));
	if (m->slots == NULL)
		abort();
	return 0;
}

struct manifest *
manifest_new(struct manifest_budget *budget, size_t expected)
{
	struct manifest *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort();
	m->budget = budget;
	if (slots_make(m, expected) == 0)
		return m;
	free(m);
	return NULL;
}

void
manifest_free(struct manifest *m)
{
	if (m == NULL)
		return;
	budget_give(m->budget, slots_bytes(m));
	free(m->slots);
	free(m);
}

void
manifest_key(unsigned char out[MANIFEST_KEY_BYTES], const char *id, size_t length,
	     const unsigned char *secret)
{
	XXH128_hash_t hash = XXH3_128bits_withSecret(id, length, secret, JSONHASH_SECRET_BYTES);

	memcpy(out, &hash.low64, 8);
	memcpy(out + 8, &hash.high64, 8);
}

static struct slot *
slot_of(const struct manifest *m, uint64_t low, uint64_t high)
{
	size_t at = (size_t)high & m->mask;

	low = (low & ~(uint64_t)BIT_DELETED) | BIT_USED;
	while (m->slots[at].low != 0 && ((m->slots[at].low & ~(uint64_t)BIT_DELETED) != low ||
					 m->slots[at].high != high))
		at = (at + 1) & m->mask;
	return &m->slots[at];
}

static struct slot *
slot_of_key(const struct manifest *m, const unsigned char key[MANIFEST_KEY_BYTES],
	    uint64_t *low, uint64_t *high)
{
	memcpy(low, key, 8);
	memcpy(high, key + 8, 8);
	return slot_of(m, *low, *high);
}

void
manifest_prefetch(const struct manifest *m, const unsigned char key[MANIFEST_KEY_BYTES])
{
	uint64_t high;

	memcpy(&high, key + 8, 8);
	__builtin_prefetch(&m->slots[(size_t)high & m->mask], 1);
}

void
manifest_find(const struct manifest *m, const unsigned char key[MANIFEST_KEY_BYTES],
	      struct record_state *out)
{
	uint64_t low, high;
	const struct slot *slot = slot_of_key(m, key, &low, &high);

	out->is_known = slot->low != 0;
	out->is_deleted = (slot->low & BIT_DELETED) != 0;
	memcpy(out->hash, slot->hash, RECORD_HASH_BYTES);
}

static int
grow(struct manifest *m)
{
	struct manifest bigger = {.budget = m->budget};

	if (slots_make(&bigger, m->count * 2) < 0)
		return -1;
	for (size_t i = 0; i <= m->mask; i++)
		if (m->slots[i].low != 0)
			*slot_of(&bigger, m->slots[i].low, m->slots[i].high) = m->slots[i];
	budget_give(m->budget, slots_bytes(m));
	free(m->slots);
	m->slots = bigger.slots;
	m->mask = bigger.mask;
	return 0;
}

int
manifest_put(struct manifest *m, const unsigned char key[MANIFEST_KEY_BYTES],
	     const struct record_state *state)
{
	uint64_t low, high;
	struct slot *slot = slot_of_key(m, key, &low, &high);

	if (slot->low == 0) {
		if (m->count >= (m->mask + 1) / 4 * 3) {
			if (grow(m) < 0)
				return -1;
			slot = slot_of(m, low, high);
		}
		m->count++;
	}
	slot->low =
	    (low & ~(uint64_t)BIT_DELETED) | BIT_USED | (state->is_deleted ? BIT_DELETED : 0);
	slot->high = high;
	memcpy(slot->hash, state->hash, RECORD_HASH_BYTES);
	return 0;
}
