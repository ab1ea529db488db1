/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_support -- see runner_support.h.
 */
#include "runner_support.h"

#include "base/crypto.h"
#include "http/server.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PLUGIN_MAX (1024 * 1024)

struct later { /* an answer that comes in another turn of the loop */
	run_fetch_done *done;
	void *arg;
	int page; /* -1: not found */
	bool is_echo;
	char echo[2048];
};

static void
answer(void *data)
{
	static const struct http_field none[] = {{NULL, NULL}};
	struct later *later = data;
	char body[4096] = "[", link[64];
	struct http_field headers[] = {{"link", link}, {NULL, NULL}};
	struct run_response r = {.status = 200, .headers = none, .body = body};

	if (later->page < 0) {
		r.status = 404;
		snprintf(body, sizeof(body), "{\"message\":\"Not Found\"}");
	} else if (later->is_echo) {
		snprintf(body, sizeof(body), "%s", later->echo);
	} else {
		for (int i = 0; i < 10; i++)
			snprintf(body + strlen(body), sizeof(body) - strlen(body),
				 "%s{\"id\":\"%d-%d\",\"n\":%d}", i == 0 ? "" : ", ",
				 later->page, i, i);
		strcat(body, "]");
		snprintf(link, sizeof(link), "</items?page=%d>; rel=\"next\"", later->page + 1);
		if (later->page < 2)
			r.headers = headers;
	}
	r.body_length = strlen(body);
	later->done(later->arg, &r, NULL);
	free(later);
}

/* What the plugin asked for, as JSON, for the tests of requests. */
static void
describe_request(char *out, size_t size, const struct run_request *r)
{
	size_t used = (size_t)snprintf(out, size, "{\"method\":\"%s\",\"path\":\"%s\"",
				       r->method, r->path);

	for (const struct http_field *f = r->query; f->name != NULL; f++)
		used += (size_t)snprintf(out + used, size - used, ",\"q_%s\":\"%s\"", f->name,
					 f->value);
	for (const struct http_field *f = r->headers; f->name != NULL; f++)
		used += (size_t)snprintf(out + used, size - used, ",\"h_%s\":\"%s\"", f->name,
					 f->value);
	snprintf(out + used, size - used,
		 ",\"body\":%.*s,\"retries\":%u,\"timeout\":%lld,\"type\":\"%s\"}",
		 r->body == NULL ? 4 : (int)r->body_length, r->body == NULL ? "null" : r->body,
		 r->retries, (long long)r->timeout_ms,
		 r->content_type == NULL ? "" : r->content_type);
}

static void
witness_fetch(void *arg, const struct run_request *r, run_fetch_done *done, void *done_arg)
{
	struct witness *w = arg;
	struct later *later = calloc(1, sizeof(*later));
	const char *page = strstr(r->path, "page=");

	*later = (struct later){.done = done, .arg = done_arg, .page = -1};
	if (strncmp(r->path, "/items", 6) == 0)
		later->page = page == NULL ? 0 : atoi(page + 5);
	if (strncmp(r->path, "/echo", 5) == 0) {
		later->page = 0;
		later->is_echo = true;
		describe_request(later->echo, sizeof(later->echo), r);
	}
	loop_post(w->world->loop, answer, later);
}

static void
witness_model(struct witness *w, const struct run_page_model *model)
{
	static const char *const changes[] = {"", "~", "-"};
	size_t used;

	for (size_t i = 0; i < model->count; i++) {
		const struct run_record *r = &model->records[i];

		w->records++;
		if (w->on_record != NULL)
			w->on_record(r);
		used = strlen(w->ids);
		snprintf(w->ids + used, sizeof(w->ids) - used, "%s%.*s ", changes[r->change],
			 (int)r->id.length, r->id.data == NULL ? "" : r->id.data);
		if (r->problem != NULL)
			snprintf(w->problem, sizeof(w->problem), "%s", r->problem);
	}
	used = strlen(w->windows);
	if (model->opens_window || model->closes_window)
		snprintf(w->windows + used, sizeof(w->windows) - used, "%s%s%s%s ",
			 model->model, model->opens_window ? "+" : "",
			 model->closes_window ? "-" : "", model->overrides_guard ? "!" : "");
}

static void
witness_commit(void *arg, const struct run_page *page, run_commit_done *done, void *done_arg)
{
	struct witness *w = arg;
	struct error fenced;

	if (w->fails_commit) {
		error_set(&fenced, ERR_FENCED, "another node has the lease");
		done(done_arg, &fenced);
		return;
	}
	assert_int_equal(page->number, w->commits + 1);
	w->commits++;
	for (size_t m = 0; m < page->models_count; m++)
		witness_model(w, &page->models[m]);
	if (page->clears_checkpoint)
		snprintf(w->checkpoint, sizeof(w->checkpoint), "cleared");
	if (page->checkpoint != NULL)
		snprintf(w->checkpoint, sizeof(w->checkpoint), "%s", page->checkpoint);
	if (!w->holds_commit) {
		done(done_arg, NULL);
		return;
	}
	w->held_done = done;
	w->held_arg = done_arg;
}

