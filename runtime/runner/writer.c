/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/writer -- texts and numbers as JSON. Records go through here member by member, so the
 * common cases are short: a text without anything to escape is looked at 16 bytes at a time,
 * and a number with few decimals needs no trial of formats.
 */
#include "runner/bridge.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Writes the escape of a character that must not stand by itself; at most six bytes. */
static char *
escape(char *at, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt", hex[] = "0123456789abcdef";

	*at++ = '\\';
	for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
		if (c == (unsigned char)shorts[i]) {
			*at++ = shorts[i + 1];
			return at;
		}
	}
	memcpy(at, "u00", 3);
	at[3] = hex[c >> 4];
	at[4] = hex[c & 15];
	return at + 5;
}

/* How many bytes from `at` on need no escape. */
static size_t
plain_length(const char *at, size_t length)
{
	size_t i = 0;

#ifdef __SSE2__
	for (; length - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
		__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
		__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
		unsigned mask =
		    (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));

		if (mask != 0)
			return i + (size_t)__builtin_ctz(mask);
	}
#endif
	while (i < length && (unsigned char)at[i] >= 0x20 && at[i] != '"' && at[i] != '\\')
		i++;
	return i;
}

char *
writer_quote(char *at, const char *text)
{
	size_t left = strlen(text), plain;

	*at++ = '"';
	for (;; text += plain + 1, left -= plain + 1) {
		plain = plain_length(text, left);
		memcpy(at, text, plain);
		at += plain;
		if (plain == left)
			break;
		at = escape(at, (unsigned char)text[plain]);
	}
	*at++ = '"';
	return at;
}

void
writer_string(struct nango_writer *writer, const char *text)
{
	size_t left, plain;

	if (text == NULL) {
		nango_write(writer, "null", 4);
		return;
	}
	left = strlen(text);
	if ((size_t)(writer->end - writer->at) < left + 2)
		writer_grow(writer, left + 2);
	*writer->at++ = '"';
	for (;;) {
		plain = plain_length(text, left);
		nango_write(writer, text, plain);
		if (plain == left)
			break;
		if (writer->end - writer->at < 6)
			writer_grow(writer, 6);
		writer->at = escape(writer->at, (unsigned char)text[plain]);
		text += plain + 1;
		left -= plain + 1;
	}
	nango_write(writer, "\"", 1);
}

/*
 * A number that is some integer of at most 15 digits over a small power of ten: its digits are
 * then the shortest, since no other text of 15 digits or fewer reads as the same double. 0 when
 * it is none.
 */
static size_t
short_digits(char out[32], double number)
{
	static const double powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
	double size = __builtin_fabs(number), scaled;

	if (number == 0 && !__builtin_signbit(number)) {
		memcpy(out, "0", 2);
		return 1;
	}
	if (!(size >= 1e-4 && size < 1e15))
		return 0;
	for (size_t k = 0; k < sizeof(powers) / sizeof(powers[0]); k++) {
		char digits[24], *at = digits + sizeof(digits), *to = out;
		uint64_t n, written = 0;

		scaled = size * powers[k];
		if (scaled >= 1e15)
			return 0;
		n = (uint64_t)(scaled + 0.5);
		if ((double)n / powers[k] != size)
			continue;
		do {
			if (written++ == k && k > 0)
				*--at = '.';
			*--at = (char)('0' + (char)(n % 10));
			n /= 10;
		} while (n > 0 || written <= k);
		if (number < 0)
			*to++ = '-';
		memcpy(to, at, (size_t)(digits + sizeof(digits) - at));
		to += digits + sizeof(digits) - at;
		*to = '\0';
		return (size_t)(to - out);
	}
	return 0;
}

size_t
writer_digits(char out[32], double number)
{
	/* Only numbers below DBL_MIN have fewer digits than 15 and more than those printed. */
	bool is_subnormal = __builtin_fabs(number) < 2.2250738585072014e-308;
	int length = (int)short_digits(out, number);

	if (length > 0)
		return (size_t)length;
	/* JSON has no word for them; the model's check then names the member. */
	if (!__builtin_isfinite(number))
		return (size_t)snprintf(out, 32, "null");
	for (int digits = is_subnormal ? 1 : 15; digits <= 17; digits++) {
		length = snprintf(out, 32, "%.*g", digits, number);
		if (strtod(out, NULL) == number)
			break;
	}
	return (size_t)length;
}

void
writer_number(struct nango_writer *writer, double number)
{
	char text[32];

	nango_write(writer, text, writer_digits(text, number));
}
