/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_support -- see ingest_support.h.
 */
#include "ingest_support.h"
#include "db/embedded.h"
#include "db/migrate.h"
#include "store/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct ingest_world world;

int
ingest_set_up(void **state)
{
	struct error err;
	int applied;

	(void)state;
	world.mem = talloc_new(NULL);
	snprintf(world.dir, sizeof(world.dir), "/tmp/nango-ingest-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	assert_int_equal(chmod(world.dir, 0755), 0);
	if (embedded_start(world.mem, world.dir, NULL, &world.pg, &err) < 0 ||
	    db_pool_open(embedded_url(world.pg), 4, &world.pool, &err) < 0 ||
	    migrate_run(world.pool, "data", &applied, &err) < 0)
		fail_msg("%s", err.message);
	return 0;
}

int
ingest_tear_down(void **state)
{
	char command[128];

	(void)state;
	db_pool_close(world.pool);
	embedded_stop(world.pg);
	snprintf(command, sizeof(command), "rm -rf %s", world.dir);
	assert_int_equal(system(command), 0);
	talloc_free(world.mem);
	return 0;
}

/* ---- runs and pages ---- */

struct ingest *
begin_run(int64_t connection, int64_t run_id, bool seals)
{
	static const unsigned char record_key[32] = {1, 2, 3};
	struct ingest *in = ingest_new();
	TALLOC_CTX *mem = talloc_new(NULL);
	struct fence fence;
	struct error err;
	struct db *db;

	in->data = world.pool;
	in->budget = &world.budget;
	in->connection_row = connection;
	in->run_id = run_id;
	in->token = 1;
	in->variant = "base";
	in->checkpoint_key = "sync:test";
	in->guard_percent = 50;
	ingest_set_secret(in, 1, record_key, seals);
	assert_int_equal(db_acquire(world.pool, &db, &err), 0);
	assert_int_equal(fence_raise(mem, db, connection, run_id, 1, &fence, &err), 0);
	in->pages = fence.pages;
	db_release(db);
	talloc_free(mem);
	return in;
}

void
page_make(struct page *p, const char *text)
{
	char *copy, *save, *word;

	memset(p, 0, sizeof(*p));
	p->mem = talloc_new(NULL);
	copy = talloc_strdup(p->mem, text);
	p->model = (struct run_page_model){.model = "Thing", .records = p->records};
	for (word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		struct run_record *r = &p->records[p->model.count++];
		char *value = strchr(word, '=');
		char *json;

		assert_true(p->model.count <= RECORDS_MAX);
		if (value != NULL)
			*value++ = '\0';
		json = value == NULL
			   ? talloc_asprintf(p->mem, "{\"id\":\"%s\"}", word + 1)
			   : talloc_asprintf(p->mem, "{\"id\":\"%s\",\"%s\":\"%s\"}", word + 1,
					     word[0] == 'u' ? "u" : "v", value);
		r->bytes = (struct jsonspan){json, strlen(json)};
		r->id = jsonspan_member(r->bytes, "id");
		r->change = word[0] == 'u'   ? RUN_UPDATE
			    : word[0] == 'd' ? RUN_DELETE
					     : RUN_SAVE;
		if (word[0] == '!')
			r->problem = "v: it is bad";
	}
	p->page = (struct run_page){.number = 1, .models = &p->model, .models_count = 1};
}

int
commit(struct ingest *in, struct page *p, struct error *err)
{
	int result = ingest_page(in, &p->page, NULL, err);

	talloc_free(p->mem);
	return result;
}

void
save(struct ingest *in, const char *text)
{
	struct page p;
	struct error err;

	page_make(&p, text);
	if (commit(in, &p, &err) < 0)
		fail_msg("%s: %s", text, err.message);
}

void
window(struct ingest *in, const char *text, bool opens, bool closes, const char *error)
{
	struct page p;
	struct error err = {0};

	page_make(&p, text);
	p.model.opens_window = opens;
	p.model.closes_window = closes;
	if (commit(in, &p, &err) < 0)
		assert_string_equal(error_name(err.code), error == NULL ? err.message : error);
	else if (error != NULL)
		fail_msg("%s: it was not refused", text);
}
