/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private_db -- a Postgres of a test's own, migrated; gone at its end. Faults end the test.
 */
#ifndef NANGO_TESTS_PRIVATE_DB_H
#define NANGO_TESTS_PRIVATE_DB_H

#include "db/db.h"

struct embedded;

struct private_db {
	TALLOC_CTX *mem;
	char dir[64];
	struct embedded *pg;
	struct db_pool *pool;
	struct db *db;
};

void private_db_open(struct private_db *world, bool has_data); /* the data family, too */
void private_db_close(struct private_db *world);
void private_db_run(struct private_db *world, const char *sql);

#endif
