/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/internal -- what the files of db/ share and nobody else sees.
 */
#ifndef NANGO_DB_INTERNAL_H
#define NANGO_DB_INTERNAL_H

#include "db/db.h"
#include <libpq-fe.h>

struct db {
	struct db_pool *pool;
	PGconn *pg;
	bool is_broken; /* not given out again */
	struct db *next;
};

struct db_result {
	PGresult *pg;
};

/* Fills err from a failed statement; notes a broken connection. Returns -1. */
int db_fail(struct db *db, const PGresult *pg, struct error *err);

#endif
