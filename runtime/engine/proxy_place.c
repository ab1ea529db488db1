/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_place -- where a request goes: to the connection's base URL, to another that the
 * caller names, or where a redirect led.
 */
#include "engine/proxy_internal.h"
#include "http/url.h"
#include "run/fetch_request.h"

#include <stdlib.h>
#include <string.h>

/* "?a=b" of the request, or "". */
static const char *
query_of(const struct request *req)
{
	const char *question = strchr(request_target(req), '?');

	return question == NULL ? "" : question;
}

/* The path behind /proxy; behind the base URL, too, where that stands in it once more. */
static const char *
endpoint_of(const struct proxy *proxy, const char *base_url)
{
	const char *path = request_path(proxy->req) + strlen("/proxy");
	size_t length = strlen(base_url);

	while (length > 0 && base_url[length - 1] == '/')
		length--;
	if (path[0] == '/' && strncmp(path + 1, base_url, length) == 0 &&
	    (path[1 + length] == '/' || path[1 + length] == '\0'))
		return path + 1 + length;
	return path;
}

/* Dot segments have to be looked at before they may stand in a URL. */
static bool
is_simple(const char *path)
{
	return strstr(path, "/.") == NULL;
}

static int
place_by_url(struct proxy *proxy, const struct fetch_target *target, struct error *err)
{
	const char *endpoint = endpoint_of(proxy, target->base_url);
	struct run_request request = {0};
	char *url;

	request.path = talloc_asprintf(proxy, "%s%s", endpoint, query_of(proxy->req));
	if (request.path == NULL)
		abort();
	if (fetch_url(proxy, target, &request, &url, err) < 0)
		return -1;
	proxy->url = url;
	return 0;
}

/* Base-Url-Override: credentials go to a host that the caller names, which shows them to it. */
static int
place_elsewhere(struct proxy *proxy, struct error *err)
{
	struct fetch_target target = proxy->target->target;
	struct upstream_place *place;

	if (!http_url_same_origin(target.base_url, proxy->options.base_url) &&
	    !proxy->may(proxy->key->scopes, "connections:read_credentials"))
		return error_set(
		    err, ERR_FORBIDDEN,
		    "Base-Url-Override sends the connection's credentials to another "
		    "host, so the key needs environment:connections:"
		    "read_credentials");
	proxy->is_elsewhere = !http_url_same_origin(target.base_url, proxy->options.base_url);
	target.base_url = proxy->options.base_url;
	if (upstream_place_new(proxy, target.base_url, target.certificate, target.private_key,
			       &place, err) < 0)
		return error_set_at(err, ERR_INVALID_HEADERS, "base-url-override",
				    "Base-Url-Override must be an http or https URL");
	proxy->place = place;
	return place_by_url(proxy, &target, err);
}

/* Where a redirect led to, with what is put into queries now. */
static int
place_led_to(struct proxy *proxy, struct error *err)
{
	if (proxy->is_foreign)
		return 0;
	proxy->url = proxy_put_in_query(proxy, proxy->led_to);
	if (proxy->url == NULL)
		return error_set(err, ERR_TEMPLATE, "no URL comes out of %.200s",
				 proxy->led_to);
	return 0;
}

int
proxy_place(struct proxy *proxy, struct error *err)
{
	const struct cached_target *target = proxy->target;

	if (proxy->hops > 0)
		return place_led_to(proxy, err);
	proxy->url = NULL;
	if (proxy->options.base_url != NULL)
		return place_elsewhere(proxy, err);
	proxy->place = target->place;
	if (target->is_plain && target->target.sign == NULL &&
	    is_simple(request_path(proxy->req)))
		return 0;
	return place_by_url(proxy, &target->target, err);
}

/* The request line's target. */
void
proxy_add_target(struct proxy *proxy, TALLOC_CTX *mem, struct buf *head)
{
	const char *endpoint;

	if (proxy->url != NULL) {
		buf_adds(head, http_url_path(mem, proxy->url));
		return;
	}
	endpoint = endpoint_of(proxy, proxy->target->target.base_url);
	buf_adds(head, proxy->target->base_path);
	if (endpoint[0] != '/' && proxy->target->base_path[0] == '\0')
		buf_addc(head, '/');
	buf_adds(head, endpoint);
	buf_adds(head, query_of(proxy->req));
}

char *
proxy_put_in_query(struct proxy *proxy, const char *url)
{
	struct fetch_target target = proxy->target->target;
	const struct run_request request = {.path = url};
	struct error err;
	char *made;

	target.base_url = upstream_place_url(proxy->place);
	return fetch_url(proxy, &target, &request, &made, &err) < 0 ? NULL : made;
}

const char *
proxy_url(struct proxy *proxy, TALLOC_CTX *mem)
{
	struct buf url;

	if (proxy->url != NULL)
		return proxy->url;
	buf_init(&url, mem, 256);
	buf_adds(&url, upstream_place_url(proxy->place));
	proxy_add_target(proxy, mem, &url);
	return url.data;
}
