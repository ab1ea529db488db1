/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest, with a real Postgres: how it comes to know what is stored. Counted are the
 * statements that ask, and the records that each of them is about; the linker puts the counters
 * in front of the store's own functions.
 */
#include "ingest_support.h"
#include "store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIVE 200

static struct {
	int probes, loads, catch_ups;
	size_t probed, read; /* records asked for by id; records that came otherwise */
} asked;

int __real_record_probe(struct db *db, const struct dataset *d,
			struct record_write *const *rows, size_t count, record_find_fn *find,
			void *arg, struct error *err);
int __wrap_record_probe(struct db *db, const struct dataset *d,
			struct record_write *const *rows, size_t count, record_find_fn *find,
			void *arg, struct error *err);
int __real_record_states(struct db *db, const struct dataset *d, int64_t after_seq,
			 record_state_fn *fn, void *arg, struct error *err);
int __wrap_record_states(struct db *db, const struct dataset *d, int64_t after_seq,
			 record_state_fn *fn, void *arg, struct error *err);

int
__wrap_record_probe(struct db *db, const struct dataset *d, struct record_write *const *rows,
		    size_t count, record_find_fn *find, void *arg, struct error *err)
{
	asked.probes++;
	asked.probed += count;
	return __real_record_probe(db, d, rows, count, find, arg, err);
}

struct counting {
	record_state_fn *fn;
	void *arg;
};

static int
count_state(void *arg, const char *id, size_t length, const struct record_state *state,
	    struct error *err)
{
	const struct counting *counting = arg;

	asked.read++;
	return counting->fn(counting->arg, id, length, state, err);
}

int
__wrap_record_states(struct db *db, const struct dataset *d, int64_t after_seq,
		     record_state_fn *fn, void *arg, struct error *err)
{
	struct counting counting = {fn, arg};

	*(after_seq == 0 ? &asked.loads : &asked.catch_ups) += 1;
	return __real_record_states(db, d, after_seq, count_state, &counting, err);
}

/* One page: records first to last, each with that value. */
static void
save_range(struct ingest *in, int first, int last, char value)
{
	struct buf text;

	buf_init(&text, NULL, 1024);
	for (int i = first; i <= last; i++)
		buf_addf(&text, "s%d=%c ", i, value);
	save(in, text.data);
	talloc_free(text.data);
}

static void
save_all(struct ingest *in, char value)
{
	for (int first = 1; first <= LIVE; first += RECORDS_MAX)
		save_range(in, first,
			   first + RECORDS_MAX > LIVE ? LIVE : first + RECORDS_MAX - 1, value);
}

static void
check_asked(const char *why, int probes, size_t probed, int loads, int catch_ups, size_t read)
{
	if (asked.probes != probes || asked.probed != probed || asked.loads != loads ||
	    asked.catch_ups != catch_ups || asked.read != read)
		fail_msg("%s: %d probes of %zu, %d loads, %d catch-ups, %zu read", why,
			 asked.probes, asked.probed, asked.loads, asked.catch_ups, asked.read);
}

/* A dataset of LIVE records, as a run that is over left it. */
static struct ingest *
begin_on_full(void)
{
	struct ingest *in = begin_run(++world.next_connection, 1, false);

	memset(&asked, 0, sizeof(asked));
	save_all(in, 'a');
	check_asked("an empty dataset is known", 0, 0, 0, 0, 0);
	talloc_free(in);
	return begin_run(world.next_connection, 2, false);
}

static const struct {
	const char *why;
	int first, last;
	char value;
	int probes;
	size_t probed;
	int loads;
	size_t read;
} pages[] = {
    {"the first page is asked for", 1, 5, 'a', 1, 5, 0, 0},
    {"so is the next, changed or not", 6, 9, 'b', 2, 9, 0, 0},
    {"nine of two hundred is under a twentieth", 10, 10, 'a', 3, 10, 0, 0},
    {"a twentieth was touched: all is loaded, once", 11, 20, 'a', 3, 10, 1, LIVE},
    {"what is known is not asked for", 21, 80, 'a', 3, 10, 1, LIVE},
    {"not what is new, either", 201, 260, 'a', 3, 10, 1, LIVE},
    {"nor what this run changed itself", 5, 10, 'c', 3, 10, 1, LIVE},
    {"nor what it added", 201, 210, 'a', 3, 10, 1, LIVE},
};

