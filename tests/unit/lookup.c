/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lookup, with a real Postgres, loop and pool: what a plugin gets of what it stored.
 */
#include "engine/lookup.h"
#include "engine/node.h"
#include "ingest_support.h"
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct node node;
static struct {
	unsigned calls;
	char json[4096], error[64];
} answer;

static void
on_found(void *arg, const char *json, size_t length, const struct error *err)
{
	assert_ptr_equal(arg, &answer);
	assert_true(loop_is_current(node.loop));
	answer.calls++;
	answer.json[0] = answer.error[0] = '\0';
	if (err != NULL) {
		assert_null(json);
		snprintf(answer.error, sizeof(answer.error), "%s", error_name(err->code));
	} else {
		assert_true(length < sizeof(answer.json));
		memcpy(answer.json, json, length);
		answer.json[length] = '\0';
	}
	loop_stop(node.loop);
}

/* The answer as JSON, or an error's name. */
static const char *
look_up(const struct ingest *in, struct run_lookup asked)
{
	asked.model = asked.model == NULL ? "Thing" : asked.model;
	answer.calls = 0;
	lookup_start(&node, in, &asked, on_found, &answer);
	loop_run(node.loop);
	assert_int_equal(answer.calls, 1);
	return answer.error[0] != '\0' ? answer.error : answer.json;
}

static void
exec_for(const struct ingest *in, const char *sql)
{
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	if (db_exec(db, NULL, NULL, &err, sql, DB_PARAMS(DB_INTEGER(in->connection_row))) < 0)
		fail_msg("%s", err.message);
	db_release(db);
}

static void
test_ids(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct ingest *other = begin_run(++world.next_connection, 1, false);

	(void)state;
	assert_string_equal(look_up(in, (struct run_lookup){.ids = "[\"1\"]", .limit = 10}),
			    "{\"records\":[],\"cursor\":null}"); /* never saved */
	save(in, "s1=a s2=b s3=c s4=d");
	save(in, "d3 u2=x");
	save(other, "s5=e");
	assert_string_equal(
	    look_up(in, (struct run_lookup){.ids = "[\"4\",\"3\",\"2\",\"5\",\"9\",\"4\"]",
					    .limit = 10}),
	    "{\"records\":[{\"id\":\"4\",\"v\":\"d\"},{\"id\":\"2\",\"v\":\"b\",\"u\":\"x\"}],"
	    "\"cursor\":null}"); /* no deleted, unknown or foreign ones, and none twice */
	assert_string_equal(
	    look_up(in, (struct run_lookup){.model = "Other", .ids = "[\"1\"]", .limit = 10}),
	    "{\"records\":[],\"cursor\":null}");
	/* As many as were asked for: that is no page of a list. */
	assert_string_equal(look_up(in, (struct run_lookup){.ids = "[\"1\"]", .limit = 1}),
			    "{\"records\":[{\"id\":\"1\",\"v\":\"a\"}],\"cursor\":null}");
	talloc_free(in);
	talloc_free(other);
}

/* All of them, two at a time, each once; what changes behind the cursor comes again. */
static void
test_list(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct run_lookup asked = {.limit = 2};

	(void)state;
	save(in, "s1=a s2=b s3=c s4=d s5=e");
	save(in, "d2");
	assert_string_equal(
	    look_up(in, asked),
	    "{\"records\":[{\"id\":\"1\",\"v\":\"a\"},{\"id\":\"3\",\"v\":\"c\"}],"
	    "\"cursor\":\"1:3\"}");
	asked.cursor = "1:3";
	assert_string_equal(
	    look_up(in, asked),
	    "{\"records\":[{\"id\":\"4\",\"v\":\"d\"},{\"id\":\"5\",\"v\":\"e\"}],"
	    "\"cursor\":\"1:5\"}");
	asked.cursor = "1:5";
	assert_string_equal(look_up(in, asked), "{\"records\":[],\"cursor\":null}");
	save(in, "s4=changed");
	assert_string_equal(look_up(in, asked),
			    "{\"records\":[{\"id\":\"4\",\"v\":\"changed\"}],\"cursor\":null}");
	/* Another variant is another dataset. */
	in->variant = "other";
	asked.cursor = NULL;
	assert_string_equal(look_up(in, asked), "{\"records\":[],\"cursor\":null}");
	in->variant = "base";
	asked.cursor = "nonsense";
	assert_string_equal(look_up(in, asked), "invalid_cursor");
	/* Emptied while it was read: what comes next would not be the same list. */
	exec_for(in,
		 "UPDATE nango_data.dataset SET epoch = epoch + 1 WHERE connection_id = $1");
	asked.cursor = "1:3";
	assert_string_equal(look_up(in, asked), "stale_cursor");
	asked.cursor = "2:3";
	assert_string_equal(
	    look_up(in, asked),
	    "{\"records\":[{\"id\":\"5\",\"v\":\"e\"},{\"id\":\"4\",\"v\":\"changed\"}],"
	    "\"cursor\":\"2:7\"}");
	talloc_free(in);
}

