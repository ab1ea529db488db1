/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/transaction -- BEGIN, COMMIT and what may be repeated.
 *
 * Before COMMIT was sent, a transaction that failed in passing (conflict, lost connection) was
 * undone by Postgres and may run again. Once COMMIT was sent and its answer lost, only the
 * identity row tells: it is read, never guessed, and the work is not rerun unless it is absent.
 */
#include "db/internal.h"
#include "base/crypto.h"
#include "base/fault.h"

#include <time.h>

bool
db_error_may_pass(enum error_code code)
{
	return code == ERR_DB_UNAVAILABLE || code == ERR_DB_RETRY || code == ERR_BUSY ||
	       code == ERR_COMMIT_IN_DOUBT;
}

int
db_begin(struct db *db, struct error *err)
{
	return db_script(db, "BEGIN", err);
}

int
db_commit(struct db *db, struct error *err)
{
	ExecStatusType status;
	PGresult *pg;
	int result = 0;

	fault_point("before", "COMMIT");
	pg = PQexec(db->pg, "COMMIT");
	status = PQresultStatus(pg);
	fault_point("after", "COMMIT");
	if (PQstatus(db->pg) != CONNECTION_OK) {
		db->is_broken = true;
		result = error_set(err, ERR_COMMIT_IN_DOUBT,
				   "the connection broke before COMMIT was answered");
	} else if (status != PGRES_COMMAND_OK) {
		result = db_fail(db, pg, err);
	} else if (PQcmdStatus(pg)[0] == 'R') { /* ROLLBACK: a statement before had failed */
		result = error_set(err, ERR_DATABASE, "COMMIT of a failed transaction");
	}
	PQclear(pg);
	return result;
}

void
db_rollback(struct db *db)
{
	struct error ignored;

	if (db_script(db, "ROLLBACK", &ignored) < 0)
		db->is_broken = true;
}

static int
run_single(struct db_pool *pool, const struct db_work *work, int attempt, struct error *err)
{
	struct db *db;
	int result;

	(void)attempt;
	if (db_acquire(pool, &db, err) < 0)
		return -1;
	result = work->run(db, work->arg, err);
	if (result < 0 && db->is_broken)
		err->code = ERR_COMMIT_IN_DOUBT;
	db_release(db);
	return result;
}

static int
run_once(struct db_pool *pool, const struct db_work *work, int attempt, struct error *err)
{
	struct db *db = attempt == 0 ? work->begun : NULL;
	int result = 0;

	if (db == NULL) {
		if (db_acquire(pool, &db, err) < 0)
			return -1;
		result = db_script(db, work->begin == NULL ? "BEGIN" : work->begin, err);
	}
	if (result == 0)
		result = work->run(db, work->arg, err);
	if (result == 0)
		result = db_commit(db, err);
	db_release(db);
	return result;
}

static void
pause_before_retry(int attempt)
{
	unsigned char jitter;
	struct timespec pause = {0};

	crypto_random(&jitter, 1);
	pause.tv_nsec = (10L << attempt) * 1000000 + jitter * 40000L;
	if (pause.tv_nsec >= 1000000000) {
		pause.tv_sec = pause.tv_nsec / 1000000000;
		pause.tv_nsec %= 1000000000;
	}
	nanosleep(&pause, NULL);
}

/* 1 when the transaction took effect, 0 when not, -1 when it cannot be told. */
static int
resolve_doubt(struct db_pool *pool, const struct db_work *work, struct error *err)
{
	struct error doubt = *err;
	bool took_effect = false;
	struct db *db;

	for (int attempt = 0; work->resolve != NULL && attempt < DB_RETRIES; attempt++) {
		int result;

		pause_before_retry(attempt);
		if (db_acquire(pool, &db, err) < 0)
			continue;
		result = work->resolve(db, work->arg, &took_effect, err);
		db_release(db);
		if (result == 0)
			return took_effect ? 1 : 0;
	}
	*err = doubt;
	return -1;
}

typedef int once_fn(struct db_pool *pool, const struct db_work *work, int attempt,
		    struct error *err);

static int
repeat(once_fn *once, struct db_pool *pool, const struct db_work *work, struct error *err)
{
	for (int attempt = 0;; attempt++) {
		if (once(pool, work, attempt, err) == 0)
			return 0;
		if (err->code == ERR_COMMIT_IN_DOUBT) {
			int outcome = resolve_doubt(pool, work, err);

			if (outcome != 0)
				return outcome == 1 ? 0 : -1;
		} else if (err->code != ERR_DB_RETRY && err->code != ERR_DB_UNAVAILABLE) {
			return -1;
		}
		if (attempt + 1 >= DB_RETRIES)
			return -1;
		pause_before_retry(attempt);
	}
}

int
db_single(struct db_pool *pool, const struct db_work *work, struct error *err)
{
	return repeat(run_single, pool, work, err);
}

int
db_transaction(struct db_pool *pool, const struct db_work *work, struct error *err)
{
	return repeat(run_once, pool, work, err);
}
