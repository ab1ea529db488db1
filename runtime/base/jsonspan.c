/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan -- see jsonspan.h. The checker is a loop over three steps (a value, a key, what
 * comes after a value) with one bit a level for "object or array", so depth costs no stack.
 * Nearly all time goes into strings, hence 16 bytes at a time where SSE2 is there and 8 where
 * it is not.
 */
#include "base/jsonspan.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned char byte;

enum step { STEP_VALUE, STEP_KEY, STEP_AFTER, STEP_END, STEP_FAULT };

struct scan {
	const byte *start, *at, *end;
	const char *reason;
	const byte *fault;
	unsigned depth;
	uint64_t is_object[JSONSPAN_DEPTH_MAX / 64];
	const byte *id_from; /* value of a top-level "id" that is being scanned */
	struct jsonspan id;
};

static enum step
scan_fault(struct scan *s, const byte *where, const char *reason)
{
	s->fault = where;
	s->reason = reason;
	return STEP_FAULT;
}

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

/* Bytes of the UTF-8 sequence at `at`, 0 when it is not one (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF). */
static inline unsigned
utf8_length(const byte *at, const byte *end)
{
	size_t left = (size_t)(end - at);
	byte a = at[0];

	if (a < 0xc2 || a > 0xf4)
		return 0;
	if (left < 2 || (at[1] & 0xc0) != 0x80)
		return 0;
	if (a < 0xe0)
		return 2;
	if (left < 3 || (at[2] & 0xc0) != 0x80)
		return 0;
	if (a < 0xf0)
		return (a == 0xe0 && at[1] < 0xa0) || (a == 0xed && at[1] > 0x9f) ? 0 : 3;
	if (left < 4 || (at[3] & 0xc0) != 0x80)
		return 0;
	return (a == 0xf0 && at[1] < 0x90) || (a == 0xf4 && at[1] > 0x8f) ? 0 : 4;
}

/* The 16 bits of four hex digits, or -1. */
static long
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

/* s->at is a backslash; moves behind the escape. */
static enum step
scan_escape(struct scan *s)
{
	const byte *from = s->at;
	long high, low;

	if (s->end - from < 2)
		return scan_fault(s, s->end, "unfinished string");
	if (from[1] != 'u') {
		if (from[1] == '\0' || strchr("\"\\/bfnrt", from[1]) == NULL)
			return scan_fault(s, from, "unknown escape");
		s->at += 2;
		return STEP_AFTER;
	}
	high = hex4(from + 2, s->end);
	if (high < 0)
		return scan_fault(s, from, "\\u needs four hex digits");
	s->at += 6;
	if (high < 0xd800 || high > 0xdfff)
		return STEP_AFTER;
	if (high > 0xdbff || s->end - s->at < 2 || s->at[0] != '\\' || s->at[1] != 'u')
		return scan_fault(s, from, "lone surrogate");
	low = hex4(s->at + 2, s->end);
	if (low < 0xdc00 || low > 0xdfff)
		return scan_fault(s, from, "lone surrogate");
	s->at += 6;
	return STEP_AFTER;
}

/* s->at is the opening quote; moves behind the closing one. */
static inline enum step
scan_string(struct scan *s)
{
	unsigned length;

	s->at++;
	for (;;) {
		s->at = skip_plain(s->at, s->end);
		if (s->at >= s->end)
			return scan_fault(s, s->end, "unfinished string");
		if (*s->at == '"') {
			s->at++;
			return STEP_AFTER;
		}
		if (*s->at == '\\') {
			if (scan_escape(s) == STEP_FAULT)
				return STEP_FAULT;
			continue;
		}
		if (*s->at < 0x20)
			return scan_fault(s, s->at, "control character in a string");
		while (s->at < s->end && *s->at >= 0x80) {
			length = utf8_length(s->at, s->end);
			if (length == 0)
				return scan_fault(s, s->at, "invalid UTF-8");
			s->at += length;
		}
	}
}

