/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db, with a real Postgres: the retry policy, a COMMIT whose answer is lost, fences,
 * migrations.
 *
 * The lost answer is made by a relay between libpq and the server: once armed, it lets the
 * COMMIT through (or swallows it) and cuts the client off before the answer.
 */
#include "base/buf.h"
#include "db/embedded.h"
#include "db/migrate.h"
#include "store/fence.h"
#include "store/page.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum cut { CUT_NOTHING, CUT_AFTER_COMMIT, CUT_BEFORE_COMMIT };

static struct {
	TALLOC_CTX *mem;
	char dir[64], relay_dir[64];
	struct embedded *pg;
	struct db_pool *direct, *relayed;
	pthread_t thread;
	int listener;
	char server_path[108];
	atomic_int cut;
} world;

static int
unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Moves bytes between the two until one closes, or the cut comes. */
static void
relay_connection(int client, int server)
{
	struct pollfd fds[2] = {{.fd = client, .events = POLLIN},
				{.fd = server, .events = POLLIN}};
	char bytes[65536];
	bool is_cut = false;

	while (poll(fds, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if ((fds[i].revents & (POLLIN | POLLHUP)) == 0)
				continue;
			n = read(fds[i].fd, bytes, sizeof(bytes));
			if (n <= 0 || (i == 1 && is_cut))
				return;
			if (i == 0 && memmem(bytes, (size_t)n, "COMMIT", 6) != NULL) {
				int cut = atomic_exchange(&world.cut, CUT_NOTHING);

				if (cut == CUT_BEFORE_COMMIT)
					return;
				is_cut = cut == CUT_AFTER_COMMIT;
			}
			if (write(fds[1 - i].fd, bytes, (size_t)n) != n)
				return;
		}
	}
}

static void *
relay(void *arg)
{
	struct sockaddr_un address;

	(void)arg;
	for (;;) {
		int client = accept4(world.listener, NULL, NULL, SOCK_CLOEXEC), server;

		if (client < 0)
			return NULL;
		server = unix_socket(world.server_path, &address);
		if (connect(server, (struct sockaddr *)&address, sizeof(address)) == 0)
			relay_connection(client, server);
		close(client);
		close(server);
	}
}

