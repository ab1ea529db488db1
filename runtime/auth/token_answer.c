/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/token_answer -- what an answer of a token endpoint holds.
 */
#include "auth/ask.h"
#include "base/buf.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A number below this is seconds: as milliseconds it would be a moment of 1970. */
#define MILLISECONDS_FROM (INT64_C(1) << 35)
#define MOMENT_MAX                                                                 \
	INT64_C(253402300799000) /* 9999-12-31T23:59:59Z: what is later never ends \
				  */

static int64_t
bounded(int64_t ms)
{
	return ms > MOMENT_MAX ? MOMENT_MAX : ms;
}

struct json_object *
token_at(struct json_object *tree, const char *path)
{
	struct json_object *found;

	if (path[0] == '\0')
		return tree;
	if (json_object_is_type(tree, json_type_object) &&
	    json_object_object_get_ex(tree, path, &found))
		return found;
	while (*path != '\0') {
		size_t length = strcspn(path, ".");
		char name[128];

		if (length >= sizeof(name))
			return NULL;
		memcpy(name, path, length);
		name[length] = '\0';
		if (json_object_is_type(tree, json_type_array) &&
		    isdigit((unsigned char)name[0]))
			tree = json_object_array_get_idx(tree, (size_t)atol(name));
		else if (!json_object_is_type(tree, json_type_object) ||
			 !json_object_object_get_ex(tree, name, &tree))
			return NULL;
		path += length + (path[length] == '.');
	}
	return tree;
}

const char *
token_text_at(TALLOC_CTX *mem, struct json_object *tree, const char *path)
{
	struct json_object *value = token_at(tree, path);

	if (value == NULL)
		return NULL;
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	if (json_object_is_type(value, json_type_object) ||
	    json_object_is_type(value, json_type_array))
		return NULL;
	return json_text(mem, value);
}

/* ---- forms ---- */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *
decode(TALLOC_CTX *mem, const char *text, size_t length)
{
	char *out = talloc_size(mem, length + 1), *at = out;

	if (out == NULL)
		abort();
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' && i + 2 < length && hex(text[i + 1]) >= 0 &&
		    hex(text[i + 2]) >= 0) {
			*at++ = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		} else {
			*at++ = text[i] == '+' ? ' ' : text[i];
		}
	}
	*at = '\0';
	return out;
}

int
token_from_form(TALLOC_CTX *mem, const char *text, struct json_object **out)
{
	struct json_object *tree;
	size_t end = strlen(text);

	while (end > 0 && isspace((unsigned char)text[end - 1]))
		end--;
	text = talloc_strndup(mem, text, end);
	if (text == NULL)
		abort();
	if (!isalpha((unsigned char)text[0]) || strchr(text, '=') == NULL ||
	    strpbrk(text, "<> {\n") != NULL)
		return -1;
	tree = json_own(mem, json_object_new_object());
	while (*text != '\0') {
		size_t length = strcspn(text, "&"), key = strcspn(text, "=&");
		size_t value = key < length ? key + 1 : length;

		json_add(tree, decode(mem, text, key),
			 decode(mem, text + value, length - value));
		text += length + (text[length] == '&');
	}
	*out = tree;
	return 0;
}

/* ---- times ---- */

static bool
number(struct json_object *value, int64_t *out)
{
	const char *text;
	char *end;

	if (json_object_is_type(value, json_type_int) ||
	    json_object_is_type(value, json_type_double)) {
		*out = json_object_get_int64(value);
		return true;
	}
	if (!json_object_is_type(value, json_type_string))
		return false;
	text = json_object_get_string(value);
	*out = strtoll(text, &end, 10);
	return end != text && (*end == '\0' || *end == '.');
}

int64_t
token_moment(struct json_object *value)
{
	int64_t n;

	if (json_object_is_type(value, json_type_string) &&
	    clock_parse(json_object_get_string(value), &n) == 0)
		return bounded(n);
	if (!number(value, &n) || n <= 0)
		return 0;
	return bounded(n < MILLISECONDS_FROM ? n * 1000 : n);
}

int64_t
token_end(const struct auth_grant *grant, int64_t life_ms)
{
	return life_ms > MOMENT_MAX ? MOMENT_MAX : bounded(grant->now_ms + life_ms);
}

