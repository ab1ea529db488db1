/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin replay -- a provider made of recordings, for trying a plugin without the real
 * one.
 *
 * It ends on SIGTERM and SIGINT, and when a pipe on standard input is closed, so that it never
 * outlives the test that started it. (Only a pipe: a shell's background job has /dev/null
 * there.)
 */
#include "base/buf.h"
#include "base/loop.h"
#include "base/pool.h"
#include "command.h"
#include "http/server.h"
#include "recording.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 4
#define QUEUE_MAX 1024
#define DEPTH_MAX HTTP_PARAMS_MAX

/* The route table has no "anything"; a pattern for every depth of path says the same. */
static const char *const patterns[DEPTH_MAX + 1] = {
    "/",
    "/:a",
    "/:a/:b",
    "/:a/:b/:c",
    "/:a/:b/:c/:d",
    "/:a/:b/:c/:d/:e",
    "/:a/:b/:c/:d/:e/:f",
    "/:a/:b/:c/:d/:e/:f/:g",
    "/:a/:b/:c/:d/:e/:f/:g/:h",
};
static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
#define METHODS (sizeof(methods) / sizeof(*methods))

/* Belong to the connection that was recorded, not to the one that is answered. */
static const char *const left_out[] = {
    "transfer-encoding", "connection", "content-length", "content-encoding",
    "content-type",	 "date",       "server",	 "set-cookie",
    "keep-alive",	 "alt-svc",
};

struct replay {
	struct recording recording;
	struct loop *loop;
	struct pool *pool;
	struct http_server *server;
	struct http_route *routes;
	size_t routes_count;
};

static const char *
header_of(void *request, const char *lower_name)
{
	return request_header(request, lower_name);
}

/* <https://api.example.com/items?page=2>; rel="next" with our own scheme and host. */
static char *
rewrite_links(TALLOC_CTX *mem, const char *value, const char *host)
{
	struct buf out;

	buf_init(&out, mem, strlen(value) + 64);
	while (*value != '\0') {
		size_t length = strcspn(value, "<");
		const char *target = value + length, *end = strstr(target, "://");

		buf_add(&out, value, length);
		value = target;
		if (*value == '\0')
			break;
		if (end == NULL || end - target > 8) {
			buf_addc(&out, *value++);
			continue;
		}
		end += 3;
		value = end + strcspn(end, "/?>");
		buf_addf(&out, "<http://%s", host);
	}
	return out.data;
}

static void
copy_headers(struct request *req, const struct exchange *exchange, struct response *res)
{
	const char *host = request_header(req, "host");

	for (size_t i = 0; i < exchange->answer_headers.count; i++) {
		const struct recording_pair *header = &exchange->answer_headers.at[i];
		bool is_left_out = header->value[strcspn(header->value, "\r\n")] != '\0';

		for (size_t n = 0; n < sizeof(left_out) / sizeof(*left_out); n++)
			is_left_out |= strcmp(left_out[n], header->name) == 0;
		if (is_left_out)
			continue;
		response_header(res, header->name,
				strcmp(header->name, "link") == 0 && host != NULL
				    ? rewrite_links(request_mem(req), header->value, host)
				    : header->value);
	}
}

static int
answer_unknown(struct request *req, const struct recording_request *asked,
	       const struct exchange *nearest, struct response *res)
{
	struct json_object *root = json_object_new_object(), *tree = json_object_new_object();
	TALLOC_CTX *mem = request_mem(req);
	const char *what = recording_describe(mem, asked->method, asked->path, &asked->params);

	json_add(tree, "code", "not_recorded");
	json_add(tree, "message", talloc_asprintf(mem, "%s was not recorded", what));
	json_object_object_add(root, "error", tree);
	json_add(root, "request", what);
	if (nearest != NULL) {
		json_add(
		    root, "nearest",
		    recording_describe(mem, nearest->method, nearest->path, &nearest->params));
		json_add(root, "file", nearest->file);
	}
	return response_json(res, 404, root);
}

static int
handle(struct request *req, const struct http_route *route, struct response *res,
       struct error *err)
{
	struct replay *replay = request_app(req);
	TALLOC_CTX *mem = request_mem(req);
	struct recording_request asked = {.method = request_method(req),
					  .path = request_path(req),
					  .header = header_of,
					  .arg = req};
	const struct exchange *exchange, *nearest;
	const struct http_field *queries;
	const char *content_type = "application/json; charset=utf-8";
	size_t count;

	(void)route;
	(void)err;
	asked.body = request_body(req, &asked.body_length);
	queries = request_queries(req, &count);
	for (size_t i = 0; i < count; i++)
		recording_pairs_add(mem, &asked.params, queries[i].name, queries[i].value);
	exchange = recording_find(mem, &replay->recording, &asked, &nearest);
	if (exchange == NULL)
		return answer_unknown(req, &asked, nearest, res);
	copy_headers(req, exchange, res);
	for (size_t i = 0; i < exchange->answer_headers.count && !exchange->is_json; i++)
		if (strcmp(exchange->answer_headers.at[i].name, "content-type") == 0)
			content_type = exchange->answer_headers.at[i].value;
	if (exchange->body_length == 0)
		return response_empty(res, exchange->status);
	return response_bytes(res, exchange->status, content_type, exchange->body,
			      exchange->body_length);
}

/* Waits for the end on a thread of its own: a signal, or the end of a pipe on standard input.
 */
