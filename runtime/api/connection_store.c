/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connection_store -- see connection_store.h.
 */
#include "api/connection_store.h"
#include "api/check.h"
#include "auth/vault.h"
#include "base/crypto.h"
#include "engine/deploy.h"
#include "engine/hooks_message.h"
#include "engine/hooks_out.h"
#include "engine/grant.h"
#include "engine/worker.h"
#include "store/sync.h"

#include <string.h>

#define TAGS_MAX 10
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- whose it is ---- */

static int
read_tags(struct json_object *given, struct json_object *tags, struct error *err)
{
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

int
connection_owner(struct call *call, struct json_object *body, struct connection *c,
		 struct error *err)
{
	struct json_object *tags = json_own(call->mem, json_object_new_object());
	struct json_object *user = json_object_in(body, "end_user");

	if (read_end_user(user, tags, err) < 0 ||
	    read_tags(json_object_in(body, "tags"), tags, err) < 0)
		return -1;
	if (user != NULL || json_member(body, "tags") != NULL)
		c->tags = json_text(call->mem, tags);
	if (user != NULL)
		c->end_user = json_text(call->mem, user);
	if (json_string(body, "webhook_url_override") != NULL)
		c->webhook_url_override = json_string(body, "webhook_url_override");
	return 0;
}

void
connection_move_override(struct json_object *config, struct json_object *credentials)
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

/* ---- storing ---- */

static void
seal(struct call *call, const struct grant *grant, struct connection *c)
{
	struct vault_place place =
	    grant_place(call->mem, c->environment_id, c->integration_id, c->connection_id);
	char *text = json_text(call->mem, grant->auth.credentials);

	c->auth_mode = grant->scheme->mode;
	c->config = json_text(call->mem, grant->auth.config);
	c->credentials_expire_at = json_string(grant->auth.credentials, "expires_at");
	c->credentials = vault_seal(call->mem, call->node->vault, &place, text, strlen(text),
				    &c->credentials_length);
	crypto_wipe(text, strlen(text));
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

static int
write(struct call *call, struct db *db, struct connection *c, struct connection **stored,
      struct error *err)
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
connection_store(struct call *call, const struct grant *grant, struct connection *c,
		 struct connection **stored, struct error *err)
{
	struct db *db;

	seal(call, grant, c);
	if (call_db(call, &db, err) < 0 || write(call, db, c, stored, err) < 0)
		return -1;
	worker_wake(call->node);
	hooks_out_wake(call->node);
	return 0;
}
