/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connections -- list, show, change and delete connections.
 */
#include "api/check.h"
#include "api/connection_json.h"
#include "api/connection_store.h"
#include "auth/pre_delete.h"
#include "base/log.h"
#include "engine/cancel.h"
#include "engine/freshen.h"
#include "engine/worker.h"
#include "store/connection.h"

#include <string.h>
#include <strings.h>

#define LIST_DEFAULT 10000
#define LIST_MAX 2000
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct check_member update_members[] = {
    {"end_user", CHECK_OBJECT},
    {"tags", CHECK_TEXTS},
    {"webhook_url_override", CHECK_STRING, .max = 2048},
};

static int
read_filter(struct call *call, struct connection_filter *f, struct error *err)
{
	static const char *const names[] = {"connectionId",
					    "search",
					    "endUserId",
					    "endUserOrganizationId",
					    "integrationId",
					    "tags[",
					    "limit",
					    "page",
					    NULL};
	struct json_object *tags = json_own(call->mem, json_object_new_object());
	struct json_object *keys = json_own(call->mem, json_object_new_array());
	const char *integrations = request_query(call->req, "integrationId");
	int64_t page;
	size_t count;
	const struct http_field *fields = request_queries(call->req, &count);

	f->environment_id = call->env->id;
	f->connection_id = request_query(call->req, "connectionId");
	f->search = request_query(call->req, "search");
	f->end_user_id = request_query(call->req, "endUserId");
	f->organization_id = request_query(call->req, "endUserOrganizationId");
	if (check_query(call, names, err) < 0 ||
	    query_integer(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &f->limit, err) < 0 ||
	    query_integer(call, "page", 0, INT32_MAX, 0, &page, err) < 0)
		return -1;
	f->offset = page * f->limit;
	for (const char *p = integrations; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ",");

		json_object_array_add(keys, json_object_new_string_len(p, (int)n));
		p += n + (p[n] == ',');
	}
	if (json_object_array_length(keys) > 0)
		f->integration_keys = json_text(call->mem, keys);
	for (size_t i = 0; i < count; i++)
		if (strncmp(fields[i].name, "tags[", 5) == 0)
			json_add(tags,
				 talloc_strndup(call->mem, fields[i].name + 5,
						strcspn(fields[i].name + 5, "]")),
				 fields[i].value);
	if (json_object_object_length(tags) > 0)
		f->tags = json_text(call->mem, tags);
	return 0;
}

int
api_connection_list(struct call *call, struct response *res, struct error *err)
{
	struct connection_filter filter = {0};
	struct json_object *body, *list;
	struct connection *found;
	struct db *db;
	size_t count;

	if (read_filter(call, &filter, err) < 0 || call_db(call, &db, err) < 0 ||
	    connection_list(call->mem, db, &filter, &found, &count, err) < 0)
		return -1;
	body = json_own(call->mem, json_object_new_object());
	list = json_object_new_array();
	json_object_object_add(body, "connections", list);
	for (size_t i = 0; i < count; i++) {
		struct json_object *one;

		if (connection_simple_json(call, &found[i], &one, err) < 0)
			return -1;
		json_object_array_add(list, one);
	}
	return response_json(res, 200, json_object_get(body));
}

/* The connection that path and query name. */
static int
find(struct call *call, struct db *db, struct connection **out, struct error *err)
{
	const char *key = request_query(call->req, "provider_config_key");

	if (key == NULL || key[0] == '\0')
		return error_set_at(err, ERR_INVALID_QUERY, "provider_config_key",
				    "provider_config_key is required");
	return connection_find(call->mem, db, call->env->id, key,
			       request_param(call->req, "connectionId"), out, err);
}

/* true, false, 1, 0, yes, no … as clients of the reference write them. */
static int
query_boolean(struct call *call, const char *name, bool *out, struct error *err)
{
	static const char *const yes[] = {"true", "1", "yes", "on", "y"};
	static const char *const no[] = {"false", "0", "no", "off", "n", ""};
	const char *text = request_query(call->req, name);

	*out = false;
	if (text == NULL)
		return 0;
	for (size_t i = 0; i < COUNT(yes); i++)
		if (strcasecmp(text, yes[i]) == 0) {
			*out = true;
			return 0;
		}
	for (size_t i = 0; i < COUNT(no); i++)
		if (strcasecmp(text, no[i]) == 0)
			return 0;
	return error_set_at(err, ERR_INVALID_QUERY, name, "must be true or false");
}

