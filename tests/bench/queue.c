/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-queue CONNINFO ACCOUNT ENVIRONMENT INTEGRATION CONNECTION life BATCH RUNS
 * bench-queue CONNINFO ACCOUNT ENVIRONMENT INTEGRATION CONNECTION pickup RUNS
 *
 * The life of runs in the queue with the server's own store calls, four clients: queued,
 * claimed, completed, in batches; prints runs a second. Or how long after its enqueueing a run
 * is claimed by a thread that LISTENs; prints a JSON array of microseconds.
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
#define CLIENTS 4 /* as many as nangod has worker threads */
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

/* ---- lives ---- */

struct client {
	pthread_t thread;
	size_t batch, runs; /* to queue */
};

static atomic_size_t left; /* runs that nobody claimed yet */

static void *
enqueue_all(void *arg)
{
	struct client *c = arg;
	struct error err;
	struct db *db;

	must(db_acquire(pool, &db, &err), &err);
	for (size_t i = 0; i < c->runs; i += c->batch)
		must(bench_enqueue(db, &queue, c->batch, &err), &err);
	db_release(db);
	return NULL;
}

static void *
work_off(void *arg)
{
	struct bench_claim claims[BATCH_MAX];
	struct client *c = arg;
	struct error err;
	struct db *db;
	size_t count;

	must(db_acquire(pool, &db, &err), &err);
	while (atomic_load(&left) > 0) {
		must(bench_claim(db, &queue, claims, c->batch, &count, &err), &err);
		atomic_fetch_sub(&left, count);
		must(bench_complete(db, claims, count, &err), &err);
	}
	db_release(db);
	return NULL;
}

static void
all_at_once(struct client clients[CLIENTS], void *work(void *))
{
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i].thread, NULL, work, &clients[i]);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
}

/* Runs a second for a whole life, with everything queued first. */
static double
lifecycle(size_t batch, size_t runs)
{
	struct client clients[CLIENTS];
	int64_t begin = clock_monotonic_us();

	for (int i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){.batch = batch, .runs = runs / CLIENTS};
	atomic_store(&left, runs);
	all_at_once(clients, enqueue_all);
	all_at_once(clients, work_off);
	return (double)runs * 1e6 / (double)(clock_monotonic_us() - begin);
}

/* ---- pickup ---- */

static atomic_int_fast64_t queued_us, picked_us;
static int pickups;

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
	for (int i = 0; i <= pickups; i++) {
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
	printf("[");
	for (int i = 0; i < pickups; i++)
		printf("%s%lld", i == 0 ? "" : ",", (long long)pickup(db));
	printf("]\n");
	pthread_join(thread, NULL);
	PQfinish(pg);
}

int
main(int argc, char **argv)
{
	bool is_life = argc == 9 && strcmp(argv[6], "life") == 0;
	struct error err;
	struct db *db;

	if (!is_life && (argc != 8 || strcmp(argv[6], "pickup") != 0))
		return 2;
	queue = (struct bench_queue){atoll(argv[2]), atoll(argv[3]), atoll(argv[4]),
				     atoll(argv[5])};
	must(db_pool_open(argv[1], CLIENTS, &pool, &err), &err);
	if (is_life) {
		size_t batch = (size_t)atoi(argv[7]), runs = (size_t)atoi(argv[8]);

		if (batch < 1 || batch > BATCH_MAX || runs % (CLIENTS * batch) != 0)
			return 2;
		lifecycle(batch, CLIENTS * batch); /* opens the connections */
		printf("%.1f\n", lifecycle(batch, runs));
	} else {
		pickups = atoi(argv[7]);
		must(db_acquire(pool, &db, &err), &err);
		print_pickups(db, argv[1]);
		db_release(db);
	}
	db_pool_close(pool);
	return 0;
}
