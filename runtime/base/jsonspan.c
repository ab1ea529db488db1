/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan -- see jsonspan.h. The checker is a loop over three steps (a value, a key, what
 * comes after a value) with one bit a level for "object or array", so depth costs no stack.
 */
#include "base/jsonspan_internal.h"

#include <string.h>

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
	if (s->depth == 1 && jsonspan_text_is(key, "id", 2))
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
