/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/metadata -- POST replaces, PATCH merges top-level members; for all named connections, or,
 * when one of them does not exist, for none.
 */
#include "api/check.h"
#include "store/connection.h"

#include <string.h>

#define METADATA_MAX (1024 * 1024)

static const struct check_member members[] = {
    {"connection_id", CHECK_ANY, .is_required = true},
    {"provider_config_key", CHECK_STRING, .is_required = true},
    {"metadata", CHECK_OBJECT, .is_required = true},
};

/* One id, or a list of them, as a list. */
static int
read_ids(struct call *call, struct json_object *body, struct json_object **out,
	 struct error *err)
{
	struct json_object *ids = json_member(body, "connection_id");

	if (json_object_is_type(ids, json_type_string)) {
		*out = json_own(call->mem, json_object_new_array());
		json_object_array_add(*out, json_object_get(ids));
		return 0;
	}
	if (!json_object_is_type(ids, json_type_array) || json_object_array_length(ids) == 0)
		return error_set_at(err, ERR_INVALID_BODY, "connection_id",
				    "must be a connection id or a list of them");
	for (size_t i = 0; i < json_object_array_length(ids); i++)
		if (!json_object_is_type(json_object_array_get_idx(ids, i), json_type_string))
			return error_set_at(err, ERR_INVALID_BODY, "connection_id",
					    "must be a list of strings");
	*out = ids;
	return 0;
}

static int
set_one(struct call *call, struct db *db, const struct connection *connection,
	struct json_object *metadata, bool merge, struct error *err)
{
	struct json_object *all = metadata;

	if (merge && connection->metadata != NULL) {
		if (json_parse(call->mem, connection->metadata, strlen(connection->metadata),
			       &all, err) < 0)
			return -1;
		json_object_object_foreach (metadata, key, value)
			json_object_object_add(all, key, json_object_get(value));
	}
	if (strlen(json_text(call->mem, all)) > METADATA_MAX)
		return error_set_at(err, ERR_INVALID_BODY, "metadata", "is over %d bytes",
				    METADATA_MAX);
	return connection_set_metadata(db, connection->id, json_text(call->mem, all), err);
}

static int
set_all(struct call *call, struct db *db, struct json_object *body, bool merge,
	struct error *err)
{
	struct json_object *ids = NULL;
	struct connection *connection;
	const char *key = json_string(body, "provider_config_key");

	if (read_ids(call, body, &ids, err) < 0)
		return -1;
	for (size_t i = 0; i < json_object_array_length(ids); i++) {
		const char *id = json_object_get_string(json_object_array_get_idx(ids, i));

		if (connection_find(call->mem, db, call->env->id, key, id, &connection, err) <
		    0) {
			if (err->code == ERR_NOT_FOUND)
				return error_set(
				    err, ERR_NOT_FOUND,
				    "unknown_connection: integration \"%s\" has no "
				    "connection \"%s\"; nothing was changed",
				    key, id);
			return -1;
		}
		if (set_one(call, db, connection, json_object_in(body, "metadata"), merge,
			    err) < 0)
			return -1;
	}
	return 0;
}

static int
handle(struct call *call, struct response *res, bool merge, int status, struct error *err)
{
	struct json_object *body;
	struct db *db;

	if (call_body(call, members, sizeof(members) / sizeof(members[0]), &body, err) < 0 ||
	    call_db(call, &db, err) < 0 || db_begin(db, err) < 0 ||
	    set_all(call, db, body, merge, err) < 0 || db_commit(db, err) < 0)
		return -1; /* the release of the connection undoes the transaction */
	return response_json(res, status, json_object_get(body));
}

int
api_metadata_set(struct call *call, struct response *res, struct error *err)
{
	return handle(call, res, false, 201, err);
}

int
api_metadata_update(struct call *call, struct response *res, struct error *err)
{
	return handle(call, res, true, 200, err);
}
