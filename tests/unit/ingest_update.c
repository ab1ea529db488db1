/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest, with a real Postgres: updates of large records, many updates of one record,
 * and what they may make of it.
 */
#include "engine/ingest_internal.h"
#include "ingest_support.h"
#include "run/session.h"
#include "store/quarantine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TALLOC_BLOCK_MAX (256 * 1024 * 1024) /* talloc gives none of that size */

_Static_assert(INGEST_RECORD_BYTES_MAX == SESSION_RECORD_BYTES_MAX, "bytes of a record");
_Static_assert((SESSION_PAGE_RECORDS_MAX + 1) * sizeof(struct ingest_row) < TALLOC_BLOCK_MAX,
	       "the rows of a page are one block");

static const char *
ask(TALLOC_CTX *mem, const struct ingest *in, const char *sql)
{
	struct db_result *found;
	struct error err;
	const char *text;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	if (db_exec(db, mem, &found, &err, sql, DB_PARAMS(DB_INTEGER(in->connection_row))) < 0)
		fail_msg("%s", err.message);
	text = db_rows(found) == 0 ? "" : db_text(found, 0, 0);
	db_release(db);
	return text;
}

/* Each stored record becomes one of that many bytes. */
static void
enlarge(TALLOC_CTX *mem, const struct ingest *in, size_t bytes)
{
	ask(mem, in,
	    talloc_asprintf(mem,
			    "UPDATE nango_data.record SET payload = convert_to('{\"id\":\"' || "
			    "external_id || '\",\"v\":\"' || repeat('x', %zu - 16 - "
			    "length(external_id)) || '\"}', 'UTF8') WHERE connection_id = $1 "
			    "RETURNING ''",
			    bytes));
}

/* ---- a page of any number of records ---- */

struct many {
	TALLOC_CTX *mem;
	struct run_page_model model;
	struct run_page page;
};

static void
many_begin(struct many *m, size_t count)
{
	*m = (struct many){.mem = talloc_new(NULL)};
	m->model.model = "Thing";
	m->model.records = talloc_zero_array(m->mem, struct run_record, (unsigned)count);
}

static void
many_add(struct many *m, enum run_change change, char *json)
{
	struct run_record *r = &m->model.records[m->model.count++];

	r->bytes = (struct jsonspan){json, strlen(json)};
	r->id = jsonspan_member(r->bytes, "id");
	r->change = change;
}

static struct run_page *
many_page(struct many *m)
{
	m->page = (struct run_page){.number = 1, .models = &m->model, .models_count = 1};
	return &m->page;
}

/* {"id":"1","<name>":"xxx…"}, of that many bytes and a few. */
static char *
fat(TALLOC_CTX *mem, const char *name, size_t bytes)
{
	char *fill = talloc_size(mem, bytes + 1);

	memset(fill, 'x', bytes);
	fill[bytes] = '\0';
	return talloc_asprintf(mem, "{\"id\":\"1\",\"%s\":\"%s\"}", name, fill);
}

/* ---- large records ---- */

#define LARGE_COUNT 27 /* of the largest: together more than one block of memory */

/* A few bytes over each of many large records. */
static void
test_large(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	char *saves = talloc_strdup(mem, ""), *updates = talloc_strdup(mem, "");

	(void)state;
	for (int id = 10; id < 10 + LARGE_COUNT; id++) {
		saves = talloc_asprintf_append(saves, "s%d=a ", id);
		updates = talloc_asprintf_append(updates, "u%d=x ", id);
	}
	save(in, saves);
	enlarge(mem, in, INGEST_RECORD_BYTES_MAX - 100);
	save(in, updates);
	assert_int_equal(in->models[0].updated, LARGE_COUNT);
	assert_string_equal(
	    ask(mem, in,
		"SELECT count(*) || '/' || min(length(payload)) || '/' || max(seq) || '/' || "
		"bool_and(right(convert_from(payload, 'UTF8'), 10) = '\",\"u\":\"x\"}') "
		"FROM nango_data.record WHERE connection_id = $1 AND action = 2"),
	    "27/10485668/54/true");
	talloc_free(in);
	talloc_free(mem);
}

/* All that is stored of a run's dataset, but for times. */
static const char *
all_of(TALLOC_CTX *mem, const struct ingest *in)
{
	return ask(mem, in,
		   "SELECT string_agg(seq || ':' || external_id || ':' || action || ':' || "
		   "hash || ':' || convert_from(payload, 'UTF8'), ' ' "
		   "ORDER BY seq) FROM nango_data.record WHERE connection_id = $1");
}

