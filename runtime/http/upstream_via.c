/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_via -- through the company's proxy: a tunnel to https hosts (RFC 9110 9.3.6),
 * and requests with their whole URL to http ones.
 */
#include "http/upstream_internal.h"

#include "base/crypto.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A part of a URL, decoded; "" where it has none. */
static char *
part(TALLOC_CTX *mem, CURLU *url, CURLUPart which)
{
	char *text = NULL, *copy;

	if (curl_url_get(url, which, &text, CURLU_URLDECODE | CURLU_DEFAULT_PORT) != CURLUE_OK)
		text = NULL;
	copy = talloc_strdup(mem, text == NULL ? "" : text);
	curl_free(text);
	if (copy == NULL)
		abort();
	return copy;
}

static char *
authorization(TALLOC_CTX *mem, CURLU *url)
{
	char *user = part(mem, url, CURLUPART_USER), *both, *text;

	if (user[0] == '\0')
		return NULL;
	both = talloc_asprintf(mem, "%s:%s", user, part(mem, url, CURLUPART_PASSWORD));
	text = talloc_asprintf(mem, "proxy-authorization: Basic %s\r\n",
			       crypto_base64(mem, both, strlen(both)));
	if (text == NULL)
		abort();
	return text;
}

int
via_find(struct upstream *up, const struct upstream_place *place, struct via **out,
	 struct error *err)
{
	const char *text = client_proxy_for(up->proxy, place->host);
	CURLU *url;

	*out = NULL;
	if (text[0] == '\0')
		return 0;
	if (strncasecmp(text, "http://", 7) != 0)
		return error_set(
		    err, ERR_UNSUPPORTED,
		    "requests are not passed on through a proxy that is spoken to with "
		    "TLS: NANGO_HTTPS_PROXY must begin with http:// for that");
	if (up->via == NULL) {
		up->via = talloc_zero(up, struct via);
		url = curl_url();
		if (up->via == NULL || url == NULL)
			abort();
		curl_url_set(url, CURLUPART_URL, text, 0);
		up->via->host = part(up->via, url, CURLUPART_HOST);
		up->via->port = atoi(part(up->via, url, CURLUPART_PORT));
		up->via->authorization = authorization(up->via, url);
		curl_url_cleanup(url);
	}
	*out = up->via;
	return 0;
}

void
via_ask(const struct link *link, struct buf *out)
{
	const struct via *via = link->origin->via;
	const struct upstream_place *place = link->origin->place;
	const char *name =
	    place->url + strlen("https://"); /* with the port, also the usual one */

	buf_addf(out, "CONNECT %s HTTP/1.1\r\nhost: %s\r\n", name, name);
	if (via->authorization != NULL)
		buf_adds(out, via->authorization);
	buf_adds(out, "\r\n");
}

/* "GET /path" becomes "GET http://host:port/path". */
void
via_add_head(const struct origin *origin, struct buf *out, const char *head, size_t length)
{
	const char *space = memchr(head, ' ', length);
	const char *line_end = memchr(head, '\n', length);
	size_t method = (size_t)(space - head) + 1, line = (size_t)(line_end - head) + 1;

	buf_add(out, head, method);
	buf_adds(out, origin->place->url);
	buf_add(out, head + method, line - method);
	if (origin->via->authorization != NULL)
		buf_adds(out, origin->via->authorization);
	buf_add(out, head + line, length - line);
}