/* By ids: what was asked. All: three pages of one record. */
static void
witness_lookup(void *arg, const struct run_lookup *lookup, run_lookup_done *done,
	       void *done_arg)
{
	char json[512];
	int page = lookup->cursor == NULL ? 0 : atoi(lookup->cursor), n;

	(void)arg;
	if (lookup->ids != NULL)
		n = snprintf(json, sizeof(json),
			     "{\"records\":[{\"id\":\"1\",\"ids\":%s}],\"cursor\":null}",
			     lookup->ids);
	else if (page == 2)
		n = snprintf(json, sizeof(json), "{\"records\":[{\"id\":2}],\"cursor\":null}");
	else
		n = snprintf(json, sizeof(json),
			     "{\"records\":[{\"id\":%d}],\"cursor\":\"%d\"}", page, page + 1);
	done(done_arg, json, (size_t)n, NULL);
}

void
witness_release(struct witness *w)
{
	run_commit_done *done = w->held_done;

	w->held_done = NULL;
	w->holds_commit = false;
	done(w->held_arg, NULL);
}

static void
witness_log(void *arg, int level, const char *text, size_t length)
{
	struct witness *w = arg;

	(void)level;
	w->logs++;
	snprintf(w->log, sizeof(w->log), "%.*s", (int)length, text);
}

static void
witness_ended(void *arg, const struct run_end *end)
{
	struct witness *w = arg;

	assert_false(w->is_over);
	w->is_over = true;
	w->run = NULL;
	w->end = *end;
	snprintf(w->output, sizeof(w->output), "%s", end->output == NULL ? "" : end->output);
	snprintf(w->payload, sizeof(w->payload), "%s",
		 end->payload == NULL ? "" : end->payload);
	w->world->open_runs--;
}

const struct run_backend witness_backend = {
    .fetch = witness_fetch,
    .commit = witness_commit,
    .lookup = witness_lookup,
    .log = witness_log,
    .ended = witness_ended,
};

void
world_open(struct world *world, unsigned mask)
{
	const char *dir = getenv("NANGO_TOP_BUILDDIR");
	struct run_host_config config = {.mask = mask};
	struct error err;
	char path[512];

	*world = (struct world){0};
	snprintf(path, sizeof(path), "%s/nango-runner", dir == NULL ? "." : dir);
	if (loop_new(&world->loop, &err) < 0)
		fail_msg("%s", err.message);
	config.loop = world->loop;
	config.runner_path = path;
	if (run_host_new(&world->host, &config, &err) < 0)
		fail_msg("%s", err.message);
}

void
world_close(struct world *world)
{
	run_host_free(world->host);
	loop_free(world->loop);
}

void
world_plugin(struct world *world, const char *name)
{
	static char bytes[PLUGIN_MAX];
	const char *dir = getenv("NANGO_TOP_BUILDDIR");
	unsigned char digest[CRYPTO_SHA256_BYTES];
	struct error err;
	char path[512];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/chaos/hostile/%s.so", dir == NULL ? "." : dir,
		 name);
	file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	length = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	crypto_sha256(digest, bytes, length);
	crypto_hex(world->key, digest, sizeof(digest));
	if (run_host_add(world->host, world->key, bytes, length, &err) < 0)
		fail_msg("%s", err.message);
}

void
world_start(struct world *world, struct witness *w, const char *sync,
	    const struct run_start *start)
{
	static const char *const models[] = {"Item", "Other", NULL};
	struct run_start all = {0};
	struct error err;

	if (start != NULL)
		all = *start;
	all.id = "run";
	all.function = sync;
	all.kind = all.kind == 0 ? 1 : all.kind;
	all.connection_id = "connection-1";
	all.models = models;
	all.paginate = "{\"type\":\"link\",\"link_rel_in_response_header\":\"next\"}";
	w->world = world;
	world->open_runs++;
	if (run_host_start(world->host, world->key, &all, &witness_backend, w, &w->run, &err) <
	    0)
		fail_msg("%s", err.message);
}

void
world_turn(struct world *world)
{
	event_base_loop(loop_base(world->loop), EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

void
world_wait(struct world *world)
{
	while (world->open_runs > 0)
		world_turn(world);
}

size_t
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 3; /* . and .. and the directory itself */
}

void
adopt_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void
assert_no_process_left(void)
{
	alarm(20); /* a process that never ends fails the test */
	while (waitpid(-1, NULL, 0) > 0)
		;
	alarm(0);
	assert_int_equal(errno, ECHILD);
}
