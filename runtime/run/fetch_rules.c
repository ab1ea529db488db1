/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_rules -- see fetch_rules.h.
 */
#include "run/fetch_rules.h"
#include "base/clock.h"
#include "provider/pattern.h"
#include "run/body_path.h"
#include "run/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EPOCH_MS_FROM \
	100000000000LL /* a number over this is milliseconds: the year 5138 in seconds */
#define HEADER_JITTER 0.1

static const char *
header_value(const struct http_field *headers, const char *name)
{
	for (; headers != NULL && headers->name != NULL; headers++)
		if (strcasecmp(headers->name, name) == 0)
			return headers->value;
	return NULL;
}

/* The i-th text of a member that may be one text or a list; NULL at the end. */
static const char *
text_at(struct json_object *rules, const char *key, size_t i)
{
	struct json_object *value = json_member(rules, key);

	if (json_object_is_type(value, json_type_array)) {
		if (i >= json_object_array_length(value))
			return NULL;
		return json_object_get_string(json_object_array_get_idx(value, i));
	}
	return i == 0 && value != NULL ? json_object_get_string(value) : NULL;
}

bool
fetch_status_matches(const char *code, int status)
{
	char *rest;
	long first = strtol(code, &rest, 10), last = first;

	if (strcasecmp(rest, "xx") == 0)
		return status / 100 == first;
	if (*rest == '-')
		last = strtol(rest + 1, &rest, 10);
	return *rest == '\0' && status >= first && status <= last;
}

enum left { LEFT_UNKNOWN, LEFT_SOME, LEFT_NONE };

/* What the `remaining` headers say of the provider's limit. */
static enum left
what_is_left(struct json_object *rules, const struct http_field *headers)
{
	enum left left = LEFT_UNKNOWN;
	const char *name, *value;

	for (size_t i = 0; (name = text_at(rules, "remaining", i)) != NULL; i++) {
		value = header_value(headers, name);
		if (value != NULL && strcmp(value, "0") == 0)
			return LEFT_NONE;
		if (value != NULL)
			left = LEFT_SOME;
	}
	return left;
}

static bool
has_any(struct json_object *rules, const char *key, const struct http_field *headers)
{
	const char *name;

	for (size_t i = 0; (name = text_at(rules, key, i)) != NULL; i++)
		if (header_value(headers, name) != NULL)
			return true;
	return false;
}

bool
fetch_may_repeat(struct json_object *rules, int status, const struct http_field *headers)
{
	enum left left = what_is_left(rules, headers);
	const char *code;

	if (status >= 400 && left == LEFT_NONE)
		return true;
	if (status == 403 && left == LEFT_SOME && !has_any(rules, "after", headers))
		return false;
	if (text_at(rules, "error_code", 0) == NULL)
		return status >= 500 || status == 429 || status == 401;
	for (size_t i = 0; (code = text_at(rules, "error_code", i)) != NULL; i++)
		if (fetch_status_matches(code, status))
			return true;
	return false;
}

bool
fetch_is_used_up(struct json_object *rules, const struct http_field *headers)
{
	return what_is_left(rules, headers) == LEFT_NONE;
}

bool
fetch_is_refused(struct json_object *rules, int status, const struct http_field *headers)
{
	if (status == 429 || (status >= 400 && fetch_is_used_up(rules, headers)))
		return true;
	return (status == 403 || status == 503) && text_at(rules, "error_code", 0) != NULL &&
	       has_any(rules, "after", headers) && fetch_may_repeat(rules, status, headers);
}

/* Whole or decimal digits only; -1 otherwise. */
static double
plain_number(const char *text)
{
	char *end;
	double number;

	if (*text < '0' || *text > '9' || strlen(text) > 20)
		return -1;
	number = strtod(text, &end);
	return *end == '\0' ? number : -1;
}

static int64_t
until_ms(const char *text, bool is_delay, int64_t now_ms)
{
	double number = plain_number(text);
	int64_t when;

	if (number >= 0 && is_delay)
		return number > 1e9 ? FETCH_PARK_MAX_MS : (int64_t)(number * 1000);
	if (number >= 0)
		when = (int64_t)(number < EPOCH_MS_FROM ? number * 1000 : number);
	else if (clock_parse(text, &when) < 0)
		return -1;
	return when - now_ms;
}

/* The longest wait that these headers ask for; -1: none does. */
static int64_t
asked_ms(struct json_object *rules, const char *key, const struct http_field *headers,
	 int64_t now_ms)
{
	int64_t longest = -1;
	const char *name;

	for (size_t i = 0; (name = text_at(rules, key, i)) != NULL; i++) {
		const char *value = header_value(headers, name);
		int64_t wait =
		    value == NULL ? -1 : until_ms(value, strcmp(key, "after") == 0, now_ms);

		if (wait > longest)
			longest = wait;
	}
	return longest;
}

static int64_t
backoff_ms(unsigned attempt, double random)
{
	int64_t most = FETCH_BACKOFF_MS;

	for (; attempt > 0 && most < FETCH_WAIT_MAX_MS; attempt--)
		most *= 2;
	if (most > FETCH_WAIT_MAX_MS)
		most = FETCH_WAIT_MAX_MS;
	return (int64_t)((double)most * (0.5 + random / 2));
}

char *
fetch_told(TALLOC_CTX *mem, struct json_object *rules, const char *body, size_t length)
{
	struct json_object *in_body = json_object_in(rules, "in_body");
	const char *path = json_string(in_body, "path");
	const char *pattern = json_string(in_body, "value");
	struct jsonspan_fault fault;
	char *text;

	if (path == NULL || pattern == NULL || jsonspan_check(body, length, &fault) < 0)
		return NULL;
	text = body_text(mem, body_path_find(mem, jsonspan_trim(body, length), path));
	return text == NULL ? NULL : pattern_capture(mem, pattern, text);
}

int64_t
fetch_asked_ms(struct json_object *rules, int status, const struct http_field *headers,
	       const char *told, int64_t now_wall_ms)
{
	int64_t after = asked_ms(rules, "after", headers, now_wall_ms);
	bool is_no_limit = status == 500 || status == 502 || status == 504 ||
			   what_is_left(rules, headers) == LEFT_SOME;
	int64_t at = is_no_limit ? -1 : asked_ms(rules, "at", headers, now_wall_ms);

	int64_t in_body = told == NULL ? -1 : until_ms(told, false, now_wall_ms);

	if (in_body > after)
		after = in_body;
	return after > at ? after : at;
}

int64_t
fetch_wait_ms(struct json_object *rules, int status, const struct http_field *headers,
	      const char *told, unsigned attempt, int64_t now_wall_ms, double random)
{
	int64_t wait = fetch_asked_ms(rules, status, headers, told, now_wall_ms);

	if (wait < 0)
		return backoff_ms(attempt, random);
	wait += (int64_t)((double)wait * HEADER_JITTER * random);
	return wait > FETCH_WAIT_MAX_MS ? FETCH_WAIT_MAX_MS : wait;
}
