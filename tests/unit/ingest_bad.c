/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest, with a real Postgres: records that cannot be stored, and the quarantine.
 */
#include "ingest_support.h"
#include "store/quarantine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t
in_quarantine(TALLOC_CTX *mem, const struct ingest *in, struct quarantine_row **rows)
{
	struct dataset head;
	struct error err;
	struct db *db;
	size_t count;
	bool has_more;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(dataset_find(db, in->connection_row, "Thing", "base", &head, &err), 0);
	assert_int_equal(quarantine_list(mem, db, &head, 0, 100, rows, &count, &has_more, &err),
			 0);
	assert_false(has_more);
	assert_int_equal(head.quarantined, count);
	db_release(db);
	return count;
}

static void
test_quarantine(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct quarantine_row *rows;
	struct page p;
	struct error err;

	(void)state;
	save(in, "!1=x !2=x s3=a");
	save(in, "!1=y");
	assert_int_equal(in_quarantine(mem, in, &rows), 2);
	assert_string_equal(rows[0].key, "i1");
	assert_string_equal(rows[0].path, "v");
	assert_string_equal(rows[0].reason, "it is bad");
	assert_int_equal(rows[0].times, 2);
	assert_memory_equal(rows[0].bytes, "{\"id\":\"1\",\"v\":\"y\"}", rows[0].bytes_length);
	save(in, "s1=good");
	assert_int_equal(in_quarantine(mem, in, &rows), 1);
	assert_string_equal(rows[0].key, "i2");
	/* No id at all, and ids that cannot be kept. */
	page_make(&p, "s7=a s8=b s9=c");
	p.records[0].id = (struct jsonspan){NULL, 0};
	p.records[1].id = (struct jsonspan){"\"\\u0000\"", 8};
	p.records[2].id = (struct jsonspan){"[1]", 3};
	assert_int_equal(commit(in, &p, &err), 0);
	assert_int_equal(in_quarantine(mem, in, &rows), 4);
	assert_int_equal(in->models[0].quarantined, 6);
	/* One id twice in a page: the newest is kept, and the page goes in. */
	save(in, "!20=a !20=b s21=a");
	assert_int_equal(in_quarantine(mem, in, &rows), 5);
	assert_memory_equal(rows[4].bytes, "{\"id\":\"20\",\"v\":\"b\"}", rows[4].bytes_length);
	/* A good one that is stored already mends it, too. */
	save(in, "s20=good");
	save(in, "!20=c");
	assert_int_equal(in_quarantine(mem, in, &rows), 5);
	save(in, "s20=good");
	assert_int_equal(in_quarantine(mem, in, &rows), 4);
	/* Names of all languages, and what a cut leaves of them. */
	page_make(&p, "!10=x");
	p.records[0].problem = "größe.\xe6\xb0: it is \x01 bad";
	assert_int_equal(commit(in, &p, &err), 0);
	assert_int_equal(in_quarantine(mem, in, &rows), 5);
	assert_string_equal(rows[4].path, "größe.??");
	assert_string_equal(rows[4].reason, "it is ? bad");
	talloc_free(in);
	talloc_free(mem);
}

/* ---- an update of what was pruned ---- */

static void
prune_all(const struct ingest *in)
{
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(
	    db_exec(db, NULL, NULL, &err,
		    "UPDATE nango_data.record SET payload = NULL, "
		    "    pruned_at = nango_data.clock_now() WHERE connection_id = $1",
		    DB_PARAMS(DB_INTEGER(in->connection_row))),
	    0);
	db_release(db);
}

static void
test_pruned(void **state)
{
	static const struct spec_model strict = {.fails_run = true};
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct quarantine_row *rows;
	struct page p;
	struct error err;

	(void)state;
	save(in, "s1=a s2=a");
	prune_all(in);
	save(in, "u1=x s3=a"); /* the rest of the page goes in */
	assert_int_equal(in->models[0].head.live, 3);
	assert_int_equal(in->models[0].updated, 0);
	assert_int_equal(in_quarantine(mem, in, &rows), 1);
	assert_string_equal(rows[0].key, "i1");
	assert_string_equal(rows[0].path, "id");
	assert_non_null(strstr(rows[0].reason, "pruned"));
	assert_memory_equal(rows[0].bytes, "{\"id\":\"1\",\"u\":\"x\"}", rows[0].bytes_length);
	save(in, "s1=b u1=y"); /* saved whole, it can be updated again */
	assert_int_equal(in_quarantine(mem, in, &rows), 0);
	in->models[0].spec = &strict;
	page_make(&p, "u2=x");
	assert_int_equal(commit(in, &p, &err), -1);
	assert_int_equal(err.code, ERR_INVALID_RECORD);
	talloc_free(in);
	talloc_free(mem);
}

/* ---- what a refusal tells, and to whom ---- */

/* An error goes into logs, outcomes and webhooks; the record's content stays behind its seal.
 */
