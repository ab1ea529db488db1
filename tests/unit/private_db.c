/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private_db -- see private_db.h.
 */
#include "private_db.h"
#include "db/embedded.h"
#include "db/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

void
private_db_open(struct private_db *world, bool has_data)
{
	struct error err;
	int applied;

	world->mem = talloc_new(NULL);
	snprintf(world->dir, sizeof(world->dir), "/tmp/nango-unit-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	assert_int_equal(chmod(world->dir, 0755), 0); /* Postgres runs as another user */
	if (embedded_start(world->mem, world->dir, NULL, &world->pg, &err) < 0 ||
	    db_pool_open(embedded_url(world->pg), 2, &world->pool, &err) < 0 ||
	    migrate_run(world->pool, "control", &applied, &err) < 0 ||
	    (has_data && migrate_run(world->pool, "data", &applied, &err) < 0) ||
	    db_acquire(world->pool, &world->db, &err) < 0)
		fail_msg("%s", err.message);
}

void
private_db_close(struct private_db *world)
{
	char command[128];

	db_release(world->db);
	db_pool_close(world->pool);
	embedded_stop(world->pg);
	snprintf(command, sizeof(command), "rm -rf %s", world->dir);
	assert_int_equal(system(command), 0);
	talloc_free(world->mem);
}

void
private_db_run(struct private_db *world, const char *sql)
{
	struct error err;

	if (db_exec(world->db, NULL, NULL, &err, sql, NULL, 0) < 0)
		fail_msg("%s: %s", sql, err.message);
}
