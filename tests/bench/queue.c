/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-queue CONNINFO ACCOUNT ENVIRONMENT INTEGRATION CONNECTION TIMES -- the life of runs in
 * the queue with the server's own store calls: queued, claimed, completed, one client, in
 * batches of 1 and of 100; and how long after its enqueueing a run is claimed by a thread that
 * LISTENs. Prints one JSON object: jobs a second, and microseconds.
 */
#include "base/clock.h"
#include "queue_store.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 100
#define PICKUPS 500
#define CHANNEL "nango_bench"

static struct bench_queue queue;
static struct db_pool *pool;

static void
must(int result, const struct error *err)
{
	if (result == 0)
		return;
	fprintf(stderr, "bench-queue: %s\n", err->message);
	exit(1);
}

/* Jobs a second for a whole life, with everything queued first. */
static double
lifecycle(struct db *db, size_t batch, size_t jobs)
{
	struct bench_claim claims[BATCH_MAX];
	int64_t begin = clock_monotonic_us();
	struct error err;
	size_t count;

	for (size_t i = 0; i < jobs; i += batch)
		must(bench_enqueue(db, &queue, batch, &err), &err);
	for (size_t done = 0; done < jobs; done += count) {
		must(bench_claim(db, &queue, claims, batch, &count, &err), &err);
		must(bench_complete(db, claims, count, &err), &err);
	}
	return (double)jobs * 1e6 / (double)(clock_monotonic_us() - begin);
}

static void
print_lifecycles(struct db *db, size_t batch, size_t jobs, int times)
{
	lifecycle(db, batch, jobs); /* warm; not counted */
	printf("\"batch_%zu\":[", batch);
	for (int i = 0; i < times; i++)
		printf("%s%.1f", i == 0 ? "" : ",", lifecycle(db, batch, jobs));
	printf("],");
}

/* ---- pickup ---- */

static atomic_int_fast64_t queued_us, picked_us;

static void
wait_for_notice(PGconn *pg)
{
	struct pollfd fd = {.fd = PQsocket(pg), .events = POLLIN};
	PGnotify *notice;

	while ((notice = PQnotifies(pg)) == NULL) {
		poll(&fd, 1, -1);
		if (!PQconsumeInput(pg)) {
			fprintf(stderr, "bench-queue: %s", PQerrorMessage(pg));
			exit(1);
		}
	}
	PQfreemem(notice);
}

static void *
pick_up(void *arg)
{
	PGconn *pg = arg;
	struct bench_claim claim;
	struct error err;
	struct db *db;
	size_t count;

	must(db_acquire(pool, &db, &err), &err);
	for (int i = 0; i <= PICKUPS; i++) {
		wait_for_notice(pg);
		must(bench_claim(db, &queue, &claim, 1, &count, &err), &err);
		atomic_store(&picked_us, clock_monotonic_us());
		must(bench_complete(db, &claim, count, &err), &err);
		atomic_store(&queued_us, 0);
	}
	db_release(db);
	return NULL;
}

/* The notice leaves with the transaction that queues, as a client would send it. */
static int64_t
pickup(struct db *db)
{
	int64_t begin = clock_monotonic_us();
	struct error err;

	atomic_store(&queued_us, begin);
	must(bench_enqueue(db, &queue, 1, &err), &err);
	must(db_script(db,
		       "BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY " CHANNEL "; COMMIT",
		       &err),
	     &err);
	while (atomic_load(&queued_us) != 0) /* until it is completed */
		poll(NULL, 0, 1);
	return atomic_load(&picked_us) - begin;
}

static void
print_pickups(struct db *db, const char *conninfo)
{
	PGconn *pg = PQconnectdb(conninfo);
	PGresult *listening = PQexec(pg, "LISTEN " CHANNEL);
	pthread_t thread;

	if (PQresultStatus(listening) != PGRES_COMMAND_OK) {
		fprintf(stderr, "bench-queue: %s", PQerrorMessage(pg));
		exit(1);
	}
	PQclear(listening);
	pthread_create(&thread, NULL, pick_up, pg);
	pickup(db); /* warm */
	printf("\"pickup_us\":[");
	for (int i = 0; i < PICKUPS; i++)
		printf("%s%lld", i == 0 ? "" : ",", (long long)pickup(db));
	printf("]");
	pthread_join(thread, NULL);
	PQfinish(pg);
}

int
main(int argc, char **argv)
{
	struct error err;
	struct db *db;
	int times;

	if (argc != 7 || (times = atoi(argv[6])) < 1)
		return 2;
	queue = (struct bench_queue){atoll(argv[2]), atoll(argv[3]), atoll(argv[4]),
				     atoll(argv[5])};
	must(db_pool_open(argv[1], 4, &pool, &err), &err);
	must(db_acquire(pool, &db, &err), &err);
	printf("{");
	print_lifecycles(db, 1, 300, times);
	print_lifecycles(db, 100, 20000, times);
	print_pickups(db, argv[1]);
	printf("}\n");
	db_release(db);
	db_pool_close(pool);
	return 0;
}
