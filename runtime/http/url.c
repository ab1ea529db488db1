/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/url -- see url.h.
 */
#include "http/url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
url_is_fit(CURLU *url)
{
	char *scheme = NULL, *user = NULL;
	bool is_fit = false;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK)
		is_fit = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
	if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
		is_fit = false; /* a password in a link is somebody else's */
	curl_free(scheme);
	curl_free(user);
	return is_fit;
}

char *
http_url_resolve(TALLOC_CTX *mem, const char *base, const char *reference)
{
	CURLU *url;
	char *text = NULL, *copy = NULL;

	if (strlen(base) + strlen(reference) > HTTP_URL_MAX)
		return NULL;
	url = curl_url();
	if (url == NULL)
		abort();
	if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_URL, reference, 0) == CURLUE_OK && url_is_fit(url) &&
	    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
		copy = talloc_strdup(mem, text);
	curl_free(text);
	curl_url_cleanup(url);
	return copy;
}

bool
http_url_is_absolute(const char *text)
{
	size_t n =
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	return n > 0 && strncmp(text + n, "://", 3) == 0;
}

static bool
same_part(CURLU *a, CURLU *b, CURLUPart part, unsigned flags)
{
	char *left = NULL, *right = NULL;
	bool is_same = curl_url_get(a, part, &left, flags) == CURLUE_OK &&
		       curl_url_get(b, part, &right, flags) == CURLUE_OK &&
		       strcasecmp(left, right) == 0;

	curl_free(left);
	curl_free(right);
	return is_same;
}

bool
http_url_same_origin(const char *a, const char *b)
{
	CURLU *left = curl_url(), *right = curl_url();
	bool is_same;

	if (left == NULL || right == NULL)
		abort();
	is_same = curl_url_set(left, CURLUPART_URL, a, 0) == CURLUE_OK &&
		  curl_url_set(right, CURLUPART_URL, b, 0) == CURLUE_OK &&
		  same_part(left, right, CURLUPART_SCHEME, 0) &&
		  same_part(left, right, CURLUPART_HOST, 0) &&
		  same_part(left, right, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	curl_url_cleanup(left);
	curl_url_cleanup(right);
	return is_same;
}

char *
http_url_path(TALLOC_CTX *mem, const char *text)
{
	CURLU *url = curl_url();
	char *path = NULL, *query = NULL, *out = NULL;

	if (url == NULL)
		abort();
	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
		if (curl_url_get(url, CURLUPART_QUERY, &query, 0) != CURLUE_OK)
			query = NULL;
		out = talloc_asprintf(mem, "%s%s%s", path, query != NULL ? "?" : "",
				      query != NULL ? query : "");
	}
	curl_free(path);
	curl_free(query);
	curl_url_cleanup(url);
	return out;
}
