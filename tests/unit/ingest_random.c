/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/ingest, with a real Postgres: hundreds of pages of random changes, made by two runs in
 * turn, against a model of twenty lines; with manifests and without, sealed and not.
 */
#include "ingest_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IDS 40
#define PAGES 300

struct model_record {
	char v[8], u[8];
	bool is_known, is_live, is_seen;
};

static struct {
	struct model_record records[IDS];
	bool is_open;
} model;

static unsigned
next_random(unsigned *seed, unsigned below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

/* One change; what a page makes of it once it is in. */
static void
model_change(char what, int id, const char *value)
{
	struct model_record *r = &model.records[id];

	if (what == 'd') {
		r->is_live = false;
	} else if (what == 's') {
		r->is_live = r->is_known = true;
		snprintf(r->v, sizeof(r->v), "%s", value);
		r->u[0] = '\0';
	} else if (r->is_live) {
		snprintf(r->u, sizeof(r->u), "%s", value);
	}
	if (what != 'd' && r->is_live)
		r->is_seen = true;
}

static char *
model_text(TALLOC_CTX *mem)
{
	struct buf out;

	buf_init(&out, mem, 1024);
	for (int i = 0; i < IDS; i++) {
		const struct model_record *r = &model.records[i];

		if (!r->is_known)
			continue;
		buf_addf(&out, "%d:%s{\"id\":\"%d\",\"v\":\"%s\"", i,
			 r->is_live ? "" : "deleted", i, r->v);
		if (r->u[0] != '\0')
			buf_addf(&out, ",\"u\":\"%s\"", r->u);
		buf_adds(&out, "}\n");
	}
	return out.data;
}

static int
collect(void *arg, const struct record_read *r, struct error *err)
{
	struct reading *reading = arg;
	const struct payload_place place = {&reading->head, r->external_id,
					    strlen(r->external_id)};
	const char *data = r->payload;
	size_t length = r->payload_length;
	char **lines = (char **)reading->out.data;

	if (payload_decode(reading->out.owner, &reading->in->codec, &place, r->codec, &data,
			   &length, err) < 0)
		return -1;
	lines[atoi(r->external_id)] =
	    talloc_asprintf(reading->out.owner, "%s:%s%.*s\n", r->external_id,
			    r->action == RECORD_DELETED ? "deleted" : "", (int)length, data);
	return 0;
}

static void
check_model(const struct ingest *in, unsigned page)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *lines[IDS] = {NULL};
	struct reading reading = {.in = in, .out = {.owner = mem, .data = (char *)lines}};
	struct record_query query = {.connection_row = in->connection_row,
				     .limit = INT32_MAX,
				     .with_added = true,
				     .with_updated = true,
				     .with_deleted = true};
	struct buf found;
	struct error err;
	struct db *db;
	int64_t live = 0;

	buf_init(&found, mem, 1024);
	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(
	    dataset_find(db, in->connection_row, "Thing", "base", &reading.head, &err), 0);
	query.dataset_id = reading.head.id;
	assert_int_equal(record_stream(db, &query, collect, &reading, &err), 0);
	db_release(db);
	for (int i = 0; i < IDS; i++) {
		if (lines[i] != NULL)
			buf_adds(&found, lines[i]);
		live += model.records[i].is_live;
	}
	if (strcmp(found.data, model_text(mem)) != 0)
		fail_msg("page %u:\n%s\nis not\n%s", page, found.data, model_text(mem));
	assert_int_equal(reading.head.live, live);
	talloc_free(mem);
}

static void
random_page(struct ingest *in, unsigned *seed)
{
	unsigned count = next_random(seed, 12);
	bool opens = !model.is_open && next_random(seed, 6) == 0;
	bool closes = (model.is_open || opens) && next_random(seed, 5) == 0;
	struct model_record before[IDS];
	struct buf text;
	struct page p;
	struct error err;

	buf_init(&text, NULL, 256);
	memcpy(before, model.records, sizeof(before));
	if (opens) {
		model.is_open = true;
		for (int i = 0; i < IDS; i++)
			model.records[i].is_seen = false;
	}
	for (unsigned i = 0; i < count; i++) {
		char what = "sssud"[next_random(seed, 5)], value[8];
		int id = (int)next_random(seed, IDS);

		snprintf(value, sizeof(value), "%u", next_random(seed, 3));
		buf_addf(&text, "%c%d=%s ", what, id, value);
		model_change(what, id, value);
	}
	for (int i = 0; i < IDS; i++) {
		struct model_record *r = &model.records[i];

		if (closes && !r->is_seen)
			r->is_live = false;
		if (!r->is_live) { /* what the page saved before it deleted was never there */
			memcpy(r->v, before[i].v, sizeof(r->v));
			memcpy(r->u, before[i].u, sizeof(r->u));
			r->is_known = before[i].is_known;
		}
	}
	model.is_open &= !closes;
	page_make(&p, text.data);
	p.model.opens_window = opens;
	p.model.closes_window = closes;
	if (commit(in, &p, &err) < 0)
		fail_msg("%s: %s", text.data, err.message);
	talloc_free(text.data);
}

static void
random_run(unsigned seed, int64_t budget, bool seals)
{
	int64_t connection = ++world.next_connection, run_id = 1;
	struct ingest *in[2];

	memset(&model, 0, sizeof(model));
	world.budget.limit_bytes = budget;
	for (int i = 0; i < 2; i++)
		in[i] = begin_run(connection, run_id++, seals);
	save(in[0], "");
	for (unsigned page = 0; page < PAGES; page++) {
		unsigned who = next_random(&seed, 2);

		if (next_random(&seed, 20) == 0) { /* it dies, another begins knowing nothing */
			talloc_free(in[who]);
			in[who] = begin_run(connection, run_id++, seals);
		}
		in[who]->may_delete_all = true;
		in[who]->window_marks = 1 + next_random(&seed, IDS); /* in parts, or not */
		in[who]->window_deletes = 1 + next_random(&seed, 8);
		random_page(in[who], &seed);
		check_model(in[who], page);
	}
	talloc_free(in[0]);
	talloc_free(in[1]);
	assert_int_equal(world.budget.used_bytes, 0);
}

static void
test_random(void **state)
{
	(void)state;
	random_run(1, INT64_MAX, false);
	random_run(2, 0, false);
	random_run(3, INT64_MAX, true);
	random_run(4, 40000, false); /* room for one manifest of the two */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("ingest_random", tests, ingest_set_up,
					   ingest_tear_down);
}
