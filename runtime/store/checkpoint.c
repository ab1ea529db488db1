/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/checkpoint -- see checkpoint.h.
 */
#include "store/checkpoint.h"

int
checkpoint_get(TALLOC_CTX *mem, struct db *db, int64_t connection_row, const char *key,
	       const char **body, int64_t *version, struct error *err)
{
	static const char sql[] = "SELECT body, version FROM nango_data.checkpoint "
				  "WHERE connection_id = $1 AND key = $2";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(key))) < 0)
		return -1;
	*body = db_rows(found) > 0 ? db_text(found, 0, 0) : NULL;
	*version = db_rows(found) > 0 ? db_integer(found, 0, 1) : 0;
	return 0;
}

int
checkpoint_clear(struct db *db, int64_t connection_row, const char *key, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.checkpoint SET body = NULL, version = version + 1, "
	    "    updated_at = nango_data.clock_now() "
	    "WHERE connection_id = $1 AND key = $2 AND body IS NOT NULL";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(key)));
}
