/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording -- recorded API exchanges, and which of them answers a request.
 *
 * The format is that of the reference's test files: `api.<method>.<path>` is one entry or a
 * list of {request: {params, headers, data}?, response, status, headers}. Ours adds one thing:
 * a parameter recorded as "*" is matched by any value (a time that depends on the day of the
 * run).
 *
 * A request matches by structure, not by the files' hashes: method, path, the same parameters
 * (order does not matter), the headers that were recorded, the body as JSON. The base URL does
 * not matter. An entry without `request` answers a request without parameters.
 */
#ifndef NANGO_PLUGIN_RECORDING_H
#define NANGO_PLUGIN_RECORDING_H

#include "base/error.h"
#include "base/jsonspan.h"
#include <stdbool.h>
#include <talloc.h>

#define RECORDING_BYTES_MAX (256 * 1024 * 1024)

struct recording_pair {
	const char *name, *value;
};

struct recording_pairs {
	struct recording_pair *at;
	size_t count;
};

struct exchange {
	const char *file;
	const char *method, *path; /* upper case; begins with '/', decoded, without a query */
	struct recording_pairs params, headers;
	const char *data; /* body that was sent: canonical JSON or text; NULL: any */
	int status;
	struct recording_pairs answer_headers; /* lower case */
	const char *body;		       /* as it was received; "" for none */
	size_t body_length;
	bool is_json;
};

struct recording {
	TALLOC_CTX *mem;
	struct exchange *exchanges;
	size_t count, files;
};

/* Adds a file, or every .json of a folder that is a recording, to what is there. */
MUST_CHECK int recording_load(struct recording *recording, const char *path, struct error *err);

struct recording_request {
	const char *method, *path; /* as received, without the query */
	struct recording_pairs params;
	const char *(*header)(void *arg, const char *lower_name);
	void *arg;
	const char *body;
	size_t body_length;
};

/* NULL when nothing was recorded for it; then *nearest is the most similar one, or NULL. */
const struct exchange *recording_find(TALLOC_CTX *mem, const struct recording *recording,
				      const struct recording_request *request,
				      const struct exchange **nearest);

/* "GET /items?page=2" */
char *recording_describe(TALLOC_CTX *mem, const char *method, const char *path,
			 const struct recording_pairs *params);

char *recording_decode(TALLOC_CTX *mem, const char *text, size_t length); /* %41 → A */
void recording_pairs_add(TALLOC_CTX *mem, struct recording_pairs *pairs, const char *name,
			 const char *value);
/* JSON in canonical form, so that equal bodies are equal texts; other text as it is. */
const char *recording_canonical(TALLOC_CTX *mem, const char *text, size_t length);

#endif
