/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/health -- GET /health, /ready, /openapi.yaml.
 */
#include "config.h"

#include "api/api.h"
#include "api/assets.h"
#include "base/clock.h"

#include <string.h>

/*
 * `result` is what load balancers look at; the rest is for people. The sandbox's missing layers
 * stand here because a server that runs plugins with fewer walls should say so where it is
 * seen.
 */
int
api_health(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body = json_object_new_object(), *layers;
	struct db *db;

	if (call_db(call, &db, err) < 0 ||
	    db_exec(db, NULL, NULL, err, "SELECT 1", DB_NONE) < 0) {
		json_object_put(body);
		return -1;
	}
	json_add(body, "result", "ok");
	json_add(body, "version", PACKAGE_VERSION);
	json_add_integer(body, "uptime_ms", clock_monotonic_ms() - call->node->started_ms);
	json_add_integer(body, "loop_wait_us", loop_longest_wait_us(call->node->loop));
	json_add_integer(body, "front_wait_us", loop_longest_wait_us(call->node->front));
	if (call->node->layers != NULL &&
	    json_parse(call->mem, call->node->layers, strlen(call->node->layers), &layers,
		       err) == 0)
		json_object_object_add(body, "sandbox", json_object_get(layers));
	return response_json(res, 200, body);
}

int
api_ready(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body;

	if (atomic_load(&call->node->is_stopping))
		return error_set(err, ERR_UNAVAILABLE, "the server is stopping");
	body = json_object_new_object();
	json_add(body, "result", "ok");
	return response_json(res, 200, body);
}

int
api_openapi(struct call *call, struct response *res, struct error *err)
{
	(void)call;
	(void)err;
	return response_bytes(res, 200, "application/yaml", asset_openapi_yaml,
			      asset_openapi_yaml_length);
}