/* In pieces of one record each it comes to the same. */
static void
test_pieces(void **state)
{
	static const char *const pages[] = {
	    "s1=a s2=b s3=c s4=d s5=e s6=f s7=g",
	    "u1=x s2=n d3 u4=y u9=z u5=q s8=h u8=r u4=yy d6 u6=s u7=t",
	    "u1=x u4=yy u5=other s3=back u3=w u2=m !2=bad u7=t",
	};
	struct ingest *whole = begin_run(++world.next_connection, 1, false);
	struct ingest *pieces = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	pieces->piece_bytes = 1;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		save(whole, pages[i]);
		save(pieces, pages[i]);
		assert_string_equal(all_of(mem, pieces), all_of(mem, whole));
		assert_int_equal(pieces->models[0].updated, whole->models[0].updated);
	}
	assert_non_null(strstr(all_of(mem, whole), ":1:2:"));
	talloc_free(whole);
	talloc_free(pieces);
	talloc_free(mem);
}

static void
test_pieces_sealed(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, true);
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	in->piece_bytes = 1;
	save(in, "s1=a s2=b s3=c");
	save(in, "u1=x u2=y u3=z");
	assert_int_equal(in->models[0].updated, 3);
	save(in, "u1=x u2=y u3=other"); /* two are so already: what was sealed opens */
	assert_int_equal(in->models[0].updated, 4);
	assert_string_equal(ask(mem, in,
				"SELECT min(codec) || '/' || max(codec) FROM nango_data.record "
				"WHERE connection_id = $1"),
			    "3/3");
	talloc_free(in);
	talloc_free(mem);
}

static void
test_merged_bound(void **state)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *before;
	struct page p;
	struct error err;

	(void)state;
	save(in, "s1=a s2=b s3=c");
	before = all_of(mem, in);
	enlarge(mem, in, 1024 * 1024);
	before = all_of(mem, in);
	in->piece_bytes = 1;
	in->merged_bytes_max = 2 * 1024 * 1024;
	page_make(&p, "u1=x u2=x u3=x s4=d");
	assert_int_equal(commit(in, &p, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_string_equal(err.message, "the page's updates make more than 2 MB of Thing: "
					 "commit after fewer of them");
	assert_string_equal(all_of(mem, in), before);
	save(in, "u1=x s4=d"); /* the next attempt, with fewer */
	assert_int_equal(in->models[0].updated, 1);
	talloc_free(in);
	talloc_free(mem);
}

/* ---- what is too large, and other bad ones ---- */

/* "key:path:first word of the reason:bytes" of all in quarantine. */
static const char *
quarantine_of(TALLOC_CTX *mem, const struct ingest *in)
{
	return ask(mem, in,
		   "SELECT coalesce(string_agg(key || ':' || path || ':' || "
		   "split_part(reason, ' ', 1) || ':' || length(bytes), ' ' ORDER BY key), '') "
		   "FROM nango_data.quarantine WHERE connection_id = $1");
}

static void
test_too_large(void **state)
{
	static const struct spec_model strict = {.fails_run = true};
	const size_t half = 6 * 1024 * 1024;
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct error err;
	struct many m;

	(void)state;
	for (int is_one_page = 0; is_one_page < 2; is_one_page++) {
		many_begin(&m, 2);
		many_add(&m, RUN_SAVE, fat(m.mem, "a", half));
		if (!is_one_page) {
			assert_int_equal(ingest_page(in, many_page(&m), NULL, &err), 0);
			m.model.count = 0;
		}
		many_add(&m, RUN_UPDATE, fat(m.mem, "b", half));
		assert_int_equal(ingest_page(in, many_page(&m), NULL, &err), 0);
		assert_string_equal(quarantine_of(mem, in), "i1:id:with:6291473");
		assert_int_equal(in->models[0].updated, 0);
		m.model.count = 0;
		many_add(&m, RUN_UPDATE, fat(m.mem, "a", half + 1)); /* in its place it fits */
		assert_int_equal(ingest_page(in, many_page(&m), NULL, &err), 0);
		assert_string_equal(quarantine_of(mem, in), "");
		in->models[0].updated = 0;
		talloc_free(m.mem);
	}
	in->models[0].spec = &strict;
	many_begin(&m, 1);
	many_add(&m, RUN_UPDATE, fat(m.mem, "b", half));
	assert_int_equal(ingest_page(in, many_page(&m), NULL, &err), -1);
	assert_int_equal(err.code, ERR_INVALID_RECORD);
	assert_non_null(strstr(err.message, "more than 10 MB"));
	talloc_free(m.mem);
	talloc_free(in);
	talloc_free(mem);
}

/* Of what is bad of one id in a page the newest is kept, and what is in order mends it. */
static void
test_order(void **state)
{
	static const struct {
		const char *why, *page, *left;
	} rows[] = {
	    {"a bad update behind a bad save", "!1=x u1=pruned", "i1:id:its:23"},
	    {"a bad save behind a bad update", "u1=pruned !1=x", "i1:v:it:18"},
	    {"both, for two ids", "!1=x u1=p u2=p !2=x", "i1:id:its:18 i2:v:it:18"},
	    {"a good save behind a bad update", "u1=p s1=a u2=p s2=b", ""},
	};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ingest *in = begin_run(++world.next_connection, 1, false);
		const char *left;

		save(in, "s1=a s2=b");
		ask(mem, in,
		    "UPDATE nango_data.record SET payload = NULL, pruned_at = "
		    "nango_data.clock_now() WHERE connection_id = $1 RETURNING ''");
		in->piece_bytes = 1;
		save(in, rows[i].page);
		left = quarantine_of(mem, in);
		if (strcmp(left, rows[i].left) != 0)
			fail_msg("%s: %s", rows[i].why, left);
		talloc_free(in);
	}
	talloc_free(mem);
}

