/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/ask -- see ask.h.
 */
#include "auth/ask.h"
#include "auth/client.h"
#include "auth/wire.h"
#include "base/buf.h"

#include <string.h>

struct json_object *
ask_rules(const struct auth_grant *grant, const char *key)
{
	return json_object_in(json_object_in(template_body(grant->template), "x"), key);
}

/* ---- parts of a request ---- */

static int
add_query(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *from,
	  struct token_request *request, struct error *err)
{
	struct json_object *query;
	struct buf url;

	if (from == NULL)
		return 0;
	if (token_fill(grant, scope, EXPAND_TEXT, true, from, &query, err) < 0)
		return -1;
	buf_init(&url, grant->mem, 256);
	buf_adds(&url, request->url);
	json_object_object_foreach (query, key, value) {
		buf_addc(&url, strchr(url.data, '?') == NULL ? '?' : '&');
		buf_add_url(&url, key);
		buf_addc(&url, '=');
		buf_add_url(&url, json_object_get_string(value));
	}
	request->url = url.data;
	return 0;
}

static int
put_over(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *from,
	 struct json_object **into, struct error *err)
{
	struct json_object *filled;

	if (*into == NULL)
		*into = json_own(grant->mem, json_object_new_object());
	if (token_fill(grant, scope, EXPAND_TEXT, true, from, &filled, err) < 0)
		return -1;
	json_object_object_foreach (filled, key, value)
		json_object_object_add(*into, key, json_object_get(value));
	return 0;
}

int
ask_apply(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *rules,
	  struct token_request *request, struct error *err)
{
	const char *from = json_string(rules, "url"), *client = json_string(rules, "client");
	struct json_object *omit = json_array_in(rules, "omit");
	char *url;

	if (rules == NULL)
		return 0;
	if (from != NULL) {
		if (expand(grant->mem, from, scope, EXPAND_URL, &url, err) < 0)
			return error_prefix(
			    err, "a URL of provider %s: ", template_name(grant->template));
		request->url = url;
	}
	if (json_string(rules, "method") != NULL)
		request->method = json_string(rules, "method");
	if (json_string(rules, "body_format") != NULL)
		request->format = json_string(rules, "body_format");
	if (client != NULL)
		client_named(client, request);
	for (size_t i = 0; omit != NULL && i < json_object_array_length(omit); i++)
		json_object_object_del(
		    request->params,
		    json_object_get_string(json_object_array_get_idx(omit, i)));
	if (put_over(grant, scope, json_object_in(rules, "body"), &request->params, err) < 0 ||
	    put_over(grant, scope, json_object_in(rules, "headers"), &request->headers, err) <
		0)
		return -1;
	return add_query(grant, scope, json_object_in(rules, "query"), request, err);
}

/* ---- requests of their own ---- */

struct signing {
	struct auth_grant *grant;
	const struct auth_scheme *scheme;
};

static int
sign(void *arg, TALLOC_CTX *mem, struct auth_request *request, struct error *err)
{
	const struct signing *s = arg;

	(void)mem;
	return wire_sign(s->grant, s->scheme, request, err);
}

static void
add_authorization(struct auth_grant *grant, const struct auth_scheme *scheme,
		  struct token_request *request)
{
	char *text;

	if (scheme->authorization == NULL ||
	    json_member(request->headers, "authorization") != NULL)
		return;
	text = scheme->authorization(grant->mem, grant->credentials);
	if (text != NULL)
		json_add(request->headers, "authorization", text);
}

int
ask_send(struct auth_grant *grant, const struct auth_scheme *scheme,
	 const struct expand_scope *scope, struct json_object *rules, struct json_object **out,
	 struct error *err)
{
	struct signing signing = {grant, scheme};
	struct token_request request = {.format = "json", .sign = sign, .sign_arg = &signing};
	struct auth_answer answer;
	bool is_clients = json_string(rules, "client") != NULL;

	if (is_clients && client_of_app(grant, &request, err) < 0)
		return -1;
	if (ask_apply(grant, scope, rules, &request, err) < 0)
		return -1;
	if (request.method == NULL)
		request.method =
		    json_object_in(rules, "body") == NULL && !is_clients ? "GET" : "POST";
	if (is_clients)
		request.sign = NULL;
	else
		add_authorization(grant, scheme, &request);
	return out == NULL ? token_ask(grant, &request, &answer, err)
			   : token_send(grant, &request, out, err);
}
