/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate -- which request comes next when an API hands its list out in pieces.
 *
 * Pure: no sockets, no clock; the caller sends the requests. Settings are the template's
 * proxy.paginate, overlaid by the plugin's own. Three ways: `link` (RFC 8288 header, or a path
 * in the body), `cursor`, `offset`. What is asked with goes into the query, or into the JSON
 * body of a POST, PUT or PATCH. An answer that leads back to an earlier one is an error, not an
 * endless sync.
 */
#ifndef NANGO_RUN_PAGINATE_H
#define NANGO_RUN_PAGINATE_H

#include "base/error.h"
#include "base/jsonspan.h"
#include "http/server.h" /* struct http_field */
#include "run/backend.h"
#include <talloc.h>

#define PAGINATE_REQUESTS_MAX 1000000

enum paginate_place { PAGINATE_BY_METHOD, PAGINATE_IN_QUERY, PAGINATE_IN_BODY };

struct paginate; /* the state of one iteration */

struct paginate_ask { /* what is to be sent; the method and headers stay the plugin's */
	char *path;
	struct http_field *query; /* ends with a NULL name */
	char *body;		  /* NULL: none */
	size_t body_length;
	bool is_in_body; /* where the iteration's parameters stand */
};

/*
 * rules: a JSON object in the format of the template's proxy.paginate, or NULL; overrides
 * likewise, member by member. Besides the reference's members there are `limit` (a number),
 * `in_body` (true, false; without it the method decides) and `more_path_in_response`: where the
 * body says true or false of whether there is more, with a ! before it of whether this was all.
 * *out belongs to mem. ERR_TEMPLATE when the template's rules are wrong, ERR_BAD_REQUEST when
 * there is no usable type.
 */
MUST_CHECK int paginate_new(TALLOC_CTX *mem, const char *template_json,
			    const char *override_json, struct paginate **out,
			    struct error *err);

/*
 * The request to send first, from the plugin's own. What comes back lives until the next call
 * with this iteration. ERR_BAD_REQUEST when the pages are asked for in the body and that is no
 * JSON object.
 */
MUST_CHECK int paginate_first(struct paginate *pages, const struct run_request *request,
			      const struct paginate_ask **next, struct error *err);

/*
 * Looks at an answer. items: the list, a span of the answer's body; absent when the body has
 * none. 1: there is a next request; 0: that was the last; -1: err says what is wrong with the
 * answer (ERR_UPSTREAM). next->path may be an absolute URL (a link); it is for run/fetch to
 * refuse a foreign host.
 */
MUST_CHECK int paginate_next(struct paginate *pages, const struct run_response *response,
			     struct jsonspan *items, const struct paginate_ask **next,
			     struct error *err);

/* The cursor, link or offset of the next request; NULL when there is none. Until then. */
const char *paginate_position(const struct paginate *pages);

#endif
