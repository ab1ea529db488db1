/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_store -- see queue_store.h.
 */
#include "queue_store.h"
#include "store/queue.h"

#include <stdlib.h>

#define LEASE_MS 60000
#define QUIET_MS 86400000

int
bench_enqueue(struct db *db, const struct bench_queue *q, size_t count, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct queue_item *items = talloc_zero_array(mem, struct queue_item, (unsigned)count);
	int64_t *ids = talloc_zero_array(mem, int64_t, (unsigned)count);
	int result;

	if (items == NULL || ids == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		items[i] = (struct queue_item){.account_id = q->account,
					       .environment_id = q->environment,
					       .integration_id = q->integration,
					       .connection_row = q->connection,
					       .kind = QUEUE_KIND_ACTION};
	result = queue_add(db, items, count, ids, err);
	talloc_free(mem);
	return result;
}

int
bench_claim(struct db *db, const struct bench_queue *q, struct bench_claim *out, size_t max,
	    size_t *count, struct error *err)
{
	const struct queue_limits limits = {.room = (int64_t)max, .lease_ms = LEASE_MS};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct run_claim *claims;
	int64_t environments;
	int result = queue_claim(mem, db, &limits, &claims, count, &environments, err);

	(void)q;
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