static void *
watch(void *arg)
{
	struct replay *replay = arg;
	struct pollfd waiting[2] = {{.events = POLLIN}, {.fd = -1, .events = POLLIN}};
	struct stat status;
	char scrap[4096];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	waiting[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fstat(STDIN_FILENO, &status) == 0 &&
	    (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
		waiting[1].fd = STDIN_FILENO;
	for (;;) {
		if (poll(waiting, 2, -1) < 0 && errno != EINTR)
			break;
		if (waiting[0].revents != 0)
			break;
		if (waiting[1].revents != 0 && read(STDIN_FILENO, scrap, sizeof(scrap)) <= 0)
			break;
	}
	loop_stop(replay->loop);
	return NULL;
}

static size_t
depth_of(const char *path)
{
	size_t depth = 0;

	for (; *path != '\0'; path++)
		depth += *path == '/' && path[1] != '\0' && path[1] != '/';
	return depth;
}

static void
add_route(struct replay *replay, const char *method, const char *pattern)
{
	for (size_t i = 0; i < replay->routes_count; i++)
		if (strcmp(replay->routes[i].method, method) == 0 &&
		    strcmp(replay->routes[i].pattern, pattern) == 0)
			return;
	replay->routes[replay->routes_count++] = (struct http_route){
	    .method = method, .pattern = pattern, .body_max = HTTP_BODY_MAX};
}

static void
make_routes(TALLOC_CTX *mem, struct replay *replay)
{
	replay->routes =
	    talloc_zero_array(mem, struct http_route,
			      (unsigned)(METHODS * (DEPTH_MAX + 1) + replay->recording.count));
	for (size_t m = 0; m < METHODS; m++)
		for (size_t i = 0; i <= DEPTH_MAX; i++)
			add_route(replay, methods[m], patterns[i]);
	for (size_t i = 0; i < replay->recording.count; i++)
		if (depth_of(replay->recording.exchanges[i].path) > DEPTH_MAX)
			add_route(replay, replay->recording.exchanges[i].method,
				  replay->recording.exchanges[i].path);
}

static int
open_server(struct invocation *inv, struct replay *replay, const char *listen,
	    struct error *err)
{
	struct http_server_config config = {.handle = handle, .app = replay};
	struct error why;

	make_routes(inv->mem, replay);
	if (loop_new(&replay->loop, err) < 0 ||
	    pool_new(&replay->pool, "replay", THREADS, QUEUE_MAX, err) < 0)
		return -1;
	config.loop = replay->loop;
	config.pool = replay->pool;
	config.routes = replay->routes;
	config.routes_count = replay->routes_count;
	if (http_server_new(&replay->server, &config, err) < 0)
		return -1;
	if (http_server_listen(replay->server, listen, &why) < 0)
		return error_set(err, ERR_SYSTEM,
				 "%s [E0503]\nhelp: --listen 127.0.0.1:0 takes a free port",
				 why.message);
	return 0;
}

static void
print_ready(struct invocation *inv, const struct replay *replay, const char *listen)
{
	struct json_object *tree = json_own(inv->mem, json_object_new_object());
	int host = (int)(strrchr(listen, ':') - listen);
	const char *url = talloc_asprintf(inv->mem, "http://%.*s:%d", host, listen,
					  http_server_port(replay->server));

	if (inv->is_json || !isatty(STDOUT_FILENO)) {
		json_add_boolean(tree, "ok", true);
		json_add(tree, "url", url);
		json_add_integer(tree, "exchanges", (int64_t)replay->recording.count);
		printf("%s\n", json_text(inv->mem, tree));
	} else {
		printf("%s answers with %zu recorded exchanges. Ctrl-C ends it.\n", url,
		       replay->recording.count);
	}
	fflush(stdout);
}

static void
close_server(struct replay *replay)
{
	if (replay->server != NULL)
		http_server_free(replay->server);
	if (replay->pool != NULL)
		pool_free(replay->pool);
	if (replay->loop != NULL)
		loop_free(replay->loop);
}

static int
run(struct invocation *inv, struct error *err)
{
	const char *listen = command_option(inv, "listen");
	struct replay replay = {.recording = {.mem = inv->mem}};
	pthread_t watcher;
	sigset_t set;

	if (recording_load(&replay.recording, inv->arguments[0], err) < 0)
		return err->code == ERR_NOT_FOUND ? STATUS_NOT_FOUND : STATUS_FAILURE;
	listen = listen == NULL ? "127.0.0.1:0" : listen;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: all inherit it */
	if (open_server(inv, &replay, listen, err) < 0) {
		close_server(&replay);
		return STATUS_FAILURE;
	}
	print_ready(inv, &replay, listen);
	if (pthread_create(&watcher, NULL, watch, &replay) != 0)
		abort();
	loop_run(replay.loop);
	pthread_join(watcher, NULL);
	close_server(&replay);
	return STATUS_OK;
}

const struct command command_replay = {
    .name = "replay",
    .arguments = "FILE.json|DIR",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Answer HTTP requests from recordings, in place of a provider",
    .doc =
	"Reads recorded exchanges (member `api`: method, path, then request, status, headers "
	"and\n"
	"response) and answers the requests that match one: same method, path, parameters and\n"
	"body, and the headers that were recorded; a parameter recorded as \"*\" matches any\n"
	"value. Link headers point back to this server. What was not recorded gets 404 and "
	"the\n"
	"nearest that was. Prints its URL when it is ready; ends on SIGTERM, or when a pipe "
	"on\n"
	"standard input is closed.",
    .options = {{"listen", 'l', "ADDRESS:PORT",
		 "Where to listen; default 127.0.0.1:0, a free port"}},
    .run = run,
};
