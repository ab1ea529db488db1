/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/router -- which row of the route table answers a method and a path.
 *
 * A tree of path segments: a literal segment goes before a parameter, and where a branch has no
 * row for the method the next one is tried, so that `POST /connections/metadata` and
 * `GET /connections/:connectionId` do not hide each other. Read-only after router_new: any
 * thread.
 */
#ifndef NANGO_HTTP_ROUTER_H
#define NANGO_HTTP_ROUTER_H

#include "http/server.h"

#define ROUTER_ALLOW_MAX 256

struct router;

struct router_match {
	const struct http_route *route;
	struct http_field params[HTTP_PARAMS_MAX + 1]; /* decoded; ends with a NULL name */
	size_t params_count;
	char allow[ROUTER_ALLOW_MAX]; /* for ERR_METHOD: "GET, HEAD, POST" */
};

/* The rows must outlive the router. A wrong pattern is a fault of ours: it aborts. */
struct router *router_new(TALLOC_CTX *mem, const struct http_route *routes, size_t count);

/*
 * ERR_NOT_FOUND; ERR_METHOD with out->allow filled; ERR_INVALID_PARAMS when a parameter is not
 * percent-encoded UTF-8. Values belong to mem.
 */
MUST_CHECK int router_find(const struct router *router, TALLOC_CTX *mem, const char *method,
			   const char *path, struct router_match *out, struct error *err);

#endif
