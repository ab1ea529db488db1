/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/migrate -- numbered SQL files, forward only, each applied once and under a lock.
 */
#ifndef NANGO_DB_MIGRATE_H
#define NANGO_DB_MIGRATE_H

#include "db/db.h"

struct migration {
	const char *family; /* "control" or "data" */
	int number;
	const char *name, *sql;
};
extern const struct migration
    migrations[]; /* made from migrations/, sorted, ends with a NULL */

/* Applies what is missing of a family; *applied counts them. */
MUST_CHECK int migrate_run(struct db_pool *pool, const char *family, int *applied,
			   struct error *err);

#endif
