/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_request -- see fetch_request.h.
 */
#include "run/fetch_request.h"
#include "run/fetch_body.h"
#include "http/syntax.h"
#include "http/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of the connection, not of the request; and those that say how bytes are framed or packed. */
static const char *const not_the_plugins[] = {
    "host",    "connection",	  "content-length",	 "transfer-encoding", "te",
    "upgrade", "keep-alive",	  "proxy-authorization", "proxy-connection",  "expect",
    "trailer", "accept-encoding",
};

static bool
has_field(const struct http_field *fields, const char *name, bool with_case)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		if ((with_case ? strcmp : strcasecmp)(fields->name, name) == 0)
			return true;
	return false;
}

/* A path as it may stand in a URL: what is encoded stays, what must be encoded is. */
static void
add_path(struct buf *url, const char *path, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"#<>\\^`{|}", c) != NULL)
			buf_addf(url, "%%%02X", c);
		else
			buf_addc(url, (char)c);
	}
}

static void
add_separator(struct buf *url, bool *has_query)
{
	buf_addc(url, *has_query ? '&' : '?');
	*has_query = true;
}

/* The query that stands in the path, less the pairs that the target injects. */
static void
add_own_query(TALLOC_CTX *mem, struct buf *url, const char *query,
	      const struct fetch_target *target, bool *has_query)
{
	char *rest = talloc_strdup(mem, query), *pair;

	while ((pair = strsep(&rest, "&")) != NULL) {
		char *name = talloc_strndup(mem, pair, strcspn(pair, "="));
		bool is_plain = http_percent_decode(name, true) == 0;

		if (*pair == '\0' || (is_plain && has_field(target->query, name, true)))
			continue;
		add_separator(url, has_query);
		add_path(url, pair, strlen(pair));
	}
}

static void
add_pairs(struct buf *url, const struct http_field *pairs, const struct http_field *except,
	  bool *has_query)
{
	for (; pairs != NULL && pairs->name != NULL; pairs++) {
		if (pairs->value == NULL || has_field(except, pairs->name, true))
			continue;
		add_separator(url, has_query);
		buf_add_url(url, pairs->name);
		buf_addc(url, '=');
		buf_add_url(url, pairs->value);
	}
}

static int
add_base(struct buf *url, const struct fetch_target *target, const char *path,
	 struct error *err)
{
	size_t length = strlen(target->base_url);

	if (http_url_is_absolute(path)) {
		if (http_url_same_origin(target->base_url, path))
			return 0;
		return error_set(err, ERR_EGRESS,
				 "%.200s is not on the host of the connection (%.200s); its "
				 "credentials stay there",
				 path, target->base_url);
	}
	while (length > 0 && target->base_url[length - 1] == '/')
		length--;
	buf_add(url, target->base_url, length);
	if (path[0] != '/' && path[0] != '?' && path[0] != '\0')
		buf_addc(url, '/');
	return 0;
}

int
fetch_url(TALLOC_CTX *mem, const struct fetch_target *target, const struct run_request *request,
	  char **out, struct error *err)
{
	const char *path = request->path == NULL ? "" : request->path;
	const char *question = strchr(path, '?');
	bool has_query = false;
	struct buf url;
	char *whole;

	buf_init(&url, mem, 256);
	if (add_base(&url, target, path, err) < 0)
		return -1;
	add_path(&url, path, question == NULL ? strlen(path) : (size_t)(question - path));
	has_query = strchr(url.data, '?') != NULL; /* of the base URL */
	if (question != NULL)
		add_own_query(mem, &url, question + 1, target, &has_query);
	add_pairs(&url, request->query, target->query, &has_query);
	add_pairs(&url, target->query, NULL, &has_query);
	whole = http_url_resolve(mem, url.data, url.data);
	if (whole == NULL)
		return error_set(err, ERR_BAD_REQUEST,
				 "no http or https URL comes out of %.200s and %.200s",
				 target->base_url, path);
	*out = whole;
	return 0;
}

static int
add_field(struct http_field *fields, size_t *n, const char *name, const char *value,
	  struct error *err)
{
	if (*n == FETCH_FIELDS_MAX)
		return error_set(err, ERR_BAD_REQUEST, "the request has over %d headers",
				 FETCH_FIELDS_MAX);
	fields[(*n)++] = (struct http_field){name, value};
	fields[*n] = (struct http_field){NULL, NULL};
	return 0;
}

int
fetch_headers(TALLOC_CTX *mem, const struct fetch_target *target,
	      const struct run_request *request, struct http_field **out, struct error *err)
{
	struct http_field *fields = talloc_array(mem, struct http_field, FETCH_FIELDS_MAX + 1);
	const struct http_field *own = request->headers, *put = target->headers;
	size_t n = 0;

	if (fields == NULL)
		abort();
	for (; own != NULL && own->name != NULL; own++) {
		if (own->value == NULL || has_field(target->headers, own->name, false) ||
		    http_name_is_among(not_the_plugins,
				       sizeof(not_the_plugins) / sizeof(not_the_plugins[0]),
				       own->name))
			continue;
		if (add_field(fields, &n, own->name, own->value, err) < 0)
			return -1;
	}
	for (; put != NULL && put->name != NULL; put++)
		if (add_field(fields, &n, put->name, put->value, err) < 0)
			return -1;
	fields[n] = (struct http_field){NULL, NULL};
	for (put = target->defaults; put != NULL && put->name != NULL; put++)
		if (!has_field(fields, put->name, false) &&
		    add_field(fields, &n, put->name, put->value, err) < 0)
			return -1;
	fields[n] = (struct http_field){NULL, NULL};
	if ((request->body_length > 0 ||
	     fetch_body_is_filled(target, request->method, request->content_type)) &&
	    !has_field(fields, "content-type", false) &&
	    add_field(fields, &n, "Content-Type",
		      request->content_type != NULL ? request->content_type
						    : "application/json",
		      err) < 0)
		return -1;
	fields[n] = (struct http_field){NULL, NULL};
	*out = fields;
	return 0;
}

int
fetch_overlay(TALLOC_CTX *mem, const struct http_field *own, const struct http_field *put,
	      const struct http_field **out, struct error *err)
{
	struct http_field *fields = talloc_array(mem, struct http_field, FETCH_FIELDS_MAX + 1);
	size_t n = 0;

	if (fields == NULL)
		abort();
	for (; own->name != NULL; own++)
		if (!has_field(put, own->name, false) &&
		    add_field(fields, &n, own->name, own->value, err) < 0)
			return -1;
	for (; put->name != NULL; put++)
		if (add_field(fields, &n, put->name, put->value, err) < 0)
			return -1;
	fields[n] = (struct http_field){NULL, NULL};
	*out = fields;
	return 0;
}

const char *
fetch_field(const struct http_field *fields, const char *name)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		if (http_names_equal(fields->name, name))
			return fields->value;
	return NULL;
}

bool
fetch_is_recognised(const struct fetch_target *target, const struct http_field *fields)
{
	return target->idempotency_header != NULL &&
	       fetch_field(fields, target->idempotency_header) != NULL;
}
