/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/syntax -- the small grammars of RFC 9110 and RFC 3986, said once.
 */
#ifndef NANGO_HTTP_SYNTAX_H
#define NANGO_HTTP_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

bool http_is_token(const char *text, size_t length); /* tchar only (RFC 9110 5.6.2) */
size_t http_token_length(const char *text);	     /* tchars at the start of a string */

/* Visible bytes, space, tab and bytes over 0x7f (RFC 9110 5.5). */
bool http_is_field_value(const char *text, size_t length);

/* A host name or address with an optional port (RFC 9110 7.2); not empty. */
bool http_is_host(const char *text);

/* Is the word in a comma list such as Connection's? Either case. */
bool http_list_has(const char *list, const char *word);

/*
 * Decodes %XX (and '+' as a space where plus_is_space) in place. -1 when an escape is broken,
 * or the result holds NUL or is not UTF-8: such text cannot be stored or compared.
 */
int http_percent_decode(char *text, bool plus_is_space);

bool http_is_utf8(const char *text);

/* Of fields, whatever their case. Most names differ in their first letter. */
static inline bool
http_names_equal(const char *a, const char *b)
{
	return (a[0] | 0x20) == (b[0] | 0x20) && strcasecmp(a, b) == 0;
}

/* Whether a field's name is one of these, in any case. */
bool http_name_is_among(const char *const *names, size_t count, const char *name);

#endif