static inline const byte *
skip_digits(const byte *at, const byte *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static inline enum step
scan_number(struct scan *s)
{
	const byte *at = s->at, *end = s->end, *from;

	at += *at == '-';
	from = at;
	at = skip_digits(at, end);
	if (at == from)
		return scan_fault(s, at, "a digit is missing");
	if (*from == '0' && at - from > 1)
		return scan_fault(s, from, "leading zero");
	if (at < end && *at == '.') {
		from = ++at;
		at = skip_digits(at, end);
		if (at == from)
			return scan_fault(s, at, "a digit is missing after the point");
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		from = at;
		at = skip_digits(at, end);
		if (at == from)
			return scan_fault(s, at, "a digit is missing in the exponent");
	}
	s->at = at;
	return STEP_AFTER;
}

static enum step
scan_word(struct scan *s)
{
	static const struct {
		const char *text;
		size_t length;
	} words[] = {{"true", 4}, {"false", 5}, {"null", 4}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((size_t)(s->end - s->at) >= words[i].length &&
		    memcmp(s->at, words[i].text, words[i].length) == 0) {
			s->at += words[i].length;
			return STEP_AFTER;
		}
	}
	return scan_fault(s, s->at, "a value is expected");
}

static inline bool
scan_in_object(const struct scan *s)
{
	unsigned top = s->depth - 1;

	return (s->is_object[top / 64] >> (top % 64)) & 1;
}

/* s->at is { or [; the next step is a key, a value, or what follows an empty container. */
static inline enum step
scan_open(struct scan *s)
{
	bool is_object = *s->at == '{';
	uint64_t bit = (uint64_t)1 << (s->depth % 64);

	if (s->depth == JSONSPAN_DEPTH_MAX)
		return scan_fault(s, s->at, "nested too deeply");
	if (is_object)
		s->is_object[s->depth / 64] |= bit;
	else
		s->is_object[s->depth / 64] &= ~bit;
	s->depth++;
	s->at = skip_space(s->at + 1, s->end);
	if (s->at < s->end && *s->at == (is_object ? '}' : ']')) {
		s->at++;
		s->depth--;
		return STEP_AFTER;
	}
	return is_object ? STEP_KEY : STEP_VALUE;
}

static inline enum step
scan_value(struct scan *s)
{
	s->at = skip_space(s->at, s->end);
	if (s->at >= s->end)
		return scan_fault(s, s->end, "unfinished");
	if (*s->at == '"')
		return scan_string(s);
	if (*s->at == '{' || *s->at == '[')
		return scan_open(s);
	if (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'))
		return scan_number(s);
	return scan_word(s);
}

/* Is the raw quoted string, once unescaped, that name? */
static bool
key_is(struct jsonspan key, const char *name, size_t length)
{
	char small[64];
	long n;

	if (memchr(key.data, '\\', key.length) == NULL)
		return key.length == length + 2 && memcmp(key.data + 1, name, length) == 0;
	if (key.length > sizeof(small) && key.length > 6 * length + 2)
		return false; /* no escape is longer than six bytes a byte */
	if (key.length > sizeof(small)) {
		char *big = malloc(key.length);
		bool is_same;

		if (big == NULL)
			return false;
		n = jsonspan_unescape(key, big);
		is_same = n == (long)length && memcmp(big, name, length) == 0;
		free(big);
		return is_same;
	}
	n = jsonspan_unescape(key, small);
	return n == (long)length && memcmp(small, name, length) == 0;
}

static inline enum step
scan_key(struct scan *s)
{
	const byte *from;
	struct jsonspan key;

	s->at = skip_space(s->at, s->end);
	if (s->at >= s->end)
		return scan_fault(s, s->end, "unfinished");
	if (*s->at != '"')
		return scan_fault(s, s->at,
				  *s->at == '}' ? "trailing comma"
						: "a quoted member name is expected");
	from = s->at;
	if (scan_string(s) == STEP_FAULT)
		return STEP_FAULT;
	key = (struct jsonspan){(const char *)from, (size_t)(s->at - from)};
	s->at = skip_space(s->at, s->end);
	if (s->at >= s->end || *s->at != ':')
		return scan_fault(s, s->at, "a colon is expected");
	s->at++;
	if (s->depth == 1 && key_is(key, "id", 2))
		s->id_from = skip_space(s->at, s->end);
	return STEP_VALUE;
}

static inline enum step
scan_after(struct scan *s)
{
	bool in_object;
	byte c;

	if (s->depth == 0)
		return STEP_END;
	if (s->depth == 1 && s->id_from != NULL) {
		s->id =
		    (struct jsonspan){(const char *)s->id_from, (size_t)(s->at - s->id_from)};
		s->id_from = NULL;
	}
	s->at = skip_space(s->at, s->end);
	if (s->at >= s->end)
		return scan_fault(s, s->end, "unfinished");
	in_object = scan_in_object(s);
	c = *s->at;
	if (c == ',') {
		s->at = skip_space(s->at + 1, s->end);
		if (!in_object && s->at < s->end && *s->at == ']')
			return scan_fault(s, s->at, "trailing comma");
		return in_object ? STEP_KEY : STEP_VALUE;
	}
	if (c != (in_object ? '}' : ']'))
		return scan_fault(s, s->at,
				  in_object ? "a comma or } is expected"
					    : "a comma or ] is expected");
	s->at++;
	s->depth--;
	return STEP_AFTER;
}

static int
scan_run(struct scan *s)
{
	enum step step = STEP_VALUE;

	while (step < STEP_END) {
		if (step == STEP_VALUE)
			step = scan_value(s);
		else if (step == STEP_KEY)
			step = scan_key(s);
		else
			step = scan_after(s);
	}
	if (step == STEP_END) {
		s->at = skip_space(s->at, s->end);
		if (s->at < s->end)
			step = scan_fault(s, s->at, "something follows the value");
	}
	return step == STEP_END ? 0 : -1;
}

static void
scan_report(const struct scan *s, struct jsonspan_fault *fault)
{
	if (fault == NULL)
		return;
	fault->offset = (size_t)(s->fault - s->start);
	fault->reason = s->reason;
}

static void
scan_init(struct scan *s, const char *data, size_t length)
{
	const byte *start = (const byte *)(data == NULL ? "" : data);

	*s = (struct scan){.start = start, .at = start, .end = start + length};
}

int
jsonspan_check(const char *data, size_t length, struct jsonspan_fault *fault)
{
	struct scan s;

	scan_init(&s, data, length);
	if (scan_run(&s) == 0)
		return 0;
	scan_report(&s, fault);
	return -1;
}

int
jsonspan_check_record(const char *data, size_t length, struct jsonspan *id,
		      struct jsonspan_fault *fault)
{
	const byte *first;
	struct scan s;

	scan_init(&s, data, length);
	first = skip_space(s.at, s.end);
	if (first < s.end && *first != '{')
		scan_fault(&s, first, "a record must be an object");
	else if (scan_run(&s) == 0) {
		*id = s.id;
		return 0;
	}
	scan_report(&s, fault);
	return -1;
}

/* ---- walking bytes that were checked --------------------------------------------------- */

struct jsonspan
jsonspan_trim(const char *data, size_t length)
{
	const byte *at = (const byte *)data, *end = at + length;

	if (data == NULL)
		return (struct jsonspan){0};
	at = skip_space(at, end);
	while (end > at &&
	       (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	return (struct jsonspan){(const char *)at, (size_t)(end - at)};
}

enum jsonspan_type
jsonspan_type(struct jsonspan value)
{
	if (value.data == NULL || value.length == 0)
		return JSONSPAN_NONE;
	switch (value.data[0]) {
	case '{':
		return JSONSPAN_OBJECT;
	case '[':
		return JSONSPAN_ARRAY;
	case '"':
		return JSONSPAN_STRING;
	case 't':
	case 'f':
		return JSONSPAN_BOOLEAN;
	case 'n':
		return JSONSPAN_NULL;
	default:
		return JSONSPAN_NUMBER;
	}
}

/* at is an opening quote; behind the closing one, or end. */
static const byte *
skip_string(const byte *at, const byte *end)
{
	for (at++; at < end; at++) {
		at = skip_plain(at, end);
		if (at >= end)
			return end;
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return end;
}

static const byte *
skip_container(const byte *at, const byte *end)
{
	size_t depth = 0;

	while (at < end) {
		byte c = *at;

		if (c == '"') {
			at = skip_string(at, end);
			continue;
		}
		at++;
		if ((c | 0x20) == '{')
			depth++;
		else if ((c | 0x20) == '}' && --depth == 0)
			return at;
	}
	return end;
}

static const byte *
skip_value(const byte *at, const byte *end)
{
	if (at >= end)
		return end;
	if (*at == '"')
		return skip_string(at, end);
	if ((*at | 0x20) == '{')
		return skip_container(at, end);
	while (at<end && * at> ' ' && *at != ',' && *at != ']' && *at != '}' && *at != ':')
		at++;
	return at;
}

const char *
jsonspan_skip(const char *at, const char *end)
{
	return (const char *)skip_value((const byte *)at, (const byte *)end);
}

/*
 * Moves the cursor to the next element of a container and says where it begins; NULL at the
 * end. The cursor is 0 only before the first one: the opening bracket is byte 0.
 */
static const byte *
walk_to(struct jsonspan container, char open, size_t *cursor, const byte **end)
{
	const byte *start = (const byte *)container.data, *at;

	if (container.data == NULL || container.length < 2 || container.data[0] != open)
		return NULL;
	*end = start + container.length;
	at = skip_space(start + (*cursor == 0 ? 1 : *cursor), *end);
	if (*cursor != 0 && at < *end && *at == ',')
		at = skip_space(at + 1, *end);
	if (at >= *end || *at == ']' || *at == '}' || *at == ',')
		return NULL;
	return at;
}

bool
jsonspan_next_item(struct jsonspan array, size_t *cursor, struct jsonspan *item)
{
	const byte *end, *at = walk_to(array, '[', cursor, &end), *stop;

	if (at == NULL)
		return false;
	stop = skip_value(at, end);
	if (stop == at)
		return false;
	*item = (struct jsonspan){(const char *)at, (size_t)(stop - at)};
	*cursor = (size_t)((const char *)stop - array.data);
	return true;
}

bool
jsonspan_next_member(struct jsonspan object, size_t *cursor, struct jsonspan *key,
		     struct jsonspan *value)
{
	const byte *end, *at = walk_to(object, '{', cursor, &end), *key_end, *stop;

	if (at == NULL || *at != '"')
		return false;
	key_end = skip_string(at, end);
	stop = skip_space(key_end, end);
	if (stop >= end || *stop != ':')
		return false;
	*key = (struct jsonspan){(const char *)at, (size_t)(key_end - at)};
	at = skip_space(stop + 1, end);
	stop = skip_value(at, end);
	if (stop == at)
		return false;
	*value = (struct jsonspan){(const char *)at, (size_t)(stop - at)};
	*cursor = (size_t)((const char *)stop - object.data);
	return true;
}

struct jsonspan
jsonspan_member(struct jsonspan object, const char *name)
{
	struct jsonspan key, value, found = {0};
	size_t cursor = 0, length = strlen(name);

	while (jsonspan_next_member(object, &cursor, &key, &value)) {
		if (key_is(key, name, length))
			found = value;
	}
	return found;
}

static char *
put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* at is behind a backslash; the byte behind the escape, or NULL. */
static const byte *
unescape_one(const byte *at, const byte *end, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	long c, low;

	if (at >= end)
		return NULL;
	if (*at != 'u') {
		found = *at == '\0' ? NULL : strchr(from, *at);
		if (found == NULL)
			return NULL;
		*(*out)++ = to[found - from];
		return at + 1;
	}
	c = hex4(++at, end);
	if (c < 0)
		return NULL;
	at += 4;
	if (c >= 0xd800 && c <= 0xdfff) {
		low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2, end) : -1;
		if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
			return NULL;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		at += 6;
	}
	*out = put_utf8(*out, (unsigned long)c);
	return at;
}

long
jsonspan_unescape(struct jsonspan string, char *out)
{
	const byte *at, *end, *slash;
	char *to = out;

	if (jsonspan_type(string) != JSONSPAN_STRING || string.length < 2)
		return -1;
	at = (const byte *)string.data + 1;
	end = at + string.length - 2;
	while (at < end) {
		slash = memchr(at, '\\', (size_t)(end - at));
		if (slash == NULL)
			slash = end;
		memcpy(to, at, (size_t)(slash - at));
		to += slash - at;
		if (slash == end)
			break;
		at = unescape_one(slash + 1, end, &to);
		if (at == NULL)
			return -1;
	}
	*to = '\0';
	return to - out;
}

bool
jsonspan_integer(struct jsonspan number, int64_t *out)
{
	bool is_negative;
	uint64_t value = 0;
	size_t i;

	if (jsonspan_type(number) != JSONSPAN_NUMBER)
		return false;
	is_negative = number.data[0] == '-';
	i = is_negative;
	if (i == number.length)
		return false;
	for (; i < number.length; i++) {
		unsigned digit = (unsigned)(number.data[i] - '0');

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (value > (uint64_t)INT64_MAX + is_negative)
		return false;
	*out = (int64_t)(is_negative ? 0 - value : value);
	return true;
}

bool
jsonspan_number(struct jsonspan number, double *out)
{
	char small[128], *text = small, *end;
	double value;
	bool is_ok;

	if (jsonspan_type(number) != JSONSPAN_NUMBER)
		return false;
	if (number.length >= sizeof(small) && (text = malloc(number.length + 1)) == NULL)
		return false;
	memcpy(text, number.data, number.length);
	text[number.length] = '\0';
	value = strtod(text, &end);
	is_ok = end == text + number.length && __builtin_isfinite(value);
	if (text != small)
		free(text);
	if (is_ok)
		*out = value;
	return is_ok;
}

void
jsonspan_place(const char *data, size_t offset, int *line, int *column)
{
	const char *at = data, *end = data + offset, *found;
	int lines = 1;

	while ((found = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		lines++;
		at = found + 1;
	}
	*line = lines;
	*column = (int)(end - at) + 1;
}
