/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/integrations -- a provider, set up in an environment.
 */
#include "api/check.h"
#include "api/integration_app.h"
#include "base/buf.h"
#include "base/clock.h"
#include "engine/cancel.h"
#include "engine/worker.h"
#include "provider/catalogue.h"
#include "store/integration.h"
#include "store/sync.h"

#include <string.h>

#define CONFIG_VALUE_MAX 8192

static const struct check_member create_members[] = {
    {"provider", CHECK_STRING, .is_required = true},
    {"unique_key", CHECK_STRING, .is_required = true},
    {"display_name", CHECK_STRING, .may_be_null = true},
    {"forward_webhooks", CHECK_BOOLEAN},
    {"credentials", CHECK_OBJECT, .may_be_null = true},
    {"integration_config", CHECK_TEXTS, .max = CONFIG_VALUE_MAX},
    {"custom", CHECK_TEXTS, .max = CONFIG_VALUE_MAX},
};
static const struct check_member update_members[] = {
    {"unique_key", CHECK_STRING},
    {"display_name", CHECK_STRING, .may_be_null = true},
    {"forward_webhooks", CHECK_BOOLEAN},
    {"credentials", CHECK_OBJECT, .may_be_null = true},
    {"integration_config", CHECK_TEXTS, .max = CONFIG_VALUE_MAX},
    {"custom", CHECK_TEXTS, .max = CONFIG_VALUE_MAX},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
add_time(struct json_object *object, const char *key, int64_t ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(text, ms);
	json_add(object, key, text);
}

static struct json_object *
integration_json(struct call *call, const struct integration *i)
{
	const struct template *template =
	    template_find(catalogue_use(call->node->catalogue, call->mem), i->provider);
	struct json_object *out = json_object_new_object();
	char *logo = talloc_asprintf(call->mem, "%s/images/template-logos/%s.svg",
				     call->node->server_url, i->provider);

	json_add(out, "unique_key", i->unique_key);
	json_add(out, "provider", i->provider);
	json_add(out, "display_name",
		 i->display_name != NULL ? i->display_name
		 : template != NULL	 ? template_display_name(template)
					 : i->provider);
	json_add(out, "logo", logo);
	json_add_boolean(out, "forward_webhooks", i->forward_webhooks);
	add_time(out, "created_at", i->created_ms);
	add_time(out, "updated_at", i->updated_ms);
	return out;
}

/* NULL: the template says nothing of webhooks. */
static const char *
webhook_url(struct call *call, const struct integration *i)
{
	const struct template *template =
	    template_find(catalogue_use(call->node->catalogue, call->mem), i->provider);
	struct buf url;

	if (template == NULL ||
	    json_object_in(json_object_in(template_body(template), "x"), "webhook") == NULL)
		return NULL;
	buf_init(&url, call->mem, 128);
	buf_addf(&url, "%s/webhook/%s/", call->node->server_url, call->env->uuid);
	buf_add_url(&url, i->unique_key);
	return url.data;
}

static int
answer(struct call *call, struct response *res, struct json_object *data)
{
	struct json_object *body = json_object_new_object();

	(void)call;
	json_object_object_add(body, "data", data);
	return response_json(res, 200, body);
}

int
api_integration_list(struct call *call, struct response *res, struct error *err)
{
	static const char *const none[] = {NULL};
	struct json_object *list;
	struct integration *found;
	struct db *db;
	size_t count;

	if (check_query(call, none, err) < 0 || call_db(call, &db, err) < 0 ||
	    integration_list(call->mem, db, call->env->id, &found, &count, err) < 0)
		return -1;
	list = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, integration_json(call, &found[i]));
	return answer(call, res, list);
}

/* Reads what create and update have in common. */
static int
read_members(struct call *call, struct json_object *body, struct integration *i,
	     struct error *err)
{
	const char *key = json_string(body, "unique_key"), *was_key = i->unique_key;

	if (key != NULL) {
		if (check_name(NAME_INTEGRATION, key, ERR_INVALID_BODY, "unique_key", err) < 0)
			return -1;
		i->unique_key = key;
	}
	if (json_object_object_get_ex(body, "display_name", NULL))
		i->display_name = json_string(body, "display_name");
	i->forward_webhooks = json_boolean(body, "forward_webhooks", i->forward_webhooks);
	return app_read(call, body, i, was_key, err);
}

