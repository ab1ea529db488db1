/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/webhook_in -- where providers send their webhooks to: one address an integration.
 */
#include "api/api.h"
#include "base/clock.h"
#include "base/id.h"
#include "engine/grant.h"
#include "engine/hooks_in.h"
#include "engine/hooks_out.h"
#include "provider/catalogue.h"

#include <string.h>

static int
find(struct call *call, struct db *db, struct integration **out, struct error *err)
{
	const char *uuid = request_param(call->req, "environment");

	if (!id_is_uuid4(uuid))
		return error_set_at(err, ERR_INVALID_PARAMS, "environment",
				    "the environment must be a UUID");
	if (environment_find_uuid(call->mem, db, uuid, &call->env, err) < 0)
		return -1;
	return integration_find(call->mem, db, call->env->id,
				request_param(call->req, "providerConfigKey"), out, err);
}

/* The app's webhook_secret, unless the template says that it is another of its credentials. */
static int
verify(struct call *call, struct hooks_in *in, struct error *err)
{
	const struct integration *i = in->integration;
	struct json_object *rules = json_object_in(in->rules, "verify"), *app;
	const char *name = json_string(rules, "secret");

	if (grant_app(call->mem, call->node, i->environment_id, i->unique_key, i->credentials,
		      i->credentials_length, &app, err) < 0)
		return -1;
	return hooks_in_verify(call->mem, rules,
			       json_string(app, name == NULL ? "webhook_secret" : name),
			       &in->received, err);
}

static struct hooks_received
received_of(struct call *call)
{
	struct hooks_received out = {.method = request_method(call->req),
				     .url = talloc_asprintf(call->mem, "%s%s",
							    call->node->server_url,
							    request_target(call->req)),
				     .headers = request_headers(call->req),
				     .now_ms = clock_wall_ms()};

	out.body = request_body(call->req, &out.body_length);
	return out;
}

/* A text that is the provider's own: it must not become a page. */
static int
send_back(struct response *res, const char *text)
{
	response_header(res, "X-Content-Type-Options", "nosniff");
	return response_bytes(res, 200, "text/plain; charset=utf-8", text, strlen(text));
}

static int
take(struct call *call, struct response *res, struct hooks_in *in, struct db *db,
     struct error *err)
{
	struct json_object *body;

	if (hooks_in_read(in, err) < 0)
		return -1;
	if (in->challenge != NULL)
		return send_back(res, in->challenge);
	if (hooks_in_forward(in, db, err) < 0)
		return -1;
	hooks_out_wake(call->node);
	body = json_object_new_object();
	json_add(body, "status", "success");
	return response_json(res, 200, body);
}

int
api_webhook_in(struct call *call, struct response *res, struct error *err)
{
	struct hooks_in in = {
	    .mem = call->mem, .node = call->node, .received = received_of(call)};
	const struct template *template;
	struct integration *integration;
	struct db *db;
	size_t count;

	in.query = request_queries(call->req, &count);
	if (call_db(call, &db, err) < 0 || find(call, db, &integration, err) < 0)
		return -1;
	template = template_find(catalogue_use(call->node->catalogue, call->mem),
				 integration->provider);
	if (template != NULL)
		in.rules =
		    json_object_in(json_object_in(template_body(template), "x"), "webhook");
	if (in.rules == NULL)
		return response_empty(res, 204);
	in.integration = integration;
	if (verify(call, &in, err) < 0)
		return -1;
	return take(call, res, &in, db, err);
}
