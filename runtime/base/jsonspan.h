/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonspan -- one strict pass over JSON bytes, no tree: RFC 8259, valid UTF-8, no lone
 * surrogates, bounded depth. Links libc only, because nango-runner uses it too.
 *
 * A span points into the caller's bytes. Walking functions expect bytes that jsonspan_check
 * accepted; on others they stop early but never read outside the span.
 */
#ifndef NANGO_BASE_JSONSPAN_H
#define NANGO_BASE_JSONSPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSONSPAN_DEPTH_MAX 128

enum jsonspan_type {
	JSONSPAN_NONE, /* absent */
	JSONSPAN_NULL,
	JSONSPAN_BOOLEAN,
	JSONSPAN_NUMBER,
	JSONSPAN_STRING,
	JSONSPAN_ARRAY,
	JSONSPAN_OBJECT,
};

struct jsonspan {
	const char *data; /* first byte of the value; NULL when absent */
	size_t length;	  /* to its last byte */
};

struct jsonspan_fault {
	size_t offset;	    /* of the first byte that is wrong */
	const char *reason; /* static text: "lone surrogate", "trailing comma", … */
};

/* 0 when data is exactly one JSON value, white space around it allowed; else -1 and the fault.
 */
int jsonspan_check(const char *data, size_t length, struct jsonspan_fault *fault);

/* As jsonspan_check for a value that is an object; *id is its last top-level member "id". */
int jsonspan_check_record(const char *data, size_t length, struct jsonspan *id,
			  struct jsonspan_fault *fault);

struct jsonspan jsonspan_trim(const char *data, size_t length);
enum jsonspan_type jsonspan_type(struct jsonspan value);

/* Walk: *cursor starts at 0. False at the end. Keys are the raw quoted strings. */
bool jsonspan_next_item(struct jsonspan array, size_t *cursor, struct jsonspan *item);
bool jsonspan_next_member(struct jsonspan object, size_t *cursor, struct jsonspan *key,
			  struct jsonspan *value);

/* Where the value that begins at `at` ends. */
const char *jsonspan_skip(const char *at, const char *end);

/* The last member of that name (compared after unescaping); absent when there is none. */
struct jsonspan jsonspan_member(struct jsonspan object, const char *name);

/* Unescapes a string to out (at least value.length bytes, NUL added); the length, or -1. */
long jsonspan_unescape(struct jsonspan string, char *out);

bool jsonspan_integer(struct jsonspan number,
		      int64_t *out); /* false: fraction or out of range */
bool jsonspan_number(struct jsonspan number, double *out);

/* Line and column (from 1, column in bytes) of an offset, for messages. */
void jsonspan_place(const char *data, size_t offset, int *line, int *column);

#endif
