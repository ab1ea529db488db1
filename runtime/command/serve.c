/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nangod serve -- a node of a real installation: settings from a file and the environment.
 */
#include "command/command.h"
#include "command/node_up.h"
#include "base/log.h"
#include "db/migrate.h"

#include <stdio.h>

static const struct nangod_option options[] = {
    {"--config", "FILE", NULL, "settings as YAML; the environment wins over it"},
    {"--listen", "ADDR:PORT", "NANGO_LISTEN", "where to listen"},
    {NULL, NULL, NULL, NULL},
};

static const struct nangod_option database_options[] = {
    {"--config", "FILE", NULL, "settings as YAML; the environment wins over it"},
    {NULL, NULL, NULL, NULL},
};

static int
serve(TALLOC_CTX *mem, struct config *config, const struct nangod_options *given,
      struct error *err)
{
	struct node_up up = {.node = {.config = config}};
	int result;

	(void)given;
	if (node_check_settings(config, true, err) < 0 || loop_new(&up.node.loop, err) < 0)
		return -1;
	result = node_open_database(mem, &up, config->database_url,
				    config->records_database_url, config->encryption_key, err);
	if (result == 0)
		result = node_start(mem, &up, err);
	if (result == 0) {
		if (up.url != NULL)
			log_info("nangod", "listening at %s", up.url);
		node_run(&up);
	}
	node_down(&up);
	loop_free(up.node.loop);
	return result;
}

const struct nangod_command command_serve = {
    .name = "serve",
    .summary = "A node on the Postgres of NANGO_DATABASE_URL.",
    .options = options,
    .run = serve,
};

static int
migrate_one(const char *url, const char *family, struct error *err)
{
	struct db_pool *pool;
	int applied = 0, result;

	if (db_pool_open(url, 2, &pool, err) < 0)
		return -1;
	result = migrate_run(pool, family, &applied, err);
	if (result == 0)
		printf("%s: %d migrations applied\n", family, applied);
	db_pool_close(pool);
	return result;
}

static int
migrate(TALLOC_CTX *mem, struct config *config, const struct nangod_options *given,
	struct error *err)
{
	const char *data = config->records_database_url != NULL ? config->records_database_url
								: config->database_url;

	(void)mem;
	(void)given;
	if (node_check_settings(config, false, err) < 0 ||
	    migrate_one(config->database_url, "control", err) < 0)
		return -1;
	return migrate_one(data, "data", err);
}

const struct nangod_command command_migrate = {
    .name = "migrate",
    .summary = "Brings the databases up to date, and ends.",
    .options = database_options,
    .run = migrate,
};
