/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest -- "did you mean": the word of a list that is nearest to a mistyped one.
 */
#ifndef NANGO_RUN_SUGGEST_H
#define NANGO_RUN_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from a to b; words over 64 bytes are far.
 */
size_t suggest_distance(const char *a, const char *b);

/* The nearest of words (ends with NULL) within a third of its length, or NULL. */
const char *suggest_word(const char *typed, const char *const *words);

#endif
