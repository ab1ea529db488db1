/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connections -- list, show, import, change and delete connections.
 */
#include "api/check.h"
#include "api/connection_json.h"
#include "auth/auth.h"
#include "base/id.h"
#include "engine/cancel.h"
#include "engine/deploy.h"
#include "engine/freshen.h"
#include "engine/grant.h"
#include "engine/hooks_message.h"
#include "engine/hooks_out.h"
#include "engine/target.h"
#include "engine/worker.h"
#include "provider/catalogue.h"
#include "store/connection.h"
#include "store/integration.h"
#include "store/sync.h"

#include <string.h>
#include <strings.h>

#define LIST_DEFAULT 10000
#define LIST_MAX 2000
#define TAGS_MAX 10
#define TAG_VALUE_MAX 255
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
static const struct check_member update_members[] = {
    {"end_user", CHECK_OBJECT},
    {"tags", CHECK_TEXTS},
    {"webhook_url_override", CHECK_STRING, .max = 2048},
};

static int
read_tags(struct call *call, struct json_object *given, struct json_object *tags,
	  struct error *err)
{
	(void)call;
	if (given == NULL)
		return 0;
	if (json_object_object_length(given) > TAGS_MAX)
		return error_set_at(err, ERR_INVALID_BODY, "tags", "at most %d tags", TAGS_MAX);
	json_object_object_foreach (given, key, value) {
		char lower[65] = "";

		if (check_name(NAME_TAG, key, ERR_INVALID_BODY, "tags", err) < 0)
			return -1;
		for (size_t i = 0; key[i] != '\0' && i + 1 < sizeof(lower); i++)
			lower[i] =
			    (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] + 32 : key[i]);
		if (json_object_get_string_len(value) == 0)
			return error_set_at(err, ERR_INVALID_BODY, "tags",
					    "tag \"%s\" is empty", key);
		if (json_object_object_get_ex(given, lower, NULL) && strcmp(lower, key) != 0)
			return error_set_at(err, ERR_INVALID_BODY, "tags",
					    "tag \"%s\" is there twice but for its case", key);
		json_object_object_add(tags, lower, json_object_get(value));
	}
	return 0;
}

/* The older end_user object also becomes tags; tags that are given win. */
static int
read_end_user(struct json_object *user, struct json_object *tags, struct error *err)
{
	static const struct {
		const char *member, *tag;
	} rows[] = {{"id", "end_user_id"},
		    {"email", "end_user_email"},
		    {"display_name", "end_user_display_name"}};
	struct json_object *organization = json_object_in(user, "organization");

	if (user == NULL)
		return 0;
	if (json_string(user, "id") == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "end_user.id", "is required");
	for (size_t i = 0; i < COUNT(rows); i++)
		if (json_string(user, rows[i].member) != NULL)
			json_add(tags, rows[i].tag, json_string(user, rows[i].member));
	if (json_string(organization, "id") != NULL)
		json_add(tags, "organization_id", json_string(organization, "id"));
	if (json_string(organization, "display_name") != NULL)
		json_add(tags, "organization_display_name",
			 json_string(organization, "display_name"));
	return 0;
}

static int
read_common(struct call *call, struct json_object *body, struct connection *c,
	    struct error *err)
{
	struct json_object *tags = json_own(call->mem, json_object_new_object());
	struct json_object *user = json_object_in(body, "end_user");

	if (read_end_user(user, tags, err) < 0 ||
	    read_tags(call, json_object_in(body, "tags"), tags, err) < 0)
		return -1;
	if (user != NULL || json_member(body, "tags") != NULL)
		c->tags = json_text(call->mem, tags);
	if (user != NULL)
		c->end_user = json_text(call->mem, user);
	if (json_string(body, "webhook_url_override") != NULL)
		c->webhook_url_override = json_string(body, "webhook_url_override");
	return 0;
}

/* The app that a connection brings along is a secret of it, not a setting. */
static void
move_override(struct json_object *config, struct json_object *credentials)
{
	static const struct {
		const char *from, *to;
	} rows[] = {{"oauth_client_id_override", "client_id"},
		    {"oauth_client_secret_override", "client_secret"}};
	struct json_object *override = json_object_in(credentials, "config_override");

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = json_string(config, rows[i].from);

		if (text == NULL)
			continue;
		if (override == NULL) {
			override = json_object_new_object();
			json_object_object_add(credentials, "config_override", override);
		}
		json_add(override, rows[i].to, text);
		json_object_object_del(config, rows[i].from);
	}
}

/* Credentials and configuration, as the provider's template wants them. */
static int
read_access(struct call *call, struct json_object *body, const struct integration *integration,
	    struct grant *grant, struct error *err)
{
	struct json_object *given = json_object_in(body, "credentials");
	struct json_object *config = json_object_in(body, "connection_config");
	const char *type = json_string(given, "type");
	struct grant_of of = {.provider = integration->provider,
			      .environment_id = integration->environment_id,
			      .integration_key = integration->unique_key,
			      .app = integration->credentials,
			      .app_length = integration->credentials_length,
			      .settings = integration->config};