/* Of a pruned record its id is left, escaped as JSON wants it. */
static void
test_pruned(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct page p;
	struct error err;

	(void)state;
	page_make(&p, "s1=a s2=b");
	p.records[0].bytes = (struct jsonspan){"{\"id\":\"a\\\"\\\\b\"}", 15};
	p.records[0].id = jsonspan_member(p.records[0].bytes, "id");
	assert_int_equal(commit(in, &p, &err), 0);
	exec_for(in, "UPDATE nango_data.record SET payload = NULL, codec = 0, "
		     "pruned_at = nango_data.clock_now() "
		     "WHERE connection_id = $1 AND external_id <> '2'");
	assert_string_equal(look_up(in, (struct run_lookup){.limit = 10}),
			    "{\"records\":[{\"id\":\"a\\\"\\\\b\"},{\"id\":\"2\",\"v\":\"b\"}],"
			    "\"cursor\":null}");
	assert_string_equal(
	    look_up(in, (struct run_lookup){.limit = 10, .ids = "[\"a\\\"\\\\b\"]"}),
	    "{\"records\":[{\"id\":\"a\\\"\\\\b\"}],\"cursor\":null}");
	talloc_free(in);
}

/* A sealed payload opens for its own run, and is an error where it does not open. */
static void
test_sealed(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, true), *again;

	(void)state;
	save(in, "s1=a s2=b");
	again = begin_run(in->connection_row, 2, false); /* sealing was switched off since */
	save(again, "s3=c");
	assert_string_equal(
	    look_up(again, (struct run_lookup){.limit = 10}),
	    "{\"records\":[{\"id\":\"1\",\"v\":\"a\"},{\"id\":\"2\",\"v\":\"b\"},"
	    "{\"id\":\"3\",\"v\":\"c\"}],\"cursor\":null}");
	exec_for(in, "UPDATE nango_data.record SET payload = (SELECT payload "
		     "FROM nango_data.record WHERE connection_id = $1 AND external_id = '1') "
		     "WHERE connection_id = $1 AND external_id = '2'");
	assert_string_equal(look_up(in, (struct run_lookup){.limit = 10}),
			    error_name(ERR_DECRYPT));
	assert_string_equal(look_up(in, (struct run_lookup){.limit = 10, .ids = "[\"1\"]"}),
			    "{\"records\":[{\"id\":\"1\",\"v\":\"a\"}],\"cursor\":null}");
	talloc_free(in);
	talloc_free(again);
}

/* The run is over before its answer comes: what the lookup needs is its own. */
static void
test_run_over(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, true);
	char model[] = "Thing", ids[] = "[\"1\"]";
	struct run_lookup asked = {.model = model, .ids = ids, .limit = 1};

	(void)state;
	save(in, "s1=a");
	answer.calls = 0;
	lookup_start(&node, in, &asked, on_found, &answer);
	talloc_free(in);
	memset(model, 'x', sizeof(model) - 1);
	memset(ids, ' ', sizeof(ids) - 1);
	loop_run(node.loop);
	assert_string_equal(answer.json,
			    "{\"records\":[{\"id\":\"1\",\"v\":\"a\"}],\"cursor\":null}");
}

/* ---- large ones ---- */

#define LARGE_BYTES (10 * 1024 * 1024) /* of a record: as large as one may be */
#define LARGE_COUNT 14		       /* together more than an answer holds */

static struct {
	char cursor[64];
	size_t records, length, answers;
	char error[64], message[1024];
} walk;

static void
on_large(void *arg, const char *json, size_t length, const struct error *err)
{
	struct jsonspan all, cursor, list, one;
	size_t at = 0;

	(void)arg;
	loop_stop(node.loop);
	walk.answers++;
	walk.cursor[0] = walk.error[0] = '\0';
	walk.records = 0;
	if (err != NULL) {
		snprintf(walk.error, sizeof(walk.error), "%s", error_name(err->code));
		snprintf(walk.message, sizeof(walk.message), "%s", err->message);
		return;
	}
	assert_int_equal(jsonspan_check(json, length, NULL), 0);
	all = jsonspan_trim(json, length);
	cursor = jsonspan_member(all, "cursor");
	if (jsonspan_type(cursor) == JSONSPAN_STRING)
		jsonspan_unescape(cursor, walk.cursor);
	list = jsonspan_member(all, "records");
	while (jsonspan_next_item(list, &at, &one))
		walk.records++;
	walk.length = length;
}

