/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_body -- what a template puts into the body of a request (proxy.body). Pure.
 *
 * JSON objects are merged, forms get its pairs; what is put in wins over the request's own. Any
 * other body stays as it is, and so does one of a method that takes none.
 */
#ifndef NANGO_RUN_FETCH_BODY_H
#define NANGO_RUN_FETCH_BODY_H

#include "run/fetch.h"

/* Is something put into bodies of this kind? content_type NULL: JSON. */
bool fetch_body_is_filled(const struct fetch_target *target, const char *method,
			  const char *content_type);

/* The body that is sent, in mem, or the request's own. ERR_BAD_REQUEST: it is not JSON. */
MUST_CHECK int fetch_body(TALLOC_CTX *mem, const struct fetch_target *target,
			  const char *content_type, const char *body, size_t length,
			  const char **out, size_t *out_length, struct error *err);

#endif
