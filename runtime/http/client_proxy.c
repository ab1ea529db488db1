/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_proxy -- see client_proxy.h.
 */
#include "http/client_proxy.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct client_proxy {
	char *url, *direct;
};

/* The value is not shown: it may hold a password. */
static int
check_url(const char *text, struct error *err)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *path = NULL;
	bool is_fit;

	if (url == NULL)
		abort();
	is_fit = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		 curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		 curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK &&
		 (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
		 strcmp(path, "/") == 0;
	curl_free(scheme);
	curl_free(path);
	curl_url_cleanup(url);
	if (is_fit)
		return 0;
	return error_set(err, ERR_CONFIG,
			 "NANGO_HTTPS_PROXY is not the URL of a proxy; write for example "
			 "http://proxy.example.com:3128");
}

int
client_proxy_parse(TALLOC_CTX *mem, const char *url, const char *direct,
		   struct client_proxy **out, struct error *err)
{
	*out = NULL;
	if (url == NULL || url[0] == '\0')
		return 0;
	if (check_url(url, err) < 0)
		return -1;
	*out = talloc_zero(mem, struct client_proxy);
	if (*out == NULL)
		abort();
	(*out)->url = talloc_strdup(*out, url);
	(*out)->direct = talloc_strdup(*out, direct == NULL ? "" : direct);
	return 0;
}

/* Is host this one, or below it? */
static bool
is_within(const char *host, size_t length, const char *domain, size_t domain_length)
{
	if (domain_length > 0 && domain[0] == '.') {
		domain++;
		domain_length--;
	}
	if (domain_length == 0 || length < domain_length ||
	    strncasecmp(host + length - domain_length, domain, domain_length) != 0)
		return false;
	return length == domain_length || host[length - domain_length - 1] == '.';
}

const char *
client_proxy_for(const struct client_proxy *proxy, const char *host)
{
	size_t length = strlen(host);

	if (proxy == NULL)
		return "";
	if (length > 1 && host[0] == '[') { /* the list has IPv6 addresses without brackets */
		host++;
		length -= 2;
	}
	while (length > 0 && host[length - 1] == '.')
		length--;
	for (const char *next = proxy->direct; *next != '\0';) {
		size_t n = strcspn(next, ", ");

		if ((n == 1 && *next == '*') || is_within(host, length, next, n))
			return "";
		next += n + (next[n] != '\0');
	}
	return proxy->url;
}
