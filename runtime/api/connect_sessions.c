/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connect_sessions -- an app makes a session for one of its users, who connects an account
 * with its token.
 */
#include "api/access.h"
#include "api/check.h"
#include "api/connection_store.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "store/integration.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct check_member create_members[] = {
    {"end_user", CHECK_OBJECT},
    {"organization", CHECK_OBJECT},
    {"allowed_integrations", CHECK_ARRAY, .may_be_null = true},
    {"integrations_config_defaults", CHECK_OBJECT, .may_be_null = true},
    {"overrides", CHECK_OBJECT, .may_be_null = true},
    {"webhook_url_override", CHECK_STRING, .may_be_null = true, .max = 2048},
    {"tags", CHECK_TEXTS},
};
static const struct check_member reconnect_members[] = {
    {"connection_id", CHECK_STRING, .is_required = true},
    {"integration_id", CHECK_STRING, .is_required = true},
    {"end_user", CHECK_OBJECT},
    {"organization", CHECK_OBJECT},
    {"integrations_config_defaults", CHECK_OBJECT, .may_be_null = true},
    {"overrides", CHECK_OBJECT, .may_be_null = true},
    {"webhook_url_override", CHECK_STRING, .may_be_null = true, .max = 2048},
    {"tags", CHECK_TEXTS},
};

static int
check_integration(struct call *call, struct db *db, const char *key, const char *at,
		  struct error *err)
{
	struct integration *found;

	if (integration_find(call->mem, db, call->env->id, key, &found, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		return error_set_at(err, ERR_INVALID_BODY, at, "there is no integration \"%s\"",
				    key);
	return -1;
}

static int
read_allowed(struct call *call, struct db *db, struct json_object *body,
	     struct connect_session *s, struct error *err)
{
	struct json_object *list = json_array_in(body, "allowed_integrations");

	if (list == NULL || json_object_array_length(list) == 0)
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		char at[64];

		snprintf(at, sizeof(at), "allowed_integrations.%zu", i);
		if (!json_object_is_type(one, json_type_string))
			return error_set_at(err, ERR_INVALID_BODY, at, "must be a text");
		if (check_integration(call, db, json_object_get_string(one), at, err) < 0)
			return -1;
	}
	s->allowed_integrations = json_text(call->mem, list);
	return 0;
}

/* An object by integration, each an object. */
static int
read_by_integration(struct call *call, struct db *db, struct json_object *body,
		    const char *member, const char **out, struct error *err)
{
	struct json_object *given = json_object_in(body, member);

	if (given == NULL)
		return 0;
	json_object_object_foreach (given, key, value) {
		char at[ERROR_AT_MAX];

		snprintf(at, sizeof(at), "%s.%s", member, key);
		if (!json_object_is_type(value, json_type_object))
			return error_set_at(err, ERR_INVALID_BODY, at, "must be an object");
		if (check_integration(call, db, key, at, err) < 0)
			return -1;
	}
	*out = json_text(call->mem, given);
	return 0;
}

static int
read_session(struct call *call, struct db *db, struct json_object *body,
	     struct connect_session *s, struct error *err)
{
	struct json_object *user = json_object_in(body, "end_user");
	struct json_object *organization = json_object_in(body, "organization");
	struct connection owner = {0};

	if (organization != NULL && user != NULL)
		json_object_object_add(user, "organization", json_object_get(organization));
	if (connection_owner(call, body, &owner, err) < 0)
		return -1;
	*s = (struct connect_session){.account_id = call->env->account_id,
				      .environment_id = call->env->id,
				      .end_user = owner.end_user,
				      .tags = owner.tags,
				      .webhook_url_override = owner.webhook_url_override};
	if (read_by_integration(call, db, body, "integrations_config_defaults", &s->defaults,
				err) < 0 ||
	    read_by_integration(call, db, body, "overrides", &s->overrides, err) < 0)
		return -1;
	return read_allowed(call, db, body, s, err);
}

static int
answer(struct call *call, struct db *db, struct connect_session *s, struct response *res,
       struct error *err)
{
	struct json_object *body, *data;
	char token[ACCESS_SESSION_TOKEN_MAX], expires[CLOCK_ISO_MAX];
	unsigned char hash[CRYPTO_SHA256_BYTES];
	char *link;

