/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin_support -- see plugin_support.h. There is one stand at a time: calls on values carry
 * no run, so they reach it through a static pointer, as in the runner.
 */
#include "plugin_support.h"
#include "base/jsonspan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct stand *here;

static struct jsonspan
span(const struct nango_value *value)
{
	return (struct jsonspan){value->data, value->length};
}

static struct nango_value
value_of(struct jsonspan span)
{
	return (struct nango_value){&here->calls, span.data, span.length};
}

static int
value_type(const struct nango_value *value)
{
	return value->data == NULL ? NANGO_ABSENT : (int)jsonspan_type(span(value));
}

static bool
value_at(const struct nango_value *value, const char *path, struct nango_value *out)
{
	struct jsonspan at = span(value);

	while (*path != '\0' && at.data != NULL) {
		size_t n = strcspn(path, ".");

		at = jsonspan_member(at, talloc_strndup(here->page, path, n));
		path += n + (path[n] == '.');
	}
	*out = value_of(at);
	return at.data != NULL;
}

/* The cursor is not in the value, so the next is found again from the start: slow, but simple.
 */
static bool
value_next(const struct nango_value *array, struct nango_value *item)
{
	struct jsonspan at;
	size_t cursor = 0;
	bool is_next = item->data == NULL;

	if (jsonspan_type(span(array)) != JSONSPAN_ARRAY)
		return false;
	while (jsonspan_next_item(span(array), &cursor, &at)) {
		if (is_next) {
			*item = value_of(at);
			return true;
		}
		is_next = at.data == item->data;
	}
	return false;
}

static bool
value_next_member(const struct nango_value *object, struct nango_value *key,
		  struct nango_value *value)
{
	struct jsonspan name, at;
	size_t cursor = 0;
	bool is_next = key->data == NULL;

	if (jsonspan_type(span(object)) != JSONSPAN_OBJECT)
		return false;
	while (jsonspan_next_member(span(object), &cursor, &name, &at)) {
		if (is_next) {
			*key = value_of(name);
			*value = value_of(at);
			return true;
		}
		is_next = name.data == key->data;
	}
	return false;
}

static const char *
value_string(const struct nango_value *value)
{
	int type = value_type(value);
	char *out;

	if (type == NANGO_NUMBER)
		return talloc_strndup(here->page, value->data, value->length);
	if (type != NANGO_STRING)
		return NULL;
	out = talloc_size(here->page, value->length + 1);
	return jsonspan_unescape(span(value), out) < 0 ? NULL : out;
}

static bool
value_integer(const struct nango_value *value, int64_t *out)
{
	return value_type(value) == NANGO_NUMBER && jsonspan_integer(span(value), out);
}

static bool
value_number(const struct nango_value *value, double *out)
{
	return value_type(value) == NANGO_NUMBER && jsonspan_number(span(value), out);
}

static bool
value_boolean(const struct nango_value *value, bool *out)
{
	if (value_type(value) != NANGO_BOOLEAN)
		return false;
	*out = value->data[0] == 't';
	return true;
}

__attribute__((noreturn)) static void
on_fail(struct nango_run *run, const char *code, const char *message, const char *payload)
{
	(void)run;
	(void)payload;
	here->failure = talloc_asprintf(here->mem, "%s: %s", code, message);
	longjmp(here->failed, 1);
}

static void *
on_allocate(struct nango_run *run, size_t size)
{
	(void)run;
	return talloc_zero_size(here->page, size == 0 ? 1 : size);
}

static const char *
on_keep(struct nango_run *run, const char *text, size_t length)
{
	(void)run;
	return talloc_strndup(here->mem, text, length);
}

static void
page_over(void)
{
	talloc_free(here->page);
	here->page = talloc_new(here->mem);
}

/* ---- records: the writer's room is the buffer's ---- */

static void
writer_use(struct nango_writer *writer)
{
	writer->at = here->record.data + here->record.length;
	writer->end = here->record.data + here->record.capacity - 1;
}

static void
on_grow(struct nango_writer *writer, size_t room)
{
	here->record.length = (size_t)(writer->at - here->record.data);
	buf_reserve(&here->record, room);
	writer_use(writer);
}

static void
on_write_string(struct nango_writer *writer, const char *text)
{
	struct buf quoted;

	buf_init(&quoted, here->page, 64);
	buf_add_json_str(&quoted, text);
	nango_write(writer, quoted.data, quoted.length);
}

static void
on_write_number(struct nango_writer *writer, double number)
{
	char text[32];

	snprintf(text, sizeof(text), "%.17g", number);
	nango_write(writer, text, strlen(text));
}

static void
on_change_begin(struct nango_run *run, const char *model, uint32_t change,
		struct nango_writer *writer)
{
	buf_reset(&here->record);
	here->model = model;
	here->change = change;
	writer->run = run;
	writer_use(writer);
}

