/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api -- the REST API: one file a resource, routes.def is the whole of it on one page.
 *
 * A handler runs on a pool thread, straight through. It finds, decides and answers; what it
 * sets in err becomes the one error shape. A connection to Postgres is taken at its first
 * call_db() and given back when it returns.
 */
#ifndef NANGO_API_API_H
#define NANGO_API_API_H

#include "engine/node.h"
#include "http/server.h"
#include "store/connect.h"
#include "store/environment.h"

struct call {
	struct request *req;
	TALLOC_CTX *mem;
	struct node *node;
	struct environment *env; /* of the key; NULL on open routes */
	struct api_key *key;
	struct connect_session *session; /* NULL but on routes for one */
	struct db *db;			 /* use call_db() */
	struct db *data;
};

typedef int api_handler(struct call *call, struct response *res, struct error *err);

enum api_access {
	API_OPEN,    /* anybody */
	API_KEY,     /* an environment's key */
	API_SESSION, /* the token of a connect session */
	API_PAGE,    /* people at the console: without sign-in in `nangod dev`, else refused */
};

struct api_route {
	const char *method, *pattern;
	enum api_access access;
	const char *scope; /* "connections:read", or "" for any key */
	size_t body_max;   /* bytes */
	api_handler *handler;
	const char *doc;
	const struct http_relay *relay; /* stays on the loop, and checks access itself */
	bool asks; /* a provider: its handler waits, on threads of its own */
};

#define API_BODY_NONE 0
#define API_BODY_SMALL (1024 * 1024)
#define API_BODY_WEBHOOK (10 * 1024 * 1024)
#define API_BODY_PUBLIC HTTP_BODY_MAX

const struct api_route *api_routes(size_t *count);

/* A server on this loop, which hands requests to node->api_pool. */
MUST_CHECK int api_start(struct node *node, struct loop *loop, struct http_server **out,
			 struct error *err);

/* The connection to the control, or data, database. */
MUST_CHECK int call_db(struct call *call, struct db **out, struct error *err);
MUST_CHECK int call_data(struct call *call, struct db **out, struct error *err);

/* Gives them back, before a provider is asked. */
void call_db_release(struct call *call);

/* May the key do this? scope as in routes.def. */
bool call_may(const struct call *call, const char *scope);

#define ROUTE(method, pattern, access, scope, body, handler, doc) api_handler handler;
#define ROUTE_ASKS ROUTE
#define ROUTE_RELAY(method, pattern, access, scope, relay, doc) \
	extern const struct http_relay relay;
#include "api/routes.def"
#undef ROUTE
#undef ROUTE_ASKS
#undef ROUTE_RELAY

#endif