/* ---- many of one id ---- */

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Twice as many take twice as long, not eight times. */
static void
test_many_of_one(void **state)
{
	enum { COUNT = 20000 };
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	double from = seconds();
	struct error err;
	struct many m;

	(void)state;
	save(in, "s1=a");
	many_begin(&m, COUNT);
	for (int i = 1; i <= COUNT; i++)
		many_add(
		    &m, RUN_UPDATE,
		    talloc_asprintf(m.mem, "{\"id\":\"1\",\"n\":%d,\"m%d\":%d}", i, i % 2, i));
	assert_int_equal(ingest_page(in, many_page(&m), NULL, &err), 0);
	assert_string_equal(ask(mem, in,
				"SELECT convert_from(payload, 'UTF8') FROM nango_data.record "
				"WHERE connection_id = $1"),
			    "{\"id\":\"1\",\"v\":\"a\",\"n\":20000,\"m1\":19999,\"m0\":20000}");
	assert_true(seconds() - from < 10);
	talloc_free(m.mem);
	talloc_free(in);
	talloc_free(mem);
}

/* A save and what the page lays over it: one copy stays, not one of each step. */
static void
test_save_and_many(void **state)
{
	enum { COUNT = 300, BYTES = 1024 * 1024 };
	struct ingest *in = begin_run(++world.next_connection, 1, false);
	TALLOC_CTX *mem = talloc_new(NULL);
	struct ingest_prepared *prepared;
	struct error err;
	struct many m;

	(void)state;
	many_begin(&m, COUNT + 1);
	many_add(&m, RUN_SAVE, fat(m.mem, "v", BYTES));
	for (int i = 1; i <= COUNT; i++)
		many_add(&m, RUN_UPDATE, talloc_asprintf(m.mem, "{\"id\":\"1\",\"n\":%d}", i));
	prepared = ingest_prepare(in, many_page(&m), 0);
	assert_true(talloc_total_size(prepared) < 3 * BYTES);
	assert_int_equal(ingest_page(in, &m.page, prepared, &err), 0);
	assert_string_equal(
	    ask(mem, in,
		"SELECT length(payload) || right(convert_from(payload, 'UTF8'), "
		"9) FROM nango_data.record WHERE connection_id = $1"),
	    "1048601,\"n\":300}");
	talloc_free(m.mem);
	talloc_free(in);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_large),	  cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_pieces_sealed), cmocka_unit_test(test_merged_bound),
	    cmocka_unit_test(test_too_large),	  cmocka_unit_test(test_order),
	    cmocka_unit_test(test_many_of_one),	  cmocka_unit_test(test_save_and_many),
	};

	return cmocka_run_group_tests_name("ingest_update", tests, ingest_set_up,
					   ingest_tear_down);
}
