/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/template_sign -- see template_sign.h.
 */
#include "engine/template_sign.h"
#include "auth/canonical.h"
#include "auth/sigv4.h"
#include "run/fetch_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FUNCTION "awsSigV4("
#define FORM "application/x-www-form-urlencoded"

/* What a header may name of the request that it signs. */
static const char *const names[] = {
    "method",
    "host",
    "path",
    "params",
    "endpoint",
    "contentType",
    "urlCanonicalParams",
    "bodyCanonicalParams",
};

struct signing_headers {
	struct json_object *headers;
	struct expand_scope scope;
};

/* One try: what is known of it, and the headers that it gets. */
struct
try {
	TALLOC_CTX *mem;
	const struct http_outgoing *request;
	const struct http_field *headers; /* all but those that sign */
	struct expand_moment moment;
	struct http_field *fields; /* those of the template */
	size_t count;
	struct sigv4_signed made; /* count 0: nothing is signed yet */
};

static void
see_name(void *arg, const char *name)
{
	bool *is_found = arg;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		*is_found |= strcmp(name, names[i]) == 0;
}

static void
see_fault(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static bool
signs(struct json_object *value)
{
	bool is_found = false;
	const struct expand_visitor visitor = {see_name, see_fault, &is_found};

	if (!json_object_is_type(value, json_type_string))
		return false;
	if (strstr(json_object_get_string(value), FUNCTION) != NULL)
		return true;
	expand_visit(json_object_get_string(value), &visitor);
	return is_found;
}

bool
template_signs(struct json_object *headers)
{
	if (headers == NULL)
		return false;
	json_object_object_foreach (headers, name, value) {
		(void)name;
		if (signs(value))
			return true;
	}
	return false;
}

/* As expand_sign_fn: key id, secret, region, service and perhaps the host. */
static int
sign_aws(void *arg, TALLOC_CTX *mem, char *const *arguments, size_t count, char **out,
	 struct error *err)
{
	struct try *try = arg;
	const struct sigv4_keys keys = {.id = arguments[0], .secret = arguments[1]};
	const struct sigv4_scope scope = {.region = arguments[2],
					  .service = arguments[3],
					  .time_s = try->moment.now_ms / 1000};
	struct sigv4_request what = {.method = try->request->method,
				     .url = try->request->url,
				     .body = try->request->body,
				     .body_length = try->request->body_length};
	struct sigv4_header *headers;

	(void)count; /* the host that is signed is the one that is asked */
	while (try->headers[what.header_count].name != NULL)
		what.header_count++;
	headers = talloc_array(mem, struct sigv4_header, (unsigned)what.header_count + 1);
	if (headers == NULL)
		abort();
	for (size_t i = 0; i < what.header_count; i++)
		headers[i] = (struct sigv4_header){try->headers[i].name, try->headers[i].value};
	what.headers = headers;
	if (sigv4_sign(try->mem, &keys, &scope, &what, &try->made, err) < 0)
		return -1;
	*out = talloc_strdup(mem, try->made.headers[0].value);
	return 0;
}

static int
put(struct try *try, const char *name, const char *value, struct error *err)
{
	for (size_t i = 0; i < try->count; i++)
		if (strcasecmp(try->fields[i].name, name) == 0) {
			try->fields[i].value = value;
			return 0;
		}
	if (try->count == FETCH_FIELDS_MAX)
		return error_set(err, ERR_TEMPLATE, "a template puts in over %d headers",
				 FETCH_FIELDS_MAX);
	try->fields[try->count++] = (struct http_field){name, value};
	return 0;
}

/* Of the template's headers those that sign, or the others; one that does not resolve is left
 * out. */
static int
fill(struct try *try, const struct signing_headers *s, const struct expand_scope *scope,
     bool that_sign, struct error *err)
{
	json_object_object_foreach (s->headers, name, value) {
		char *text;

		if (!json_object_is_type(value, json_type_string) || signs(value) != that_sign)
			continue;
		if (expand(try->mem, json_object_get_string(value), scope, EXPAND_TEXT, &text,
			   err) == 0) {
			if (put(try, name, text, err) < 0)
				return -1;
		} else if (err->code != ERR_NOT_FOUND) {
			return -1;
		}
	}
	return 0;
}

/* ---- what they name ---- */

static const char *
content_type(const struct try *try)
{
	for (const struct http_field *f = try->headers; f->name != NULL; f++)
		if (strcasecmp(f->name, "content-type") == 0)
			return f->value;
	return "";
}

/* Parameters of a query, of a body that is a form, or of both: encoded, and sorted by name. */
static int
add_params(const struct try *try, struct json_object *values, const char *name,
	   const char *query, bool with_body, struct error *err)
{
	bool is_form = strncasecmp(content_type(try), FORM, strlen(FORM)) == 0;
	struct canonical_pairs pairs;

	canonical_pairs_init(&pairs, try->mem);
	if (canonical_pairs_parse(&pairs, query, strlen(query), err) < 0 ||
	    (with_body && is_form &&
	     canonical_pairs_parse(&pairs, try->request->body, try->request->body_length, err) <
		 0))
		return -1;
	canonical_pairs_sort(&pairs);
	json_add(values, name, canonical_pairs_text(try->mem, &pairs));
	return 0;
}

static int
name_request(const struct try *try, struct expand_scope *scope, struct error *err)
{
	struct json_object *values = json_own(try->mem, json_object_new_object());
	struct canonical_url url;

	if (canonical_url_split(try->mem, try->request->url, &url, err) < 0)
		return -1;
	if (scope->values != NULL) {
		json_object_object_foreach (scope->values, key, value)
			json_object_object_add(values, key, json_object_get(value));
	}
	json_add(values, "method", try->request->method);
	json_add(values, "host", url.host);
	json_add(values, "path", url.path);
	json_add(values, "endpoint",
		 url.query[0] == '\0'
		     ? url.path
		     : talloc_asprintf(try->mem, "%s?%s", url.path, url.query));
	json_add(values, "contentType", content_type(try));
	scope->values = values;
	if (add_params(try, values, "urlCanonicalParams", url.query, false, err) < 0 ||
	    add_params(try, values, "bodyCanonicalParams", "", true, err) < 0)
		return -1;
	return add_params(try, values, "params", url.query, true, err);
}

/* As fetch_sign_fn. */
static int
sign(void *arg, TALLOC_CTX *mem, const struct http_outgoing *request,
     const struct http_field **out, struct error *err)
{
	const struct signing_headers *s = arg;
	struct try try = {.mem = mem, .request = request};
	struct expand_scope scope = s->scope;

	expand_moment_set(&try.moment);
	scope.moment = &try.moment;
	scope.sign = sign_aws;
	scope.sign_arg = &try;
	try.fields = talloc_zero_array(mem, struct http_field, FETCH_FIELDS_MAX + 1);
	if (try.fields == NULL)
		abort();
	if (fill(&try, s, &scope, false, err) < 0 ||
	    fetch_overlay(mem, request->headers, try.fields, &try.headers, err) < 0 ||
	    name_request(&try, &scope, err) < 0 || fill(&try, s, &scope, true, err) < 0)
		return -1;
	for (size_t i = 1; i < try.made.count; i++) /* the date, and the hash of the body */
		if (put(&try, try.made.headers[i].name, try.made.headers[i].value, err) < 0)
			return -1;
	*out = try.fields;
	return 0;
}

void
template_sign(TALLOC_CTX *mem, struct json_object *headers, const struct expand_scope *scope,
	      struct fetch_target *target)
{
	struct signing_headers *s = talloc(mem, struct signing_headers);

	if (s == NULL)
		abort();
	*s = (struct signing_headers){headers, *scope};
	target->sign = sign;
	target->sign_arg = s;
}
