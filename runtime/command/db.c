/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/db -- what an operator does to the databases by hand.
 *
 * --bump-epochs: after a restore from a backup, or the promotion of a standby that had not all
 * commits, sequence numbers are given out a second time for other changes. A cursor from before
 * would skip them without a word; in a new epoch it is refused.
 */
#include "command/command.h"
#include "db/db.h"
#include "store/dataset.h"

#include <inttypes.h>
#include <stdio.h>

static const struct nangod_option options[] = {
    {"--bump-epochs", NULL, NULL, "makes all cursors stale: after a restore or a promotion"},
    {"--config", "FILE", NULL, "settings as YAML; the environment wins over it"},
    {NULL, NULL, NULL, NULL},
};

static int
bump_epochs(const char *url, struct error *err)
{
	struct db_pool *pool;
	struct db *db;
	int64_t count;
	int result;

	if (db_pool_open(url, 1, &pool, err) < 0)
		return -1;
	result = db_acquire(pool, &db, err);
	if (result == 0) {
		result = dataset_bump_epochs(db, &count, err);
		db_release(db);
	}
	if (result == 0)
		printf("%" PRId64 " datasets are in a new epoch: their readers begin anew\n",
		       count);
	db_pool_close(pool);
	return result;
}

static int
run(TALLOC_CTX *mem, struct config *config, const struct nangod_options *given,
    struct error *err)
{
	(void)mem;
	if (!given->bumps_epochs)
		return error_set(err, ERR_USAGE, "say what to do: see nangod db --help");
	if (config->database_url == NULL)
		return error_set(err, ERR_CONFIG, "NANGO_DATABASE_URL is not set");
	return bump_epochs(config->records_database_url != NULL ? config->records_database_url
								: config->database_url,
			   err);
}

const struct nangod_command command_db = {
    .name = "db",
    .summary = "What is done to the databases by hand.",
    .options = options,
    .run = run,
};
