/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-copy CONNINFO CONNECTION-ROW TIMES [PAGE] -- what Postgres alone needs for the rows of
 * one connection: COPY into an equally indexed table, PAGE (default 1,000) rows a transaction,
 * and COPY out of the table of records. Prints one JSON object of lists of milliseconds.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	size_t length, capacity;
};

struct chunks {
	struct chunk *at;
	int count;
};

static void
chunk_add(struct chunk *chunk, const char *data, size_t length)
{
	if (chunk->length + length > chunk->capacity) {
		chunk->capacity = (chunk->length + length) * 2;
		chunk->data = realloc(chunk->data, chunk->capacity);
		if (chunk->data == NULL)
			abort();
	}
	memcpy(chunk->data + chunk->length, data, length);
	chunk->length += length;
}

/* Rows of a COPY TO STDOUT (FORMAT binary), page by page, each a COPY stream of its own; or
 * nothing is kept where chunks is NULL. */
static void
copy_out(const char *sql, struct chunks *chunks, int page)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
	const size_t head_length = 19;
	int rows = 0, n;
	char *piece;

	run(sql, PGRES_COPY_OUT);
	while ((n = PQgetCopyData(pg, &piece, 0)) > 0) {
		const char *row = piece;
		size_t length = (size_t)n;

		if (chunks != NULL && rows == 0 && length >= head_length) {
			row += head_length;
			length -= head_length;
		}
		if (chunks != NULL && length > 2) {
			if (rows % page == 0) {
				chunks->at = realloc(chunks->at, (size_t)(chunks->count + 1) *
								     sizeof(struct chunk));
				if (chunks->at == NULL)
					abort();
				chunks->at[chunks->count] = (struct chunk){0};
				chunk_add(&chunks->at[chunks->count++], head, head_length);
			}
			chunk_add(&chunks->at[chunks->count - 1], row, length);
			rows++;
		}
		PQfreemem(piece);
	}
	if (n != -1)
		fail(sql);
	finish();
	for (int i = 0; chunks != NULL && i < chunks->count; i++)
		chunk_add(&chunks->at[i], "\377\377", 2);
}

#define PIECE (64 * 1024) /* as nangod sends them: the server works on one meanwhile */

static void
put(const struct chunk *chunk)
{
	for (size_t at = 0; at < chunk->length; at += PIECE) {
		size_t left = chunk->length - at;

		if (PQputCopyData(pg, chunk->data + at, (int)(left < PIECE ? left : PIECE)) !=
		    1)
			fail("COPY");
	}
	if (PQputCopyEnd(pg, NULL) != 1)
		fail("COPY");
}

static double
write_once(const struct chunks *chunks)
{
	double begin;

	run("TRUNCATE bench.record", PGRES_COMMAND_OK);
	begin = now_ms();
	for (int i = 0; i < chunks->count; i++) {
		run("BEGIN", PGRES_COMMAND_OK);
		run("COPY bench.record FROM STDIN (FORMAT binary)", PGRES_COPY_IN);
		put(&chunks->at[i]);
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
	copy_out(sql, NULL, 0);
	return now_ms() - begin;
}

int
main(int argc, char **argv)
{
	static const char *const formats[] = {"text", "binary"};
	struct chunks chunks = {0};
	char sql[256];
	int times, page = argc == 5 ? atoi(argv[4]) : 1000;

	if (argc < 4 || argc > 5 || (times = atoi(argv[3])) < 1 || page < 1)
		return 2;
	pg = PQconnectdb(argv[1]);
	if (PQstatus(pg) != CONNECTION_OK)
		fail("connect");
	run("SET client_min_messages = warning; DROP SCHEMA IF EXISTS bench CASCADE; "
	    "CREATE SCHEMA bench; "
	    "CREATE TABLE bench.record (LIKE nango_data.record INCLUDING ALL)",
	    PGRES_COMMAND_OK);
	snprintf(sql, sizeof(sql),
		 "COPY (SELECT * FROM nango_data.record WHERE connection_id = %s "
		 "ORDER BY seq) TO STDOUT (FORMAT binary)",
		 argv[2]);
	copy_out(sql, &chunks, page);
	write_once(&chunks);
	printf("{\"write\":[");
	for (int i = 0; i < times; i++)
		printf("%s%.2f", i == 0 ? "" : ",", write_once(&chunks));
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
