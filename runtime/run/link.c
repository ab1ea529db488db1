/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/link -- see link.h.
 */
#include "run/link.h"
#include "http/url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *
skip_space(const char *c)
{
	return c + strspn(c, " \t");
}

/* Copies a token or quoted string to *value; the byte behind it, or NULL. */
static const char *
take_value(TALLOC_CTX *mem, const char *c, char **value)
{
	size_t n = 0;

	if (*c != '"') {
		n = strcspn(c, ";, \t");
		*value = talloc_strndup(mem, c, n);
		return c + n;
	}
	*value = talloc_strdup(mem, c); /* at least as long as what comes out */
	for (c++; *c != '"'; c++) {
		if (*c == '\\')
			c++;
		if (*c == '\0')
			return NULL;
		(*value)[n++] = *c;
	}
	(*value)[n] = '\0';
	return c + 1;
}

static bool
has_word(const char *words, const char *word)
{
	while (*words != '\0') {
		size_t n = strcspn(words, " \t");

		if (n == strlen(word) && strncasecmp(words, word, n) == 0)
			return true;
		words += n + strspn(words + n, " \t");
	}
	return false;
}

/* The parameters of one link; *matches tells of the first rel (RFC 8288 3.3: others are
 * ignored). */
static const char *
take_parameters(TALLOC_CTX *mem, const char *c, const char *relation, bool *matches)
{
	bool seen_rel = false;

	*matches = false;
	for (c = skip_space(c); *c == ';'; c = skip_space(c)) {
		const char *name = skip_space(c + 1);
		size_t n = strcspn(name, "=;, \t");
		char *value = NULL;

		c = skip_space(name + n);
		if (*c == '=') {
			c = take_value(mem, skip_space(c + 1), &value);
			if (c == NULL)
				return NULL;
		}
		if (value == NULL || seen_rel || n != 3 || strncasecmp(name, "rel", 3) != 0)
			continue;
		seen_rel = true;
		*matches = has_word(value, relation);
	}
	return c;
}

char *
link_find(TALLOC_CTX *mem, const char *header, const char *relation)
{
	const char *c = header;

	for (;;) {
		const char *end;
		bool matches;

		c += strspn(c, ", \t");
		if (*c != '<' || (end = strchr(c, '>')) == NULL)
			return NULL;
		header = c + 1;
		c = take_parameters(mem, end + 1, relation, &matches);
		if (c == NULL)
			return NULL;
		if (matches)
			return talloc_strndup(mem, header, (size_t)(end - header));
		if (*c != ',')
			return NULL;
	}
}

/* Stands for the base URL, which only the sender knows. */
#define HERE "http://here.invalid"

static bool
ends_with_path(const char *link, const char *path, size_t *prefix)
{
	size_t link_length = strcspn(link, "?"), path_length = strcspn(path, "?");

	if (path_length < 2 || link_length <= path_length)
		return false;
	*prefix = link_length - path_length;
	return memcmp(link + *prefix, path, path_length) == 0;
}

char *
link_follow(TALLOC_CTX *mem, const char *path, const char *link)
{
	char *base, *url, *result;
	size_t prefix;

	if (http_url_is_absolute(link))
		return http_url_resolve(mem, link, link);
	if (strncmp(link, "//", 2) == 0)
		return NULL; /* only the sender knows the scheme */
	if (http_url_is_absolute(path))
		return http_url_resolve(mem, path, link);
	base = talloc_asprintf(mem, HERE "%s%s", path[0] == '/' ? "" : "/", path);
	if (base == NULL)
		abort();
	url = http_url_resolve(mem, base, link);
	if (url == NULL || strncmp(url, HERE "/", sizeof(HERE)) != 0)
		return NULL;
	result = url + sizeof(HERE) - 1;
	if (link[0] == '/' && ends_with_path(result, base + sizeof(HERE) - 1, &prefix))
		result += prefix;
	return talloc_strdup(mem, result);
}
