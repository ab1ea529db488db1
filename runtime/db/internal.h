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
	enum { DIRECT_UNKNOWN, DIRECT_YES, DIRECT_NO } is_direct;
	struct prepared *prepared; /* by types and text */
	struct db *next;
};

struct db_result {
	PGresult *pg;
};

/* Fills err from a failed statement; notes a broken connection. Returns -1. */
int db_fail(struct db *db, const PGresult *pg, struct error *err);

/* The name of the statement where it is prepared on this connection; NULL: it is not. */
const char *prepared_name(struct db *db, const char *sql, const Oid *types, int count);
/* Its failure says that the statement is gone, or would answer with other columns than before:
 * a table was changed. The connection is of no use then. */
bool prepared_is_stale(const PGresult *pg);
void prepared_free(struct db *db);

#endif
