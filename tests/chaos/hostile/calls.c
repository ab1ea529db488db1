/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/calls -- not hostile: every call of the SDK's table, checked from the plugin's side.
 * A wrong answer ends the run with the line it stands on. Used by tests/unit/runner_run.c.
 */
#include <nango/plugin.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                               \
	do {                                                                           \
		if (!(condition))                                                      \
			nango_fail(run, "wrong", "line %d: %s", __LINE__, #condition); \
	} while (0)

static bool
same(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static void
values(struct nango_run *run)
{
	struct nango_value m = nango_metadata(run), key = {0}, value = {0};
	const char *kept = NULL;
	size_t count = 0;

	CHECK(nango_type(m) == NANGO_OBJECT);
	CHECK(same(nango_string(m, "text"), "a\n\"\xc3\xa9"));
	CHECK(same(nango_string(m, "number"), "1.50"));
	CHECK(nango_string(m, "nothing") == NULL && nango_string(m, "null") == NULL);
	CHECK(nango_string(m, "list") == NULL && nango_string(m, "yes") == NULL);
	CHECK(nango_integer(m, "big", 0) == INT64_MAX && nango_integer(m, "number", 7) == 7);
	CHECK(nango_integer(m, "nothing", -1) == -1 && nango_integer(m, "text", -1) == -1);
	CHECK(nango_number(m, "number", 0) == 1.5 && nango_number(m, "list", 2) == 2);
	CHECK(nango_boolean(m, "yes", false) && nango_boolean(m, "nothing", true));
	CHECK(nango_has(m, "yes") && !nango_has(m, "null") && !nango_has(m, "nothing"));
	CHECK(nango_type(nango_get(m, "null")) == NANGO_NULL);
	CHECK(nango_type(nango_get(m, "nothing")) == NANGO_ABSENT);
	CHECK(same(nango_string(m, "deep.er.still"), "here"));
	CHECK(same(nango_string(m, "list.1.name"), "second") && !nango_has(m, "list.2"));
	CHECK(same(nango_string(nango_get(m, "deep"), "er.still"), "here"));
	CHECK(nango_type(nango_get(m, "")) == NANGO_OBJECT);
	nango_each (item, nango_get(m, "list"))
		count += nango_type(item) == NANGO_OBJECT;
	CHECK(count == 2);
	nango_each (item, nango_get(m, "text"))
		count++;
	CHECK(count == 2);
	while (run->calls->value_next_member(&m, &key, &value))
		count++;
	CHECK(count == 10);
	CHECK(same(run->calls->connection_id(run), "connection-1"));
	CHECK(same(nango_format(run, "/%s/%d", "a", 7), "/a/7"));
	kept = nango_keep(run, "kept");
	CHECK(same(kept, "kept") && nango_keep(run, NULL) == NULL);
	CHECK(((uintptr_t)nango_allocate(run, 1) & 15) == 0);
	CHECK(nango_type(nango_checkpoint(run)) == NANGO_OBJECT);
	CHECK(nango_integer(nango_checkpoint(run), "page", 0) == 4);
	nango_commit(run, "{\"page\":5}");
	CHECK(nango_integer(nango_checkpoint(run), "page", 0) == 5);
	nango_log(run, NANGO_INFO, "all %s", "well");
}

static void
requests(struct nango_run *run)
{
	struct nango_response r = nango_http(run, NANGO_REQUEST(.path = "/echo"));
	static const char body[] = "{\"a\":[1,2]}";

	CHECK(r.status == 200 && r.is_json && same(nango_string(r.body, "method"), "GET"));
	CHECK(same(nango_string(r.body, "path"), "/echo") &&
	      same(nango_string(r.body, "type"), ""));
	CHECK(nango_integer(r.body, "retries", 9) == 0 && !nango_has(r.body, "body"));
	r = nango_http(
	    run, NANGO_REQUEST(.method = "POST", .path = "/echo",
			       .query = NANGO_PAIRS({"x", "1"}, {"left_out", NULL}, {"y", ""}),
			       .headers = NANGO_PAIRS({"accept", "a/b"}), .body = body,
			       .content_type = "application/json", .retries = 3,
			       .timeout_ms = 1234));
	CHECK(same(nango_string(r.body, "method"), "POST") &&
	      same(nango_string(r.body, "q_x"), "1"));
	CHECK(same(nango_string(r.body, "q_y"), "") && !nango_has(r.body, "q_left_out"));
	CHECK(same(nango_string(r.body, "h_accept"), "a/b"));
	CHECK(nango_integer(r.body, "body.a.1", 0) == 2 &&
	      nango_integer(r.body, "timeout", 0) == 1234);
	r = nango_http(run, NANGO_REQUEST(.path = "/gone", .accept = NANGO_STATUS(410, 404)));
	CHECK(r.status == 404 && same(nango_string(r.body, "message"), "Not Found"));
}

/* An iteration within an iteration, left early: the outer page must still be there. */
static void
nested(struct nango_run *run)
{
	struct nango_pages *outer = nango_paginate(run, NANGO_REQUEST(.path = "/items"));
	struct nango_value page, other;
	int pages = 0;

	while (nango_next_page(outer, &page)) {
		const char *first = nango_string(page, "0.id");

		for (int i = 0; i < 20; i++) {
			struct nango_pages *inner =
			    nango_paginate(run, NANGO_REQUEST(.path = "/items"));

			CHECK(nango_next_page(inner, &other));
			CHECK(same(nango_string(other, "9.id"), "0-9"));
			if (i % 2 == 0)
				while (nango_next_page(inner, &other))
					nango_commit(run, NULL);
		}
		CHECK(same(first, nango_string(page, "0.id")));
		CHECK(atoi(first) == pages++);
		nango_save(run, "Item", nango_get(page, "3"));
		nango_commit(run, NULL);
	}
	CHECK(pages == 3 && !nango_next_page(outer, &page));
}

static void
write_one(struct nango_run *run, const char *model, const char *id, double number)
{
	struct nango_writer w;

	run->calls->save_begin(run, model, &w);
	nango_write(&w, "{\"id\":", 6);
	run->calls->write_string(&w, id);
	nango_write(&w, ",\"n\":", 5);
	run->calls->write_number(&w, number);
	nango_write(&w, "}", 1);
	run->calls->save_end(&w, NULL);
}

/* Two models by turns, more than a frame holds, and a text that has to be escaped. */
static void
writers(struct nango_run *run)
{
	char id[32];

	write_one(run, "Item", "a\"\\\n\x01", 0.1);
	write_one(run, "Other", "nan", (double)NAN);
	for (int i = 0; i < 2500; i++) {
		snprintf(id, sizeof(id), "%d", i);
		write_one(run, i % 100 == 99 ? "Other" : "Item", id, i / 3.0);
	}
	/* Committed without being asked: the function returns. */
}

static void
problem(struct nango_run *run)
{
	struct nango_writer w;

	run->calls->save_begin(run, "Item", &w);
	nango_write(&w, "{\"id\":1}", 8);
	run->calls->save_end(&w, "number: 2^64 does not fit an integer");
	nango_commit(run, NULL);
}

static void
large(struct nango_run *run)
{
	size_t size = 9 * 1024 * 1024;
	char *text = nango_allocate(run, size + 1);

	memset(text, 'x', size);
	write_one(run, "Item", text, 1);
	nango_commit(run, NULL);
	write_one(run, "Item", nango_format(run, "%s%s", text, text), 1);
}

static struct nango_value
json(struct nango_run *run, const char *text)
{
	return (struct nango_value){run->calls, text, strlen(text)};
}

/* Saves the texts of metadata.rows as they are. */
static void
verbatim(struct nango_run *run)
{
	nango_each (row, nango_get(nango_metadata(run), "rows"))
		nango_save(run, "Item", json(run, nango_string(row, "")));
	nango_commit(run, NULL);
}

static void
changes(struct nango_run *run)
{
	struct nango_pages *stored = nango_records(run, "Item");
	struct nango_value found, page;
	int64_t seen = 0;

	nango_track_deletes_start(run, "Item");
	nango_save(run, "Item", json(run, "{\"id\":\"1\"}"));
	nango_update(run, "Item", json(run, "{\"id\":2,\"a\":{\"b\":1}}"));
	nango_delete_id(run, "Item", "3\"");
	nango_delete(run, "Item", json(run, "{\"id\":4}"));
	nango_clear_checkpoint(run);
	CHECK(nango_integer(nango_checkpoint(run), "page", 0) == 4);
	nango_commit(run, NULL);
	CHECK(nango_type(nango_checkpoint(run)) == NANGO_ABSENT);
	found = nango_records_by_ids(run, "Item", NANGO_TEXTS("1", "\"\\\n"), 2);
	CHECK(same(nango_string(found, "0.ids.1"), "\"\\\n") && !nango_has(found, "1"));
	CHECK(nango_type(nango_records_by_ids(run, "Item", NULL, 0)) == NANGO_ARRAY);
	while (nango_next_page(stored, &page))
		nango_each (record, page)
			seen = seen * 10 + nango_integer(record, "id", 9) + 1;
	CHECK(seen == 123 && !nango_next_page(stored, &page));
	nango_track_deletes_end(run, "Item", NANGO_DELETES(.complete = 1, .force = 1));
	nango_save(run, "Item", json(run, "{\"id\":\"5\"}"));
}

static void
walked(struct nango_run *run)
{
	struct nango_pages *pages = nango_paginate(run, NANGO_REQUEST(.path = "/items"));
	struct nango_value page;

	nango_track_deletes_start(run, "Item");
	while (nango_next_page(pages, &page))
		nango_commit(run, NULL);
	nango_track_deletes_end(run, "Item", NULL);
}

static void
unfinished(struct nango_run *run)
{
	struct nango_pages *outer = nango_paginate(run, NANGO_REQUEST(.path = "/items"));
	struct nango_value page, other;

	nango_track_deletes_start(run, "Item");
	nango_commit(run, NULL);
	while (nango_next_page(outer, &page))
		nango_next_page(nango_paginate(run, NANGO_REQUEST(.path = "/items")), &other);
	nango_track_deletes_end(run, "Item", NULL);
}

static void
fails_with(struct nango_run *run)
{
	nango_fail_with(run, "seven", "{\"seen\":7}", "no %d", 7);
}

static void
waits(struct nango_run *run)
{
	nango_commit(run, "{\"held\":true}");
	nango_commit(run, "{\"held\":false}");
}

static int globals;

static void
fresh(struct nango_run *run)
{
	CHECK(globals == 42); /* set by the constructor, and changed by no run before */
	globals++;
	nango_log(run, NANGO_INFO, "fresh");
}

__attribute__((constructor)) static void
construct(void)
{
	globals = 42;
}

static void
echo(struct nango_run *run)
{
	struct nango_value input = {run->calls, NULL, 0};

	run->calls->input(run, &input);
	run->calls->output(run, input.data, input.length);
}

#define SYNC(function) NANGO_SYNC(.name = #function, .run = function)

NANGO_PLUGIN(.syncs = NANGO_SYNCS(SYNC(values), SYNC(requests), SYNC(nested), SYNC(writers),
				  SYNC(problem), SYNC(verbatim), SYNC(changes), SYNC(walked),
				  SYNC(unfinished), SYNC(fails_with), SYNC(large), SYNC(waits),
				  SYNC(fresh)),
	     .actions = NANGO_ACTIONS(NANGO_ACTION(.name = "echo", .run = echo)));
