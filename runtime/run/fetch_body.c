/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_body -- see fetch_body.h.
 */
#include "run/fetch_body.h"
#include "base/buf.h"
#include "base/jsonmerge.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { KIND_OTHER, KIND_JSON, KIND_FORM };

static bool
is_type(const char *text, size_t length, const char *type)
{
	return strlen(type) == length && strncasecmp(text, type, length) == 0;
}

static enum kind
kind_of(const char *content_type)
{
	size_t length;

	if (content_type == NULL || content_type[0] == '\0')
		return KIND_JSON;
	length = strcspn(content_type, "; \t");
	if (is_type(content_type, length, "application/json") ||
	    (length > 5 && is_type(content_type + length - 5, 5, "+json")))
		return KIND_JSON;
	return is_type(content_type, length, "application/x-www-form-urlencoded") ? KIND_FORM
										  : KIND_OTHER;
}

bool
fetch_body_is_filled(const struct fetch_target *target, const char *method,
		     const char *content_type)
{
	static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};

	if (target->body == NULL || kind_of(content_type) == KIND_OTHER)
		return false;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i], method) == 0)
			return true;
	return false;
}

static int
fill_json(struct buf *out, const char *put_in, const char *body, size_t length,
	  struct error *err)
{
	struct jsonspan patch = jsonspan_trim(put_in, strlen(put_in)), own;
	struct jsonspan_fault fault;

	if (length == 0) {
		buf_adds(out, put_in);
		return 0;
	}
	if (jsonspan_check(body, length, &fault) < 0)
		return error_set(
		    err, ERR_BAD_REQUEST,
		    "the template puts something into the body, which is not JSON: "
		    "byte %zu: %s",
		    fault.offset, fault.reason);
	own = jsonspan_trim(body, length);
	if (own.data[0] == '{')
		jsonmerge(out, own, patch);
	else /* a list has no members */
		buf_add(out, body, length);
	return 0;
}

static bool
is_named(TALLOC_CTX *mem, const char *pair, size_t length, struct json_object *put_in)
{
	const char *equals = memchr(pair, '=', length);
	char *name =
	    talloc_strndup(mem, pair, equals == NULL ? length : (size_t)(equals - pair));

	return http_percent_decode(name, true) == 0 &&
	       json_object_object_get_ex(put_in, name, NULL);
}

static void
fill_form(TALLOC_CTX *mem, struct buf *out, struct json_object *put_in, const char *body,
	  size_t length)
{
	for (size_t at = 0, n; at < length; at += n + 1) {
		const char *end = memchr(body + at, '&', length - at);

		n = end == NULL ? length - at : (size_t)(end - body) - at;
		if (n == 0 || is_named(mem, body + at, n, put_in))
			continue;
		if (out->length > 0)
			buf_addc(out, '&');
		buf_add(out, body + at, n);
	}
	json_object_object_foreach (put_in, name, value) {
		if (out->length > 0)
			buf_addc(out, '&');
		buf_add_url(out, name);
		buf_addc(out, '=');
		buf_add_url(out, json_object_is_type(value, json_type_string)
				     ? json_object_get_string(value)
				     : json_text(mem, value));
	}
}

int
fetch_body(TALLOC_CTX *mem, const struct fetch_target *target, const char *content_type,
	   const char *body, size_t length, const char **out, size_t *out_length,
	   struct error *err)
{
	struct json_object *put_in;
	struct buf made;

	buf_init(&made, mem, length + strlen(target->body) + 2);
	if (kind_of(content_type) == KIND_JSON) {
		if (fill_json(&made, target->body, body, length, err) < 0)
			return -1;
	} else {
		if (json_parse(mem, target->body, strlen(target->body), &put_in, err) < 0)
			return -1;
		fill_form(mem, &made, put_in, body, length);
	}
	*out = made.data;
	*out_length = made.length;
	return 0;
}
