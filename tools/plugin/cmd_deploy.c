/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin deploy -- asks the server for a plan, shows it, and has it carried out.
 *
 * Two requests, because what a person confirms must be what the server found, not what this
 * tool believes. Nothing is asked without a terminal: a pipeline says --yes.
 */
#include "base/buf.h"
#include "base/json.h"
#include "command.h"
#include "project.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct deployment {
	struct invocation *inv;
	struct server server;
	struct project project;
	struct inspection found;
	const char *path, *integration;
	char *bytes;
	size_t length;
};

static int
ask_server(const struct deployment *d, bool is_dry_run, struct json_object **out,
	   struct error *err)
{
	struct server_answer answer;
	struct buf path;
	struct error why;

	buf_init(&path, d->inv->mem, 256);
	buf_adds(&path, "/deployments?integration=");
	buf_add_url(&path, d->integration);
	buf_adds(&path, is_dry_run ? "&dry_run=true" : "");
	if (server_post(d->inv->mem, &d->server, path.data, "application/octet-stream",
			d->bytes, d->length, &answer, &why) < 0) {
		return server_silent(&d->server, &why, err);
	}
	if (answer.status != 200 && answer.status != 201)
		return server_refused(d->inv->mem, &d->server, &answer, "the plugin", err);
	if (json_parse(d->inv->mem, answer.body, answer.body_length, out, &why) == 0 &&
	    json_object_in(*out, "changes") != NULL)
		return STATUS_OK;
	error_set(err, ERR_PROTOCOL, "the answer of %s is not understood [E0407]",
		  d->server.url);
	return STATUS_DEPLOY;
}

static size_t
print_names(struct json_object *kind, const char *change, const char *sign, const char *what,
	    const char *color, const char *plain)
{
	struct json_object *list = json_array_in(kind, change);
	size_t count = list == NULL ? 0 : json_object_array_length(list);

	for (size_t i = 0; i < count; i++)
		printf("  %s%s %s %s%s\n", color, sign, what,
		       json_object_get_string(json_object_array_get_idx(list, i)), plain);
	return count;
}

/* Results go to standard output, so its kind decides over colour here. */
static void
print_plan(const struct deployment *d, struct json_object *plan)
{
	static const char *const kinds[][2] = {
	    {"syncs", "sync"}, {"actions", "action"}, {"models", "model"}};
	bool is_color = d->inv->is_color && isatty(STDOUT_FILENO);
	const char *plain = is_color ? "\033[0m" : "", *green = is_color ? "\033[32m" : "";
	const char *red = is_color ? "\033[31m" : "", *yellow = is_color ? "\033[33m" : "";
	struct json_object *changes = json_object_in(plan, "changes");
	size_t count = 0;

	printf("%s %s → integration %s, environment %s of %s\n", d->found.spec->provider,
	       d->found.spec->version, d->integration, d->server.environment, d->server.url);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct json_object *kind = json_object_in(changes, kinds[i][0]);

		count += print_names(kind, "added", "+", kinds[i][1], green, plain);
		count += print_names(kind, "changed", "~", kinds[i][1], yellow, plain);
		count += print_names(kind, "removed", "-", kinds[i][1], red, plain);
	}
	if (count == 0)
		puts("  no sync, action or model changes");
	fflush(stdout);
}

static bool
is_confirmed_before(const struct invocation *inv)
{
	const char *named = getenv("NANGO_DEPLOY_AUTO_CONFIRM");

	return command_option(inv, "yes") != NULL ||
	       command_option(inv, "auto-confirm") != NULL ||
	       (named != NULL && strcmp(named, "true") == 0);
}

static int
confirm(const struct deployment *d, struct error *err)
{
	char line[64] = "";

	if (is_confirmed_before(d->inv))
		return STATUS_OK;
	if (d->inv->is_json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		error_set(
		    err, ERR_USAGE,
		    "not deployed: nobody can be asked here [E0406]\nhelp: --yes deploys, "
		    "--dry-run only shows the plan");
		return STATUS_DEPLOY;
	}
	printf("Deploy? [y/N] ");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) != NULL &&
	    (strcasecmp(line, "y\n") == 0 || strcasecmp(line, "yes\n") == 0))
		return STATUS_OK;
	error_set(err, ERR_USAGE, "not deployed: not confirmed [E0406]");
	return STATUS_DEPLOY;
}