static void
test_twentieth(void **state)
{
	struct ingest *in, *other;

	(void)state;
	world.budget.limit_bytes = INT64_MAX;
	in = begin_on_full();
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		save_range(in, pages[i].first, pages[i].last, pages[i].value);
		check_asked(pages[i].why, pages[i].probes, pages[i].probed, pages[i].loads, 0,
			    pages[i].read);
	}
	assert_int_equal(in->models[0].updated, 10);
	assert_int_equal(in->models[0].added, 60);
	/* Of what another run wrote only that is read, and none of it is saved again. */
	other = begin_run(in->connection_row, 3, false);
	save_range(other, 30, 32, 'd');
	memset(&asked, 0, sizeof(asked));
	save_range(in, 30, 40, 'd');
	check_asked("the head moved", 0, 0, 0, 1, 3);
	assert_int_equal(in->models[0].updated, 18);
	talloc_free(other);
	talloc_free(in);
	assert_int_equal(world.budget.used_bytes, 0);
}

/* A thousand more, deleted long ago: they are loaded, too. */
static void
add_deleted(int64_t connection)
{
	static const char *const statements[] = {
	    "INSERT INTO nango_data.record (connection_id, dataset_id, seq, first_seen_at, "
	    "    last_modified_at, deleted_at, hash, action, codec, external_id) "
	    "SELECT d.connection_id, d.id, d.seq + n, now(), now(), now(), "
	    "    gen_random_uuid(), 3, 0, 'gone-' || n "
	    "FROM nango_data.dataset d, generate_series(1, 1000) n WHERE d.connection_id = $1",
	    "UPDATE nango_data.dataset SET seq = seq + 1000 WHERE connection_id = $1",
	};
	struct error err;
	struct db *db;

	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	for (size_t i = 0; i < 2; i++)
		if (db_exec(db, NULL, NULL, &err, statements[i],
			    DB_PARAMS(DB_INTEGER(connection))) < 0)
			fail_msg("%s", err.message);
	db_release(db);
}

/* Where the node has no room for it, every page is asked for, and nothing is loaded in vain. */
static void
test_no_room(void **state)
{
	struct ingest *in;

	(void)state;
	world.budget.limit_bytes = INT64_MAX;
	in = begin_on_full();
	world.budget.limit_bytes = 40000; /* a manifest of so many takes 32 KiB */
	save_range(in, 1, 20, 'a');
	save_range(in, 21, 40, 'a');
	check_asked("there is room for one", 1, 20, 1, 0, LIVE);
	talloc_free(in);

	in = begin_on_full();
	world.budget.limit_bytes = 30000;
	memset(&asked, 0, sizeof(asked));
	save_all(in, 'a');
	check_asked("there is none", (LIVE + RECORDS_MAX - 1) / RECORDS_MAX, LIVE, 0, 0, 0);
	assert_int_equal(in->models[0].updated + in->models[0].added, 0);
	talloc_free(in);

	world.budget.limit_bytes = INT64_MAX;
	in = begin_on_full();
	add_deleted(in->connection_row);
	world.budget.limit_bytes = 40000;
	memset(&asked, 0, sizeof(asked));
	save_all(in, 'a');
	assert_int_equal(asked.loads, 1); /* it did not fit, and is not tried again */
	assert_int_equal(asked.probed, LIVE);
	assert_int_equal(in->models[0].updated + in->models[0].added, 0);
	talloc_free(in);
	assert_int_equal(world.budget.used_bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_twentieth),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests_name("manifest", tests, ingest_set_up, ingest_tear_down);
}
