/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connection_match -- see connection_match.h.
 *
 * config and metadata are JSON as text, so that nothing of it is changed. Postgres looks for
 * rows that hold the value at all, which is fast; what it stands for is seen here.
 */
#include "store/connection_match.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static bool
is_value(struct json_object *found, const char *value)
{
	return (json_object_is_type(found, json_type_string) ||
		json_object_is_type(found, json_type_int)) &&
	       strcmp(json_object_get_string(found), value) == 0;
}

static bool
holds(TALLOC_CTX *mem, const char *text, const char *key, const char *value)
{
	struct json_object *tree, *found;
	struct error none;

	if (text == NULL || json_parse(mem, text, strlen(text), &tree, &none) < 0)
		return false;
	found = json_member(tree, key);
	if (!json_object_is_type(found, json_type_array))
		return is_value(found, value);
	for (size_t i = 0; i < json_object_array_length(found); i++)
		if (is_value(json_object_array_get_idx(found, i), value))
			return true;
	return false;
}

/* What a value looks like within JSON text however that was written; "" when nobody knows. */
static const char *
needle(const char *value)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._:@-";

	return strspn(value, plain) == strlen(value) ? value : "";
}

int
connection_match(TALLOC_CTX *mem, struct db *db, int64_t integration_id, const char *by,
		 const char *key, const char *value, size_t limit,
		 struct connection_match **out, size_t *count, struct error *err)
{
	static const char sql[] =
	    "SELECT id, connection_id, CASE $2 WHEN 'config' THEN config ELSE metadata END "
	    "FROM nango.connection WHERE integration_id = $1 AND deleted_at IS NULL "
	    "AND CASE $2 WHEN 'connection_id' THEN connection_id = $3 "
	    "            WHEN 'config' THEN strpos(config, $4) > 0 "
	    "            ELSE strpos(metadata, $4) > 0 END "
	    "ORDER BY id";
	bool is_id = strcmp(by, "connection_id") == 0;
	struct db_result *found;

	*count = 0;
	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(integration_id), DB_TEXT(by), DB_TEXT(value),
			      DB_TEXT(needle(value)))) < 0)
		return -1;
	*out = talloc_zero_array(mem, struct connection_match, (unsigned)db_rows(found) + 1);
	if (*out == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found) && *count < limit; i++)
		if (is_id || holds(*out, db_text(found, i, 2), key, value))
			(*out)[(*count)++] = (struct connection_match){db_integer(found, i, 0),
								       db_text(found, i, 1)};
	return 0;
}
