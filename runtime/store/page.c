/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/page -- see page.h.
 */
#include "store/page.h"
#include "store/pgbinary.h"

#include <stdlib.h>

enum {
	COLUMN_ID,
	COLUMN_EPOCH,
	COLUMN_SEQ,
	COLUMN_WINDOW,
	COLUMN_QUARANTINED,
	COLUMN_NEW_SEQ,
	COLUMN_NEW_LIVE,
	COLUMN_NEW_WINDOW,
	COLUMN_NEW_WINDOW_SEQ,
	COLUMN_NEW_WINDOW_RUN,
	COLUMN_NEW_PARTIAL,
	COLUMN_NEW_QUARANTINED,
	COLUMN_MODIFIED, /* timestamptz */
	COLUMN_ADDED,
	COLUMN_UPDATED,
	COLUMN_DELETED,
	COLUMN_MODEL,
	COLUMN_NEW_MODEL,
	COLUMN_NEW_WINDOW_MODEL,
	COLUMNS
};

struct arrays {
	struct buf columns[COLUMNS], marks;
};

static void
arrays_fill(TALLOC_CTX *mem, struct arrays *a, const struct page_write *page)
{
	for (int c = 0; c < COLUMNS; c++) {
		buf_init(&a->columns[c], mem, page->heads_count * 12 + 32);
		pg_array_begin(&a->columns[c],
			       c == COLUMN_MODIFIED ? PG_OID_TIMESTAMPTZ : PG_OID_INT8,
			       page->heads_count);
	}
	buf_init(&a->marks, mem, 64);
	pg_array_begin(&a->marks, PG_OID_BYTEA, page->heads_count);
	for (size_t i = 0; i < page->heads_count; i++) {
		const struct dataset *b = page->heads[i].before, *n = page->heads[i].after;
		const int64_t values[COLUMNS] = {
		    [COLUMN_ID] = b->id,
		    [COLUMN_EPOCH] = b->epoch,
		    [COLUMN_SEQ] = b->seq,
		    [COLUMN_WINDOW] = b->window_id,
		    [COLUMN_QUARANTINED] = b->quarantined,
		    [COLUMN_NEW_SEQ] = n->seq,
		    [COLUMN_NEW_LIVE] = n->live,
		    [COLUMN_NEW_WINDOW] = n->window_id,
		    [COLUMN_NEW_WINDOW_SEQ] = n->window_seq,
		    [COLUMN_NEW_WINDOW_RUN] = n->window_run_id,
		    [COLUMN_NEW_PARTIAL] = n->window_is_partial,
		    [COLUMN_NEW_QUARANTINED] = n->quarantined,
		    [COLUMN_MODIFIED] = b->now_us2000,
		    [COLUMN_ADDED] = page->heads[i].added,
		    [COLUMN_UPDATED] = page->heads[i].updated,
		    [COLUMN_DELETED] = page->heads[i].deleted,
		    [COLUMN_MODEL] = b->model_hash,
		    [COLUMN_NEW_MODEL] = n->model_hash,
		    [COLUMN_NEW_WINDOW_MODEL] = n->window_model,
		};

		for (int c = 0; c < COLUMNS; c++)
			pg_field_int8(&a->columns[c], values[c]);
		pg_field(&a->marks, page->heads[i].marks, page->heads[i].marks_length);
	}
}

/*
 * The statement is a function of the data family (migration 0013), because its planning took
 * longer than its work and longer than the COMMIT: a function is planned once a connection.
 * $25: a head moves.
 */
static const char write_sql[] =
    "SELECT w.* FROM nango_data.write_page($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
    "$11, $12, "
    "    $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, "
    "$30, $31, $32, $33, $34, $35) w, "
    "(SELECT CASE WHEN $25 THEN '' ELSE set_config('synchronous_commit', 'off', true) END "
    " OFFSET 0) quick";

static struct db_param
column(const struct arrays *a, int at)
{
	return DB_BINARY(at == COLUMN_MODIFIED ? PG_OID_TIMESTAMPTZ_ARRAY : PG_OID_INT8_ARRAY,
			 a->columns[at].data, a->columns[at].length);
}

/* ---- what a page needs of the function: the steps that it does not need are left out ---- */

static bool
moves(const struct page_head *h)
{
	const struct dataset *b = h->before, *n = h->after;

	return n->seq != b->seq || n->live != b->live || n->window_id != b->window_id ||
	       n->quarantined != b->quarantined ||
	       n->window_is_partial != b->window_is_partial ||
	       n->window_model != b->window_model;
}

static bool
has_window(const struct page_head *h)
{
	return h->before->window_id != 0;
}

static bool
has_marks(const struct page_head *h)
{
	return h->after->window_id != 0 && h->marks_length > 0;
}

static bool
any(const struct page_write *page, bool is(const struct page_head *head))
{
	for (size_t i = 0; i < page->heads_count; i++)
		if (is(&page->heads[i]))
			return true;
	return false;
}

int
page_write(struct db *db, const struct page_write *p, struct page_verdict *out,
	   struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_param params[35];
	struct db_result *done;
	struct arrays a;
	size_t n = 0;
	int result;

	arrays_fill(mem, &a, p);
	params[n++] = DB_INTEGER(p->connection_row);
	params[n++] = DB_INTEGER(p->run_id);
	params[n++] = DB_INTEGER(p->token);
	params[n++] = DB_INTEGER(p->number);
	params[n++] = DB_TEXT(p->result);
	for (int c = COLUMN_ID; c <= COLUMN_MODIFIED; c++)
		params[n++] = column(&a, c);
	params[n++] = DB_BINARY(PG_OID_BYTEA_ARRAY, a.marks.data, a.marks.length);
	params[n++] = DB_INTEGER(p->checkpoint);
	params[n++] = DB_TEXT(p->checkpoint_key);
	params[n++] = DB_BINARY(PG_OID_TEXT, p->checkpoint_body, p->checkpoint_length);
	params[n++] = DB_INTEGER(p->checkpoint_version);
	params[n++] = DB_BOOLEAN(p->takes_heads);
	params[n++] = DB_BOOLEAN(any(p, moves));
	params[n++] = DB_BOOLEAN(any(p, has_window));
	params[n++] = DB_BOOLEAN(any(p, has_marks));
	params[n++] = DB_INTEGER(p->environment_id);
	params[n++] = DB_TEXT(p->facts);
	for (int c = COLUMN_ADDED; c < COLUMNS; c++)
		params[n++] = column(&a, c);
	result = db_exec(db, mem, &done, err, write_sql, params, n);
	if (result == 0)
		*out = (struct page_verdict){db_boolean(done, 0, 0), db_boolean(done, 0, 1),
					     db_boolean(done, 0, 2)};
	talloc_free(mem);
	return result;
}