static void
start_relay(const char *server_dir)
{
	struct sockaddr_un address;
	char path[108];

	snprintf(world.relay_dir, sizeof(world.relay_dir), "/tmp/nango-relay-XXXXXX");
	assert_non_null(mkdtemp(world.relay_dir));
	snprintf(world.server_path, sizeof(world.server_path), "%s/.s.PGSQL.5432", server_dir);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", world.relay_dir);
	world.listener = unix_socket(path, &address);
	assert_int_equal(bind(world.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(world.listener, 8), 0);
	assert_int_equal(pthread_create(&world.thread, NULL, relay, NULL), 0);
}

static int
set_up(void **state)
{
	struct error err;
	char server_dir[64], url[160];

	(void)state;
	snprintf(world.dir, sizeof(world.dir), "/tmp/nango-unit-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	chmod(world.dir, 0755);
	if (embedded_start(NULL, world.dir, NULL, &world.pg, &err) < 0 ||
	    db_pool_open(embedded_url(world.pg), 4, &world.direct, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	assert_int_equal(sscanf(embedded_url(world.pg), "host=%63s", server_dir), 1);
	start_relay(server_dir);
	snprintf(url, sizeof(url), "host=%s user=nango dbname=postgres", world.relay_dir);
	return db_pool_open(url, 1, &world.relayed, &err);
}

static int
tear_down(void **state)
{
	char command[160], path[128];

	(void)state;
	db_pool_close(world.relayed);
	db_pool_close(world.direct);
	shutdown(world.listener, SHUT_RDWR);
	pthread_join(world.thread, NULL);
	close(world.listener);
	embedded_stop(world.pg);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", world.relay_dir);
	unlink(path);
	rmdir(world.relay_dir);
	snprintf(command, sizeof(command), "rm -rf %s", world.dir);
	return system(command);
}

static void
script(const char *sql)
{
	struct db *db;
	struct error err;

	if (db_acquire(world.direct, &db, &err) < 0 || db_script(db, sql, &err) < 0)
		fail_msg("%s", err.message);
	db_release(db);
}

static int64_t
number(const char *sql)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	struct error err;
	struct db *db;
	int64_t out;

	if (db_acquire(world.direct, &db, &err) < 0 ||
	    db_exec(db, mem, &found, &err, sql, DB_NONE) < 0)
		fail_msg("%s", err.message);
	out = db_integer(found, 0, 0);
	db_release(db);
	talloc_free(mem);
	return out;
}

static void
test_migrations(void **state)
{
	struct error err;
	int applied;

	(void)state;
	assert_int_equal(migrate_run(world.direct, "control", &applied, &err), 0);
	assert_true(applied >= 2);
	assert_int_equal(migrate_run(world.direct, "data", &applied, &err), 0);
	assert_int_equal(migrate_run(world.direct, "data", &applied, &err), 0);
	assert_int_equal(applied, 0);
	script("UPDATE nango_meta.migration SET sha256 = 'x' WHERE family = 'data' AND number "
	       "= 1");
	assert_int_equal(migrate_run(world.direct, "data", &applied, &err), -1);
	assert_non_null(strstr(err.message, "another build"));
	script("DELETE FROM nango_meta.migration WHERE family = 'data';"
	       "INSERT INTO nango_meta.migration (family, number, name, sha256) "
	       "VALUES ('data', 9999, 'later', 'x')");
	assert_int_equal(migrate_run(world.direct, "data", &applied, &err), -1);
	assert_non_null(strstr(err.message, "start a newer nangod"));
}

/* By an operator, or by a statement_timeout of theirs: it may be tried again. */
static void
test_cancelled(void **state)
{
	struct error err;
	struct db *db;

	(void)state;
	assert_int_equal(db_acquire(world.direct, &db, &err), 0);
	assert_int_equal(db_script(db, "BEGIN; SET LOCAL statement_timeout = 1", &err), 0);
	assert_int_equal(db_exec(db, NULL, NULL, &err, "SELECT pg_sleep(10)", DB_NONE), -1);
	assert_int_equal(err.code, ERR_DB_RETRY);
	db_release(db);
}

/* One row a transaction; how often the work ran, and what it met. */
struct attempt {
	int runs, resolves;
	int conflicts; /* so many times it meets a conflict first */
	bool is_identified;
};

static int
insert_row(struct db *db, void *arg, struct error *err)
{
	struct attempt *a = arg;

	a->runs++;
	if (a->conflicts-- > 0)
		return error_set(err, ERR_DB_RETRY, "a conflict");
	return db_exec(db, NULL, NULL, err, "INSERT INTO attempt VALUES ($1)",
		       DB_PARAMS(DB_INTEGER(a->runs)));
}

static int
read_identity(struct db *db, void *arg, bool *took_effect, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct attempt *a = arg;
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, "SELECT count(*) FROM attempt", DB_NONE);

	a->resolves++;
	if (result == 0)
		*took_effect = db_integer(found, 0, 0) > 0;
	talloc_free(mem);
	return result;
}

static void
test_commits(void **state)
{
	static const struct {
		const char *why;
		enum cut cut;
		int conflicts;
		bool with_resolve;
		int result, runs, resolves, rows;
	} rows[] = {
	    {"nothing happens", CUT_NOTHING, 0, true, 0, 1, 0, 1},
	    {"a conflict is repeated", CUT_NOTHING, 2, true, 0, 3, 0, 1},
	    {"for ever is not", CUT_NOTHING, 99, true, -1, 5, 0, 0},
	    {"the answer is lost: it had taken effect, and is not repeated", CUT_AFTER_COMMIT,
	     0, true, 0, 1, 1, 1},
	    {"the COMMIT is lost: it had not, and is repeated", CUT_BEFORE_COMMIT, 0, true, 0,
	     2, 1, 1},
	    {"without an identity row the doubt is given back", CUT_AFTER_COMMIT, 0, false, -1,
	     1, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attempt a = {.conflicts = rows[i].conflicts};
		struct db_work work = {.run = insert_row,
				       .resolve = rows[i].with_resolve ? read_identity : NULL,
				       .arg = &a};
		struct error err = {0};
		int result;

		script("DROP TABLE IF EXISTS attempt; CREATE TABLE attempt (n int8)");
		atomic_store(&world.cut, rows[i].cut);
		result = db_transaction(world.relayed, &work, &err);
		atomic_store(&world.cut, CUT_NOTHING);
		if (result != rows[i].result || a.runs != rows[i].runs ||
		    a.resolves != rows[i].resolves ||
		    number("SELECT count(*) FROM attempt") != rows[i].rows)
			fail_msg("%s: result %d, %d runs, %d resolves: %s", rows[i].why, result,
				 a.runs, a.resolves, err.message);
		if (result < 0 && !rows[i].with_resolve)
			assert_int_equal(err.code, ERR_COMMIT_IN_DOUBT);
	}
}

/* Counts a page without records; true: the fence held. */
static bool
count_page(struct db *db, int64_t token, int64_t number)
{
	struct page_verdict verdict;
	struct error err;

	assert_int_equal(page_write(db,
				    &(struct page_write){.connection_row = 1,
							 .run_id = 10,
							 .token = token,
							 .number = number,
							 .result = "{}",
							 .checkpoint_key = "k"},
				    &verdict, &err),
			 0);
	return verdict.is_fence_held;
}

static void
test_fence(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct fence_end nothing = {"success", "{}", "{}", 0};
	struct fence_end end = {"success", "{}", "{}", 3};
	struct fence fence;
	struct error err;
	bool is_behind;
	struct db *db;

	(void)state;
	script("DELETE FROM nango_data.fence");
	assert_int_equal(db_acquire(world.direct, &db, &err), 0);
	assert_int_equal(fence_raise(mem, db, 1, 10, 5, &fence, &err), 0);
	assert_string_equal(fence.state, "open");
	assert_true(count_page(db, 5, 1));
	assert_false(count_page(db, 5, 1)); /* a page is counted once */
	assert_int_equal(fence_raise(mem, db, 1, 10, 6, &fence, &err), 0); /* a later claim */
	assert_int_equal(fence.pages, 1);
	assert_false(count_page(db, 5, 2)); /* the old token is out */
	assert_true(count_page(db, 6, 2));
	assert_int_equal(fence_raise(mem, db, 1, 10, 5, &fence, &err), -1); /* and stays out */
	assert_int_equal(fence_cancel(mem, db, 1, 10, "{}", &fence, &err), 0);
	assert_string_equal(fence.state, "cancelled");
	assert_int_equal(fence.pages, 2);
	assert_false(count_page(db, 6, 3));
	assert_int_equal(fence_close(db, 1, 10, 6, &nothing, &err), -1);
	/* One that ended keeps its state. */
	assert_int_equal(fence_raise(mem, db, 1, 11, 7, &fence, &err), 0);
	assert_int_equal(fence_close(db, 1, 11, 7, &nothing, &err), 0);
	assert_int_equal(fence_cancel(mem, db, 1, 11, "{}", &fence, &err), 0);
	assert_string_equal(fence.state, "success");
	/* One that a crash took pages from is not closed. */
	assert_int_equal(fence_raise(mem, db, 1, 12, 8, &fence, &err), 0);
	script("UPDATE nango_data.fence SET pages = 2 WHERE run_id = 12");
	assert_int_equal(fence_close(db, 1, 12, 8, &end, &err), -1);
	assert_int_equal(err.code, ERR_FENCED);
	assert_int_equal(fence_is_behind(db, 1, 12, 8, 3, &is_behind, &err), 0);
	assert_true(is_behind);
	assert_int_equal(fence_is_behind(db, 1, 12, 8, 2, &is_behind, &err), 0);
	assert_false(is_behind);
	assert_int_equal(fence_is_behind(db, 1, 12, 9, 3, &is_behind, &err), 0);
	assert_false(is_behind);
	end.pages = 2;
	assert_int_equal(fence_close(db, 1, 12, 8, &end, &err), 0);
	db_release(db);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cancelled),
	    cmocka_unit_test(test_commits),
	    cmocka_unit_test(test_migrations),
	    cmocka_unit_test(test_fence),
	};

	return cmocka_run_group_tests_name("db", tests, set_up, tear_down);
}
