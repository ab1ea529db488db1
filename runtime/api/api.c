/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api -- the table of routes and the way of every request: access, handler, answer.
 */
#include "api/api.h"
#include "api/access.h"
#include "base/log.h"

#include <string.h>

static const struct api_route routes[] = {
#define ROUTE_ROW(method_, pattern_, access_, scope_, body_, handler_, doc_, asks_) \
	{.asks = asks_,                                                             \
	 .method = #method_,                                                        \
	 .pattern = pattern_,                                                       \
	 .access = API_##access_,                                                   \
	 .scope = scope_,                                                           \
	 .body_max = API_BODY_##body_,                                              \
	 .handler = handler_,                                                       \
	 .doc = doc_},
#define ROUTE(...) ROUTE_ROW(__VA_ARGS__, false)
#define ROUTE_ASKS(...) ROUTE_ROW(__VA_ARGS__, true)
#define ROUTE_RELAY(method_, pattern_, access_, scope_, relay_, doc_) \
	{.method = #method_,                                          \
	 .pattern = pattern_,                                         \
	 .access = API_##access_,                                     \
	 .scope = scope_,                                             \
	 .relay = &relay_,                                            \
	 .doc = doc_},
#include "api/routes.def"
#undef ROUTE
#undef ROUTE_ASKS
#undef ROUTE_RELAY
};

#define ROUTES_COUNT (sizeof(routes) / sizeof(routes[0]))

static struct http_route http_routes[ROUTES_COUNT];

const struct api_route *
api_routes(size_t *count)
{
	*count = ROUTES_COUNT;
	return routes;
}

int
call_db(struct call *call, struct db **out, struct error *err)
{
	if (call->db == NULL && db_acquire(call->node->control, &call->db, err) < 0)
		return -1;
	*out = call->db;
	return 0;
}

int
call_data(struct call *call, struct db **out, struct error *err)
{
	if (call->node->data == call->node->control)
		return call_db(call, out, err);
	if (call->data == NULL && db_acquire(call->node->data, &call->data, err) < 0)
		return -1;
	*out = call->data;
	return 0;
}

void
call_db_release(struct call *call)
{
	db_release(call->db);
	db_release(call->data);
	call->db = call->data = NULL;
}

static int
api_handle(struct request *req, const struct http_route *http_route, struct response *res,
	   struct error *err)
{
	const struct api_route *route = http_route->data;
	struct call call = {.req = req, .mem = request_mem(req), .node = request_app(req)};
	int result = access_check(&call, route, err);

	if (result == 0)
		result = route->handler(&call, res, err);
	call_db_release(&call);
	if (result < 0 && error_status(err->code) >= 500)
		log_error("api", "%s %s (%s): %s", request_method(req), request_path(req),
			  request_id(req), err->message);
	return result;
}

static int
admit(struct request *req, void *app, struct error *err)
{
	return access_admit(req, app, err);
}

int
api_start(struct node *node, struct loop *loop, struct http_server **out, struct error *err)
{
	struct http_server_config config = {.loop = loop,
					    .pool = node->api_pool,
					    .routes = http_routes,
					    .routes_count = ROUTES_COUNT,
					    .handle = api_handle,
					    .admit = admit,
					    .app = node};

	for (size_t i = 0; i < ROUTES_COUNT; i++)
		http_routes[i] =
		    (struct http_route){.method = routes[i].method,
					.pattern = routes[i].pattern,
					.body_max = routes[i].body_max,
					.data = &routes[i],
					.relay = routes[i].relay,
					.pool = routes[i].asks ? node->auth_pool : NULL};
	return http_server_new(out, &config, err);
}
