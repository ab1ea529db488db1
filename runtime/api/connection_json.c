/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/connection_json -- see connection_json.h.
 */
#include "api/connection_json.h"
#include "base/clock.h"
#include "engine/grant.h"

#include <stdio.h>
#include <string.h>

/* A member from stored JSON text; null when there is none. */
static int
add_stored(struct call *call, struct json_object *out, const char *key, const char *text,
	   struct error *err)
{
	struct json_object *value = NULL;

	if (text != NULL && json_parse(call->mem, text, strlen(text), &value, err) < 0)
		return -1;
	json_object_object_add(out, key, json_object_get(value));
	return 0;
}

static void
add_time(struct json_object *out, const char *key, int64_t ms, enum connection_time form)
{
	char text[CLOCK_ISO_MAX + 8];

	if (ms == 0) {
		json_add(out, key, NULL);
		return;
	}
	clock_iso(text, ms);
	if (form == CONNECTION_TIME_OFFSET)
		snprintf(strchr(text, 'Z'), 8, "+00:00");
	json_add(out, key, text);
}

static int
add_common(struct call *call, const struct connection *c, struct json_object *out,
	   struct error *err)
{
	json_add_integer(out, "id", c->id);
	json_add(out, "connection_id", c->connection_id);
	json_add(out, "provider_config_key", c->integration_key);
	json_add(out, "provider", c->provider);
	if (add_stored(call, out, "errors", c->errors, err) < 0 ||
	    add_stored(call, out, "end_user", c->end_user, err) < 0 ||
	    add_stored(call, out, "tags", c->tags, err) < 0)
		return -1;
	return add_stored(call, out, "metadata", c->metadata, err);
}

int
connection_simple_json(struct call *call, const struct connection *c, struct json_object **out,
		       struct error *err)
{
	struct json_object *tree = json_own(call->mem, json_object_new_object());

	if (add_common(call, c, tree, err) < 0)
		return -1;
	add_time(tree, "created", c->created_ms, CONNECTION_TIME_Z);
	*out = json_object_get(tree);
	return 0;
}

/* Wherever they are: further tokens, a user's, the provider's answer as it came. */
static void
drop_refresh_tokens(struct json_object *tree)
{
	if (json_object_is_type(tree, json_type_array))
		for (size_t i = 0; i < json_object_array_length(tree); i++)
			drop_refresh_tokens(json_object_array_get_idx(tree, i));
	if (!json_object_is_type(tree, json_type_object))
		return;
	json_object_object_del(tree, "refresh_token");
	json_object_object_foreach (tree, key, value) {
		(void)key;
		drop_refresh_tokens(value);
	}
}

int
connection_full_json(struct call *call, const struct connection *c, enum connection_time form,
		     bool with_refresh_token, struct json_object **out, struct error *err)
{
	struct json_object *tree = json_own(call->mem, json_object_new_object()), *credentials;

	if (add_common(call, c, tree, err) < 0 ||
	    add_stored(call, tree, "connection_config", c->config, err) < 0)
		return -1;
	json_add(tree, "webhook_url_override", c->webhook_url_override);
	add_time(tree, "created_at", c->created_ms, form);
	add_time(tree, "updated_at", c->updated_ms, form);
	add_time(tree, "last_fetched_at", c->last_fetched_ms, form);
	if (!call_may(call, "connections:read_credentials")) {
		json_object_object_add(tree, "credentials", json_object_new_object());
	} else {
		if (grant_credentials(call->mem, call->node, c, &credentials, err) < 0)
			return -1;
		if (!with_refresh_token)
			drop_refresh_tokens(credentials);
		json_object_object_add(tree, "credentials", json_object_get(credentials));
	}
	*out = json_object_get(tree);
	return 0;
}
