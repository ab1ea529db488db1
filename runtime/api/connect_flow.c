/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connect_flow -- see connect_flow.h.
 */
#include "api/connect_flow.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/hooks_message.h"
#include "engine/hooks_out.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
parse(struct call *call, const char *text, struct json_object **out, struct error *err)
{
	*out = NULL;
	return text == NULL ? 0 : json_parse(call->mem, text, strlen(text), out, err);
}

static bool
is_allowed(struct json_object *list, const char *key)
{
	if (list == NULL)
		return true;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), key) ==
		    0)
			return true;
	return false;
}

static int
open_integration(struct call *call, struct db *db, struct connect_flow *flow, struct error *err)
{
	const char *key = request_param(call->req, "providerConfigKey");
	struct json_object *allowed, *defaults;

	if (parse(call, call->session->allowed_integrations, &allowed, err) < 0 ||
	    parse(call, call->session->defaults, &defaults, err) < 0)
		return -1;
	if (integration_find(call->mem, db, call->env->id, key, &flow->integration, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			return error_set(err, ERR_UNKNOWN_INTEGRATION,
					 "there is no integration \"%s\"", key);
		return -1;
	}
	if (!is_allowed(allowed, key))
		return error_set(err, ERR_NOT_ALLOWED,
				 "this connect session does not allow integration \"%s\"", key);
	flow->defaults = json_object_in(defaults, key);
	return 0;
}

/* Anew: the one of the session; else a new one. */
static int
open_connection(struct call *call, struct db *db, struct connect_flow *flow, struct error *err)
{
	const struct connect_session *s = call->session;
	struct connection *again, *c = &flow->connection;
	char made[ID_UUID_MAX];

	*c = (struct connection){.account_id = call->env->account_id,
				 .environment_id = call->env->id,
				 .integration_id = flow->integration->id,
				 .end_user = s->end_user,
				 .tags = s->tags,
				 .webhook_url_override = s->webhook_url_override};
	if (s->connection_row == 0) {
		id_uuid4(made);
		c->connection_id = talloc_strdup(call->mem, made);
		return 0;
	}
	if (connection_find_id(call->mem, db, s->connection_row, &again, err) < 0)
		return -1;
	c->connection_id = again->connection_id;
	return 0;
}

struct json_object *
connect_query(struct call *call, const char *name, bool is_null)
{
	struct json_object *out = json_own(call->mem, json_object_new_object());
	size_t count, length = strlen(name);
	const struct http_field *fields = request_queries(call->req, &count);

	for (size_t i = 0; i < count; i++) {
		const char *field = fields[i].name, *end;

		if (strncmp(field, name, length) != 0 || field[length] != '[')
			continue;
		end = strchr(field + length, ']');
		if (end == NULL || end[1] != '\0' || end == field + length + 1)
			continue;
		json_add(out,
			 talloc_strndup(call->mem, field + length + 1,
					(size_t)(end - field) - length - 1),
			 is_null && strcmp(fields[i].value, "undefined") == 0
			     ? NULL
			     : fields[i].value);
	}
	return out;
}

/*
 * A browser says what the person knows. Settings of the integration, and what the provider is
 * to tell, are not its to say: a URL among them would get the app's secrets.
 */
static void
drop_foreign(const struct template *template, struct json_object *config)
{
	static const char *const lists[] = {"token_response_metadata", "redirect_uri_metadata",
					    "webhook_response_metadata"};
	struct json_object *body = template_body(template);
	struct json_object *asked = json_object_in(body, "connection_config");
	struct json_object *own = json_object_in(body, "integration_config");

	json_object_object_del(config, "webhook_url");
	json_object_object_del(config, "mcp_oauth");
	json_object_object_del(config, "installation_id");
	if (own != NULL) {
		json_object_object_foreach (own, name, schema) {
			(void)schema;
			json_object_object_del(config, name);
		}
	}
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct json_object *names = json_array_in(body, lists[i]);

		for (size_t k = 0; names != NULL && k < json_object_array_length(names); k++) {
			const char *name =
			    json_object_get_string(json_object_array_get_idx(names, k));

			if (json_object_in(asked, name) == NULL)
				json_object_object_del(config, name);
		}
	}
	template_drop_automated(template, "connection_config", config);
}

/* What the app presets a browser cannot change. */
static int
read_settings(struct call *call, struct connect_flow *flow, struct error *err)
{
	struct json_object *config = connect_query(call, "params", false);
	struct json_object *preset = json_object_in(flow->defaults, "connection_config");

	drop_foreign(flow->grant.auth.template, config);
	if (preset != NULL) {
		json_object_object_foreach (preset, key, value)
			json_object_object_add(config, key, json_object_get(value));
	}
	json_object_object_del(config, "oauth_scopes_override");
	connection_move_override(config, flow->grant.auth.credentials);
	flow->grant.auth.config = config;
	return template_check_fields(flow->grant.auth.template, "connection_config", config,
				     "connection_config", err);
}

int
connect_flow_open(struct call *call, struct connect_flow *out, struct error *err)
{
	struct grant_of of;
	struct db *db;

	*out = (struct connect_flow){0};
	if (call_db(call, &db, err) < 0 || open_integration(call, db, out, err) < 0 ||
	    open_connection(call, db, out, err) < 0)
		return -1;
	of = grant_of_integration(out->integration);
	if (grant_open(call->mem, call->node, &of, &out->grant, err) < 0)
		return -1;
	return read_settings(call, out, err);
}

bool
connect_presets_scopes(const struct connect_flow *flow)
{
	struct json_object *config = json_object_in(flow->defaults, "connection_config");

	return json_string(flow->defaults, "user_scopes") != NULL ||
	       json_array_in(config, "oauth_scopes_override") != NULL;
}

const char *
connect_scopes(struct call *call, const struct connect_flow *flow)
{
	struct json_object *config = json_object_in(flow->defaults, "connection_config");
	struct json_object *list = json_array_in(config, "oauth_scopes_override");
	const char *preset = json_string(flow->defaults, "user_scopes");
	char *joined = NULL;

	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
		joined = talloc_asprintf(
		    call->mem, "%s%s%s", joined == NULL ? "" : joined, i == 0 ? "" : ",",
		    json_object_get_string(json_object_array_get_idx(list, i)));
	if (joined != NULL)
		return joined;
	return preset != NULL ? preset : request_query(call->req, "user_scope");
}

void
connect_failed(struct call *call, const struct connect_flow *flow, const struct error *why)
{
	const struct connection *c = &flow->connection;
	const struct hooks_auth told = {.operation = "creation",
					.connection_id = c->connection_id,
					.integration_key = flow->integration->unique_key,
					.provider = flow->integration->provider,
					.auth_mode = flow->grant.scheme->mode,
					.environment = call->env->name,
					.tags = c->tags,
					.end_user = c->end_user,
					.error_type = error_name(why->code),
					.error_description = why->message};
	const struct outbox_auth event = {.environment_id = call->env->id,
					  .kind = OUTBOX_AUTH_CREATION,
					  .facts = hooks_auth_facts(call->mem, &told)};
	struct error err;
	struct db *db;

	if (call_db(call, &db, &err) < 0 || outbox_auth(db, &event, &err) < 0)
		log_warn("auth", "the app could not be told of a failed connection: %s",
			 err.message);
	else
		hooks_out_wake(call->node);
}
