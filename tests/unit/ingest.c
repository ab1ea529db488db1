/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest, with a real Postgres: what pages leave in the dataset and its feed.
 */
#include "ingest_support.h"
#include "store/fence.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- what is stored: "1:added{…} 2:deleted{…}" in the order of the feed ---- */

static int
read_one(void *arg, const struct record_read *r, struct error *err)
{
	static const char *const actions[] = {"", "added", "updated", "deleted"};
	struct reading *reading = arg;
	const struct payload_place place = {&reading->head, r->external_id,
					    strlen(r->external_id)};
	const char *data = r->payload;
	size_t length = r->payload_length;

	assert_true(r->seq > reading->last);
	reading->last = r->seq;
	if (payload_decode(reading->out.owner, &reading->in->codec, &place, r->codec, &data,
			   &length, err) < 0)
		return -1;
	buf_addf(&reading->out, "%s%s:%s%.*s", reading->out.length == 0 ? "" : " ",
		 r->external_id, actions[r->action], (int)length, data == NULL ? "" : data);
	return 0;
}

static char *
stored(TALLOC_CTX *mem, const struct ingest *in)
{
	struct reading reading = {.in = in};
	struct record_query query = {.connection_row = in->connection_row,
				     .limit = INT32_MAX,
				     .with_added = true,
				     .with_updated = true,
				     .with_deleted = true};
	struct error err;
	struct db *db;

	buf_init(&reading.out, mem, 256);
	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(
	    dataset_find(db, in->connection_row, "Thing", "base", &reading.head, &err), 0);
	query.dataset_id = reading.head.id;
	if (record_stream(db, &query, read_one, &reading, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(reading.last <= reading.head.seq);
	db_release(db);
	return reading.out.data;
}

static const struct {
	const char *why, *pages[6], *stored;
	int64_t added, updated, deleted, live;
} cases[] = {
    {"new, then changed, then the same",
     {"s1=a s2=b", "s1=a s2=c", "s1=a s2=c"},
     "1:added{\"id\":\"1\",\"v\":\"a\"} 2:updated{\"id\":\"2\",\"v\":\"c\"}",
     2,
     1,
     0,
     2},
    {"the last of one id in a page counts",
     {"s1=a s2=b s1=c"},
     "2:added{\"id\":\"2\",\"v\":\"b\"} 1:added{\"id\":\"1\",\"v\":\"c\"}",
     2,
     0,
     0,
     2},
    {"a deletion keeps the payload",
     {"s1=a", "d1"},
     "1:deleted{\"id\":\"1\",\"v\":\"a\"}",
     1,
     0,
     1,
     0},
    {"what is unknown or deleted is not deleted",
     {"s1=a d9", "d1", "d1 d1"},
     "1:deleted{\"id\":\"1\",\"v\":\"a\"}",
     1,
     0,
     1,
     0},
    {"back from deletion is added",
     {"s1=a", "d1", "s1=a"},
     "1:added{\"id\":\"1\",\"v\":\"a\"}",
     2,
     0,
     1,
     1},
    {"an update is merged",
     {"s1=a", "u1=x"},
     "1:updated{\"id\":\"1\",\"v\":\"a\",\"u\":\"x\"}",
     1,
     1,
     0,
     1},
    {"an update of nothing is nothing",
     {"s1=a u2=x", "d1", "u1=x"},
     "1:deleted{\"id\":\"1\",\"v\":\"a\"}",
     1,
     0,
     1,
     0},
    {"an update that changes nothing",
     {"s1=a", "u1=x", "u1=x"},
     "1:updated{\"id\":\"1\",\"v\":\"a\",\"u\":\"x\"}",
     1,
     1,
     0,
     1},
    {"updates in one page add up, behind a save, too",
     {"s1=a", "u1=x u1=y s2=b u2=z"},
     "1:updated{\"id\":\"1\",\"v\":\"a\",\"u\":\"y\"} "
     "2:added{\"id\":\"2\",\"v\":\"b\",\"u\":\"z\"}",
     2,
     1,
     0,
     2},
    {"a save behind a deletion in one page is a change",
     {"s1=a", "d1 s1=b"},
     "1:updated{\"id\":\"1\",\"v\":\"b\"}",
     1,
     1,
     0,
     1},
    {"an update behind a deletion in one page is nothing",
     {"s1=a", "d1 u1=x"},
     "1:deleted{\"id\":\"1\",\"v\":\"a\"}",
     1,
     0,
     1,
     0},
    {"a saved update compares as a whole",
     {"s1=a", "u1=x", "s1=a"},
     "1:updated{\"id\":\"1\",\"v\":\"a\"}",
     1,
     2,
     0,
     1},
    {"a bad record is not stored, its page is",
     {"s1=a !1=b s2=b"},
     "1:added{\"id\":\"1\",\"v\":\"a\"} 2:added{\"id\":\"2\",\"v\":\"b\"}",
     2,
     0,
     0,
     2},
};

static void
check_case(size_t i, bool seals)
{
	struct ingest *in = begin_run(++world.next_connection, 1, seals);
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct ingest_model *model;
	char *found;

	for (size_t p = 0; p < 6 && cases[i].pages[p] != NULL; p++)
		save(in, cases[i].pages[p]);
	found = stored(mem, in);
	if (strcmp(found, cases[i].stored) != 0)
		fail_msg("%s: %s", cases[i].why, found);
	model = &in->models[0];
	if (model->added != cases[i].added || model->updated != cases[i].updated ||
	    model->deleted != cases[i].deleted || model->head.live != cases[i].live)
		fail_msg("%s: counts %s, live %" PRId64, cases[i].why, ingest_result(mem, in),
			 model->head.live);
	talloc_free(in);
	talloc_free(mem);
}

static void
test_cases(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		world.budget.limit_bytes = round == 1 ? 0 : INT64_MAX; /* 0: no manifests */
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			check_case(i, round == 2);
		assert_int_equal(world.budget.used_bytes, 0);
	}
}

/* ---- the window ---- */

static void
test_window(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false), *other, *again;
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	world.budget.limit_bytes = INT64_MAX;
	save(in, "s1=a s2=a s3=a s4=a s5=a");
	window(in, "s1=a s2=b", true, false, NULL); /* 1 is seen, 2 changed */
	other = begin_run(in->connection_row, 2, false);
	save(other, "s3=a s4=b s6=a"); /* another run's: seen, changed, new */
	/* The run dies; the next one goes on within the same window, which opening does not
	 * touch. */
	talloc_free(in);
	again = begin_run(other->connection_row, 3, false);
	window(again, "s7=a !8=x", true, false, NULL);
	window(again, "", false, true, NULL);
	assert_string_equal(
	    stored(mem, again),
	    "1:added{\"id\":\"1\",\"v\":\"a\"} 3:added{\"id\":\"3\",\"v\":\"a\"} "
	    "2:updated{\"id\":\"2\",\"v\":\"b\"} 4:updated{\"id\":\"4\",\"v\":\"b\"} "
	    "6:added{\"id\":\"6\",\"v\":\"a\"} 7:added{\"id\":\"7\",\"v\":\"a\"} "
	    "5:deleted{\"id\":\"5\",\"v\":\"a\"}");
	assert_int_equal(again->models[0].deleted, 1);
	assert_int_equal(again->models[0].head.live, 6);
	window(again, "", false, true, NULL); /* none is open: nothing to close */
	/* The manifest knows: 5 comes back as new. */
	save(again, "s5=a");
	assert_int_equal(again->models[0].added, 2);
	talloc_free(other);
	talloc_free(again);
	talloc_free(mem);
}