static void
on_save_begin(struct nango_run *run, const char *model, struct nango_writer *writer)
{
	on_change_begin(run, model, NANGO_SAVE, writer);
}

static void
on_records_by_ids(struct nango_run *run, const char *model, const char *const *ids,
		  size_t count, struct nango_value *out)
{
	(void)run;
	(void)model;
	(void)ids;
	(void)count;
	*out = (struct nango_value){&here->calls, here->stored, strlen(here->stored)};
}

static void
on_deletes_start(struct nango_run *run, const char *model)
{
	(void)run;
	(void)model;
	here->windows_opened++;
}

static void
on_deletes_end(struct nango_run *run, const char *model, const struct nango_deletes *options)
{
	(void)run;
	(void)model;
	(void)options;
	here->windows_closed++;
}

static void
on_clear_checkpoint(struct nango_run *run)
{
	(void)run;
	here->checkpoint = NULL;
}

static void
on_save_end(struct nango_writer *writer, const char *problem)
{
	size_t n = here->records_count++;

	if (n >= STAND_RECORDS_MAX)
		abort();
	here->records[n].model = here->model;
	here->records[n].change = here->change;
	here->records[n].json = talloc_strndup(here->mem, here->record.data,
					       (size_t)(writer->at - here->record.data));
	here->records[n].problem = problem == NULL ? NULL : talloc_strdup(here->mem, problem);
}

static void
on_commit(struct nango_run *run, const char *checkpoint, size_t length)
{
	(void)run;
	if (checkpoint != NULL)
		here->checkpoint = talloc_strndup(here->mem, checkpoint, length);
	here->commits++;
	page_over();
}

/* ---- documents ---- */

static void
document(const char *json, struct nango_value *out)
{
	*out = (struct nango_value){&here->calls, json, json == NULL ? 0 : strlen(json)};
}

static void
on_checkpoint(struct nango_run *run, struct nango_value *out)
{
	(void)run;
	document(here->checkpoint, out);
}

static void
on_metadata(struct nango_run *run, struct nango_value *out)
{
	(void)run;
	document(here->metadata, out);
}

static void
on_input(struct nango_run *run, struct nango_value *out)
{
	(void)run;
	document(here->input, out);
}

static void
on_output(struct nango_run *run, const char *json, size_t length)
{
	(void)run;
	here->output = talloc_strndup(here->mem, json, length);
}

/* ---- pages: link and offset by page, as much as the plugins here use ---- */

struct stand_pages {
	struct nango_pages pages; /* first */
	struct recording_request request;
	uint32_t kind, number;
	const char *number_name;
	uint32_t limit;
	bool is_over;
};

