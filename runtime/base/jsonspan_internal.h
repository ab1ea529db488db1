/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan_internal -- what jsonspan's files share: jsonspan.c (the checker), jsonspan_walk.c
 * (from value to value), jsonspan_text.c (what a value says). Nearly all time goes into
 * strings, hence 16 bytes at a time where SSE2 is there and 8 where it is not.
 */
#ifndef NANGO_BASE_JSONSPAN_INTERNAL_H
#define NANGO_BASE_JSONSPAN_INTERNAL_H

#include "base/jsonspan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned char byte;

static inline const byte *
skip_space(const byte *at, const byte *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

/* The first byte that is not plain text within a string: a quote, a backslash, < 0x20, >= 0x80.
 */
static inline const byte *
skip_plain(const byte *at, const byte *end)
{
#ifdef __SSE2__
	for (; end - at >= 16; at += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
		__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
		__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
		__m128i any = _mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(slash, v));
		unsigned mask = (unsigned)_mm_movemask_epi8(any);

		if (mask != 0)
			return at + __builtin_ctz(mask);
	}
#else
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;

	for (; end - at >= 8; at += 8) {
		uint64_t v, quote, slash;

		memcpy(&v, at, 8);
		quote = v ^ (ones * '"');
		slash = v ^ (ones * '\\');
		/* May stop early on a borrow, never late: the loop below decides. */
		if ((v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) & highs)
			break;
	}
#endif
	while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* The 16 bits of four hex digits, or -1. */
static inline long
hex4(const byte *at, const byte *end)
{
	long value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		byte c = at[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* jsonspan_text.c: jsonspan_text_is for a text with escapes. */
bool jsonspan_escaped_is(struct jsonspan text, const char *plain, size_t length);

/* Is the raw quoted string, once unescaped, that text? */
static inline bool
jsonspan_text_is(struct jsonspan text, const char *plain, size_t length)
{
	if (memchr(text.data, '\\', text.length) != NULL)
		return jsonspan_escaped_is(text, plain, length);
	return text.length == length + 2 && memcmp(text.data + 1, plain, length) == 0;
}

#endif