/* Credentials that expire are renewed first, without a connection to Postgres meanwhile. */
static int
freshen_first(struct call *call, bool is_forced, struct connection **c, struct error *err)
{
	const struct auth_scheme *scheme = auth_scheme_find((*c)->auth_mode);
	struct connection *fresh;
	struct db *db;

	if (scheme == NULL || scheme->renew == NULL ||
	    !call_may(call, "connections:read_credentials"))
		return 0;
	call_db_release(call);
	if (freshen(call->node, call->mem, (*c)->id, is_forced ? FRESHEN_FORCED : FRESHEN_DUE,
		    &fresh, err) < 0 ||
	    call_db(call, &db, err) < 0)
		return -1;
	return connection_find_id(call->mem, db, fresh->id, c, err);
}

int
api_connection_show(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"provider_config_key", "force_refresh",
					    "refresh_token", "refresh_github_app_jwt_token",
					    NULL};
	bool is_forced, with_refresh_token;
	struct json_object *out;
	struct connection *found;
	struct db *db;

	if (check_query(call, names, err) < 0 ||
	    query_boolean(call, "force_refresh", &is_forced, err) < 0 ||
	    query_boolean(call, "refresh_token", &with_refresh_token, err) < 0 ||
	    call_db(call, &db, err) < 0 || find(call, db, &found, err) < 0 ||
	    freshen_first(call, is_forced, &found, err) < 0 ||
	    connection_full_json(call, found, CONNECTION_TIME_OFFSET, with_refresh_token, &out,
				 err) < 0)
		return -1;
	return response_json(res, 200, out);
}

static int
success(struct response *res)
{
	struct json_object *body = json_object_new_object();

	json_add_boolean(body, "success", true);
	return response_json(res, 200, body);
}

int
api_connection_update(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body;
	struct connection *found;
	struct db *db;

	if (call_body(call, update_members, COUNT(update_members), &body, err) < 0 ||
	    call_db(call, &db, err) < 0 || find(call, db, &found, err) < 0 ||
	    connection_owner(call, body, found, err) < 0)
		return -1;
	if (found->webhook_url_override != NULL && found->webhook_url_override[0] == '\0')
		found->webhook_url_override = NULL;
	if (connection_update(db, found, err) < 0)
		return -1;
	return success(res);
}

/* The provider is told first, while there are tokens to tell it with; whatever it answers, the
 * connection goes. */
static void
tell_provider(struct call *call, struct db *db, const struct connection *c)
{
	struct refresh_state state;
	struct connection *same;
	struct grant grant;
	struct error err;

	if (refresh_find(call->mem, db, c->id, &same, &state, &err) < 0 ||
	    grant_of_connection(call->mem, call->node, same, &state, &grant, &err) < 0) {
		log_warn("auth",
			 "connection %s/%s is deleted without a word to its provider: %s",
			 c->integration_key, c->connection_id, err.message);
		return;
	}
	if (!pre_delete_is_needed(&grant.auth))
		return;
	call_db_release(call);
	if (pre_delete(&grant.auth, grant.scheme, &err) < 0)
		log_warn("auth", "connection %s/%s is deleted, but its provider says: %s",
			 c->integration_key, c->connection_id, err.message);
}

int
api_connection_delete(struct call *call, struct response *res, struct error *err)
{
	struct run_scope scope = {0};
	struct connection *found;
	struct db *db;

	if (call_db(call, &db, err) < 0 || find(call, db, &found, err) < 0)
		return -1;
	tell_provider(call, db, found);
	if (call_db(call, &db, err) < 0)
		return -1;
	scope.connection_row = found->id;
	if (db_begin(db, err) < 0 || connection_delete(db, found->id, err) < 0 ||
	    cancel_runs(call->node, db, &scope, "the connection was deleted", err) < 0 ||
	    db_commit(db, err) < 0)
		return -1;
	worker_cancelled(call->node);
	return success(res);
}
