/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_visible -- what of an answer's header its asker may see; see fetch_request.h.
 *
 * APIs echo URLs, and with them what was put into the query: those pairs are cut out of the
 * headers that hold URLs. A header that still holds a value that was put in is left out whole.
 */
#include "run/fetch_request.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MIN 6 /* a shorter value is found by chance */

static const char *const secrets[] = {
    "set-cookie",	   "set-cookie2",	  "cookie",
    "authorization",	   "www-authenticate",	  "proxy-authenticate",
    "proxy-authorization", "authentication-info", "proxy-authentication-info",
};

static const char *const with_urls[] = {"location", "content-location", "link", "refresh"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Where the pair ends: the next one, or what cannot stand in a query. */
static size_t
pair_length(const char *pair)
{
	return strcspn(pair, "&#<>\"' \t,;");
}

/* "?name=value&a=b" becomes "?a=b", "&name=value" nothing. */
static void
cut_pairs(char *text, const char *name)
{
	size_t length = strlen(name);

	for (char *at = text; (at = strpbrk(at, "?&")) != NULL;) {
		size_t n;

		if (strncmp(at + 1, name, length) != 0 || at[1 + length] != '=') {
			at++;
			continue;
		}
		n = pair_length(at + 1);
		if (*at == '?' && at[1 + n] == '&') { /* the '?' stays, for the next pair */
			memmove(at + 1, at + 2 + n, strlen(at + 2 + n) + 1);
			continue;
		}
		memmove(at, at + 1 + n, strlen(at + 1 + n) + 1);
	}
}

static bool
holds_any(const char *value, const struct http_field *put_in)
{
	for (; put_in != NULL && put_in->name != NULL; put_in++)
		if (put_in->value != NULL && strlen(put_in->value) >= SECRET_MIN &&
		    strstr(value, put_in->value) != NULL)
			return true;
	return false;
}

static const char *
clean(TALLOC_CTX *mem, const struct fetch_target *target, const struct http_field *field)
{
	const struct http_field *q = target->query;
	char *text;

	if (q == NULL || q->name == NULL ||
	    !http_name_is_among(with_urls, COUNT(with_urls), field->name))
		return field->value;
	text = talloc_strdup(mem, field->value);
	if (text == NULL)
		abort();
	for (; q->name != NULL; q++)
		cut_pairs(text, q->name);
	return text;
}

struct http_field *
fetch_visible(TALLOC_CTX *mem, const struct fetch_target *target, const struct http_field *with,
	      const struct http_field *headers)
{
	struct http_field *visible;
	size_t count = 0, n = 0;

	while (headers[count].name != NULL)
		count++;
	visible = talloc_array(mem, struct http_field, (unsigned)count + 1);
	if (visible == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		const char *name = headers[i].name;
		bool is_put_in = fetch_field(target->headers, name) != NULL ||
				 fetch_field(with, name) != NULL;
		const char *value;

		if (http_name_is_among(secrets, COUNT(secrets), name) ||
		    (is_put_in && strcasecmp(name, "content-type") != 0))
			continue;
		value = clean(mem, target, &headers[i]);
		if (!holds_any(value, target->query) && !holds_any(value, target->headers))
			visible[n++] = (struct http_field){name, value};
	}
	visible[n] = (struct http_field){NULL, NULL};
	return visible;
}
