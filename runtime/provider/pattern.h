/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/pattern -- regular expressions of templates: JavaScript's idea of a match,
 * unanchored and `$` at the very end only. They may come from users' files, so each match has a
 * limit.
 */
#ifndef NANGO_PROVIDER_PATTERN_H
#define NANGO_PROVIDER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

/* A pattern that does not compile matches everything: template check reports it. */
bool pattern_matches(const char *pattern, const char *text);

/* What the first group matched, or the whole where there is none; NULL: no match, or it does
 * not compile. Slashes around the pattern are none of it. */
char *pattern_capture(TALLOC_CTX *mem, const char *pattern, const char *text);

/* false: it does not compile, and text says why. */
bool pattern_check(const char *pattern, char *text, size_t size);

#endif
