/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/prepared, with a real Postgres: statements that come again are prepared, by text and
 * types, and one that a table's change made stale costs its connection and no wrong answer.
 */
#include "private_db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIMES 6

static struct private_db world;

static int
set_up(void **state)
{
	(void)state;
	private_db_open(&world, false);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	private_db_close(&world);
	return 0;
}

static int64_t
value(const char *sql, const struct db_param *params, size_t count)
{
	struct error err;
	int64_t out;

	assert_int_equal(db_exec_value(world.db, &out, &err, sql, params, count), 0);
	return out;
}

/* How many are prepared whose text holds the word. */
static int64_t
prepared(const char *word)
{
	return value("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE "
		     "'%' || $1 || '%' AND statement NOT LIKE '%pg_prepared%'",
		     DB_PARAMS(DB_TEXT(word)));
}

static void
test_comes_again(void **state)
{
	(void)state;
	assert_int_equal(value("SELECT 1 AS once", DB_NONE), 1);
	assert_int_equal(prepared("once"), 0);
	for (int64_t i = 0; i < TIMES; i++)
		assert_int_equal(value("SELECT $1 * 2 AS twice", DB_PARAMS(DB_INTEGER(i))),
				 2 * i);
	assert_int_equal(prepared("twice"), 1);
}

/* The same text with other types is another statement. */
static void
test_types(void **state)
{
	static const char sql[] = "SELECT length($1::text)::int8 AS measured";
	static const struct db_param null = {.kind = DB_KIND_NULL};

	(void)state;
	for (int i = 0; i < TIMES; i++) {
		assert_int_equal(value(sql, DB_PARAMS(DB_TEXT("abc"))), 3);
		assert_int_equal(value(sql, &null, 1), 0);
		assert_int_equal(value(sql, DB_PARAMS(DB_INTEGER(12345678))), 8);
		assert_int_equal(value(sql, DB_PARAMS(DB_BOOLEAN(true))), 4);
	}
	assert_int_equal(prepared("measured"), 3);
}

static void
test_failed_transaction(void **state)
{
	static const char sql[] = "SELECT 1 / $1 AS divided";
	struct error err;
	int64_t out;

	(void)state;
	private_db_run(&world, "BEGIN");
	for (int i = 0; i < TIMES; i++) {
		assert_int_equal(
		    db_exec_value(world.db, &out, &err, sql, DB_PARAMS(DB_INTEGER(0))), -1);
		assert_non_null(strstr(err.message, i == 0 ? "division by zero" : "aborted"));
	}
	private_db_run(&world, "ROLLBACK");
	for (int i = 0; i < TIMES; i++)
		assert_int_equal(value(sql, DB_PARAMS(DB_INTEGER(1))), 1);
	assert_int_equal(prepared("divided"), 1);
}

static void
test_table_is_changed(void **state)
{
	static const char sql[] = "SELECT n FROM changing";
	struct error err;
	int64_t out;

	(void)state;
	private_db_run(&world, "CREATE TABLE changing (n int8)");
	private_db_run(&world, "INSERT INTO changing VALUES (7)");
	for (int i = 0; i < TIMES; i++)
		assert_int_equal(value(sql, DB_NONE), 7);
	private_db_run(&world, "ALTER TABLE changing ALTER n TYPE int4");
	assert_int_equal(db_exec_value(world.db, &out, &err, sql, DB_NONE), -1);
	assert_int_equal(err.code, ERR_DB_RETRY);
	db_release(world.db);
	assert_int_equal(db_acquire(world.pool, &world.db, &err), 0);
	assert_int_equal(prepared("changing"), 0);
	for (int i = 0; i < TIMES; i++)
		assert_int_equal(value(sql, DB_NONE), 7);
}

/* So many are kept; the others work without. */
static void
test_many(void **state)
{
	char sql[64];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(sql, sizeof(sql), "SELECT %d::int8 AS many", i);
		for (int k = 0; k < TIMES; k++)
			assert_int_equal(value(sql, DB_NONE), i);
	}
	assert_in_range(prepared("many"), 200, 256);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_comes_again),
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_failed_transaction),
	    cmocka_unit_test(test_table_is_changed),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
