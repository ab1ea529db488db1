/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/url -- the one URL parser of the project (libcurl's), for those who may not see curl.
 * Any thread.
 */
#ifndef NANGO_HTTP_URL_H
#define NANGO_HTTP_URL_H

#include <stdbool.h>
#include <talloc.h>

#define HTTP_URL_MAX (32 * 1024)

/*
 * A reference as RFC 3986 section 5 resolves it against an absolute URL, normalised, without
 * fragment. NULL when the result is not an http or https URL, holds a user, or is too long.
 */
char *http_url_resolve(TALLOC_CTX *mem, const char *base, const char *reference);

bool http_url_is_absolute(const char *text); /* begins with a scheme and "://" */

/* Same scheme, host and port (a default port and none are the same). */
bool http_url_same_origin(const char *a, const char *b);

/* "/path?query" of an absolute URL, or NULL. */
char *http_url_path(TALLOC_CTX *mem, const char *url);

#endif
