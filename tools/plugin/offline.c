/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline -- see offline.h. The host, the session and the runner are nangod's own; only the
 * backend is another.
 */
#include "offline.h"
#include "base/loop.h"
#include "http/server.h" /* struct http_field */
#include "nango/plugin.h"
#include "offline_store.h"
#include "run/host.h"
#include "run/validate.h"

#include <stdlib.h>
#include <string.h>

struct running {
	const struct offline *offline;
	struct offline_result *out;
	struct loop *loop;
	struct offline_store *store;
};

static const char *
header_of(void *arg, const char *lower_name)
{
	for (const struct http_field *f = arg; f->name != NULL; f++)
		if (strcmp(f->name, lower_name) == 0)
			return f->value;
	return NULL;
}

/* A path may hold a query, and a link from a recorded answer the provider's own host. */
static const char *
split_target(TALLOC_CTX *mem, const char *path, struct recording_pairs *params)
{
	const char *host = strstr(path, "://");
	size_t length;

	if (host != NULL && host < strchr(path, '/') + 2)
		path = host + 3 + strcspn(host + 3, "/?");
	length = strcspn(path, "?");
	for (const char *at = path + length; *at != '\0';) {
		size_t pair = strcspn(++at, "&"), name = strcspn(at, "=&");
		size_t value = name < pair ? name + 1 : pair;

		if (pair > 0)
			recording_pairs_add(mem, params, recording_decode(mem, at, name),
					    recording_decode(mem, at + value, pair - value));
		at += pair;
	}
	return talloc_strndup(mem, path, length);
}

static void
on_fetch(void *host, const struct run_request *asked, run_fetch_done *done, void *arg)
{
	static const struct http_field none[] = {{0}};
	struct running *running = host;
	TALLOC_CTX *mem = running->offline->mem;
	struct recording_request request = {.method = asked->method, .header = header_of};
	struct run_response answer = {.status = 404, .headers = none, .body = "{}"};
	const struct exchange *exchange, *nearest;
	struct http_field *headers;

	request.path = split_target(mem, asked->path, &request.params);
	for (const struct http_field *q = asked->query; q != NULL && q->name != NULL; q++)
		recording_pairs_add(mem, &request.params, talloc_strdup(mem, q->name),
				    talloc_strdup(mem, q->value));
	request.arg = (void *)(uintptr_t)(asked->headers == NULL ? none : asked->headers);
	request.body = asked->body;
	request.body_length = asked->body_length;
	exchange = recording_find(mem, running->offline->recording, &request, &nearest);
	answer.body_length = strlen(answer.body);
	if (exchange == NULL && running->out->unrecorded == NULL)
		running->out->unrecorded =
		    recording_describe(mem, request.method, request.path, &request.params);
	if (exchange != NULL) {
		headers = talloc_zero_array(mem, struct http_field,
					    (unsigned)exchange->answer_headers.count + 1);
		for (size_t i = 0; i < exchange->answer_headers.count; i++)
			headers[i] = (struct http_field){exchange->answer_headers.at[i].name,
							 exchange->answer_headers.at[i].value};
		answer = (struct run_response){.status = exchange->status,
					       .headers = headers,
					       .body = exchange->body,
					       .body_length = exchange->body_length};
	}
	done(arg, &answer, NULL);
}

static void
add_record(struct running *running, const char *model, const struct run_record *record)
{
	struct offline_result *out = running->out;
	TALLOC_CTX *mem = running->offline->mem;
	size_t n = out->records_count;

	if ((n & (n - 1)) == 0)
		out->records = talloc_realloc(mem, out->records, struct offline_record,
					      (unsigned)(n == 0 ? 2 : 2 * n));
	if (out->records == NULL)
		abort();
	out->records[out->records_count++] = (struct offline_record){
	    talloc_strdup(mem, model),
	    talloc_strndup(mem, record->bytes.data, record->bytes.length), record->change};
}

