/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nangod dev -- the whole product on one machine, with a Postgres of its own and no sign-in.
 *
 * Therefore on loopback only. On a terminal it prints what to do next; with --json exactly one
 * line on standard output, once it is ready.
 */
#include "command/command.h"
#include "command/node_up.h"
#include "command/place.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "db/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct nangod_option options[] = {
    {"--listen", "ADDR:PORT", "NANGO_LISTEN",
     "where to listen, on loopback; default 127.0.0.1:3003"},
    {"--data-dir", "DIR", "NANGO_DATA_DIR", "where Postgres and the encryption key are kept"},
    {"--json", NULL, NULL, "print one JSON line when ready, and nothing else"},
    {NULL, NULL, NULL, NULL},
};

static int
check_loopback(const char *listen, struct error *err)
{
	static const char *const allowed[] = {"127.", "[::1]:", "localhost:"};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strncmp(listen, allowed[i], strlen(allowed[i])) == 0)
			return 0;
	return error_set(
	    err, ERR_CONFIG,
	    "nangod dev is open without sign-in and listens on loopback only, not on "
	    "\"%s\": use `nangod serve`",
	    listen);
}

static void
print_json(TALLOC_CTX *mem, const struct node_up *up, const char *data_dir)
{
	struct json_object *line = json_own(mem, json_object_new_object());
	struct json_object *environments = json_object_new_object();
	char *console = talloc_asprintf(mem, "%s/", up->url);

	json_add(line, "url", up->url);
	json_add(line, "console_url", console);
	json_add(line, "data_dir", data_dir);
	json_object_object_add(line, "environments", environments);
	for (size_t i = 0; i < up->keys_count; i++) {
		struct json_object *one = json_object_new_object();

		json_add(one, "secret_key", up->keys[i].secret_key);
		json_object_object_add(environments, up->keys[i].name, one);
	}
	printf("%s\n", json_text(mem, line));
	fflush(stdout);
}

static void
print_welcome(const struct node_up *up, const char *data_dir, int64_t took_ms)
{
	printf("nangod is ready after %lld ms (development: no sign-in, this machine only)\n\n"
	       "  API      %s\n"
	       "  console  %s/\n"
	       "  data     %s\n",
	       (long long)took_ms, up->url, up->url, data_dir);
	for (size_t i = 0; i < up->keys_count; i++)
		printf("  %-8s secret key %s\n", up->keys[i].name, up->keys[i].secret_key);
	printf("\nnext, in another terminal:\n\n"
	       "  export NANGO_HOSTPORT=%s NANGO_SECRET_KEY_DEV=%s\n"
	       "  nango-plugin init my-plugin\n\n",
	       up->url, up->keys_count > 0 ? up->keys[0].secret_key : "");
	fflush(stdout);
}

static void
database_gave_up(void *arg)
{
	struct node_up *up = arg;

	up->exit_code = 1;
	node_stop(up);
}

static int
dev_up(TALLOC_CTX *mem, struct node_up *up, struct embedded **pg, const char *data_dir,
       struct error *err)
{
	struct config *config = (struct config *)up->node.config;
	char *key, *key_file = talloc_asprintf(mem, "%s/encryption.key", data_dir);

	if (check_loopback(config->listen, err) < 0)
		return -1;
	if (embedded_start(NULL, data_dir, config->pg_bindir, pg, err) < 0)
		return -1;
	if (place_key_file(mem, key_file, &key, err) < 0 ||
	    node_open_database(mem, up, embedded_url(*pg), NULL, key, err) < 0 ||
	    node_start(mem, up, err) < 0)
		return -1;
	embedded_watch(*pg, up->node.loop, database_gave_up, up);
	return 0;
}

static int
run(TALLOC_CTX *mem, struct config *config, const struct nangod_options *given,
    struct error *err)
{
	struct node_up up = {.node = {.config = config, .is_dev = true}};
	struct embedded *pg = NULL;
	int64_t started_ms = clock_monotonic_ms();
	char *data_dir;
	int result;

	if (place_data_dir(mem, config->data_dir, &data_dir, err) < 0 ||
	    loop_new(&up.node.loop, err) < 0)
		return -1;
	result = dev_up(mem, &up, &pg, data_dir, err);
	if (result == 0) {
		if (given->is_json)
			print_json(mem, &up, data_dir);
		else
			print_welcome(&up, data_dir, clock_monotonic_ms() - started_ms);
		node_run(&up);
		if (up.exit_code != 0)
			result = error_set(err, ERR_UNAVAILABLE,
					   "Postgres could not be kept running");
	}
	node_down(&up);
	embedded_stop(pg);
	loop_free(up.node.loop);
	return result;
}

const struct nangod_command command_dev = {
    .name = "dev",
    .summary = "Everything on this machine, with a private Postgres: for development.",
    .options = options,
    .run = run,
};
