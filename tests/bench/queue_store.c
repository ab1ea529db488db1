/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_store -- see queue_store.h.
 */
#include "queue_store.h"
#include "store/queue.h"
#include "store/sync.h"

#include <stdlib.h>

#define LEASE_MS 60000
#define QUIET_MS 86400000
#define ENVIRONMENT_MAX 500 /* the limits that nangod has by default */
#define CONNECTION_MAX 10

/* One as a client's trigger does, several as the scheduler does. */
int
bench_enqueue(struct db *db, const char *const *syncs, size_t count, struct error *err)
{
	const struct queue_request request = {
	    .syncs = syncs, .count = count, .has_locks = true};
	int64_t last, queued;

	if (count > 1)
		return queue_enqueue(db, &request, &last, &queued, err);
	return sync_enqueue(db, syncs[0], false, &last, err);
}

int
bench_claim(struct db *db, struct bench_claim *out, size_t max, size_t *count,
	    struct error *err)
{
	static _Thread_local struct queue_front front;
	const struct queue_limits limits = {.room = (int64_t)max,
					    .lease_ms = LEASE_MS,
					    .environment_max = ENVIRONMENT_MAX,
					    .connection_max = CONNECTION_MAX};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct run_claim *claims;
	int64_t environments;
	int result = queue_claim(mem, db, &limits, &front, &claims, count, &environments, err);

	for (size_t i = 0; result == 0 && i < *count; i++)
		out[i] = (struct bench_claim){claims[i].run_id, claims[i].token};
	talloc_free(mem);
	return result;
}

int
bench_complete(struct db *db, const struct bench_claim *claims, size_t count, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct run_outcome *outcomes =
	    talloc_zero_array(mem, struct run_outcome, (unsigned)count + 1);
	size_t held;
	int result;

	if (outcomes == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		outcomes[i] = (struct run_outcome){.run_id = claims[i].run_id,
						   .token = claims[i].token,
						   .state = "success",
						   .cause = "",
						   .code = "",
						   .message = "",
						   .result = "{}"};
	result = queue_complete(db, outcomes, count, QUIET_MS, &held, err);
	talloc_free(mem);
	return result;
}