	access_session_token(token);
	crypto_sha256(hash, token, strlen(token));
	if (connect_session_insert(db, s, hash, sizeof(hash), err) < 0)
		return -1;
	clock_iso(expires, s->expires_ms);
	link = talloc_asprintf(call->mem, "%s/connect/?session_token=%s",
			       call->node->server_url, token);
	body = json_object_new_object();
	data = json_object_new_object();
	json_add(data, "token", token);
	json_add(data, "connect_link", link);
	json_add(data, "expires_at", expires);
	json_object_object_add(body, "data", data);
	return response_json(res, 201, body);
}

int
api_connect_session_create(struct call *call, struct response *res, struct error *err)
{
	struct connect_session session;
	struct json_object *body;
	struct db *db;

	if (call_body(call, create_members, COUNT(create_members), &body, err) < 0)
		return -1;
	if (json_object_in(body, "end_user") == NULL && json_member(body, "tags") == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "end_user",
				    "end_user, or tags, must say whose session it is");
	if (call_db(call, &db, err) < 0 || read_session(call, db, body, &session, err) < 0)
		return -1;
	return answer(call, db, &session, res, err);
}

int
api_connect_session_reconnect(struct call *call, struct response *res, struct error *err)
{
	struct connect_session session;
	struct connection *connection;
	struct json_object *body;
	struct db *db;
	const char *key;

	if (call_body(call, reconnect_members, COUNT(reconnect_members), &body, err) < 0)
		return -1;
	key = json_string(body, "integration_id");
	if (call_db(call, &db, err) < 0 || read_session(call, db, body, &session, err) < 0)
		return -1;
	if (connection_find(call->mem, db, call->env->id, key,
			    json_string(body, "connection_id"), &connection, err) < 0) {
		if (err->code == ERR_NOT_FOUND || err->code == ERR_UNKNOWN_INTEGRATION)
			err->code = ERR_INVALID_BODY; /* as the reference answers */
		return -1;
	}
	session.connection_row = connection->id;
	session.allowed_integrations = talloc_asprintf(
	    call->mem, "[%s]",
	    json_text(call->mem, json_own(call->mem, json_object_new_string(key))));
	return answer(call, db, &session, res, err);
}

static int
put_stored(struct call *call, struct json_object *out, const char *key, const char *text,
	   struct error *err)
{
	struct json_object *value;

	if (text == NULL)
		return 0;
	if (json_parse(call->mem, text, strlen(text), &value, err) < 0)
		return -1;
	json_object_object_add(out, key, json_object_get(value));
	return 0;
}

int
api_connect_session_show(struct call *call, struct response *res, struct error *err)
{
	static const char *const names[] = {"connect_session_token", NULL};
	const struct connect_session *s = call->session;
	struct json_object *data = json_own(call->mem, json_object_new_object()), *body;

	if (check_query(call, names, err) < 0)
		return -1;
	json_add(data, "endUser", NULL);
	if (put_stored(call, data, "endUser", s->end_user, err) < 0 ||
	    put_stored(call, data, "allowed_integrations", s->allowed_integrations, err) < 0 ||
	    put_stored(call, data, "integrations_config_defaults", s->defaults, err) < 0 ||
	    put_stored(call, data, "overrides", s->overrides, err) < 0)
		return -1;
	json_add_boolean(data, "isReconnecting", s->connection_row != 0);
	body = json_object_new_object();
	json_object_object_add(body, "data", json_object_get(data));
	return response_json(res, 200, body);
}

int
api_connect_session_delete(struct call *call, struct response *res, struct error *err)
{
	struct db *db;

	if (call_db(call, &db, err) < 0 ||
	    connect_session_delete(db, call->session->id, err) < 0)
		return -1;
	return response_empty(res, 204);
}
