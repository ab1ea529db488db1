/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate -- which request comes next when an API hands its list out in pieces.
 *
 * Pure: no sockets, no clock; the caller sends the requests. Settings are the template's
 * proxy.paginate, overlaid by the plugin's own. Three ways: `link` (RFC 8288 header, or a path
 * in the body), `cursor`, `offset`. An answer that leads back to an earlier one is an error,
 * not an endless sync.
 */
#ifndef NANGO_RUN_PAGINATE_H
#define NANGO_RUN_PAGINATE_H

#include "base/error.h"
#include "base/jsonspan.h"
#include "http/server.h" /* struct http_field */
#include "run/backend.h"
#include <talloc.h>

#define PAGINATE_REQUESTS_MAX 1000000

struct paginate; /* the state of one iteration */

/*
 * rules: a JSON object in the format of the template's proxy.paginate, or NULL; overrides
 * likewise, member by member, with `limit` (a number) besides. *out belongs to mem.
 * ERR_TEMPLATE when the template's rules are wrong, ERR_BAD_REQUEST when there is no usable
 * type.
 */
MUST_CHECK int paginate_new(TALLOC_CTX *mem, const char *template_json,
			    const char *override_json, struct paginate **out,
			    struct error *err);

/*
 * The request to send first, from the plugin's own path and query (may be NULL). What comes
 * back lives until the next call with this iteration. The query ends with a NULL name.
 */
MUST_CHECK int paginate_first(struct paginate *pages, const char *path,
			      const struct http_field *query, const char **next_path,
			      const struct http_field **next_query, struct error *err);

/*
 * Looks at an answer. items: the list, a span of the answer's body; absent when the body has
 * none. 1: there is a next request; 0: that was the last; -1: err says what is wrong with the
 * answer (ERR_UPSTREAM). *next_path may be an absolute URL (a link); it is for run/fetch to
 * refuse a foreign host.
 */
MUST_CHECK int paginate_next(struct paginate *pages, const struct run_response *response,
			     struct jsonspan *items, const char **next_path,
			     const struct http_field **next_query, struct error *err);

#endif
