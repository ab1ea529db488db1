/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/verify -- see verify.h.
 */
#include "engine/verify.h"
#include "auth/ask.h"
#include "engine/target.h"
#include "engine/verify_expect.h"
#include "http/client_wait.h"
#include "run/fetch_request.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1024 * 1024)
#define FIELDS_MAX 96

struct verification {
	TALLOC_CTX *mem;
	struct node *node;
	const struct expand_scope *scope;
	struct json_object *rules, *expected;
	struct fetch_target target;
	struct http_field headers[FIELDS_MAX + 1];
};

static const char *
content_type(const struct verification *v)
{
	if (json_object_in(v->expected, "form") != NULL)
		return "application/x-www-form-urlencoded";
	return json_member(v->rules, "data") != NULL ? "application/json" : NULL;
}

/* The target's headers, and the check's own in their places. */
static int
make_headers(struct verification *v, struct error *err)
{
	struct json_object *own = json_object_in(v->rules, "headers");
	const struct http_field *lists[] = {v->target.headers, v->target.defaults};
	size_t count = 0;

	if (own != NULL) {
		json_object_object_foreach (own, name, value) {
			char *text;

			if (count == FIELDS_MAX ||
			    !json_object_is_type(value, json_type_string))
				continue;
			if (expand(v->mem, json_object_get_string(value), v->scope, EXPAND_TEXT,
				   &text, err) == 0)
				v->headers[count++] = (struct http_field){name, text};
			else if (err->code != ERR_NOT_FOUND)
				return -1;
		}
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct http_field *f = lists[i]; f->name != NULL; f++)
			if (count < FIELDS_MAX && json_member(own, f->name) == NULL)
				v->headers[count++] = *f;
	if (content_type(v) != NULL && count < FIELDS_MAX &&
	    json_member(own, "content-type") == NULL)
		v->headers[count++] = (struct http_field){"content-type", content_type(v)};
	v->headers[count] = (struct http_field){NULL, NULL};
	return 0;
}

static char *
make_url(struct verification *v, const char *endpoint)
{
	const struct http_field *query = v->target.query;
	struct buf url;
	size_t length = strlen(v->target.base_url);

	buf_init(&url, v->mem, 256);
	while (length > 0 && v->target.base_url[length - 1] == '/')
		length--;
	buf_add(&url, v->target.base_url, length);
	buf_addf(&url, "%s%s", endpoint[0] == '/' ? "" : "/", endpoint);
	for (; query != NULL && query->name != NULL; query++) {
		buf_addc(&url, strchr(url.data, '?') == NULL ? '?' : '&');
		buf_add_url(&url, query->name);
		buf_addc(&url, '=');
		buf_add_url(&url, query->value);
	}
	return url.data;
}

static int
sign(struct verification *v, struct http_outgoing *request, struct error *err)
{
	const struct http_field *with;

	if (v->target.sign == NULL)
		return 0;
	if (v->target.sign(v->target.sign_arg, v->mem, request, &with, err) < 0)
		return -1;
	return fetch_overlay(v->mem, request->headers, with, &request->headers, err);
}

/* x.verification.form, or data as JSON. */
static int
add_body(struct verification *v, struct http_outgoing *request, struct error *err)
{
	struct json_object *data = json_member(v->rules, "data");
	struct json_object *form = json_object_in(v->expected, "form");
	struct buf body;

	if (data == NULL && form == NULL)
		return 0;
	buf_init(&body, v->mem, 256);
	if (form == NULL) {
		buf_adds(&body, json_text_shared(v->mem, data));
	} else {
		json_object_object_foreach (form, key, value) {
			char *text;

			if (expand(v->mem, json_object_get_string(value), v->scope, EXPAND_TEXT,
				   &text, err) < 0)
				return -1;
			if (body.length > 0)
				buf_addc(&body, '&');
			buf_add_url(&body, key);
			buf_addc(&body, '=');
			buf_add_url(&body, text);
		}
	}
	request->body = body.data;
	request->body_length = body.length;
	return 0;
}

/* 0: it answered as it should. */
static int
ask(struct verification *v, const char *endpoint, struct error *err)
{
	const char *method = json_string(v->rules, "method");
	struct http_outgoing request = {.method = method == NULL ? "GET" : method,
					.url = make_url(v, endpoint),
					.headers = v->headers,
					.certificate = v->target.certificate,
					.private_key = v->target.private_key,
					.timeout_ms = GRANT_TIMEOUT_MS,
					.response_max = ANSWER_MAX};
	struct http_incoming answer;

	if (add_body(v, &request, err) < 0)
		return -1;
	if (sign(v, &request, err) < 0)
		return -1;
	if (http_wait(v->node->waits, v->mem, &request, &answer, err) < 0)
		return error_prefix(err, "the credentials could not be tried: ");
	if (verify_expected(v->mem, v->expected, v->scope, &answer, err) == 0)
		return 0;
	if (err->code != ERR_TEST_FAILED)
		return -1;
	return error_set(
	    err, ERR_TEST_FAILED,
	    "the provider does not take these credentials: it answered %s to %s %s",
	    talloc_strdup(v->mem, err->message), request.method, endpoint);
}

int
verify_grant(TALLOC_CTX *mem, struct node *node, struct grant *grant, struct error *err)
{
	struct json_object *proxy =
	    json_object_in(template_body(grant->auth.template), "proxy");
	struct verification v = {.mem = mem,
				 .node = node,
				 .rules = json_object_in(proxy, "verification"),
				 .expected = ask_rules(&grant->auth, "verification")};
	struct json_object *endpoints = json_array_in(v.rules, "endpoints");
	struct expand_moment moment;
	struct expand_scope scope;
	const char *base = json_string(v.rules, "base_url_override");
	char *url;

	if (endpoints == NULL || json_object_array_length(endpoints) == 0)
		return 0;
	expand_moment_set(&moment);
	auth_scope(&grant->auth, &scope);
	scope.moment = &moment;
	v.scope = &scope;
	if (target_of_grant(mem, grant, &scope, &v.target, err) < 0)
		return -1;
	if (base != NULL) {
		if (expand(mem, base, &scope, EXPAND_URL, &url, err) < 0)
			return -1;
		v.target.base_url = url;
	}
	if (make_headers(&v, err) < 0)
		return -1;
	for (size_t i = 0; i < json_object_array_length(endpoints); i++)
		if (ask(&v, json_object_get_string(json_object_array_get_idx(endpoints, i)),
			err) == 0)
			return 0;
	return -1;
}