	if (grant_open(call->mem, call->node, &of, grant, err) < 0)
		return -1;
	if (type == NULL || strcasecmp(type, grant->scheme->mode) != 0)
		return error_set_at(err, ERR_INVALID_BODY, "credentials.type",
				    "provider %s takes credentials of type %s",
				    integration->provider, grant->scheme->mode);
	if (config != NULL)
		grant->auth.config = config;
	if (grant->scheme->validate(call->mem, given, &grant->auth.credentials, err) < 0 ||
	    template_check_fields(grant->auth.template, "credentials", grant->auth.credentials,
				  "credentials", err) < 0 ||
	    template_check_fields(grant->auth.template, "connection_config", grant->auth.config,
				  "connection_config", err) < 0)
		return -1;
	move_override(grant->auth.config, grant->auth.credentials);
	return 0;
}

/* A token that was brought along is taken as it is; else the provider is asked for one. */
static int
obtain(struct call *call, struct grant *grant, struct error *err)
{
	struct json_object *credentials = grant->auth.credentials;

	if (grant->scheme->obtain == NULL || json_string(credentials, "token") != NULL)
		return 0;
	call_db_release(call);
	return grant->scheme->obtain(&grant->auth, err);
}

static void
seal_access(struct call *call, struct grant *grant, struct connection *c)
{
	struct vault_place place =
	    target_place(call->mem, c->environment_id, c->integration_id, c->connection_id);
	char *text = json_text(call->mem, grant->auth.credentials);

	c->auth_mode = grant->scheme->mode;
	c->config = json_text(call->mem, grant->auth.config);
	c->credentials_expire_at = json_string(grant->auth.credentials, "expires_at");
	c->credentials = vault_seal(call->mem, call->node->vault, &place, text, strlen(text),
				    &c->credentials_length);
	crypto_wipe(text, strlen(text));
}

static int
read_create(struct call *call, struct json_object *body, struct connection *c,
	    struct error *err)
{
	const char *key = json_string(body, "provider_config_key");
	const char *id = json_string(body, "connection_id");
	struct integration *integration;
	struct grant grant;
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
	if (read_common(call, body, c, err) < 0 ||
	    read_access(call, body, integration, &grant, err) < 0 ||
	    obtain(call, &grant, err) < 0)
		return -1;
	seal_access(call, &grant, c);
	return 0;
}

/* The webhook of a connection that was made or given other credentials. */
static int
announce(struct call *call, struct db *db, const struct connection *c, bool was_new,
	 struct error *err)
{
	const struct hooks_auth told = {
	    .operation = was_new ? "creation" : "override",
	    .connection_id = c->connection_id,
	    .integration_key = c->integration_key,
	    .provider = c->provider,
	    .auth_mode = c->auth_mode,
	    .environment = call->env->name,
	    .tags = c->tags,
	    .end_user = c->end_user,
	};
	const struct outbox_auth auth = {
	    .connection_row = c->id,
	    .environment_id = c->environment_id,
	    .kind = was_new ? OUTBOX_AUTH_CREATION : OUTBOX_AUTH_OVERRIDE,
	    .facts = hooks_auth_facts(call->mem, &told),
	};

	return outbox_auth(db, &auth, err);
}

/*
 * Connection, schedules and webhook are one transaction: there is no connection that never
 * syncs, and none that nobody hears of.
 */
static int
store_connection(struct call *call, struct db *db, struct connection *c,
		 struct connection **stored, struct error *err)
{
	bool was_new;

	if (db_begin(db, err) < 0 || connection_upsert(db, c, &was_new, err) < 0 ||
	    deploy_connection(db, c->integration_id, c->id, err) < 0 ||
	    connection_find_id(call->mem, db, c->id, stored, err) < 0 ||
	    announce(call, db, *stored, was_new, err) < 0)
		return -1;
	/* Failing syncs may have failed for want of these credentials. */
	if (!was_new && sync_wake(db, c->id, err) < 0)
		return -1;
	return db_commit(db, err);
}

int
api_connection_create(struct call *call, struct response *res, struct error *err)
{
	struct connection c, *stored;
	struct json_object *body, *out;
	struct db *db;

	if (call_body(call, create_members, COUNT(create_members), &body, err) < 0 ||
	    read_create(call, body, &c, err) < 0 || call_db(call, &db, err) < 0 ||
	    store_connection(call, db, &c, &stored, err) < 0 ||
	    connection_full_json(call, stored, CONNECTION_TIME_Z, false, &out, err) < 0)
		return -1;
	worker_wake(call->node);
	hooks_out_wake(call->node);
	return response_json(res, 200, out);
}

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
	if (freshen(call->node, call->mem, (*c)->id, is_forced, &fresh, err) < 0 ||
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
	    read_common(call, body, found, err) < 0)
		return -1;
	if (found->webhook_url_override != NULL && found->webhook_url_override[0] == '\0')
		found->webhook_url_override = NULL;
	if (connection_update(db, found, err) < 0)
		return -1;
	return success(res);
}

int
api_connection_delete(struct call *call, struct response *res, struct error *err)
{
	struct run_scope scope = {0};
	struct connection *found;
	struct db *db;

	if (call_db(call, &db, err) < 0 || find(call, db, &found, err) < 0)
		return -1;
	scope.connection_row = found->id;
	if (db_begin(db, err) < 0 || connection_delete(db, found->id, err) < 0 ||
	    cancel_runs(call->node, db, &scope, "the connection was deleted", err) < 0 ||
	    db_commit(db, err) < 0)
		return -1;
	worker_cancelled(call->node);
	return success(res);
}