int
api_integration_create(struct call *call, struct response *res, struct error *err)
{
	struct integration i = {.account_id = call->env->account_id,
				.environment_id = call->env->id,
				.forward_webhooks = true,
				.config = "{}"};
	struct json_object *body;
	struct db *db;

	if (call_body(call, create_members, COUNT(create_members), &body, err) < 0)
		return -1;
	i.provider = json_string(body, "provider");
	if (template_find(catalogue_use(call->node->catalogue, call->mem), i.provider) == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "provider",
				    "there is no provider \"%s\": GET /providers lists them",
				    i.provider);
	if (read_members(call, body, &i, err) < 0 || call_db(call, &db, err) < 0)
		return -1;
	if (integration_insert(db, &i, err) < 0) {
		if (err->code == ERR_CONFLICT)
			err->code = ERR_INVALID_BODY; /* what the reference answers */
		return -1;
	}
	return answer(call, res, integration_json(call, &i));
}

int
api_integration_show(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"include", "include[", NULL};
	struct json_object *out;
	struct integration *found;
	struct db *db;
	size_t count;
	const struct http_field *query = request_queries(call->req, &count);

	if (check_query(call, names, err) < 0 || call_db(call, &db, err) < 0 ||
	    integration_find(call->mem, db, call->env->id,
			     request_param(call->req, "uniqueKey"), &found, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(query[i].value, "webhook") != 0 &&
		    strcmp(query[i].value, "credentials") != 0)
			return error_set_at(err, ERR_INVALID_QUERY, "include",
					    "must be webhook or credentials");
	out = integration_json(call, found);
	for (size_t i = 0; i < count; i++) {
		struct json_object *app;

		if (strcmp(query[i].value, "webhook") == 0) {
			json_add(out, "webhook_url", webhook_url(call, found));
		} else if (call_may(call, "integrations:read_credentials")) {
			if (app_json(call, found, &app, err) < 0) {
				json_object_put(out);
				return -1;
			}
			json_object_object_add(out, "credentials", app);
		}
	}
	return answer(call, res, out);
}

static int
refuse_rename(struct db *db, const struct integration *i, const char *new_key,
	      struct error *err)
{
	int64_t connections;

	if (new_key == NULL || strcmp(new_key, i->unique_key) == 0)
		return 0;
	if (integration_connections(db, i->id, &connections, err) < 0)
		return -1;
	if (connections > 0)
		return error_set_at(err, ERR_INVALID_BODY, "unique_key",
				    "Can't rename an integration with active connections");
	return 0;
}

/* Failing syncs may have failed for want of what the app is known by. */
static int
update(struct db *db, struct integration *i, bool is_app_new, struct error *err)
{
	if (db_begin(db, err) < 0 || integration_update(db, i, err) < 0 ||
	    (is_app_new && sync_wake_all(db, i->id, err) < 0))
		return -1;
	return db_commit(db, err);
}

int
api_integration_update(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body;
	struct integration *found;
	bool is_app_new;
	struct db *db;

	if (call_body(call, update_members, COUNT(update_members), &body, err) < 0 ||
	    call_db(call, &db, err) < 0 ||
	    integration_find(call->mem, db, call->env->id,
			     request_param(call->req, "uniqueKey"), &found, err) < 0 ||
	    refuse_rename(db, found, json_string(body, "unique_key"), err) < 0 ||
	    read_members(call, body, found, err) < 0)
		return -1;
	is_app_new = json_member(body, "credentials") != NULL ||
		     json_member(body, "integration_config") != NULL ||
		     json_member(body, "custom") != NULL;
	if (update(db, found, is_app_new, err) < 0) {
		if (err->code == ERR_CONFLICT)
			err->code = ERR_INVALID_BODY;
		return -1;
	}
	if (is_app_new)
		worker_wake(call->node);
	return answer(call, res, integration_json(call, found));
}

int
api_integration_delete(struct call *call, struct response *res, struct error *err)
{
	struct run_scope scope = {0};
	struct json_object *body;
	struct integration *found;
	struct db *db;

	if (call_db(call, &db, err) < 0 ||
	    integration_find(call->mem, db, call->env->id,
			     request_param(call->req, "uniqueKey"), &found, err) < 0)
		return -1;
	scope.integration_id = found->id;
	if (db_begin(db, err) < 0 || integration_delete(db, found->id, err) < 0 ||
	    cancel_runs(call->node, db, &scope, "the integration was deleted", err) < 0 ||
	    db_commit(db, err) < 0)
		return -1;
	worker_cancelled(call->node);
	body = json_object_new_object();
	json_add_boolean(body, "success", true);
	return response_json(res, 200, body);
}
