/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/deployments -- POST /deployments?integration=KEY, the plugin file as the body.
 */
#include "api/check.h"
#include "engine/deploy.h"
#include "engine/worker.h"

#include <string.h>

int
api_deployment_create(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"integration", "dry_run", NULL};
	const char *key = request_query(call->req, "integration");
	const char *dry_run = request_query(call->req, "dry_run");
	bool is_dry_run = dry_run != NULL && strcmp(dry_run, "true") == 0;
	struct json_object *plan;
	const char *bytes;
	size_t length;

	if (check_query(call, names, err) < 0)
		return -1;
	if (key == NULL)
		return error_set_at(
		    err, ERR_INVALID_QUERY, "integration",
		    "say which integration the plugin is for: ?integration=KEY");
	bytes = request_body(call->req, &length);
	if (length == 0)
		return error_set_at(err, ERR_INVALID_BODY, "",
				    "the body must be the plugin's shared object");
	if (deploy_plugin(call->mem, call->node, call->env, key, bytes, length, is_dry_run,
			  &plan, err) < 0)
		return -1;
	worker_wake(call->node);
	return response_json(res, is_dry_run ? 200 : 201, json_object_get(plan));
}
