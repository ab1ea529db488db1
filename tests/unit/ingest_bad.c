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

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(dataset_find(db, in->connection_row, "Thing", "base", &head, &err), 0);
	assert_int_equal(quarantine_list(mem, db, &head, 0, 100, rows, &count, &err), 0);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quarantine),
	    cmocka_unit_test(test_pruned),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests_name("ingest_bad", tests, ingest_set_up,
					   ingest_tear_down);
}