static void
look_up_large(const struct ingest *in, const char *ids)
{
	char cursor[sizeof(walk.cursor)];
	struct run_lookup asked = {.model = "Thing", .ids = ids, .limit = 1000};

	snprintf(cursor, sizeof(cursor), "%s", walk.cursor);
	if (ids == NULL && cursor[0] != '\0')
		asked.cursor = cursor;
	lookup_start(&node, in, &asked, on_large, NULL);
	loop_run(node.loop);
}

/* Each stored record becomes one of that many bytes. */
static void
enlarge(const struct ingest *in, size_t bytes)
{
	char sql[256];

	snprintf(
	    sql, sizeof(sql),
	    "UPDATE nango_data.record SET payload = convert_to('{\"id\":\"' || external_id "
	    "|| '\",\"v\":\"' || repeat('x', %zu - 16 - length(external_id)) || '\"}', "
	    "'UTF8') WHERE connection_id = $1",
	    bytes);
	exec_for(in, sql);
}

static struct ingest *
begin_large(void)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);

	save(in, "s1=a s2=b s3=c s4=d s5=e s6=f s7=g s8=h s9=i s10=j s11=k s12=l s13=m s14=n");
	enlarge(in, LARGE_BYTES);
	return in;
}

/* More than an answer holds ends in an error that says what to do, and fewer are given. */
static void
test_large_ids(void **state)
{
	struct ingest *in = begin_large();

	(void)state;
	look_up_large(in, "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\","
			  "\"11\",\"12\",\"13\",\"14\"]");
	assert_string_equal(walk.error, error_name(ERR_TOO_LARGE));
	assert_non_null(strstr(walk.message, "ask for fewer at once"));
	look_up_large(in, "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\"]");
	assert_string_equal(walk.error, "");
	assert_int_equal(walk.records, 10);
	talloc_free(in);
}

/* A list of large records has shorter pages, none of them empty, and each record once. */
static void
test_large_list(void **state)
{
	struct ingest *in = begin_large();
	size_t records = 0;

	(void)state;
	memset(&walk, 0, sizeof(walk));
	do {
		look_up_large(in, NULL);
		assert_string_equal(walk.error, "");
		assert_true(walk.records > 0 && walk.length < rpc_max(RPC_RECORDS));
		records += walk.records;
	} while (walk.cursor[0] != '\0');
	assert_int_equal(records, LARGE_COUNT);
	assert_true(walk.answers > 2 && walk.answers < LARGE_COUNT);
	/* One that was stored when there was no bound, and that no answer holds. */
	exec_for(in, "DELETE FROM nango_data.record "
		     "WHERE connection_id = $1 AND external_id <> '1'");
	enlarge(in, rpc_max(RPC_RECORDS));
	look_up_large(in, NULL);
	assert_string_equal(walk.error, error_name(ERR_TOO_LARGE));
	talloc_free(in);
}

static void
test_busy(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct pool *pool = node.worker_pool;
	struct error err;

	(void)state;
	assert_int_equal(pool_new(&node.worker_pool, "ended", 1, 1, &err), 0);
	pool_end(node.worker_pool);
	assert_string_equal(look_up(in, (struct run_lookup){.limit = 1}), error_name(ERR_BUSY));
	pool_free(node.worker_pool);
	node.worker_pool = pool;
	talloc_free(in);
}

static int
set_up(void **state)
{
	struct error err;

	if (ingest_set_up(state) < 0)
		return -1;
	world.budget.limit_bytes = INT64_MAX;
	node.data = world.pool;
	assert_int_equal(loop_new(&node.loop, &err), 0);
	assert_int_equal(pool_new(&node.worker_pool, "workers", 2, 16, &err), 0);
	return 0;
}

static int
tear_down(void **state)
{
	pool_free(node.worker_pool);
	loop_free(node.loop);
	return ingest_tear_down(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids),	       cmocka_unit_test(test_list),
	    cmocka_unit_test(test_pruned),     cmocka_unit_test(test_sealed),
	    cmocka_unit_test(test_run_over),   cmocka_unit_test(test_large_ids),
	    cmocka_unit_test(test_large_list), cmocka_unit_test(test_busy),
	};

	return cmocka_run_group_tests_name("lookup", tests, set_up, tear_down);
}