/* What a server would say of the record, "path: reason"; NULL when it fits. */
static const char *
problem_of(struct running *running, const char *name, const struct run_record *record)
{
	const struct spec *spec = running->offline->plugin->spec;
	const struct spec_model *model = spec_model(spec, name);
	struct validate_fault fault;
	int result = 0;

	if (record->problem != NULL)
		return record->problem;
	if (model != NULL && record->change == RUN_SAVE)
		result = validate_record(spec, model, record->bytes, &fault);
	else if (model != NULL && record->change == RUN_UPDATE)
		result = validate_update(spec, model, record->bytes, &fault);
	return result == 0
		   ? NULL
		   : talloc_asprintf(running->offline->mem, "%s: %s", fault.path, fault.reason);
}

static void
add_model(struct running *running, const struct run_page_model *model)
{
	struct offline_result *out = running->out;

	for (size_t i = 0; i < model->count; i++) {
		struct run_record *record = &model->records[i];

		record->problem = problem_of(running, model->model, record);
		if (record->problem != NULL && out->problem == NULL)
			out->problem = talloc_asprintf(
			    running->offline->mem, "%s %.*s: %s", model->model,
			    (int)record->id.length,
			    record->id.data == NULL ? "" : record->id.data, record->problem);
		add_record(running, model->model, record);
	}
}

static void
on_commit(void *host, const struct run_page *page, run_commit_done *done, void *arg)
{
	struct running *running = host;

	for (size_t m = 0; m < page->models_count; m++)
		add_model(running, &page->models[m]);
	offline_store_commit(running->store, page);
	if (page->checkpoint != NULL)
		running->out->checkpoint = talloc_strndup(
		    running->offline->mem, page->checkpoint, page->checkpoint_length);
	else if (page->clears_checkpoint)
		running->out->checkpoint = NULL;
	done(arg, NULL);
}

static void
on_lookup(void *host, const struct run_lookup *lookup, run_lookup_done *done, void *arg)
{
	struct running *running = host;
	struct buf json;

	buf_init(&json, NULL, 1024);
	offline_store_find(running->store, lookup, &json);
	done(arg, json.data, json.length, NULL);
	buf_done(&json);
}

static void
on_log(void *host, int level, const char *text, size_t length)
{
	struct running *running = host;

	if (level >= NANGO_WARN)
		running->out->last_log = talloc_strndup(running->offline->mem, text, length);
}

static void
on_ended(void *host, const struct run_end *end)
{
	struct running *running = host;

	running->out->end = *end;
	running->out->end.payload = running->out->end.output = NULL;
	loop_stop(running->loop);
}

static const struct run_backend backend = {
    .fetch = on_fetch,
    .commit = on_commit,
    .lookup = on_lookup,
    .log = on_log,
    .ended = on_ended,
};

static int
run_on(struct run_host *host, struct running *running, const struct spec_sync *sync,
       struct error *err)
{
	const struct offline *offline = running->offline;
	const struct run_start start = {
	    .id = "offline",
	    .kind = NANGO_KIND_SYNC,
	    .function = sync->name,
	    .connection_id = "offline",
	    .checkpoint = offline->checkpoint,
	    .metadata = offline->metadata,
	    .models = sync->models,
	    .deadline_ms = OFFLINE_DEADLINE_MS,
	    .cpu_ms = OFFLINE_DEADLINE_MS,
	    .memory_bytes = OFFLINE_MEMORY_BYTES,
	};

	if (run_host_add(host, offline->plugin->sha256, offline->bytes, offline->length, err) <
		0 ||
	    run_host_start(host, offline->plugin->sha256, &start, &backend, running, NULL,
			   err) < 0)
		return -1;
	loop_run(running->loop);
	return 0;
}

int
offline_run(const struct offline *offline, const struct spec_sync *sync,
	    struct offline_result *out, struct error *err)
{
	struct running running = {
	    .offline = offline, .out = out, .store = offline_store_new(offline->mem)};
	struct run_host_config config = {.runner_path = offline->runner, .runs_max = 1};
	struct run_host *host;
	int result;

	*out = (struct offline_result){0};
	if (loop_new(&running.loop, err) < 0)
		return -1;
	config.loop = running.loop;
	result = run_host_new(&host, &config, err);
	if (result == 0) {
		result = run_on(host, &running, sync, err);
		run_host_free(host);
	}
	loop_free(running.loop);
	return result;
}
