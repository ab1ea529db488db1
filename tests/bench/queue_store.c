/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_store -- see queue_store.h. store/run completes one run at a time.
 */
#include "queue_store.h"
#include "store/run.h"

#define LEASE_MS 60000

int
bench_enqueue(struct db *db, const struct bench_queue *q, size_t count, struct error *err)
{
	static const char sql[] =
	    "WITH made AS ("
	    "    INSERT INTO nango.run (account_id, environment_id, connection_id, kind) "
	    "    SELECT $1, $2, $3, 1 FROM generate_series(1, $4) RETURNING id) "
	    "INSERT INTO nango.queue (run_id, environment_id, due_at) "
	    "SELECT id, $2, nango.clock_now() FROM made";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(q->account), DB_INTEGER(q->environment),
				 DB_INTEGER(q->connection), DB_INTEGER((int64_t)count)));
}

int
bench_claim(struct db *db, const struct bench_queue *q, struct bench_claim *out, size_t max,
	    size_t *count, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct run_claim *claims;
	int result =
	    run_claim(mem, db, q->environment, (int64_t)max, LEASE_MS, &claims, count, err);

	for (size_t i = 0; result == 0 && i < *count; i++)
		out[i] = (struct bench_claim){claims[i].run_id, claims[i].token};
	talloc_free(mem);
	return result;
}

int
bench_complete(struct db *db, const struct bench_claim *claims, size_t count, struct error *err)
{
	static const struct run_outcome outcome = {
	    .state = "success", .cause = "", .code = "", .message = "", .result = "{}"};
	bool held;

	if (db_begin(db, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (run_finish(db, claims[i].run_id, claims[i].token, &outcome, &held, err) < 0)
			return -1;
	return db_commit(db, err);
}
