/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonhash -- see jsonhash.h. Recursive, because the checker bounds the depth.
 *
 * A member's hash is its value's, seeded with its name's; a value within an array is chained to
 * those before it. Seeds tell an object from an array from a scalar of the same bytes.
 *
 * Of members of one name the last counts, so their order does: from the second on, a number is
 * mixed in.
 */
#include "base/jsonhash.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned char byte;

#define PATH_MAX_BYTES 512 /* of a dotted path; a longer one is no path that was asked for */

#define NAMES_FEW 24 /* names of an object that are kept without asking for memory */

/* Names that an object had, by their seeds. */
struct names {
	uint64_t bits; /* of all of them: most that are new are seen to be */
	size_t count, repeats;
	uint64_t few[NAMES_FEW];
	uint64_t *slots; /* of more; 0 is free */
	size_t mask;
};

struct hasher {
	const byte *end;
	const unsigned char *secret;
	uint64_t key_seed, object_seed, array_seed;
	const char *const *without;
	size_t path_length;
	char path[PATH_MAX_BYTES];
};

static const byte *hash_value(struct hasher *h, const byte *at, uint64_t seed,
			      XXH128_hash_t *out);

static inline const byte *
skip_space(const byte *at, const byte *end)
{
	while (at < end && *at <= ' ')
		at++;
	return at;
}

/* at: the opening quote. The byte behind the closing one. */
static inline const byte *
skip_string(const byte *at, const byte *end)
{
	at++;
	for (;;) {
#ifdef __SSE2__
		while (end - at >= 16) {
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
			__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
			__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
			unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(quote, slash));

			if (mask != 0) {
				at += __builtin_ctz(mask);
				break;
			}
			at += 16;
		}
#endif
		while (at < end && *at != '"' && *at != '\\')
			at++;
		if (at >= end)
			return end;
		if (*at == '"')
			return at + 1;
		at += 2;
	}
}

static inline const byte *
skip_scalar(const byte *at, const byte *end)
{
	if (*at == '"')
		return skip_string(at, end);
	while (at<end && * at> ' ' && *at != ',' && *at != ']' && *at != '}')
		at++;
	return at;
}

static inline void
add(XXH128_hash_t *sum, XXH128_hash_t one)
{
	sum->low64 += one.low64;
	sum->high64 += one.high64 + (sum->low64 < one.low64);
}

static bool
slot_take(struct names *names, uint64_t seed)
{
	size_t at = (size_t)seed & names->mask;

	while (names->slots[at] != 0 && names->slots[at] != seed)
		at = (at + 1) & names->mask;
	if (names->slots[at] == seed)
		return true;
	names->slots[at] = seed;
	return false;
}

