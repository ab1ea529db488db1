/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connection_create -- imports a connection with its credentials.
 */
#include "api/check.h"
#include "api/connection_json.h"
#include "api/connection_store.h"
#include "base/id.h"
#include "store/integration.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct check_member create_members[] = {
    {"provider_config_key", CHECK_STRING, .is_required = true},
    {"connection_id", CHECK_STRING},
    {"credentials", CHECK_OBJECT, .is_required = true},
    {"metadata", CHECK_OBJECT, .may_be_null = true},
    {"connection_config", CHECK_OBJECT},
    {"webhook_url_override", CHECK_STRING, .may_be_null = true, .max = 2048},
    {"end_user", CHECK_OBJECT},
    {"tags", CHECK_TEXTS},
};

/* Credentials and configuration, as the provider's template wants them. */
static int
read_access(struct call *call, struct json_object *body, const struct integration *integration,
	    struct grant *grant, struct error *err)
{
	struct json_object *given = json_object_in(body, "credentials");
	struct json_object *config = json_object_in(body, "connection_config");
	const char *type = json_string(given, "type");
	struct grant_of of = grant_of_integration(integration);

	if (grant_open(call->mem, call->node, &of, grant, err) < 0)
		return -1;
	if (type == NULL || strcasecmp(type, grant->scheme->mode) != 0)
		return error_set_at(err, ERR_INVALID_BODY, "credentials.type",
				    "provider %s takes credentials of type %s",
				    integration->provider, grant->scheme->mode);
	if (config != NULL)
		grant->auth.config = config;
	template_fill_fields(grant->auth.template, "credentials", given);
	if (grant->scheme->validate(call->mem, grant->auth.template, given,
				    &grant->auth.credentials, err) < 0 ||
	    template_check_fields(grant->auth.template, "credentials", grant->auth.credentials,
				  "credentials", err) < 0 ||
	    template_check_fields(grant->auth.template, "connection_config", grant->auth.config,
				  "connection_config", err) < 0)
		return -1;
	connection_move_override(grant->auth.config, grant->auth.credentials);
	return 0;
}

/* A token that was brought along with its end is taken as it is; else the provider is asked. */
static int
obtain(struct call *call, struct grant *grant, struct error *err)
{
	struct json_object *credentials = grant->auth.credentials;

	if (grant->scheme->obtain == NULL || (json_string(credentials, "token") != NULL &&
					      json_string(credentials, "expires_at") != NULL))
		return 0;
	call_db_release(call);
	return grant->scheme->obtain(&grant->auth, err);
}

static int
read_create(struct call *call, struct json_object *body, struct connection *c,
	    struct grant *grant, struct error *err)
{
	const char *key = json_string(body, "provider_config_key");
	const char *id = json_string(body, "connection_id");
	struct integration *integration;
	char made[ID_UUID_MAX];
	struct db *db;

	if (id == NULL) {
		id_uuid4(made);
		id = talloc_strdup(call->mem, made);
	}
	if (check_name(NAME_CONNECTION, id, ERR_INVALID_BODY, "connection_id", err) < 0)
		return -1;
	if (call_db(call, &db, err) < 0 ||
	    integration_find(call->mem, db, call->env->id, key, &integration, err) < 0)
		return -1;
	*c = (struct connection){.account_id = call->env->account_id,
				 .environment_id = call->env->id,
				 .integration_id = integration->id,
				 .connection_id = id};
	if (json_object_in(body, "metadata") != NULL)
		c->metadata = json_text(call->mem, json_object_in(body, "metadata"));
	if (connection_owner(call, body, c, err) < 0 ||
	    read_access(call, body, integration, grant, err) < 0)
		return -1;
	return obtain(call, grant, err);
}

int
api_connection_create(struct call *call, struct response *res, struct error *err)
{
	struct connection c, *stored;
	struct json_object *body, *out;
	struct grant grant;

	if (call_body(call, create_members, COUNT(create_members), &body, err) < 0 ||
	    read_create(call, body, &c, &grant, err) < 0 ||
	    connection_store(call, &grant, &c, &stored, err) < 0 ||
	    connection_full_json(call, stored, CONNECTION_TIME_Z, false, &out, err) < 0)
		return -1;
	return response_json(res, 200, out);
}
