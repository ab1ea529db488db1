/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/auth_forms -- connections from what a person typed into a form, each mode at a path of
 * its own as the official client calls it.
 */
#include "api/connect_flow.h"
#include "auth/post_connect.h"
#include "engine/verify.h"

#include <string.h>

static const struct {
	const char *prefix, *mode;
} paths[] = {
    {"/api-auth/api-key/", "API_KEY"},
    {"/api-auth/basic/", "BASIC"},
    {"/oauth2/auth/", "OAUTH2_CC"},
    {"/auth/unauthenticated/", "NONE"},
    {"/auth/two-step/", "TWO_STEP"},
    {"/auth/jwt/", "JWT"},
    {"/auth/bill/", "BILL"},
    {"/auth/signature/", "SIGNATURE"},
    {"/auth/tba/", "TBA"},
    {"/auth/aws-sigv4/", "AWS_SIGV4"},
};

static const char *
mode_of(const char *path)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strncmp(path, paths[i].prefix, strlen(paths[i].prefix)) == 0)
			return paths[i].mode;
	return "";
}

static int
read_form(struct call *call, struct connect_flow *flow, struct error *err)
{
	struct auth_grant *auth = &flow->grant.auth;
	const char *mode = mode_of(request_path(call->req));
	struct json_object *given;

	if (strcmp(flow->grant.scheme->mode, mode) != 0)
		return error_set(err, ERR_AUTH_MODE,
				 "integration \"%s\" is connected by %s, not by %s",
				 flow->integration->unique_key, flow->grant.scheme->mode, mode);
	if (request_json(call->req, &given, err) < 0)
		return -1;
	if (given == NULL)
		given = json_own(call->mem, json_object_new_object());
	if (!json_object_is_type(given, json_type_object))
		return error_set_at(err, ERR_INVALID_BODY, "", "the body must be an object");
	template_drop_automated(auth->template, "credentials", given);
	template_fill_fields(auth->template, "credentials", given);
	if (flow->grant.scheme->validate(call->mem, auth->template, given, &auth->credentials,
					 err) < 0)
		return -1;
	auth->options = json_object_in(given, "assertionOption");
	if (auth->options == NULL)
		auth->options = json_own(call->mem, json_object_new_object());
	if (template_check_fields(auth->template, "credentials", auth->credentials,
				  "credentials", err) < 0)
		return -1;
	return template_check_fields(auth->template, "assertion_option", auth->options,
				     "assertionOption", err);
}

/* Credentials that work: a token for them where the mode has one, and a try. */
static int
obtain(struct call *call, struct connect_flow *flow, struct error *err)
{
	const struct auth_scheme *scheme = flow->grant.scheme;

	call_db_release(call);
	if ((scheme->obtain == NULL || scheme->obtain(&flow->grant.auth, err) == 0) &&
	    post_connect(&flow->grant.auth, scheme, err) == 0 &&
	    verify_grant(call->mem, call->node, &flow->grant, err) == 0)
		return 0;
	connect_failed(call, flow, err);
	return -1;
}

int
api_auth_form(struct call *call, struct response *res, struct error *err)
{
	struct connect_flow flow;
	struct connection *stored;
	struct json_object *body;

	if (connect_flow_open(call, &flow, err) < 0 || read_form(call, &flow, err) < 0 ||
	    obtain(call, &flow, err) < 0 ||
	    connection_store(call, &flow.grant, &flow.connection, &stored, err) < 0)
		return -1;
	body = json_object_new_object();
	json_add(body, "connectionId", stored->connection_id);
	json_add(body, "providerConfigKey", stored->integration_key);
	return response_json(res, 200, body);
}
