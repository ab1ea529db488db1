/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording_match -- which exchange answers. In all recordings that we know no two exchanges
 * match the same request, so the first that fits is the one.
 */
#include "recording.h"
#include "run/suggest.h"

#include <stdlib.h>
#include <string.h>

/* Differ between machines, libraries and accounts, and say nothing about what is asked for. */
static const char *const transport_headers[] = {
    "host",   "user-agent",    "connection",   "content-length", "accept-encoding",
    "accept", "authorization", "content-type", "traceparent",	 "cookie",
};

static const struct recording_pair *
find_unused(const struct recording_pairs *pairs, bool *used,
	    const struct recording_pair *wanted)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (used[i] || strcmp(pairs->at[i].name, wanted->name) != 0)
			continue;
		if (strcmp(wanted->value, "*") != 0 &&
		    strcmp(pairs->at[i].value, wanted->value) != 0)
			continue;
		used[i] = true;
		return &pairs->at[i];
	}
	return NULL;
}

/* How many parameters are missing or too many. */
static size_t
params_distance(TALLOC_CTX *mem, const struct exchange *exchange,
		const struct recording_request *request)
{
	bool *used = talloc_zero_array(mem, bool, (unsigned)request->params.count + 1);
	size_t distance = 0, met = 0;

	for (size_t i = 0; i < exchange->params.count; i++) {
		if (find_unused(&request->params, used, &exchange->params.at[i]) != NULL)
			met++;
		else
			distance++;
	}
	talloc_free(used);
	return distance + request->params.count - met;
}

static bool
headers_match(const struct exchange *exchange, const struct recording_request *request)
{
	for (size_t i = 0; i < exchange->headers.count; i++) {
		const struct recording_pair *wanted = &exchange->headers.at[i];
		bool is_transport = false;
		const char *found;

		for (size_t t = 0; t < sizeof(transport_headers) / sizeof(*transport_headers);
		     t++)
			is_transport |= strcmp(transport_headers[t], wanted->name) == 0;
		if (is_transport)
			continue;
		found = request->header(request->arg, wanted->name);
		if (found == NULL || strcmp(found, wanted->value) != 0)
			return false;
	}
	return true;
}

const struct exchange *
recording_find(TALLOC_CTX *mem, const struct recording *recording,
	       const struct recording_request *request, const struct exchange **nearest)
{
	const char *path = recording_decode(mem, request->path, strlen(request->path));
	const char *body = recording_canonical(mem, request->body == NULL ? "" : request->body,
					       request->body_length);
	size_t best = SIZE_MAX;

	*nearest = NULL;
	for (size_t i = 0; i < recording->count; i++) {
		const struct exchange *exchange = &recording->exchanges[i];
		size_t distance = params_distance(mem, exchange, request);

		if (strcmp(exchange->path, path) != 0) {
			size_t edits = suggest_distance(exchange->path, path);

			distance += 1000 + (edits > 100000 ? 100000 : edits);
		}
		if (strcmp(exchange->method, request->method) != 0)
			distance += 500;
		if (!headers_match(exchange, request) ||
		    (exchange->data != NULL && strcmp(exchange->data, body) != 0))
			distance += 1;
		if (distance == 0)
			return exchange;
		if (distance < best) {
			best = distance;
			*nearest = exchange;
		}
	}
	return NULL;
}

char *
recording_describe(TALLOC_CTX *mem, const char *method, const char *path,
		   const struct recording_pairs *params)
{
	char *out = talloc_asprintf(mem, "%s %s", method, path);

	for (size_t i = 0; i < params->count; i++)
		out = talloc_asprintf_append(out, "%s%s=%s", i == 0 ? "?" : "&",
					     params->at[i].name, params->at[i].value);
	return out;
}
