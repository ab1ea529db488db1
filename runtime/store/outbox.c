/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/outbox -- events are written: see outbox.h.
 *
 * created_at is the database's time at the beginning of the writing transaction, so that no
 * record of the page was modified before it: it is what a body calls modifiedAfter.
 */
#include "store/outbox.h"
#include "store/pgbinary.h"

#include <string.h>

int
outbox_page(struct db *db, const struct outbox_page *p, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango_data.outbox AS o (connection_id, run_id, kind, model, "
	    "    environment_id, facts, added, updated, deleted, created_at) "
	    "VALUES ($1, $2, 'sync', $3, $4, $5, $6, $7, $8, "
	    "    now() + (SELECT offset_by FROM nango_data.clock)) "
	    "ON CONFLICT (connection_id, run_id, kind, model, destination) DO UPDATE "
	    "SET added = o.added + excluded.added, updated = o.updated + excluded.updated, "
	    "    deleted = o.deleted + excluded.deleted";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(p->connection_row), DB_INTEGER(p->run_id),
				 DB_TEXT(p->model), DB_INTEGER(p->environment_id),
				 DB_TEXT(p->facts), DB_INTEGER(p->added),
				 DB_INTEGER(p->updated), DB_INTEGER(p->deleted)));
}

/* text[] of a list that ends with NULL. */
static struct db_param
text_array(struct buf *buf, const char *const *texts)
{
	size_t count = 0;

	while (texts[count] != NULL)
		count++;
	pg_array_begin(buf, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(buf, texts[i], strlen(texts[i]));
	return DB_BINARY(PG_OID_TEXT_ARRAY, buf->data, buf->length);
}

int
outbox_release(struct db *db, const struct outbox_release *r, struct error *err)
{
	static const char sql[] =
	    "WITH held AS ("
	    "    UPDATE nango_data.outbox SET state = 'due', outcome = $6, "
	    "        ready_at = nango_data.clock_now(), due_at = nango_data.clock_now() "
	    "    WHERE connection_id = $1 AND run_id = $2 AND state = 'held' "
	    "    RETURNING model) "
	    "INSERT INTO nango_data.outbox (connection_id, run_id, kind, model, "
	    "    environment_id, facts, outcome, state, created_at, ready_at, due_at) "
	    "SELECT $1, $2, CASE $7::text WHEN 'failed' THEN 'sync_error' ELSE 'sync' END, "
	    "    model, $3, $5, $6, 'due', "
	    "    now() + (SELECT offset_by FROM nango_data.clock), "
	    "    nango_data.clock_now(), nango_data.clock_now() "
	    "FROM unnest($4::text[]) model "
	    "WHERE $7 = 'failed' OR ($7 = 'success' AND model NOT IN (SELECT model FROM held)) "
	    "ON CONFLICT DO NOTHING";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct buf models;
	int result;

	buf_init(&models, mem, 256);
	result =
	    db_exec(db, NULL, NULL, err, sql,
		    DB_PARAMS(DB_INTEGER(r->connection_row), DB_INTEGER(r->run_id),
			      DB_INTEGER(r->environment_id), text_array(&models, r->models),
			      DB_TEXT(r->facts), DB_TEXT(r->outcome), DB_TEXT(r->state)));
	talloc_free(mem);
	return result;
}

int
outbox_auth(struct db *db, const struct outbox_auth *a, struct error *err)
{
	static const char sql[] = "INSERT INTO nango.outbox (connection_id, environment_id, "
				  "kind, facts) VALUES ($1, $2, $3, $4)";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(a->connection_row), DB_INTEGER(a->environment_id),
				 DB_TEXT(a->kind), DB_TEXT(a->facts)));
}
