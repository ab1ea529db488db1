/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lines -- the loop of programs that answer each line of JSON on standard input with one
 * of their own, for tests that compare a function of ours with an npm package.
 */
#ifndef NANGO_TESTS_LINES_H
#define NANGO_TESTS_LINES_H

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

static inline int
lines_answer(void (*answer)(TALLOC_CTX *mem, struct json_object *row))
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, stdin)) > 0) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct json_object *row;
		struct error err;

		if (json_parse(mem, line, (size_t)length, &row, &err) < 0) {
			fprintf(stderr, "%s\n", err.message);
			return 2;
		}
		answer(mem, row);
		talloc_free(mem);
	}
	free(line);
	return 0;
}

#endif