/* Two runs that write to one dataset in turn: each takes up what the other wrote, and no number
 * of the feed is given out twice. */
static void
test_writers(void **state)
{
	struct ingest *a = begin_run(++world.next_connection, 1, false);
	struct ingest *b = begin_run(a->connection_row, 2, false);
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	world.budget.limit_bytes = INT64_MAX;
	save(a, "s1=a s2=a");
	save(b, "s1=a s3=a"); /* one that the other saved */
	save(a, "s3=a s4=a"); /* the other's is no change */
	save(a, "s5=a");
	save(b, "s4=b s5=a s6=a");
	save(a, "s4=a s6=a"); /* changed back */
	save(b, "s4=b d6");
	save(a, "s6=b u4=x");
	assert_string_equal(
	    stored(mem, a),
	    "1:added{\"id\":\"1\",\"v\":\"a\"} 2:added{\"id\":\"2\",\"v\":\"a\"} "
	    "3:added{\"id\":\"3\",\"v\":\"a\"} 5:added{\"id\":\"5\",\"v\":\"a\"} "
	    "6:added{\"id\":\"6\",\"v\":\"b\"} "
	    "4:updated{\"id\":\"4\",\"v\":\"b\",\"u\":\"x\"}");
	assert_int_equal(a->models[0].head.live, 6);
	assert_int_equal(a->models[0].added + b->models[0].added, 7);
	assert_int_equal(a->models[0].head.seq, 12);
	talloc_free(a);
	talloc_free(b);
	talloc_free(mem);
}

/* ---- by time ---- */

struct times {
	int64_t at[64];
	size_t count;
};

static int
take_time(void *arg, const struct record_read *r, struct error *err)
{
	struct times *times = arg;

	(void)err;
	assert_true(times->count < 64);
	times->at[times->count++] = r->last_modified_us;
	return 0;
}

