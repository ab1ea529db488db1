/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-schedules -- URL TIMES: the scheduler's own calls against a database that the caller
 * has filled. Prints one JSON object: nanoseconds of looks that find nothing due, then, for
 * each batch of 1,000 that are due, nanoseconds to move them.
 */
#include "base/clock.h"
#include "store/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
fail(const struct error *err)
{
	fprintf(stderr, "bench-schedules: %s\n", err->message);
	return 1;
}

int
main(int argc, char **argv)
{
	struct sync_zones unread = {0};
	struct db_pool *pool;
	struct error err;
	struct db *db;
	int64_t moved, queued;
	int times = argc > 2 ? atoi(argv[2]) : 0;

	if (argc != 3) {
		fprintf(stderr, "bench-schedules URL TIMES\n");
		return 2;
	}
	if (db_pool_open(argv[1], 1, &pool, &err) < 0 || db_acquire(pool, &db, &err) < 0)
		return fail(&err);
	putchar('[');
	for (int i = 0; i < times; i++) {
		int64_t begin = clock_monotonic_us();

		if (sync_enqueue_due(db, 1000, &unread, &moved, &queued, &err) < 0)
			return fail(&err);
		printf("%s{\"us\":%" PRId64 ",\"moved\":%" PRId64 ",\"queued\":%" PRId64 "}",
		       i == 0 ? "" : ",", clock_monotonic_us() - begin, moved, queued);
	}
	puts("]");
	db_release(db);
	db_pool_close(pool);
	return 0;
}
