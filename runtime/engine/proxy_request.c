/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_request -- what is sent to the provider: the head, and what is put into a body.
 *
 * Of the caller's headers those leave that it names for the provider (Nango-Proxy-…) and those
 * that say what its body is; its own key, cookies and what its client adds stay here. What the
 * template puts in with a placeholder wins over the caller's, a fixed header of it does not.
 */
#include "config.h"

#include "engine/proxy_internal.h"
#include "http/syntax.h"
#include "http/url.h"
#include "run/fetch_body.h"
#include "run/fetch_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX "nango-proxy-"

/* Of the connection, not of the request (RFC 9110 7.6.1), or of the framing. */
static const char *const not_the_callers[] = {
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "keep-alive",
    "expect",
    "trailer",
    "proxy-authorization",
    "proxy-connection",
};

/* The body's own, without the prefix. */
static const char *const of_the_body[] = {"content-type", "content-encoding",
					  "content-language", "content-md5"};

/* Those that may be a secret of the caller's for the connection's host. */
static const char *const not_for_others[] = {"authorization", "cookie", "x-api-key", "api-key"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of the body; as it is named for the provider, if it is. */
static const char *
type_of(const struct proxy *proxy)
{
	const char *named = request_header(proxy->req, PREFIX "content-type");

	return named != NULL ? named : request_header(proxy->req, "content-type");
}

bool
proxy_is_listed(const struct http_field *fields, const char *name)
{
	for (; fields->name != NULL; fields++)
		if (fields->name[0] == 'c' && strcmp(fields->name, "connection") == 0 &&
		    http_list_has(fields->value, name))
			return true;
	return false;
}

static bool
has(const struct http_field *fields, const char *name)
{
	return fetch_field(fields, name) != NULL;
}

bool
proxy_needs_whole_body(const struct proxy *proxy)
{
	const struct fetch_target *target = &proxy->target->target;

	return target->sign != NULL ||
	       fetch_body_is_filled(target, proxy->method, type_of(proxy));
}

/* ---- headers ---- */

struct fields {
	struct http_field *list;
	size_t count;
};

static void
put(struct fields *fields, const char *name, const char *value)
{
	if (fields->count < FETCH_FIELDS_MAX)
		fields->list[fields->count++] = (struct http_field){name, value};
	fields->list[fields->count].name = NULL;
}

/* Named for the provider by the caller. */
static void
put_named(const struct proxy *proxy, const struct http_field *put_in, struct fields *fields)
{
	for (const struct http_field *f = request_headers(proxy->req); f->name != NULL; f++) {
		const char *name = f->name + strlen(PREFIX);

		if (strncmp(f->name, PREFIX, strlen(PREFIX)) != 0 || *name == '\0' ||
		    http_name_is_among(not_the_callers, COUNT(not_the_callers), name) ||
		    has(put_in, name) || proxy_is_listed(request_headers(proxy->req), f->name))
			continue;
		if (proxy->is_foreign &&
		    http_name_is_among(not_for_others, COUNT(not_for_others), name))
			continue;
		put(fields, name, f->value);
	}
}

/* What the body is, unless it was named already: clients send a type of their own beside it. */
static void
put_of_body(const struct proxy *proxy, const struct http_field *put_in, struct fields *fields)
{
	if (proxy->is_body_whole && proxy->body.length == 0)
		return;
	for (const struct http_field *f = request_headers(proxy->req); f->name != NULL; f++)
		if (http_name_is_among(of_the_body, COUNT(of_the_body), f->name) &&
		    !has(put_in, f->name) && !has(fields->list, f->name))
			put(fields, f->name, f->value);
}

static int
put_in_all(const struct http_field *put_in, struct fields *fields, struct error *err)
{
	for (; put_in != NULL && put_in->name != NULL; put_in++) {
		if (!http_is_token(put_in->name, strlen(put_in->name)) ||
		    !http_is_field_value(put_in->value, strlen(put_in->value)))
			return error_set(
			    err, ERR_TEMPLATE,
			    "the header \"%.100s\" that the connection needs holds a "
			    "byte that does not belong there",
			    put_in->name);
		put(fields, put_in->name, put_in->value);
	}
	return 0;
}

static void
put_usual(struct proxy *proxy, struct fields *fields)
{
	const struct fetch_target *target = &proxy->target->target;
	const char *coding = request_header(proxy->req, "accept-encoding");

	for (const struct http_field *f = target->defaults; f != NULL && f->name != NULL; f++)
		if (!has(fields->list, f->name))
			put(fields, f->name, f->value);
	if (proxy->body.length > 0 && !has(fields->list, "content-type") &&
	    !relay_has_body(proxy->req))
		put(fields, "content-type",
		    "application/json"); /* what was put in is all of it */
	if (!has(fields->list, "accept"))
		put(fields, "accept", "*/*");
	if (!has(fields->list, "user-agent"))
		put(fields, "user-agent", "nangod/" PACKAGE_VERSION);
	if (has(fields->list, "accept-encoding"))
		return;
	if (proxy->options.decodes || target->decodes)
		put(fields, "accept-encoding", "gzip");
	else if (coding != NULL)
		put(fields, "accept-encoding", coding);
}

/* Signed as it leaves, each try anew. */
static int
sign(struct proxy *proxy, TALLOC_CTX *mem, struct fields *fields, struct error *err)
{
	const struct fetch_target *target = &proxy->target->target;
	const struct http_outgoing request = {.method = proxy->method,
					      .url = proxy->url,
					      .headers = fields->list,
					      .body = proxy->body.data,
					      .body_length = proxy->body.length};
	const struct http_field *with, *all;

	if (target->sign == NULL || proxy->is_foreign)
		return 0;
	if (target->sign(target->sign_arg, mem, &request, &with, err) < 0 ||
	    fetch_overlay(mem, fields->list, with, &all, err) < 0)
		return -1;
	fields->count = 0;
	return put_in_all(all, fields, err);
}

static void
add_fields(struct buf *head, const struct http_field *fields)
{
	for (; fields->name != NULL; fields++) {
		buf_adds(head, fields->name);
		buf_add(head, ": ", 2);
		buf_adds(head, fields->value);
		buf_add(head, "\r\n", 2);
	}
}

static void
add_framing(struct proxy *proxy, struct buf *head)
{
	bool takes_body = strcmp(proxy->method, "POST") == 0 ||
			  strcmp(proxy->method, "PUT") == 0 ||
			  strcmp(proxy->method, "PATCH") == 0;

	if (!proxy->is_body_whole && relay_body_length(proxy->req) < 0)
		buf_adds(head, "transfer-encoding: chunked\r\n\r\n");
	else if (!proxy->is_body_whole)
		buf_addf(head, "content-length: %lld\r\n\r\n",
			 (long long)relay_body_length(proxy->req));
	else if (takes_body || proxy->body.length > 0)
		buf_addf(head, "content-length: %zu\r\n\r\n", proxy->body.length);
	else
		buf_add(head, "\r\n", 2);
}

bool
proxy_fills_body(const struct proxy *proxy)
{
	return !proxy->is_foreign &&
	       fetch_body_is_filled(&proxy->target->target, proxy->method, type_of(proxy));
}

/* Once: a body that was filled is the same when it is filled again. */
static int
fill_body(struct proxy *proxy, struct error *err)
{
	const struct fetch_target *target = &proxy->target->target;
	TALLOC_CTX *mem;
	const char *made;
	size_t length;
	int result;

	if (!proxy_fills_body(proxy))
		return 0;
	mem = talloc_new(proxy);
	result = fetch_body(mem, target, type_of(proxy), proxy->body.data, proxy->body.length,
			    &made, &length, err);
	if (result == 0) {
		buf_reset(&proxy->body);
		buf_add(&proxy->body, made, length);
	}
	talloc_free(mem);
	return result;
}

int
proxy_head(struct proxy *proxy, TALLOC_CTX *mem, struct buf *head, struct error *err)
{
	const struct fetch_target *target = &proxy->target->target;
	bool puts_in =
	    !proxy->is_foreign || target->follows_with_all || proxy->options.follows_with_all;
	const struct http_field *put_in = puts_in ? target->headers : NULL;
	struct http_field list[FETCH_FIELDS_MAX + 1];
	struct fields fields = {.list = list};

	list[0].name = NULL;
	if (fill_body(proxy, err) < 0)
		return -1;
	put_named(proxy, put_in, &fields);
	put_of_body(proxy, put_in, &fields);
	if (put_in_all(put_in, &fields, err) < 0)
		return -1;
	put_usual(proxy, &fields);
	if (sign(proxy, mem, &fields, err) < 0)
		return -1;
	if (fields.count == FETCH_FIELDS_MAX)
		return error_set(err, ERR_INVALID_HEADERS, "the request has over %d headers",
				 FETCH_FIELDS_MAX);
	buf_adds(head, proxy->method);
	buf_addc(head, ' ');
	proxy_add_target(proxy, mem, head);
	buf_adds(head, " HTTP/1.1\r\nhost: ");
	buf_adds(head, upstream_place_host(proxy->place));
	buf_add(head, "\r\n", 2);
	add_fields(head, list);
	add_framing(proxy, head);
	return 0;
}