static size_t
changed_after(struct db *db, struct record_query query, int64_t ms, struct times *times)
{
	struct error err;

	times->count = 0;
	query.modified_after_ms = ms;
	assert_int_equal(record_stream(db, &query, take_time, times, &err), 0);
	return times->count;
}

/* Whoever asks by time gets what a look at every record finds, although the clock went back. */
static void
test_times(void **state)
{
	static const char *const clocks[] = {"0", "5 seconds", "-1 hour", "0", "10 seconds"};
	static const char *const pages[] = {"s1=a s2=a s3=a", "s4=a s5=a", "s1=b s6=a",
					    "d2 s7=a", "s3=b s8=a"};
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct record_query query = {.connection_row = in->connection_row,
				     .limit = INT32_MAX,
				     .with_added = true,
				     .with_updated = true,
				     .with_deleted = true};
	struct times all, some;
	struct error err;
	struct db *db;

	(void)state;
	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(db_exec(db, NULL, NULL, &err,
					 "UPDATE nango_data.clock SET offset_by = $1::interval",
					 DB_PARAMS(DB_TEXT(clocks[i]))),
				 0);
		save(in, pages[i]);
	}
	assert_int_equal(db_script(db, "UPDATE nango_data.clock SET offset_by = '0'", &err), 0);
	query.dataset_id = in->models[0].head.id;
	assert_int_equal(changed_after(db, query, 0, &all), 8);
	for (size_t i = 0; i < all.count; i++) {
		int64_t ms = all.at[i] / 1000;

		assert_true(i == 0 || all.at[i] >= all.at[i - 1]);
		for (int64_t t = ms - 1; t <= ms + 1; t++) {
			size_t expected = 0;

			for (size_t k = 0; k < all.count; k++)
				expected += all.at[k] > t * 1000;
			assert_int_equal(changed_after(db, query, t, &some), expected);
		}
	}
	db_release(db);
	talloc_free(in);
}

static void
test_guard(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct buf text;

	(void)state;
	buf_init(&text, in, 256);
	for (int i = 0; i < 30; i++)
		buf_addf(&text, "s%d=a ", i);
	save(in, text.data);
	window(in, "s0=a", true, false, NULL);
	window(in, "s1=a s99=new", false, true, "delete_guard");
	assert_int_equal(in->models[0].head.live, 30); /* the page with it is not in */
	in->may_delete_all = true;
	window(in, "s1=a", false, true, NULL);
	assert_int_equal(in->models[0].deleted, 28);
	assert_int_equal(in->models[0].head.live, 2);
	/* Up to ten always may. */
	in->may_delete_all = false;
	window(in, "", true, true, NULL);
	assert_int_equal(in->models[0].head.live, 0);
	talloc_free(in);
}

/* What a walk saw without an id may be anything: nothing is deleted on its word. */
static void
test_blind(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct page p;
	struct error err;

	(void)state;
	save(in, "s1=a s2=a s3=a");
	page_make(&p, "s1=a s9=x");
	p.model.opens_window = true;
	p.records[1].id = (struct jsonspan){NULL, 0};
	p.records[1].problem = "byte 9: lone surrogate";
	assert_int_equal(commit(in, &p, &err), 0);
	window(in, "s2=a", false, true, "delete_guard");
	assert_int_equal(in->models[0].head.live, 3);
	window(in, "s2=a s3=a", false, true, NULL); /* all were seen: nothing to ask */
	assert_int_equal(in->models[0].head.live, 3);
	talloc_free(in);
}

/* Run 1 opens the window, leaves a list and ends; run 2 knows nothing of that list. */
static void
leave_window(int64_t connection, int64_t run_id, bool in_page)
{
	static const char *const models[] = {"Thing", NULL};
	struct ingest *in = begin_run(connection, run_id, false);
	struct ingest_end end = {
	    .state = "success", .outcome = "{}", .models = models, .leaves_walk = !in_page};
	struct page p;
	struct error err;

	page_make(&p, "s1=a");
	p.model.opens_window = true;
	p.page.leaves_walk = in_page;
	assert_int_equal(commit(in, &p, &err), 0);
	assert_int_equal(ingest_finish(in, &end, &err), 0);
	talloc_free(in);
}

static void
test_partial(void **state)
{
	struct ingest *in;
	struct page p;
	struct error err;

	(void)state;
	for (int64_t in_page = 0; in_page < 2; in_page++) {
		int64_t connection = ++world.next_connection;

		in = begin_run(connection, 1, false);
		save(in, "s1=a s2=a s3=a");
		talloc_free(in);
		leave_window(connection, 2, in_page);
		in = begin_run(connection, 3, false);
		window(in, "s2=a", true, false, NULL); /* goes on within it: nothing is new */
		window(in, "", false, true, "delete_guard");
		assert_int_equal(in->models[0].head.live, 3);
		page_make(&p, "");
		p.model.closes_window = p.model.is_vouched = true;
		assert_int_equal(commit(in, &p, &err), 0);
		assert_int_equal(in->models[0].deleted, 1);
		/* The next window knows nothing of it. */
		window(in, "s1=a", true, false, NULL);
		window(in, "", false, true, NULL);
		assert_int_equal(in->models[0].deleted, 2);
		talloc_free(in);
	}
}

