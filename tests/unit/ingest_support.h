/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_support -- a Postgres, runs and pages for the tests of engine/ingest.
 */
#ifndef NANGO_TESTS_INGEST_SUPPORT_H
#define NANGO_TESTS_INGEST_SUPPORT_H

#include "engine/ingest.h"
#include "store/feed.h"

struct embedded;

struct ingest_world {
	TALLOC_CTX *mem;
	char dir[64];
	struct embedded *pg;
	struct db_pool *pool;
	struct manifest_budget budget;
	int64_t next_connection;
};
extern struct ingest_world world;

int ingest_set_up(void **state);
int ingest_tear_down(void **state);

/* A run of that id, with the fence raised. talloc_free ends it without an end. */
struct ingest *begin_run(int64_t connection, int64_t run_id, bool seals);

#define RECORDS_MAX 64

struct page {
	TALLOC_CTX *mem;
	struct run_page_model model;
	struct run_record records[RECORDS_MAX];
	struct run_page page;
};

/* "s1=a u2=b d3 !4=c": saves id 1 with {"id":"1","v":"a"}, updates, deletes, and a record with
 * a problem. */
void page_make(struct page *page, const char *text);
int commit(struct ingest *ingest, struct page *page, struct error *err); /* frees the page's */
void save(struct ingest *ingest, const char *text);
/* A page that opens and closes a delete window; error: what it is refused with, or NULL. */
void window(struct ingest *ingest, const char *text, bool opens, bool closes,
	    const char *error);

struct reading {
	struct buf out;
	const struct ingest *in;
	struct dataset head;
	int64_t last;
};

#endif
