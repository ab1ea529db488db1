/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin runs -- what runs on the server: list, costs, show, cancel, retry.
 *
 * With --json the server's own answer is printed, untouched.
 */
#include "base/buf.h"
#include "base/json.h"
#include "command.h"
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct action {
	const char *name, *tail; /* behind /runs/ID */
	bool takes_id, is_post;
	void (*print)(struct json_object *tree);
};

static const char *
text_of(struct json_object *o, const char *key)
{
	const char *text = json_string(o, key);

	return text == NULL ? "-" : text;
}

/* A time without its milliseconds, in UTC. */
static void
print_time(struct json_object *o, const char *key)
{
	printf("%-20.19s", text_of(o, key));
}

static void
print_next(struct json_object *tree)
{
	if (json_string(tree, "next_cursor") != NULL)
		printf("(there are more: --cursor %s)\n", json_string(tree, "next_cursor"));
}

static void
print_list(struct json_object *tree)
{
	struct json_object *runs = json_array_in(tree, "runs");

	printf("%-9s%-8s%-10s%-24s%-20s%-20s%9s%9s  %s\n", "id", "kind", "state", "sync",
	       "connection", "started (UTC)", "changed", "cpu ms", "cause");
	for (size_t i = 0; i < json_object_array_length(runs); i++) {
		struct json_object *r = json_object_array_get_idx(runs, i);
		int64_t changed = json_integer(r, "added", 0) + json_integer(r, "updated", 0) +
				  json_integer(r, "deleted", 0);

		printf("%-9" PRId64 "%-8s%-10s%-24.23s%-20.19s", json_integer(r, "id", 0),
		       text_of(r, "kind"), text_of(r, "state"), text_of(r, "sync"),
		       text_of(r, "connection_id"));
		print_time(r, "started_at");
		printf("%9" PRId64 "%9" PRId64 "  %s\n", changed,
		       json_integer(r, "cpu_us", 0) / 1000, text_of(r, "cause"));
	}
	print_next(tree);
}

static void
print_costs(struct json_object *tree)
{
	struct json_object *list = json_array_in(tree, "connections");

	printf("%-24s%-24s%7s%8s%10s%12s%14s\n", "integration", "connection", "runs", "failed",
	       "cpu ms", "requests", "bytes");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *c = json_object_array_get_idx(list, i);

		printf("%-24.23s%-24.23s%7" PRId64 "%8" PRId64 "%10" PRId64 "%12" PRId64
		       "%14" PRId64 "\n",
		       text_of(c, "integration"), text_of(c, "connection_id"),
		       json_integer(c, "runs", 0), json_integer(c, "failed", 0),
		       json_integer(c, "cpu_us", 0) / 1000, json_integer(c, "requests", 0),
		       json_integer(c, "request_bytes", 0) +
			   json_integer(c, "response_bytes", 0));
	}
	print_next(tree);
}

static void
print_run(struct json_object *tree)
{
	json_object_object_foreach (tree, key, value)
		printf("%-16s%s\n", key, value == NULL ? "-" : json_object_get_string(value));
}

static const struct action actions[] = {
    {"list", NULL, false, false, print_list},	{"costs", "/costs", false, false, print_costs},
    {"show", "", true, false, print_run},	{"cancel", "/cancel", true, true, print_run},
    {"retry", "/retry", true, true, print_run},
};

static const struct action *
find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static char *
path_of(struct invocation *inv, const struct action *action)
{
	static const char *const filters[] = {"state",	    "kind",  "sync",  "integration",
					      "connection", "since", "cursor"};
	const char *limit = command_option(inv, "limit");
	struct buf path;

	buf_init(&path, inv->mem, 256);
	buf_adds(&path, "/runs");
	if (action->takes_id) {
		buf_addc(&path, '/');
		buf_add_url(&path, inv->arguments[1]);
		buf_adds(&path, action->tail);
		return path.data;
	}
	buf_adds(&path, action->tail == NULL ? "" : action->tail);
	buf_adds(&path, "?limit=");
	buf_add_url(&path, limit == NULL ? "20" : limit);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *value = command_option(inv, filters[i]);

		if (value == NULL)
			continue;
		buf_addf(&path, "&%s=", filters[i]);
		buf_add_url(&path, value);
	}
	return path.data;
}

static int
ask(struct invocation *inv, const struct action *action, struct server *server,
    struct server_answer *answer, struct error *err)
{
	const char *path = path_of(inv, action);
	struct error why;
	int result =
	    action->is_post
		? server_post(inv->mem, server, path, "application/json", "", 0, answer, &why)
		: server_get(inv->mem, server, path, NULL, NULL, answer, &why);

	if (result < 0)
		return server_silent(server, &why, err);
	if (answer->status == 404) {
		error_set(err, ERR_NOT_FOUND, "there is no run %s [E0408]", inv->arguments[1]);
		return STATUS_NOT_FOUND;
	}
	return answer->status == 200
		   ? STATUS_OK
		   : server_refused(inv->mem, server, answer, "the request", err);
}

static int
run(struct invocation *inv, struct error *err)
{
	const struct action *action = find_action(inv->arguments[0]);
	const char *environment = command_option(inv, "environment");
	struct server_answer answer = {0};
	struct json_object *tree;
	struct server server;
	int status;

	if (action == NULL || action->takes_id != (inv->arguments[1] != NULL)) {
		error_set(err, ERR_USAGE,
			  "runs list, runs costs, or runs show|cancel|retry ID [E0003]\nhelp: "
			  "nango-plugin runs list --state failed");
		return STATUS_USAGE;
	}
	status = server_find(inv->mem, environment == NULL ? "dev" : environment, &server, err);
	if (status == STATUS_OK)
		status = ask(inv, action, &server, &answer, err);
	if (status != STATUS_OK)
		return status;
	if (inv->is_json) {
		printf("%s\n", answer.body);
		return STATUS_OK;
	}
	if (json_parse(inv->mem, answer.body, answer.body_length, &tree, err) < 0) {
		error_set(err, ERR_PROTOCOL, "the answer of %s is not understood [E0407]",
			  server.url);
		return STATUS_FAILURE;
	}
	action->print(tree);
	return STATUS_OK;
}

const struct command command_runs = {
    .name = "runs",
    .arguments = "list|costs|show|cancel|retry [ID]",
    .arguments_min = 1,
    .arguments_max = 2,
    .summary = "List, show, cancel or begin again what runs on the server",
    .doc =
	"list: newest first. costs: what the ended runs of each connection came to, dearest\n"
	"first. show, cancel and retry take a run's number; retry queues a new run of its\n"
	"sync. Server and key are found as by deploy.",
    .options = {{"environment", 'e', "ENV", "The environment; default: dev"},
		{"state", 0, "STATE", "queued, running, parked, success, failed or cancelled"},
		{"kind", 0, "KIND", "sync, action, event or webhook"},
		{"sync", 0, "NAME", "A sync, or name::variant"},
		{"integration", 'i', "KEY", "The integration"},
		{"connection", 'c', "ID", "The connection"},
		{"since", 0, "TIME", "Created then or later: 2026-01-31T00:00:00Z"},
		{"limit", 'n', "N", "How many, 1 to 1000; default: 20"},
		{"cursor", 0, "CURSOR", "next_cursor of the page before"}},
    .run = run,
};
