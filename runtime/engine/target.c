/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/target -- see target.h.
 */
#include "engine/target.h"
#include "engine/budget.h"
#include "engine/grant.h"
#include "engine/template_sign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 32

/* What templates name, and how this connection says who it is. */
static int
make_scope(TALLOC_CTX *mem, struct node *node, const struct connection *c,
	   const struct refresh_state *state, struct expand_scope *scope, struct grant *grant,
	   struct error *err)
{
	const struct expand_moment *moment = scope->moment;
	const char *metadata = c->metadata == NULL ? "{}" : c->metadata;

	if (grant_of_connection(mem, node, c, state, grant, err) < 0)
		return -1;
	auth_scope(&grant->auth, scope);
	scope->moment = moment;
	return json_parse(mem, metadata, strlen(metadata), &scope->metadata, err);
}

/* A number or truth is text in a header. The tree is shared: json-c's own text would be kept in
 * it.
 */
static const char *
scalar_text(TALLOC_CTX *mem, struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	if (value == NULL || json_object_is_type(value, json_type_object) ||
	    json_object_is_type(value, json_type_array))
		return NULL;
	return json_text_shared(mem, value);
}

/* A header without a placeholder says how the API is spoken to, not who speaks: a request may
 * have its own. Who we say that we are is the template's. */
static bool
is_default(const char *name, const char *template)
{
	return strstr(template, "${") == NULL && strcasecmp(name, "user-agent") != 0;
}

/* A section of name: template pairs. One that does not resolve is left out. */
static int
expand_fields(TALLOC_CTX *mem, struct json_object *section, const struct expand_scope *scope,
	      struct http_field *out, size_t *count, struct http_field *defaults,
	      struct error *err)
{
	size_t defaults_count = 0;

	if (section == NULL)
		return 0;
	json_object_object_foreach (section, name, value) {
		const char *template = scalar_text(mem, value);
		char *text;

		if (template == NULL)
			continue;
		if (defaults != NULL && defaults_count < HEADERS_MAX &&
		    is_default(name, template)) {
			defaults[defaults_count++] = (struct http_field){name, template};
			continue;
		}
		if (*count == HEADERS_MAX)
			return error_set(err, ERR_TEMPLATE,
					 "a template puts in over %d headers", HEADERS_MAX);
		if (expand(mem, template, scope, EXPAND_TEXT, &text, err) == 0)
			out[(*count)++] = (struct http_field){name, text};
		else if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	return 0;
}

#define BODY_DEPTH_MAX 8

/* A tree with its texts filled in; what does not resolve is left out. NULL: nothing is left. */
static struct json_object *
expand_tree(TALLOC_CTX *mem, struct json_object *tree, const struct expand_scope *scope,
	    int depth)
{
	struct json_object *made;
	struct error err;
	char *text;

	if (json_object_is_type(tree, json_type_object) && depth < BODY_DEPTH_MAX) {
		made = json_object_new_object();
		json_object_object_foreach (tree, name, value) {
			struct json_object *part = expand_tree(mem, value, scope, depth + 1);

			if (part != NULL)
				json_object_object_add(made, name, part);
		}
		return made;
	}
	if (!json_object_is_type(tree, json_type_string)) /* shared: a copy by its text */
		return json_tokener_parse(json_text_shared(mem, tree));
	if (expand(mem, json_object_get_string(tree), scope, EXPAND_TEXT, &text, &err) < 0)
		return NULL;
	return json_object_new_string(text);
}

static const char *
expand_body(TALLOC_CTX *mem, struct json_object *section, const struct expand_scope *scope)
{
	struct json_object *made;
	const char *text;

	if (section == NULL)
		return NULL;
	made = expand_tree(mem, section, scope, 0);
	text = json_text(mem, made);
	json_object_put(made);
	return text;
}

/* A template whose headers carry the token, or the cookies of a login, needs no other. */
static bool
says_who(struct json_object *headers)
{
	static const char *const tokens[] = {"${accessToken}", "${credentials.token}",
					     "${credentials._cookies}"};

	if (headers == NULL)
		return false;
	json_object_object_foreach (headers, name, value) {
		if (strcmp(name, "authorization") == 0)
			return true;
		for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
			if (json_object_is_type(value, json_type_string) &&
			    strstr(json_object_get_string(value), tokens[i]) != NULL)
				return true;
	}
	return false;
}

static int
make_headers(TALLOC_CTX *mem, const struct auth_scheme *scheme, struct json_object *proxy,
	     const struct expand_scope *scope, struct fetch_target *out, struct error *err)
{
	struct http_field *headers = talloc_zero_array(mem, struct http_field, HEADERS_MAX + 2);
	struct http_field *query = talloc_zero_array(mem, struct http_field, HEADERS_MAX + 2);
	struct http_field *defaults =
	    talloc_zero_array(mem, struct http_field, HEADERS_MAX + 2);
	size_t headers_count = 0, query_count = 0;
	const char *authorization = NULL;

	if (headers == NULL || query == NULL || defaults == NULL)
		abort();
	if (scheme->authorization != NULL && !says_who(json_object_in(proxy, "headers")))
		authorization = scheme->authorization(mem, scope->credentials);
	if (authorization != NULL)
		headers[headers_count++] = (struct http_field){"authorization", authorization};
	if (expand_fields(mem, json_object_in(proxy, "headers"), scope, headers, &headers_count,
			  defaults, err) < 0 ||
	    expand_fields(mem, json_object_in(proxy, "query"), scope, query, &query_count, NULL,
			  err) < 0)
		return -1;
	out->headers = headers;
	out->defaults = defaults;
	out->query = query;
	return 0;
}

/* As fetch_sign_fn: with what the mode signs, for as long as the target lives. */
static int
sign(void *arg, TALLOC_CTX *mem, const struct http_outgoing *request,
     const struct http_field **out, struct error *err)
{
	const struct grant *grant = arg;
	struct auth_field fields[AUTH_SIGNED_MAX + 1], *headers;
	struct http_field *made =
	    talloc_zero_array(mem, struct http_field, AUTH_SIGNED_MAX + 1);
	unsigned count = 0;

	while (request->headers[count].name != NULL)
		count++;
	headers = talloc_zero_array(mem, struct auth_field, count + 1);
	if (made == NULL || headers == NULL)
		abort();
	for (unsigned i = 0; i < count; i++)
		headers[i] =
		    (struct auth_field){request->headers[i].name, request->headers[i].value};
	if (grant->scheme->sign(&grant->auth, mem,
				&(struct auth_wire){.method = request->method,
						    .url = request->url,
						    .headers = headers,
						    .body = request->body,
						    .body_length = request->body_length},
				fields, err) < 0)
		return -1;
	for (unsigned i = 0; fields[i].name != NULL; i++)
		made[i] = (struct http_field){fields[i].name, fields[i].value};
	*out = made;
	return 0;
}

int
target_of_grant(TALLOC_CTX *mem, const struct grant *grant, const struct expand_scope *scope,
		struct fetch_target *out, struct error *err)
{
	struct json_object *proxy =
	    json_object_in(template_body(grant->auth.template), "proxy");
	const char *base_url = json_string(proxy, "base_url");
	char *url;

