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
	COLUMN_NEW_SEQ,
	COLUMN_NEW_LIVE,
	COLUMN_NEW_WINDOW,
	COLUMN_NEW_WINDOW_SEQ,
	COLUMN_NEW_WINDOW_RUN,
	COLUMN_NEW_QUARANTINED,
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
		pg_array_begin(&a->columns[c], PG_OID_INT8, page->heads_count);
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
		    [COLUMN_NEW_SEQ] = n->seq,
		    [COLUMN_NEW_LIVE] = n->live,
		    [COLUMN_NEW_WINDOW] = n->window_id,
		    [COLUMN_NEW_WINDOW_SEQ] = n->window_seq,
		    [COLUMN_NEW_WINDOW_RUN] = n->window_run_id,
		    [COLUMN_NEW_QUARANTINED] = n->quarantined,
		};

		for (int c = 0; c < COLUMNS; c++)
			pg_field_int8(&a->columns[c], values[c]);
		pg_field(&a->marks, page->heads[i].marks, page->heads[i].marks_length);
	}
}

/*
 * `held` is what must be so, `fence` is the gate: every write below joins it, so all of them
 * are done or none. A fence that another transaction closes meanwhile fails the UPDATE's own
 * condition once that one has committed.
 */
static const char write_sql[] =
    "WITH wanted AS ("
    "    SELECT * FROM unnest($6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[], "
    "        $11::int8[], $12::int8[], $13::int8[], $14::int8[], $15::int8[], $16::bytea[]) "
    "    AS w (id, epoch, seq, win, new_seq, new_live, new_win, new_win_seq, new_win_run, "
    "        new_quarantined, marks)), "
    "held AS ("
    "    SELECT (SELECT count(*) FROM wanted w JOIN nango_data.dataset d "
    "            ON d.connection_id = $1 AND d.id = w.id WHERE d.epoch = w.epoch "
    "            AND d.seq = w.seq AND d.window_id = w.win) "
    "           = (SELECT count(*) FROM wanted) AS heads, "
    "        $17 = 0 OR $20 = coalesce((SELECT version FROM nango_data.checkpoint "
    "            WHERE connection_id = $1 AND key = $18), 0) AS checkpoint), "
    "fence AS ("
    "    UPDATE nango_data.fence f SET pages = $4, result = $5, "
    "        updated_at = nango_data.clock_now() FROM held h "
    "    WHERE f.connection_id = $1 AND f.run_id = $2 AND f.token = $3 "
    "      AND f.state = 'open' AND f.pages = $4 - 1 AND h.heads AND h.checkpoint "
    "    RETURNING f.run_id), "
    "moved AS ("
    "    UPDATE nango_data.dataset d SET seq = w.new_seq, live = w.new_live, "
    "        window_id = w.new_win, window_seq = w.new_win_seq, "
    "        window_run_id = w.new_win_run, quarantined = w.new_quarantined, "
    "        window_opened_at = CASE WHEN w.new_win = w.win THEN d.window_opened_at "
    "            WHEN w.new_win = 0 THEN NULL ELSE nango_data.clock_now() END "
    "    FROM wanted w, fence WHERE d.connection_id = $1 AND d.id = w.id "
    "      AND (d.seq, d.live, d.window_id, d.quarantined) IS DISTINCT FROM "
    "          (w.new_seq, w.new_live, w.new_win, w.new_quarantined)), "
    "seen AS ("
    "    INSERT INTO nango_data.seen (connection_id, window_id, run_id, page, marks) "
    "    SELECT $1, w.new_win, $2, $4, w.marks FROM wanted w, fence "
    "    WHERE w.new_win <> 0 AND length(w.marks) > 0), "
    "checkpoint AS ("
    "    INSERT INTO nango_data.checkpoint AS c (connection_id, key, version, body) "
    "    SELECT $1, $18, $20 + 1, $19 FROM fence WHERE $17 <> 0 "
    "    ON CONFLICT (connection_id, key) DO UPDATE SET version = c.version + 1, "
    "        body = excluded.body, updated_at = nango_data.clock_now() "
    "    WHERE c.version = $20) "
    "SELECT EXISTS (SELECT FROM fence), h.heads, h.checkpoint FROM held h";

int
page_write(struct db *db, const struct page_write *p, struct page_verdict *out,
	   struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_param params[20];
	struct db_result *done;
	struct arrays a;
	int result;

	arrays_fill(mem, &a, p);
	params[0] = DB_INTEGER(p->connection_row);
	params[1] = DB_INTEGER(p->run_id);
	params[2] = DB_INTEGER(p->token);
	params[3] = DB_INTEGER(p->number);
	params[4] = DB_TEXT(p->result);
	for (int c = 0; c < COLUMNS; c++)
		params[5 + c] =
		    DB_BINARY(PG_OID_INT8_ARRAY, a.columns[c].data, a.columns[c].length);
	params[15] = DB_BINARY(PG_OID_BYTEA_ARRAY, a.marks.data, a.marks.length);
	params[16] = DB_INTEGER(p->checkpoint);
	params[17] = DB_TEXT(p->checkpoint_key);
	params[18] = DB_BINARY(PG_OID_TEXT, p->checkpoint_body, p->checkpoint_length);
	params[19] = DB_INTEGER(p->checkpoint_version);
	result = db_exec(db, mem, &done, err, write_sql, params, 20);
	if (result == 0)
		*out = (struct page_verdict){db_boolean(done, 0, 0), db_boolean(done, 0, 1),
					     db_boolean(done, 0, 2)};
	talloc_free(mem);
	return result;
}