static int
prepare(struct deployment *d, struct error *err)
{
	struct invocation *inv = d->inv;
	const char *environment = inv->arguments[0] == NULL ? "dev" : inv->arguments[0];
	int status;

	if (project_find_object(inv, command_option(inv, "plugin"), &d->project, &d->path,
				err) < 0)
		return err->code == ERR_NOT_FOUND ? STATUS_NOT_FOUND : STATUS_FAILURE;
	if (project_read_file(inv->mem, d->path, INSPECT_BYTES_MAX, &d->bytes, &d->length,
			      err) < 0)
		return STATUS_FAILURE;
	if (inspect_plugin(inv->mem, project_helper(inv, "NANGO_INSPECT", "nango-inspect"),
			   d->bytes, d->length, &d->found, err) < 0) {
		error_prefix(err, "%s: ", d->path);
		return STATUS_FAILURE;
	}
	if (d->project.spec != NULL &&
	    strcmp(spec_json(inv->mem, d->project.spec), d->found.spec_json) != 0) {
		error_set(err, ERR_PLUGIN,
			  "%s was changed after the build [E0313]\nhelp: nango-plugin build",
			  d->project.yaml);
		return STATUS_FAILURE;
	}
	status = server_find(inv->mem, environment, &d->server, err);
	d->integration = command_option(inv, "integration");
	if (d->integration == NULL)
		d->integration = d->found.spec->provider;
	return status;
}

static void
print_result(const struct deployment *d, struct json_object *answer)
{
	struct json_object *deployment = json_object_in(answer, "deployment");
	struct json_object *id = json_member(deployment, "id");

	if (d->inv->is_json) {
		json_add_boolean(answer, "ok", true);
		printf("%s\n", json_text(d->inv->mem, answer));
	} else if (json_boolean(answer, "applied", false)) {
		printf("Deployed%s%s.\n", id == NULL ? "" : " as ",
		       id == NULL ? "" : json_object_get_string(id));
	}
}

static int
run(struct invocation *inv, struct error *err)
{
	struct deployment d = {.inv = inv};
	bool is_dry_run = command_option(inv, "dry-run") != NULL;
	struct json_object *answer;
	int status = prepare(&d, err);

	if (status != STATUS_OK)
		return status;
	status = ask_server(&d, true, &answer, err);
	if (status != STATUS_OK)
		return status;
	if (!inv->is_json)
		print_plan(&d, answer);
	if (!is_dry_run) {
		status = confirm(&d, err);
		if (status != STATUS_OK)
			return status;
		status = ask_server(&d, false, &answer, err);
		if (status != STATUS_OK)
			return status;
	}
	print_result(&d, answer);
	return STATUS_OK;
}

const struct command command_deploy = {
    .name = "deploy",
    .arguments = "[ENV]",
    .arguments_max = 1,
    .summary = "Send a built plugin to a server, after showing what would change",
    .doc =
	"Checks build/<provider>.so, asks the server what its deployment would change, shows "
	"it,\n"
	"and deploys after a yes. ENV is the environment's name (default dev). The server is\n"
	"$NANGO_HOSTPORT and the key $NANGO_SECRET_KEY_<ENV>, from the environment or from a\n"
	".env file in this folder or one above. Without a terminal nothing is asked: use "
	"--yes.",
    .options = {{"integration", 'i', "KEY", "The integration; default: the provider's name"},
		{"plugin", 'p', "DIR|FILE",
		 "The plugin's folder or shared object; default: here"},
		{"yes", 'y', NULL, "Deploy without asking"},
		{"auto-confirm", 0, NULL, "The same as --yes"},
		{"dry-run", 'n', NULL, "Only show what would change"}},
    .run = run,
};
