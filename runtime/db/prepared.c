/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/prepared -- statements that are asked for again and again are parsed and planned once for
 * a connection.
 *
 * Not behind a pooler that lends a server's connection by the transaction (PgBouncer): there a
 * name means nothing the next time. Such a one is known by the process that answers, which is
 * not the one that the connection was opened to.
 */
#include "db/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define PREPARED_MAX 256      /* statements of a connection; others are parsed each time */
#define PREPARED_KEY_MAX 4096 /* longer ones, too */
#define PREPARED_AFTER 3      /* times that it was asked for */

struct prepared {
	UT_hash_handle hh;
	unsigned uses;
	bool is_prepared;
	char name[16];
	char key[]; /* the parameters' types, then the text */
};

static bool
is_direct(struct db *db)
{
	PGresult *pg;

	if (db->is_direct != DIRECT_UNKNOWN)
		return db->is_direct == DIRECT_YES;
	pg = PQexec(db->pg, "SELECT pg_backend_pid()");
	if (PQresultStatus(pg) == PGRES_TUPLES_OK)
		db->is_direct =
		    atoi(PQgetvalue(pg, 0, 0)) == PQbackendPID(db->pg) ? DIRECT_YES : DIRECT_NO;
	PQclear(pg);
	return db->is_direct == DIRECT_YES;
}

static struct prepared *
prepared_for(struct db *db, const char *sql, const Oid *types, int count)
{
	size_t head = (size_t)count * sizeof(*types), length = head + strlen(sql);
	struct prepared *it;
	char key[PREPARED_KEY_MAX];

	if (length > sizeof(key))
		return NULL;
	if (count > 0)
		memcpy(key, types, head);
	memcpy(key + head, sql, length - head);
	HASH_FIND(hh, db->prepared, key, length, it);
	if (it != NULL || HASH_COUNT(db->prepared) >= PREPARED_MAX)
		return it;
	it = calloc(1, sizeof(*it) + length);
	if (it == NULL)
		abort();
	memcpy(it->key, key, length);
	snprintf(it->name, sizeof(it->name), "s%u", HASH_COUNT(db->prepared));
	HASH_ADD_KEYPTR(hh, db->prepared, it->key, length, it);
	return it;
}

const char *
prepared_name(struct db *db, const char *sql, const Oid *types, int count)
{
	struct prepared *it = prepared_for(db, sql, types, count);
	PGresult *pg;

	if (it == NULL)
		return NULL;
	if (it->is_prepared)
		return it->name;
	/* A failed transaction refuses this, too; the statement itself is to say so. */
	if (++it->uses < PREPARED_AFTER || PQtransactionStatus(db->pg) == PQTRANS_INERROR ||
	    !is_direct(db))
		return NULL;
	pg = PQprepare(db->pg, it->name, sql, count, types);
	it->is_prepared = PQresultStatus(pg) == PGRES_COMMAND_OK;
	PQclear(pg);
	return it->is_prepared ? it->name : NULL;
}

bool
prepared_is_stale(const PGresult *pg)
{
	const char *state = PQresultErrorField(pg, PG_DIAG_SQLSTATE);

	return state != NULL && (strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0);
}

void
prepared_free(struct db *db)
{
	struct prepared *it, *next;

	HASH_ITER (hh, db->prepared, it, next) {
		HASH_DEL(db->prepared, it);
		free(it);
	}
}