static void
test_refused(void **state)
{
	static const struct spec_model strict = {.fails_run = true};
	struct ingest *in = begin_run(++world.next_connection, 1, true);
	struct page p;
	struct error err;

	(void)state;
	save(in, "s1=a");
	in->models[0].spec = &strict;
	page_make(&p, "!2=secret");
	assert_int_equal(commit(in, &p, &err), -1);
	assert_int_equal(err.code, ERR_INVALID_RECORD);
	assert_string_equal(err.message,
			    "a record of Thing is not what its model says: v: it is bad");
	talloc_free(in);
}

/* Within a page, as across pages, the newest of an id says whether it is bad. */
static void
test_order(void **state)
{
	static const struct {
		const char *why, *page;
		size_t bad;
	} rows[] = {
	    {"a good one behind a bad one mends it", "!1=x s1=a", 0},
	    {"a bad one behind a good one is bad", "s1=b !1=x", 1},
	    {"the good one is stored already", "!1=x s1=b", 0},
	    {"bad, good, bad", "!1=x s1=c !1=y", 1},
	    {"twice bad, then good", "!1=x !1=y s1=d", 0},
	    {"an update that is merged", "!1=x u1=e", 0},
	    {"a deletion", "!1=x d1", 0},
	    {"one of another id mends nothing", "!1=x s2=a", 1},
	    {"an update of nothing mends nothing", "!9=x u9=a s1=a", 1},
	};
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct quarantine_row *found;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		save(in, rows[i].page);
		if (in_quarantine(mem, in, &found) != rows[i].bad)
			fail_msg("%s", rows[i].why);
	}
	talloc_free(in);
	talloc_free(mem);
}

/* ---- the cap ---- */

/* That many rows more, as earlier runs left them. */
static void
fill_quarantine(const struct ingest *in, int64_t rows)
{
	static const char *const statements[] = {
	    "INSERT INTO nango_data.quarantine (connection_id, dataset_id, key, run_id, path, "
	    "    reason, bytes, codec) SELECT d.connection_id, d.id, 'iold-' || n, 1, 'v', "
	    "    'it is bad', '{}', 0 FROM nango_data.dataset d, generate_series(1, $2) n "
	    "WHERE d.connection_id = $1",
	    "UPDATE nango_data.dataset SET quarantined = quarantined + $2 "
	    "WHERE connection_id = $1",
	};
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    db_exec(db, NULL, NULL, &err, statements[i],
			    DB_PARAMS(DB_INTEGER(in->connection_row), DB_INTEGER(rows))),
		    0);
	db_release(db);
}

static void
overfill(const struct ingest *in)
{
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(db_exec(db, NULL, NULL, &err,
				 "UPDATE nango_data.dataset SET quarantined = quarantined + 1 "
				 "WHERE connection_id = $1",
				 DB_PARAMS(DB_INTEGER(in->connection_row))),
			 0);
	db_release(db);
}

/* What of the dataset counts, and the rows behind it: "sequence/quarantined/rows/version". */
static const char *
state_of(TALLOC_CTX *mem, const struct ingest *in)
{
	struct db_result *found;
	struct error err;
	const char *text;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(
	    db_exec(db, mem, &found, &err,
		    "SELECT d.seq || '/' || d.quarantined || '/' || (SELECT count(*) FROM "
		    "nango_data.quarantine q WHERE q.connection_id = $1) || '/' || coalesce("
		    "(SELECT version FROM nango_data.checkpoint c WHERE c.connection_id = $1), "
		    "0) FROM nango_data.dataset d WHERE connection_id = $1",
		    DB_PARAMS(DB_INTEGER(in->connection_row))),
	    0);
	text = db_text(found, 0, 0);
	db_release(db);
	return text;
}

static void
test_cap(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct page p;
	struct error err;

	(void)state;
	save(in, "s1=a");
	fill_quarantine(in, INGEST_QUARANTINE_MAX - 2);
	save(in, "!old-1=x !2=x s3=a"); /* one is there already, and counts once */
	assert_string_equal(state_of(mem, in), "2/9999/9999/0");
	save(in, "!4=x");
	assert_string_equal(state_of(mem, in), "2/10000/10000/0");
	/* One more: nothing of the page stays, the checkpoint neither. */
	page_make(&p, "s5=a !6=x");
	p.page.checkpoint = "{}";
	p.page.checkpoint_length = 2;
	assert_int_equal(commit(in, &p, &err), -1);
	assert_int_equal(err.code, ERR_INVALID_RECORD);
	assert_string_equal(err.message,
			    "over 10000 records of Thing are in quarantine (the newest: v: it "
			    "is bad): mend the model or the plugin");
	assert_string_equal(state_of(mem, in), "2/10000/10000/0");
	save(in, "!4=y !2=y s5=a"); /* those of before may stay as they are */
	assert_string_equal(state_of(mem, in), "3/10000/10000/0");
	save(in, "s4=good !6=x"); /* one leaves, so another one may come */
	assert_string_equal(state_of(mem, in), "4/10000/10000/0");
	/* A cap that was higher once keeps no good record back. */
	overfill(in);
	save(in, "s7=a");
	assert_string_equal(state_of(mem, in), "5/10001/10000/0");
	talloc_free(in);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quarantine), cmocka_unit_test(test_pruned),
	    cmocka_unit_test(test_refused),    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests_name("ingest_bad", tests, ingest_set_up,
					   ingest_tear_down);
}
