/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-copy CONNINFO CONNECTION-ROW TIMES -- what Postgres alone needs for the rows of one
 * connection: COPY into an equally indexed table, 1,000 rows a transaction, and COPY out of the
 * table of records. Prints one JSON object of lists of milliseconds.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNKS 10

static PGconn *pg;

static void
fail(const char *what)
{
	fprintf(stderr, "%s: %s", what, PQerrorMessage(pg));
	exit(1);
}

static void
run(const char *sql, ExecStatusType expected)
{
	PGresult *result = PQexec(pg, sql);

	if (PQresultStatus(result) != expected)
		fail(sql);
	PQclear(result);
}

static void
finish(void)
{
	PGresult *result;

	while ((result = PQgetResult(pg)) != NULL) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			fail("COPY");
		PQclear(result);
	}
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000.0 + (double)now.tv_nsec / 1e6;
}

struct chunk {
	char *data;
	size_t length;
};

/* All that a COPY TO STDOUT sends; kept in *chunk unless that is NULL. */
static void
copy_out(const char *sql, struct chunk *chunk)
{
	char *piece;
	int n;

	run(sql, PGRES_COPY_OUT);
	while ((n = PQgetCopyData(pg, &piece, 0)) > 0) {
		if (chunk != NULL) {
			chunk->data = realloc(chunk->data, chunk->length + (size_t)n);
			if (chunk->data == NULL)
				abort();
			memcpy(chunk->data + chunk->length, piece, (size_t)n);
			chunk->length += (size_t)n;
		}
		PQfreemem(piece);
	}
	if (n != -1)
		fail(sql);
	finish();
}

static double
write_once(const struct chunk chunks[CHUNKS])
{
	double begin;

	run("TRUNCATE bench.record", PGRES_COMMAND_OK);
	begin = now_ms();
	for (int i = 0; i < CHUNKS; i++) {
		run("BEGIN", PGRES_COMMAND_OK);
		run("COPY bench.record FROM STDIN (FORMAT binary)", PGRES_COPY_IN);
		if (PQputCopyData(pg, chunks[i].data, (int)chunks[i].length) != 1 ||
		    PQputCopyEnd(pg, NULL) != 1)
			fail("COPY");
		finish();
		run("COMMIT", PGRES_COMMAND_OK);
	}
	return now_ms() - begin;
}

static double
read_once(const char *connection, const char *format)
{
	char sql[256];
	double begin = now_ms();

	snprintf(sql, sizeof(sql),
		 "COPY (SELECT * FROM nango_data.record WHERE connection_id = %s ORDER BY seq) "
		 "TO STDOUT (FORMAT %s)",
		 connection, format);
	copy_out(sql, NULL);
	return now_ms() - begin;
}

static void
take_chunks(const char *connection, struct chunk chunks[CHUNKS])
{
	char sql[256];

	for (int i = 0; i < CHUNKS; i++) {
		snprintf(sql, sizeof(sql),
			 "COPY (SELECT * FROM nango_data.record WHERE connection_id = %s "
			 "ORDER BY seq LIMIT 1000 OFFSET %d) TO STDOUT (FORMAT binary)",
			 connection, i * 1000);
		copy_out(sql, &chunks[i]);
	}
}

int
main(int argc, char **argv)
{
	static struct chunk chunks[CHUNKS];
	static const char *const formats[] = {"text", "binary"};
	int times;

	if (argc != 4 || (times = atoi(argv[3])) < 1)
		return 2;
	pg = PQconnectdb(argv[1]);
	if (PQstatus(pg) != CONNECTION_OK)
		fail("connect");
	run("SET client_min_messages = warning; DROP SCHEMA IF EXISTS bench CASCADE; "
	    "CREATE SCHEMA bench; "
	    "CREATE TABLE bench.record (LIKE nango_data.record INCLUDING ALL)",
	    PGRES_COMMAND_OK);
	take_chunks(argv[2], chunks);
	write_once(chunks);
	printf("{\"write\":[");
	for (int i = 0; i < times; i++)
		printf("%s%.2f", i == 0 ? "" : ",", write_once(chunks));
	printf("]");
	for (int f = 0; f < 2; f++) {
		printf(",\"read_%s\":[", formats[f]);
		read_once(argv[2], formats[f]);
		for (int i = 0; i < times; i++)
			printf("%s%.2f", i == 0 ? "" : ",", read_once(argv[2], formats[f]));
		printf("]");
	}
	printf("}\n");
	run("DROP SCHEMA bench CASCADE", PGRES_COMMAND_OK);
	PQfinish(pg);
	return 0;
}