int64_t
token_expiry(const struct auth_grant *grant, struct json_object *answer)
{
	struct json_object *body = template_body(grant->template);
	int64_t fixed = json_integer(body, "token_expires_in_ms", 0), n;
	const char *unit = json_string(body, "expires_in_unit");

	if (token_at(answer, "expires_at") != NULL &&
	    (n = token_moment(token_at(answer, "expires_at"))) > 0)
		return n;
	if (number(token_at(answer, "expires_in"), &n) && n > 0)
		return token_end(grant, n > MOMENT_MAX ? MOMENT_MAX
					: unit != NULL && strcmp(unit, "milliseconds") == 0
					    ? n
					    : n * 1000);
	return fixed > 0 ? token_end(grant, fixed) : 0;
}

int
token_given_expiry(struct json_object *given, struct json_object *out, struct error *err)
{
	struct json_object *value = NULL;
	char iso[CLOCK_ISO_MAX];
	int64_t ms;

	if (!json_object_object_get_ex(given, "expires_at", &value) || value == NULL)
		return 0;
	ms = token_moment(value);
	if (ms == 0)
		return error_set_at(err, ERR_INVALID_BODY, "credentials.expires_at",
				    "must be a time such as 2026-11-23T20:25:00Z");
	clock_iso(iso, ms);
	json_add(out, "expires_at", iso);
	return 0;
}

/* ---- answers of other shapes ---- */

static bool
says_no(const struct auth_grant *grant, struct json_object *rules, struct json_object *answer)
{
	struct json_object *ok = json_object_in(rules, "ok");
	const char *error = json_string(rules, "error"), *text;

	if (ok != NULL) {
		text = token_text_at(grant->mem, answer, json_string(ok, "path"));
		return text == NULL || strcmp(text, json_string(ok, "equals")) != 0;
	}
	text = error == NULL ? NULL : token_text_at(grant->mem, answer, error);
	return text != NULL && text[0] != '\0';
}

int
token_object(const struct auth_grant *grant, struct json_object *answer, struct error *err)
{
	return json_object_is_type(answer, json_type_object)
		   ? 0
		   : error_set(err, ERR_PROVIDER,
			       "%s answered with something else than an object",
			       template_display_name(grant->template));
}

int
token_mapped(const struct auth_grant *grant, struct json_object *answer,
	     struct json_object **out, struct error *err)
{
	static const char *const names[] = {"access_token", "refresh_token", "expires_in",
					    "expires_at"};
	struct json_object *rules = ask_rules(grant, "token_response"), *value;
	const char *error = json_string(rules, "error"), *said = NULL;

	*out = answer;
	if (rules == NULL)
		return 0;
	if (says_no(grant, rules, answer)) {
		if (error != NULL)
			said = token_text_at(grant->mem, answer, error);
		return error_set(err, ERR_PROVIDER, "%s refused: %.300s",
				 template_display_name(grant->template),
				 said != NULL ? auth_redact(grant, said)
					      : token_describe(grant, answer));
	}
	*out = json_own(grant->mem, json_object_new_object());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = json_string(rules, names[i]);

		value = token_at(answer, path == NULL ? names[i] : path);
		if (value != NULL)
			json_object_object_add(*out, names[i], json_object_get(value));
	}
	return 0;
}

/* ---- faults ---- */

const char *
token_describe(const struct auth_grant *grant, struct json_object *answer)
{
	static const char *const telling[] = {"error", "error_description", "error_message",
					      "message"};
	struct buf out;

	buf_init(&out, grant->mem, 256);
	if (!json_object_is_type(answer, json_type_object))
		return "it is no object";
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
		const char *text = json_string(answer, telling[i]);

		if (text != NULL)
			buf_addf(&out, "%s%.200s", out.length == 0 ? "" : ": ",
				 auth_redact(grant, text));
	}
	if (out.length > 0)
		return out.data;
	buf_adds(&out, "it has");
	json_object_object_foreach (answer, key, value) {
		(void)value;
		if (out.length < 300)
			buf_addf(&out, " %.64s", key);
	}
	return out.data;
}

/* ---- settings ---- */

void
token_keep_metadata(struct auth_grant *grant, struct json_object *answer)
{
	struct json_object *names =
	    json_array_in(template_body(grant->template), "token_response_metadata");

	for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++) {
		const char *path = json_object_get_string(json_object_array_get_idx(names, i));
		struct json_object *value = token_at(answer, path);

		if (json_object_is_type(value, json_type_string) ||
		    json_object_is_type(value, json_type_boolean))
			json_object_object_add(grant->config, path, json_object_get(value));
	}
}
