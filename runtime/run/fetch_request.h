/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_request -- the URL and the headers of a plugin's request, and what of the answer it
 * may see. Pure.
 */
#ifndef NANGO_RUN_FETCH_REQUEST_H
#define NANGO_RUN_FETCH_REQUEST_H

#include "run/fetch.h"

#define FETCH_FIELDS_MAX 256

/* ERR_EGRESS: an absolute path of another host; ERR_BAD_REQUEST: no URL comes out. */
MUST_CHECK int fetch_url(TALLOC_CTX *mem, const struct fetch_target *target,
			 const struct run_request *request, char **out, struct error *err);

/* ERR_BAD_REQUEST: over FETCH_FIELDS_MAX. */
MUST_CHECK int fetch_headers(TALLOC_CTX *mem, const struct fetch_target *target,
			     const struct run_request *request, struct http_field **out,
			     struct error *err);

/* own with those of put in the place of any of the same name; ERR_BAD_REQUEST as above. */
MUST_CHECK int fetch_overlay(TALLOC_CTX *mem, const struct http_field *own,
			     const struct http_field *put, const struct http_field **out,
			     struct error *err);

/* The value of a header, in either case; NULL: none. */
const char *fetch_field(const struct http_field *fields, const char *name);

/* Does the provider tell the same request from a new one, by a header that this one has? */
bool fetch_is_recognised(const struct fetch_target *target, const struct http_field *fields);

/* Without cookies, credentials and whatever the target injects or signed with (or NULL), also
 * where a URL in a header echoes it. */
struct http_field *fetch_visible(TALLOC_CTX *mem, const struct fetch_target *target,
				 const struct http_field *with,
				 const struct http_field *headers);

#endif
