/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/bridge -- what the SDK's table of calls does: one run, from START to DONE.
 *
 * A process runs one function once, so the state is one global. Each file below fills in its
 * part of the table: value.c, request.c, record.c, writer.c, lookup.c, bridge.c.
 *
 * Memory: each iteration over pages has an arena, emptied by its next page; what calls hand out
 * comes from the arena of the iteration that moved last, or from the run's where there is none.
 */
#ifndef NANGO_RUNNER_BRIDGE_H
#define NANGO_RUNNER_BRIDGE_H

#include "runner/arena.h"

#include <nango/plugin.h>
#include <sys/types.h>

struct iteration {
	struct nango_pages pages; /* first: the plugin holds a pointer to it */
	struct iteration *older;
	struct iteration *parent; /* that was current when this one began; NULL: the run */
	uint32_t number;    /* the session's; of stored records, how many pages there were */
	const char *model;  /* of stored records; NULL: the provider's pages */
	const char *cursor; /* of stored records, the next page's, in this page's memory */
	bool is_over;
	struct nango_page page; /* the last one */
	struct arena memory;
};

struct bridge {
	struct nango_run run; /* first: the plugin holds a pointer to it */
	struct arena memory;
	struct iteration *current, *newest;
	struct nango_value checkpoint, metadata, input;
	const char *connection_id;
};

extern struct bridge bridge;

struct arena *bridge_arena(void); /* where calls take memory from now */

/* Reads START, calls the function, sends DONE. plugin as loader_load gave it. */
__attribute__((noreturn)) void bridge_run(const struct nango_plugin *plugin);

/* value.c */
int value_type(const struct nango_value *value);
bool value_at(const struct nango_value *value, const char *path, struct nango_value *out);
bool value_next(const struct nango_value *array, struct nango_value *item);
bool value_next_member(const struct nango_value *object, struct nango_value *key,
		       struct nango_value *value);
const char *value_string(const struct nango_value *value);
bool value_integer(const struct nango_value *value, int64_t *out);
bool value_number(const struct nango_value *value, double *out);
bool value_boolean(const struct nango_value *value, bool *out);

/* request.c */
void request_http(struct nango_run *run, const struct nango_request *request,
		  struct nango_response *response);
struct nango_pages *request_paginate(struct nango_run *run,
				     const struct nango_request *request);
struct nango_pages *request_records(struct nango_run *run, const char *model);
bool request_next_page(struct nango_pages *pages, struct nango_value *page);
void request_page(struct nango_pages *pages, struct nango_page *out);

/* record.c */
void record_begin(struct nango_run *run, const char *model, struct nango_writer *writer);
void record_begin_change(struct nango_run *run, const char *model, uint32_t change,
			 struct nango_writer *writer);
void record_end(struct nango_writer *writer, const char *problem);
void record_commit(struct nango_run *run, const char *checkpoint, size_t length);
void record_clear_checkpoint(struct nango_run *run);
void record_deletes_start(struct nango_run *run, const char *model);
void record_deletes_end(struct nango_run *run, const char *model,
			const struct nango_deletes *options);
void record_walk_complete(struct nango_run *run);
void writer_grow(struct nango_writer *writer, size_t room);
void record_close(void);      /* ends the frame of saves, so that another can begin */
bool record_is_pending(void); /* was anything staged since the last commit? */

/* writer.c */
void writer_string(struct nango_writer *writer, const char *text);
char *writer_quote(char *at, const char *text); /* room: 2 + 6 * strlen(text) */
void writer_number(struct nango_writer *writer, double number);
size_t writer_digits(char out[32], double number); /* shortest text that reads back the same */

/* lookup.c */
void lookup_by_ids(struct nango_run *run, const char *model, const char *const *ids,
		   size_t count, struct nango_value *out);
/* The records behind the cursor, NULL: from the start. *next is the cursor of the following
 * page, in page memory; NULL: there is none. */
struct nango_value lookup_page(const char *model, const char *cursor, struct arena *arena,
			       const char **next);

#endif