static void
test_full_refresh(void **state)
{
	static const char *const models[] = {"Thing", NULL};
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	struct ingest_end end = {.state = "success", .outcome = "{}", .closes = models};
	struct error err;

	(void)state;
	save(in, "s1=a s2=a s3=a");
	talloc_free(in);
	in = begin_run(world.next_connection, 2, false);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	save(in, "s1=a");
	talloc_free(in); /* its node dies; the same run goes on */
	in = begin_run(world.next_connection, 2, false);
	assert_int_equal(in->pages, 1);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	save(in, "s2=b");
	assert_int_equal(ingest_finish(in, &end, &err), 0);
	assert_int_equal(in->models[0].deleted, 1);
	assert_int_equal(ingest_finish(in, &end, &err), -1); /* it is over */
	assert_int_equal(err.code, ERR_FENCED);
	talloc_free(in);
	/* A run that fails deletes nothing, and the next one begins a window of its own. */
	in = begin_run(world.next_connection, 3, false);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	save(in, "s1=a");
	end.state = "failed";
	end.closes = NULL;
	assert_int_equal(ingest_finish(in, &end, &err), 0);
	talloc_free(in);
	in = begin_run(world.next_connection, 4, false);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	save(in, "s2=b");
	end = (struct ingest_end){.state = "success", .outcome = "{}", .closes = models};
	assert_int_equal(ingest_finish(in, &end, &err), 0);
	assert_int_equal(in->models[0].deleted, 1); /* 1: seen by run 3 only */
	talloc_free(in);
	/* Nothing was there: all of it is gone. */
	in = begin_run(world.next_connection, 5, false);
	assert_int_equal(ingest_open_windows(in, models, &err), 0);
	assert_int_equal(ingest_finish(in, &end, &err), 0);
	assert_int_equal(in->models[0].deleted, 1);
	talloc_free(in);
}

/* ---- checkpoint, fence ---- */

static int
checkpoint(struct ingest *in, const char *body, struct error *err)
{
	struct page p;

	page_make(&p, "");
	p.page.checkpoint = body;
	p.page.checkpoint_length = body == NULL ? 0 : strlen(body);
	p.page.clears_checkpoint = body == NULL;
	return commit(in, &p, err);
}

static void
test_checkpoint(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false), *late;
	struct error err;

	(void)state;
	assert_int_equal(checkpoint(in, "{\"a\":1}", &err), 0);
	assert_int_equal(checkpoint(in, "{\"a\":2}", &err), 0);
	late = begin_run(in->connection_row, 2, false);
	late->checkpoint_version = 1; /* as it was before the second page */
	assert_int_equal(checkpoint(late, "{\"a\":9}", &err), -1);
	assert_int_equal(err.code, ERR_CHECKPOINT_CONFLICT);
	assert_int_equal(checkpoint(in, NULL, &err), 0);
	late->checkpoint_version = 0; /* a clearing does not start the versions anew */
	assert_int_equal(checkpoint(late, "{\"a\":9}", &err), -1);
	late->checkpoint_version = 3;
	assert_int_equal(checkpoint(late, "{\"a\":9}", &err), 0);
	talloc_free(late);
	talloc_free(in);
}

static void
test_lost_lease(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct fence fence;
	struct page p;
	struct error err;
	struct db *db;

	(void)state;
	save(in, "s1=a s2=a");
	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(fence_raise(mem, db, in->connection_row, 1, 2, &fence, &err), 0);
	db_release(db);
	page_make(&p, "s1=b d2 s3=c"); /* a transaction */
	assert_int_equal(commit(in, &p, &err), -1);
	assert_int_equal(err.code, ERR_FENCED);
	page_make(&p, "s1=a"); /* one statement */
	assert_int_equal(commit(in, &p, &err), -1);
	assert_int_equal(err.code, ERR_FENCED);
	assert_string_equal(
	    stored(mem, in),
	    "1:added{\"id\":\"1\",\"v\":\"a\"} 2:added{\"id\":\"2\",\"v\":\"a\"}");
	talloc_free(in);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),      cmocka_unit_test(test_window),
	    cmocka_unit_test(test_writers),    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_guard),      cmocka_unit_test(test_full_refresh),
	    cmocka_unit_test(test_blind),      cmocka_unit_test(test_checkpoint),
	    cmocka_unit_test(test_lost_lease), cmocka_unit_test(test_partial),
	};

	return cmocka_run_group_tests_name("ingest", tests, ingest_set_up, ingest_tear_down);
}
