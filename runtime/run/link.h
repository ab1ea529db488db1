/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/link -- the Link header (RFC 8288) and the link's place beside the path that was asked
 * for.
 */
#ifndef NANGO_RUN_LINK_H
#define NANGO_RUN_LINK_H

#include <talloc.h>

/* The target of the first link with this relation in one header value; NULL: none. */
char *link_find(TALLOC_CTX *mem, const char *header, const char *relation);

/*
 * What to ask for next, from a link that came in answer to `path`: an absolute URL as it is,
 * any other resolved against the path. A path that ends in the one asked for is the same
 * resource under the base URL's own path, which stands before it again when the request is
 * sent, so it is taken off. NULL when the link is no http(s) reference.
 */
char *link_follow(TALLOC_CTX *mem, const char *path, const char *link);

#endif