static const char *
no_header(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static void
add_number(struct recording_pairs *params, const char *name, uint32_t number)
{
	recording_pairs_add(here->mem, params, name, talloc_asprintf(here->mem, "%u", number));
}

static void
add_query(struct recording_pairs *params, const struct nango_pair *query)
{
	for (const struct nango_pair *q = query; q != NULL && q->name != NULL; q++)
		if (q->value != NULL)
			recording_pairs_add(here->mem, params, q->name,
					    talloc_strdup(here->mem, q->value));
}

static const struct exchange *
must_find(const struct recording_request *request)
{
	const struct exchange *exchange, *nearest;

	exchange = recording_find(here->mem, here->recording, request, &nearest);
	here->requests++;
	if (exchange == NULL)
		on_fail(&here->run, "not_recorded",
			recording_describe(here->mem, request->method, request->path,
					   &request->params),
			NULL);
	return exchange;
}

static void
on_http(struct nango_run *run, const struct nango_request *asked,
	struct nango_response *response)
{
	struct recording_request request = {
	    .method = "GET", .path = asked->path, .header = no_header};
	const struct exchange *exchange;
	struct nango_pair *headers;

	(void)run;
	add_query(&request.params, asked->query);
	exchange = must_find(&request);
	headers = talloc_zero_array(here->mem, struct nango_pair,
				    (unsigned)exchange->answer_headers.count + 1);
	for (size_t i = 0; i < exchange->answer_headers.count; i++)
		headers[i] = (struct nango_pair){exchange->answer_headers.at[i].name,
						 exchange->answer_headers.at[i].value};
	response->status = (uint32_t)exchange->status;
	response->headers = headers;
	response->is_json = exchange->is_json;
	response->body =
	    (struct nango_value){&here->calls, exchange->body, exchange->body_length};
}

static struct nango_pages *
on_paginate(struct nango_run *run, const struct nango_request *request)
{
	struct stand_pages *pages = talloc_zero(here->mem, struct stand_pages);
	const struct nango_pagination *rules = request->pages;

	(void)run;
	pages->pages.calls = &here->calls;
	pages->kind = rules->kind;
	pages->number = rules->start;
	pages->number_name = rules->offset_name;
	pages->limit = rules->limit;
	pages->request.method = "GET";
	pages->request.path = talloc_strdup(here->mem, request->path);
	pages->request.header = no_header;
	add_query(&pages->request.params, request->query);
	if (rules->limit_name != NULL)
		add_number(&pages->request.params, rules->limit_name, rules->limit);
	return &pages->pages;
}

/* The next page's path and query, from a Link header. */
static void
follow_link(struct stand_pages *pages, const struct exchange *exchange)
{
	const char *link = NULL, *at;

	for (size_t i = 0; i < exchange->answer_headers.count; i++)
		if (strcmp(exchange->answer_headers.at[i].name, "link") == 0)
			link = exchange->answer_headers.at[i].value;
	at = link == NULL || strstr(link, "rel=\"next\"") == NULL ? NULL : strchr(link, '?');
	pages->is_over = at == NULL;
	pages->request.params.count = 0;
	while (at != NULL && *at != '>' && *at != '\0') {
		size_t pair = strcspn(++at, "&>"), name = strcspn(at, "=");

		recording_pairs_add(
		    here->mem, &pages->request.params, recording_decode(here->mem, at, name),
		    recording_decode(here->mem, at + name + 1, pair - name - 1));
		at += pair;
	}
}

static bool
on_next_page(struct nango_pages *base, struct nango_value *page)
{
	struct stand_pages *pages = (struct stand_pages *)base;
	struct recording_request request = pages->request;
	const struct exchange *exchange;
	struct nango_value item = {&here->calls, NULL, 0};
	size_t items = 0;

	if (pages->is_over)
		return false;
	page_over();
	if (pages->kind == NANGO_PAGE_OFFSET) {
		request.params = (struct recording_pairs){0};
		for (size_t i = 0; i < pages->request.params.count; i++)
			recording_pairs_add(here->mem, &request.params,
					    pages->request.params.at[i].name,
					    pages->request.params.at[i].value);
		add_number(&request.params, pages->number_name, pages->number++);
	}
	exchange = must_find(&request);
	*page = (struct nango_value){&here->calls, exchange->body, exchange->body_length};
	if (pages->kind == NANGO_PAGE_LINK)
		follow_link(pages, exchange);
	while (pages->kind == NANGO_PAGE_OFFSET && value_next(page, &item))
		items++;
	if (pages->kind == NANGO_PAGE_OFFSET)
		pages->is_over = items < pages->limit;
	return true;
}

static void
on_page(struct nango_pages *pages, struct nango_page *page)
{
	(void)pages;
	(void)page;
	on_fail(&here->run, "unsupported", "nango_page needs the runner", NULL);
}

static void
on_log(struct nango_run *run, int level, const char *text, size_t length)
{
	(void)run;
	(void)level;
	(void)text;
	(void)length;
}

void
stand_open(struct stand *stand)
{
	*stand = (struct stand){.mem = talloc_new(NULL)};
	stand->page = talloc_new(stand->mem);
	buf_init(&stand->record, stand->mem, 64);
	stand->calls = (struct nango_calls){
	    .size = sizeof(struct nango_calls),
	    .abi_major = NANGO_ABI_MAJOR,
	    .abi_minor = NANGO_ABI_MINOR,
	    .value_type = value_type,
	    .value_at = value_at,
	    .value_next = value_next,
	    .value_next_member = value_next_member,
	    .value_string = value_string,
	    .value_integer = value_integer,
	    .value_number = value_number,
	    .value_boolean = value_boolean,
	    .http = on_http,
	    .paginate = on_paginate,
	    .next_page = on_next_page,
	    .page = on_page,
	    .save_begin = on_save_begin,
	    .save_end = on_save_end,
	    .commit = on_commit,
	    .writer_grow = on_grow,
	    .write_string = on_write_string,
	    .write_number = on_write_number,
	    .checkpoint = on_checkpoint,
	    .metadata = on_metadata,
	    .input = on_input,
	    .output = on_output,
	    .log = on_log,
	    .fail = on_fail,
	    .allocate = on_allocate,
	    .keep = on_keep,
	    .change_begin = on_change_begin,
	    .records_by_ids = on_records_by_ids,
	    .deletes_start = on_deletes_start,
	    .deletes_end = on_deletes_end,
	    .clear_checkpoint = on_clear_checkpoint,
	};
	stand->run.calls = &stand->calls;
	here = stand;
}

void
stand_close(struct stand *stand)
{
	talloc_free(stand->mem);
	here = NULL;
}

struct nango_value
stand_value(struct stand *stand, const char *json)
{
	return (struct nango_value){&stand->calls, json, strlen(json)};
}

bool
stand_run(struct stand *stand, nango_function *fn)
{
	if (setjmp(stand->failed) != 0)
		return false;
	fn(&stand->run);
	return true;
}

/* A run is a process: what a plugin takes for its whole life goes with it, not back. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
