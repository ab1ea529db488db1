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

/* A pattern that does not compile matches everything: template check reports it. */
bool pattern_matches(const char *pattern, const char *text);

/* false: it does not compile, and text says why. */
bool pattern_check(const char *pattern, char *text, size_t size);

#endif
