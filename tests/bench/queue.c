/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-queue CONNINFO life BATCH RUNS
 * bench-queue CONNINFO pickup RUNS
 *
 * The life of runs of the first syncs in the database, with the server's own store calls and
 * limits, in batches: queued by four clients, then claimed by one thread and completed by
 * another, as a node does; prints runs a second. Or how long after its enqueueing a run is
 * claimed by a thread that LISTENs; prints a JSON array of microseconds.
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
#define CLIENTS 4
#define CLAIMED_MAX 64 /* batches that are claimed and wait to be completed */
#define WARM 25
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

static struct db
    *dbs[CLIENTS]; /* each client's own, and the first two: who claims, who completes */

struct client {
	struct db *db;
	size_t batch, runs; /* to queue */
	const char *const *syncs;
};

static void *
enqueue_all(void *arg)
{
	struct client *c = arg;
	struct error err;

	for (size_t i = 0; i < c->runs; i += c->batch)
		must(bench_enqueue(c->db, c->syncs + i, c->batch, &err), &err);
	return NULL;
}

/* Batches on their way from the one who claims to the one who completes. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	struct {
		struct bench_claim claims[BATCH_MAX];
		size_t count;
	} batches[CLAIMED_MAX];
	size_t put, got;
	size_t batch, runs; /* to claim at once, and in all */
} flight = {.mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

/* Waits until there is room for a batch, or one that is there. */
static void
flight_wait(size_t there)
{
	pthread_mutex_lock(&flight.mutex);
	while (flight.put - flight.got == there)
		pthread_cond_wait(&flight.moved, &flight.mutex);
	pthread_mutex_unlock(&flight.mutex);
}

static void
flight_move(size_t *end)
{
	pthread_mutex_lock(&flight.mutex);
	(*end)++;
	pthread_cond_signal(&flight.moved);
	pthread_mutex_unlock(&flight.mutex);
}

static void *
claim_all(void *arg)
{
	struct db *db = arg;
	struct error err;

	for (size_t all = 0, at = 0; all < flight.runs; at = (at + 1) % CLAIMED_MAX) {
		flight_wait(CLAIMED_MAX);
		must(bench_claim(db, flight.batches[at].claims, flight.batch,
				 &flight.batches[at].count, &err),
		     &err);
		all += flight.batches[at].count;
		flight_move(&flight.put);
	}
	return NULL;
}

static void *
complete_all(void *arg)
{
	struct db *db = arg;
	struct error err;

	for (size_t all = 0, at = 0; all < flight.runs; at = (at + 1) % CLAIMED_MAX) {
		flight_wait(0);
		must(bench_complete(db, flight.batches[at].claims, flight.batches[at].count,
				    &err),
		     &err);
		all += flight.batches[at].count;
		flight_move(&flight.got);
	}
	return NULL;
}

/* Runs a second for a whole life, with everything queued first. */
static double
lifecycle(size_t batch, size_t runs)
{
	struct client clients[CLIENTS];
	pthread_t threads[CLIENTS];
	int64_t begin = clock_monotonic_us();

	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.db = dbs[i],
					     .batch = batch,
					     .runs = runs / CLIENTS,
					     .syncs = syncs + i * (runs / CLIENTS)};
		pthread_create(&threads[i], NULL, enqueue_all, &clients[i]);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	flight.batch = batch;
	flight.runs = runs;
	pthread_create(&threads[0], NULL, claim_all, dbs[0]);
	pthread_create(&threads[1], NULL, complete_all, dbs[1]);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
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

static int
print_life(const char *batch_word, const char *runs_word)
{
	size_t batch = (size_t)atoi(batch_word), runs = (size_t)atoi(runs_word);
	struct error err;

	if (batch < 1 || runs > syncs_count || batch > BATCH_MAX ||
	    runs % (CLIENTS * batch) != 0)
		return 2;
	for (size_t i = 0; i < CLIENTS; i++)
		must(db_acquire(pool, &dbs[i], &err), &err);
	lifecycle(batch, CLIENTS * batch * WARM); /* connections that were at work */
	printf("%.1f\n", lifecycle(batch, runs));
	for (size_t i = 0; i < CLIENTS; i++)
		db_release(dbs[i]);
	return 0;
}

int
main(int argc, char **argv)
{
	bool is_life = argc == 5 && strcmp(argv[2], "life") == 0;
	int result = 0;
	struct error err;
	struct db *db;

	if (!is_life && (argc != 4 || strcmp(argv[2], "pickup") != 0))
		return 2;
	must(db_pool_open(argv[1], CLIENTS, &pool, &err), &err);
	must(db_acquire(pool, &db, &err), &err);
	read_syncs(db);
	if (!is_life) {
		pickups = atoi(argv[3]);
		print_pickups(db, argv[1]);
	}
	db_release(db);
	if (is_life)
		result = print_life(argv[3], argv[4]);
	db_pool_close(pool);
	return result;
}
