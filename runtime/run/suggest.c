/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest -- optimal string alignment distance (Damerau-Levenshtein without repeated edits):
 * a swap of neighbours is the commonest typing mistake and must cost one.
 */
#include "run/suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 64

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t
suggest_distance(const char *a, const char *b)
{
	size_t row[3][WORD_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= nb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *now = row[i % 3], *before = row[(i + 2) % 3],
		       *oldest = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			now[j] = before[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = least(now[j], least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], oldest[j - 2] + 1);
		}
	}
	return row[na % 3][nb];
}

const char *
suggest_word(const char *typed, const char *const *words)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	for (; *words != NULL; words++) {
		size_t distance = suggest_distance(typed, *words);

		if (distance < best_distance && distance <= 1 + strlen(*words) / 4) {
			best = *words;
			best_distance = distance;
		}
	}
	return best;
}
