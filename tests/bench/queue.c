/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-queue CONNINFO life BATCH RUNS
 * bench-queue CONNINFO pickup RUNS
 *
 * The life of runs of the first syncs in the database, with the server's own store calls and
 * limits, four clients: queued,
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

static const char **syncs;
static size_t syncs_count;
static struct db_pool *pool;

static void
must(int result, const struct error *err)
{
	if (result == 0)
		return;
	fprintf(stderr, "bench-queue: %s\n", err->message);
	exit(1);
}

static void
read_syncs(struct db *db)
{
	struct db_result *found;
	struct error err;

	must(db_exec(db, NULL, &found, &err,
		     "SELECT id::text FROM nango.sync ORDER BY name, id", DB_NONE),
	     &err);
	syncs_count = db_rows(found);
	syncs = talloc_array(found, const char *, (unsigned)syncs_count + 1);
	for (size_t i = 0; i < syncs_count; i++)
		syncs[i] = db_text(found, i, 0);
}

/* ---- lives ---- */

struct client {
	pthread_t thread;
	size_t batch, runs; /* to queue */
	const char *const *syncs;
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
		must(bench_enqueue(db, c->syncs + i, c->batch, &err), &err);
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
		must(bench_claim(db, claims, c->batch, &count, &err), &err);
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
		clients[i] = (struct client){.batch = batch,
					     .runs = runs / CLIENTS,
					     .syncs = syncs + (size_t)i * (runs / CLIENTS)};
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
		must(bench_claim(db, &claim, 1, &count, &err), &err);
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
	must(bench_enqueue(db, syncs, 1, &err), &err);
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
	bool is_life = argc == 5 && strcmp(argv[2], "life") == 0;
	struct error err;
	struct db *db;

	if (!is_life && (argc != 4 || strcmp(argv[2], "pickup") != 0))
		return 2;
	must(db_pool_open(argv[1], CLIENTS, &pool, &err), &err);
	must(db_acquire(pool, &db, &err), &err);
	read_syncs(db);
	if (is_life) {
		size_t batch = (size_t)atoi(argv[3]), runs = (size_t)atoi(argv[4]);

		db_release(db);
		if (batch < 1 || runs > syncs_count || batch > BATCH_MAX ||
		    runs % (CLIENTS * batch) != 0)
			return 2;
		lifecycle(batch, CLIENTS * batch); /* opens the connections */
		printf("%.1f\n", lifecycle(batch, runs));
	} else {
		pickups = atoi(argv[3]);
		print_pickups(db, argv[1]);
		db_release(db);
	}
	db_pool_close(pool);
	return 0;
}
