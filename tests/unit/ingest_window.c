/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest_window, with a real Postgres: what closing a delete window may delete, and
 * which model the records of a dataset passed when pages and windows are of several.
 */
#include "ingest_support.h"
#include "store/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 30 /* over what may always be deleted at once */

static const char *
saves(TALLOC_CTX *mem, int from, int count)
{
	struct buf text;

	buf_init(&text, mem, 512);
	for (int id = from; id < from + count; id++)
		buf_addf(&text, "s%d=a ", id);
	return text.data;
}

/* ---- the guard ---- */

/* All ids changed at the provider: what the walk added says nothing of what it did not see. */
static void
test_guard_of_new_ids(void **state)
{
	static const char *const models[] = {"Thing", NULL};
	struct ingest_end end = {.state = "success", .outcome = "{}", .closes = models};
	int64_t connection = ++world.next_connection;
	struct ingest *in = begin_run(connection, 1, false);
	struct error err;

	(void)state;
	save(in, saves(in, 0, MANY));
	window(in, saves(in, 100, MANY), true, false, NULL);
	window(in, saves(in, 200, MANY), false, false, NULL);
	window(in, "", false, true, "delete_guard");
	window(in, saves(in, 0, MANY / 2 - 1), false, true, "delete_guard");
	window(in, saves(in, 0, MANY / 2), false, true, NULL); /* half may go */
	assert_int_equal(in->models[0].head.live, MANY / 2 + 2 * MANY);
	talloc_free(in);
	/* In one page; and in a window of a full refresh. */
	in = begin_run(connection, 2, false);
	window(in, saves(in, 300, 60), true, true, "delete_guard");
	talloc_free(in);
	in = begin_run(connection, 3, false);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	save(in, saves(in, 400, 60));
	save(in, saves(in, 500, 60));
	assert_int_equal(ingest_finish(in, &end, &err), -1);
	assert_int_equal(err.code, ERR_DELETE_GUARD);
	talloc_free(in);
}

/* ---- more than is kept in memory ---- */

/* Marks of ids that are not there, eight for each number. */
static void
fill_marks(const struct ingest *in, int64_t pages, int64_t numbers)
{
	static const char sql[] =
	    "INSERT INTO nango_data.seen (connection_id, window_id, run_id, page, marks) "
	    "SELECT $1, d.window_id, 0, p, string_agg(sha512((p || '-' || n)::bytea), '') "
	    "FROM nango_data.dataset d, generate_series(1, $2) p, generate_series(1, $3) n "
	    "WHERE d.connection_id = $1 GROUP BY d.window_id, p";
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	if (db_exec(db, NULL, NULL, &err, sql,
		    DB_PARAMS(DB_INTEGER(in->connection_row), DB_INTEGER(pages),
			      DB_INTEGER(numbers))) < 0)
		fail_msg("%s", err.message);
	db_release(db);
}

/* What is left is the same, however little is kept at a time. */
static void
test_parts(void **state)
{
	static const struct {
		size_t marks, deletes;
	} rows[] = {{1000, 1000}, {1000, 7}, {1000, 1}, {3, 1000}, {3, 7}, {1, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ingest *in = begin_run(++world.next_connection, 1, false);

		in->window_marks = rows[i].marks;
		in->window_deletes = rows[i].deletes;
		save(in, saves(in, 0, MANY));
		window(in, saves(in, 0, 10), true, false, NULL);
		window(in, "s0=a", false, true, "delete_guard"); /* 20 of 30 */
		assert_int_equal(in->models[0].head.live, MANY);
		window(in, "s3=a s10=b s11=a s98=a", false, false, NULL);
		window(in, "s12=b s13=a s14=a s99=a", false, true, NULL);
		assert_int_equal(in->models[0].deleted, 15);
		assert_int_equal(in->models[0].head.live, 17);
		assert_int_equal(in->models[0].head.seq, MANY + 4 + 15);
		/* All that are gone come back as new, the others as what they are. */
		save(in, saves(in, 0, MANY));
		assert_int_equal(in->models[0].added, MANY + 2 + 15);
		assert_int_equal(in->models[0].updated, 4);
		assert_int_equal(in->models[0].head.live, MANY + 2);
		talloc_free(in);
	}
}

/* More marks than are kept at a time, with the bound that there is. */
static void
test_many_marks(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);

	(void)state;
	save(in, saves(in, 0, MANY));
	window(in, saves(in, 0, 25), true, false, NULL);
	fill_marks(in, 43, 25000); /* 8.6 million: in one table they would be over 128 MiB */
	window(in, "s25=a", false, true, NULL);
	assert_int_equal(in->models[0].deleted, 4);
	assert_int_equal(in->models[0].head.live, 26);
	talloc_free(in);
}

/* ---- walks that may not close it ---- */

static int64_t
count_marks(const struct ingest *in)
{
	static const char sql[] =
	    "SELECT sum(length(marks)) / 8 FROM nango_data.seen WHERE connection_id = $1";
	struct error err;
	int64_t count;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(
	    db_exec_value(db, &count, &err, sql, DB_PARAMS(DB_INTEGER(in->connection_row))), 0);
	db_release(db);
	return count;
}

/* Each run sees the first half and may not delete the rest; what they leave does not pile up.
 */
