/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin webhooks -- the deliveries of an environment's webhooks: list, and deliver
 * again.
 */
#include "base/buf.h"
#include "base/json.h"
#include "command.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

static int
ask(struct invocation *inv, const struct server *server, bool is_post, const char *path,
    struct json_object **out, struct error *err)
{
	struct server_answer answer;
	struct error why;
	int result = is_post ? server_post(inv->mem, server, path, "application/json", "{}", 2,
					   &answer, &why)
			     : server_get(inv->mem, server, path, NULL, NULL, &answer, &why);

	if (result < 0)
		return server_silent(server, &why, err);
	if (answer.status == 404) {
		error_set(
		    err, ERR_NOT_FOUND,
		    "there is no such delivery [E0405]\nhelp: nango-plugin webhooks list");
		return STATUS_NOT_FOUND;
	}
	if (answer.status != 200)
		return server_refused(inv->mem, server, &answer, "the request", err);
	if (inv->is_json)
		printf("%s\n", answer.body);
	if (json_parse(inv->mem, answer.body, answer.body_length, out, err) < 0) {
		error_set(err, ERR_PROTOCOL, "the answer of %s is not understood [E0407]",
			  server->url);
		return STATUS_FAILURE;
	}
	return STATUS_OK;
}

static const char *
text_of(struct json_object *delivery, const char *key)
{
	const char *text = json_string(delivery, key);

	return text == NULL ? "" : text;
}

static void
print_row(struct json_object *d)
{
	int64_t status = json_integer(d, "http_status", 0);
	char answer[32] = "";

	if (status != 0)
		snprintf(answer, sizeof(answer), "%d ", (int)status);
	printf("%-18s %-9s %2d  %-13s %-24.24s %-20.20s %-16.16s %s%s\n", text_of(d, "id"),
	       text_of(d, "state"), (int)json_integer(d, "attempts", 0), text_of(d, "kind"),
	       text_of(d, "created_at"), text_of(d, "connection_id"), text_of(d, "model"),
	       answer, text_of(d, "error"));
}

static int
list(struct invocation *inv, const struct server *server, struct error *err)
{
	const char *state = command_option(inv, "state"), *limit = command_option(inv, "limit");
	struct json_object *tree, *all;
	struct buf path;
	int status;

	buf_init(&path, inv->mem, 128);
	buf_adds(&path, "/webhooks/deliveries?limit=");
	buf_add_url(&path, limit == NULL ? "20" : limit);
	if (state != NULL) {
		buf_adds(&path, "&state=");
		buf_add_url(&path, state);
	}
	status = ask(inv, server, false, path.data, &tree, err);
	if (status != STATUS_OK || inv->is_json)
		return status;
	all = json_array_in(tree, "deliveries");
	printf("%-18s %-9s %2s  %-13s %-24s %-20s %-16s %s\n", "id", "state", "n", "kind",
	       "created", "connection", "model", "answer");
	for (size_t i = 0; all != NULL && i < json_object_array_length(all); i++)
		print_row(json_object_array_get_idx(all, i));
	if (json_string(tree, "next_cursor") != NULL)
		puts("(there are more: --limit N)");
	return STATUS_OK;
}

static int
retry(struct invocation *inv, const struct server *server, struct error *err)
{
	const char *id = inv->arguments[1];
	struct json_object *tree;
	struct buf path;
	int status;

	if ((id == NULL) == (command_option(inv, "dead") == NULL)) {
		error_set(err, ERR_USAGE,
			  "give the ID of a delivery, or --dead for all that were given up "
			  "[E0003]\nhelp: nango-plugin webhooks retry --dead");
		return STATUS_USAGE;
	}
	buf_init(&path, inv->mem, 128);
	buf_adds(&path, "/webhooks/deliveries/");
	if (id != NULL) {
		buf_add_url(&path, id);
		buf_addc(&path, '/');
	}
	buf_adds(&path, "retry");
	status = ask(inv, server, true, path.data, &tree, err);
	if (status == STATUS_OK && !inv->is_json)
		printf("%d due again\n",
		       id != NULL ? 1 : (int)json_integer(tree, "retried", 0));
	return status;
}

static int
run(struct invocation *inv, struct error *err)
{
	static const struct {
		const char *name;
		int (*run)(struct invocation *, const struct server *, struct error *);
	} actions[] = {{"list", list}, {"retry", retry}};
	const char *environment = command_option(inv, "environment");
	struct server server;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		int status;

		if (strcmp(actions[i].name, inv->arguments[0]) != 0)
			continue;
		status = server_find(inv->mem, environment == NULL ? "dev" : environment,
				     &server, err);
		return status == STATUS_OK ? actions[i].run(inv, &server, err) : status;
	}
	error_set(err, ERR_USAGE,
		  "webhooks can list and retry, not \"%.40s\" [E0003]\nhelp: nango-plugin "
		  "webhooks list",
		  inv->arguments[0]);
	return STATUS_USAGE;
}

const struct command command_webhooks = {
    .name = "webhooks",
    .arguments = "list|retry [ID]",
    .arguments_min = 1,
    .arguments_max = 2,
    .summary = "List deliveries of webhooks, or deliver them again",
    .doc = "list shows the newest deliveries of an environment: due, sending, delivered or\n"
	   "dead (given up). retry delivers one again, whatever became of it, or with --dead\n"
	   "all that were given up; a receiver sees the same webhook-id.",
    .options = {{"environment", 'e', "ENV", "The environment; default: dev"},
		{"state", 's', "STATE", "Only those in this state"},
		{"limit", 'n', "N", "How many, 1 to 1000; default: 20"},
		{"dead", 0, NULL, "With retry: all that were given up"}},
    .run = run,
};
