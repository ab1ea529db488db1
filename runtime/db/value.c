/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/value -- statements of which one number is wanted.
 */
#include "db/db.h"

int
db_exec_value(struct db *db, int64_t *value, struct error *err, const char *sql,
	      const struct db_param *params, size_t count)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, sql, params, count);

	if (result == 0)
		*value = db_rows(found) > 0 ? db_integer(found, 0, 0) : 0;
	talloc_free(mem);
	return result;
}

int
db_exec_count(struct db *db, int64_t *rows, struct error *err, const char *sql,
	      const struct db_param *params, size_t count)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql, params, count);

	if (result == 0)
		*rows = (int64_t)db_affected(done);
	talloc_free(mem);
	return result;
}