static void
names_grow(struct names *names)
{
	uint64_t *old = names->slots;
	size_t size = old == NULL ? NAMES_FEW : names->mask + 1;

	names->mask = (old == NULL ? 64 : (names->mask + 1) * 2) - 1;
	names->slots = calloc(names->mask + 1, sizeof(*names->slots));
	if (names->slots == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		if (old == NULL || old[i] != 0)
			slot_take(names, old == NULL ? names->few[i] : old[i]);
	free(old);
}

/* Was it there? It is now. */
static inline bool
names_take(struct names *names, uint64_t seed)
{
	uint64_t bit = UINT64_C(1) << (seed >> 58);

	seed |= 1; /* never 0 */
	if (names->count < NAMES_FEW) {
		for (size_t i = 0; (names->bits & bit) != 0 && i < names->count; i++)
			if (names->few[i] == seed)
				return true;
		names->bits |= bit;
		names->few[names->count++] = seed;
		return false;
	}
	if (names->slots == NULL || names->count * 2 > names->mask)
		names_grow(names);
	if (slot_take(names, seed))
		return true;
	names->count++;
	return false;
}

/* Adds a name to the path that is being walked; false when no member of it can be asked for. */
static bool
path_enter(struct hasher *h, const byte *key, size_t length)
{
	if (h->path_length + length + 1 >= sizeof(h->path))
		return false;
	if (h->path_length > 0)
		h->path[h->path_length++] = '.';
	memcpy(h->path + h->path_length, key, length);
	h->path_length += length;
	h->path[h->path_length] = '\0';
	return true;
}

static bool
path_is_left_out(const struct hasher *h)
{
	for (const char *const *path = h->without; *path != NULL; path++)
		if (strcmp(*path, h->path) == 0)
			return true;
	return false;
}

/* One member; its hash goes into the sum unless its path is left out. */
static const byte *
hash_member(struct hasher *h, const byte *at, struct names *names, XXH128_hash_t *sum)
{
	const byte *key = at;
	size_t path_length = h->path_length, key_length;
	const char *const *without = h->without;
	XXH128_hash_t one;
	bool counts = true;
	uint64_t seed;

	at = skip_string(at, h->end);
	key_length = (size_t)(at - key);
	at = skip_space(at, h->end);
	at = skip_space(at + 1, h->end); /* the colon */
	seed = XXH3_64bits_withSeed(key, key_length, h->key_seed);
	if (without != NULL) {
		if (key_length >= 2 && path_enter(h, key + 1, key_length - 2))
			counts = !path_is_left_out(h);
		else
			h->without = NULL;
	}
	at = hash_value(h, at, seed, &one);
	if (counts && names_take(names, seed))
		one = XXH3_128bits_withSeed(&one, sizeof(one), ++names->repeats);
	if (counts)
		add(sum, one);
	h->path_length = path_length;
	h->without = without;
	return at;
}

static const byte *
hash_object(struct hasher *h, const byte *at, uint64_t seed, XXH128_hash_t *out)
{
	XXH128_hash_t sum = {0, 0};
	struct names names;

	names.bits = names.count = names.repeats = names.mask =
	    0; /* few is not looked at before */
	names.slots = NULL;
	at = skip_space(at + 1, h->end);
	while (at < h->end && *at == '"') {
		at = skip_space(hash_member(h, at, &names, &sum), h->end);
		if (at < h->end && *at == ',')
			at = skip_space(at + 1, h->end);
	}
	free(names.slots);
	*out = XXH3_128bits_withSeed(&sum, sizeof(sum), seed ^ h->object_seed);
	return at + 1;
}

static const byte *
hash_array(struct hasher *h, const byte *at, uint64_t seed, XXH128_hash_t *out)
{
	XXH128_hash_t chain = {seed, h->array_seed}, item;

	at = skip_space(at + 1, h->end);
	while (at < h->end && *at != ']') { /* an item adds nothing to the path */
		at = skip_space(hash_value(h, at, chain.low64, &item), h->end);
		chain.high64 += 1;
		chain.low64 = XXH3_64bits_withSeed(&item, sizeof(item), chain.high64);
		chain.high64 ^= item.high64;
		if (at < h->end && *at == ',')
			at = skip_space(at + 1, h->end);
	}
	*out = XXH3_128bits_withSeed(&chain, sizeof(chain), seed ^ h->array_seed);
	return at + 1;
}

static const byte *
hash_value(struct hasher *h, const byte *at, uint64_t seed, XXH128_hash_t *out)
{
	const byte *from = at;

	if (at >= h->end) {
		*out = (XXH128_hash_t){0, 0};
		return at;
	}
	if (*at == '{')
		return hash_object(h, at, seed, out);
	if (*at == '[')
		return hash_array(h, at, seed, out);
	at = skip_scalar(at, h->end);
	*out = XXH3_128bits_withSecretandSeed(from, (size_t)(at - from), h->secret,
					      JSONHASH_SECRET_BYTES, seed);
	return at;
}

static uint64_t
seed_at(const unsigned char *secret, size_t offset)
{
	uint64_t seed;

	memcpy(&seed, secret + offset, sizeof(seed));
	return seed;
}

void
jsonhash(unsigned char out[JSONHASH_BYTES], const char *data, size_t length,
	 const unsigned char secret[JSONHASH_SECRET_BYTES], const char *const *without)
{
	struct hasher h = {
	    .end = (const byte *)data + length,
	    .secret = secret,
	    .key_seed = seed_at(secret, 0),
	    .object_seed = seed_at(secret, 8),
	    .array_seed = seed_at(secret, 16),
	    .without = without != NULL && *without != NULL ? without : NULL,
	};
	XXH128_canonical_t canonical;
	XXH128_hash_t hash;

	hash_value(&h, skip_space((const byte *)data, h.end), seed_at(secret, 24), &hash);
	XXH128_canonicalFromHash(&canonical, hash);
	memcpy(out, canonical.digest, JSONHASH_BYTES);
}