	if (base_url == NULL || expand(mem, base_url, scope, EXPAND_URL, &url, err) < 0)
		return error_set(
		    err, ERR_TEMPLATE,
		    "the base URL of provider %s needs a setting that the connection does not "
		    "have (connection_config)",
		    template_name(grant->auth.template));
	out->base_url = url;
	out->certificate = json_string(grant->auth.credentials, "client_certificate");
	out->private_key = json_string(grant->auth.credentials, "client_private_key");
	out->retry = json_object_in(proxy, "retry");
	out->body = expand_body(mem, json_object_in(proxy, "body"), scope);
	out->idempotency_header = json_string(
	    json_object_in(template_body(grant->auth.template), "x"), "idempotency_header");
	out->decodes = json_boolean(proxy, "decompress", false);
	out->follows_with_all = json_boolean(proxy, "forward_headers_on_redirect", false);
	out->is_renewable =
	    grant->scheme->renew != NULL &&
	    (grant->scheme->is_renewable == NULL || grant->scheme->is_renewable(&grant->auth));
	if (grant->scheme->sign != NULL) {
		out->sign = sign;
		out->sign_arg = talloc_memdup(mem, grant, sizeof(*grant));
	} else if (template_signs(json_object_in(proxy, "headers"))) {
		template_sign(mem, json_object_in(proxy, "headers"), scope, out);
	}
	return make_headers(mem, grant->scheme, proxy, scope, out, err);
}

int
target_open(TALLOC_CTX *mem, struct node *node, const struct connection *c,
	    const struct refresh_state *state, struct fetch_target *out,
	    const char **paginate_json, struct error *err)
{
	struct json_object *proxy, *paginate;
	struct expand_moment moment; /* the same for all that a request carries */
	struct expand_scope scope = {.moment = &moment};
	struct grant grant;

	expand_moment_set(&moment);
	if (make_scope(mem, node, c, state, &scope, &grant, err) < 0 ||
	    target_of_grant(mem, &grant, &scope, out, err) < 0)
		return -1;
	proxy = json_object_in(template_body(grant.auth.template), "proxy");
	out->group = talloc_asprintf(mem, "%" PRId64, c->id);
	out->budget =
	    budget_scopes_of(mem, template_body(grant.auth.template), c, out->base_url);
	paginate = json_object_in(proxy, "paginate");
	*paginate_json = paginate == NULL ? NULL : json_text_shared(mem, paginate);
	return 0;
}