static void
test_many_walks(void **state)
{
	const struct ingest_end end = {.state = "failed", .outcome = "{}"};
	int64_t connection = ++world.next_connection, most = 0;
	struct ingest *in = begin_run(connection, 1, false);
	struct error err;

	(void)state;
	save(in, saves(in, 0, 64));
	save(in, saves(in, 64, 64));
	for (int64_t run = 2; run < 200; run++) {
		talloc_free(in);
		in = begin_run(connection, run, false);
		window(in, saves(in, 0, 60), true, false, NULL);
		window(in, run == 2 ? "s61=a" : "", false, true, "delete_guard");
		assert_int_equal(ingest_finish(in, &end, &err), 0);
		if (count_marks(in) > most)
			most = count_marks(in);
	}
	assert_in_range(most, 1000, 2 * (128 + WINDOW_SPARE));
	talloc_free(in);
	in = begin_run(connection, 200, false);
	window(in, saves(in, 60, 20), false, true, NULL);
	assert_int_equal(in->models[0].deleted, 48); /* none that any of them saw */
	assert_int_equal(count_marks(in), 0);
	talloc_free(in);
}

/* ---- the model that all records passed ---- */

static char
model_of(const struct ingest *in)
{
	struct dataset head;
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(dataset_find(db, in->connection_row, "Thing", "base", &head, &err), 0);
	db_release(db);
	return head.model_hash == 0 ? '-' : (char)head.model_hash;
}

/* "A<s1=a": a page under model A; < opens the window, > closes it, = is neither; a model of
 * another letter than the step's before is a run of its own. */
static const struct {
	const char *why;
	const char *steps[6], *after;
} walks[] = {
    {"the first page's is every record's", {"A=s1=a"}, "A"},
    {"pages of the same keep it", {"A=s1=a", "A=s2=a d1"}, "AA"},
    {"one that writes under another ends it", {"A=s1=a", "B=s2=a", "A=s3=a"}, "A--"},
    {"one that changes nothing does not", {"A=s1=a", "B=s1=a", "B=d1 d2"}, "AAA"},
    {"one that writes where nothing is live any more", {"A=s1=a", "B=d1", "B=s1=b"}, "AAB"},
    {"what left the quarantine passed another", {"A=s1=a !2=x !3=x", "B=s1=a s2=a"}, "A-"},
    {"a window that was walked under one", {"A=s1=a", "B<s1=a", "B>s2=a"}, "AAB"},
    {"a window that one opens and another closes", {"A=s1=a s2=a", "A<s1=a", "B>s2=a"}, "AAA"},
    {"a window that another one only looked at",
     {"A=s1=a s2=a", "B<s1=a", "A=s2=a", "B>"},
     "AAAA"},
    {"a window of one page", {"A=s1=a", "B=s2=a", "B<s1=a s2=a", "B>"}, "A--B"},
    {"and the next one", {"A=s1=a", "A<s1=a", "B>", "B<s1=a", "B>"}, "AAAAB"},
};

static void
test_models(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		int64_t connection = ++world.next_connection;
		char after[8] = "";

		for (size_t n = 0; n < 6 && walks[i].steps[n] != NULL; n++) {
			const char *step = walks[i].steps[n];
			struct ingest *in = begin_run(connection, (int64_t)n + 1, false);

			ingest_add_model(in, "Thing");
			in->models[0].model_hash = step[0];
			window(in, step + 2, step[1] == '<', step[1] == '>', NULL);
			after[n] = model_of(in);
			talloc_free(in);
		}
		if (strcmp(after, walks[i].after) != 0)
			fail_msg("%s: %s", walks[i].why, after);
	}
}

/* Nobody knows under which model a node of the version before writes. */
static void
test_older_node(void **state)
{
	static const char sql[] =
	    "SELECT w.fence_held::int::int8 FROM nango_data.dataset d, nango_data.write_page("
	    "d.connection_id, 1, 1, $2, '{}', ARRAY[d.id], ARRAY[d.epoch], ARRAY[d.seq], "
	    "ARRAY[d.window_id], ARRAY[d.quarantined], ARRAY[d.seq + $3], ARRAY[d.live + $3], "
	    "ARRAY[d.window_id], ARRAY[d.window_seq], ARRAY[d.window_run_id], ARRAY[0::int8], "
	    "ARRAY[d.quarantined], ARRAY[d.modified_at], ARRAY['12345678'::bytea], 0, 'key', "
	    "NULL, 0, true, $3 <> 0, true, $3 = 0, 1, '{}', ARRAY[$3], ARRAY[0::int8], "
	    "ARRAY[0::int8]) w WHERE d.connection_id = $1";
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct error err;
	struct db *db;
	bool is_quiet = true;

	(void)state;
	ingest_add_model(in, "Thing");
	in->models[0].model_hash = 'A';
	save(in, "s1=a");
	window(in, "s1=a", true, false, NULL);
	assert_int_equal(in->models[0].head.window_model, 'A');
	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	for (int64_t page = 3; page < 5; page++, is_quiet = false) {
		int64_t held;

		if (db_exec_value(db, &held, &err, sql,
				  DB_PARAMS(DB_INTEGER(in->connection_row), DB_INTEGER(page),
					    DB_INTEGER(is_quiet ? 0 : 1))) < 0)
			fail_msg("%s", err.message);
		assert_int_equal(held, 1);
		assert_int_equal(dataset_find(db, in->connection_row, "Thing", "base",
					      &in->models[0].head, &err),
				 0);
		assert_int_equal(in->models[0].head.window_model, 0);
		assert_int_equal(in->models[0].head.model_hash, is_quiet ? 'A' : 0);
	}
	db_release(db);
	talloc_free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_guard_of_new_ids), cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_many_marks),	     cmocka_unit_test(test_many_walks),
	    cmocka_unit_test(test_models),	     cmocka_unit_test(test_older_node),
	};

	return cmocka_run_group_tests_name("ingest_window", tests, ingest_set_up,
					   ingest_tear_down);
}
