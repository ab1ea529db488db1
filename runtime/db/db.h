/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db -- Postgres: a bounded pool of connections, statements with parameters, transactions.
 *
 * Calls block; they belong on pool threads (and in main before the loop turns). A connection is
 * used by one thread at a time and is never held while anything but Postgres is waited for.
 * Works behind PgBouncer in transaction mode: no session state, and statements are prepared by
 * name only where the connection is direct (prepared.c).
 *
 * Results come in binary: int8, bool, bytea, uuid as bytes, text and json as text, timestamptz
 * as microseconds. db_exec is the one door through which every statement goes.
 */
#ifndef NANGO_DB_DB_H
#define NANGO_DB_DB_H

#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define DB_PARAMS_MAX 40
#define DB_ACQUIRE_MS 10000 /* then ERR_BUSY */
#define DB_CONNECT_S 5
#define DB_RETRIES \
	5 /* of a transaction that met a conflict or lost its connection before COMMIT */

struct db_pool;
struct db;
struct db_result;

enum db_kind {
	DB_KIND_NULL,
	DB_KIND_TEXT,
	DB_KIND_INTEGER,
	DB_KIND_BOOLEAN,
	DB_KIND_BYTES,
	DB_KIND_BINARY
};

struct db_param {
	enum db_kind kind;
	const void *data;
	size_t length;
	int64_t integer;
	uint32_t type; /* DB_KIND_BINARY: the type's oid */
};

/* text takes whatever type the statement wants; NULL is NULL. */
#define DB_TEXT(s) ((struct db_param){.kind = DB_KIND_TEXT, .data = (s)})
#define DB_INTEGER(n) ((struct db_param){.kind = DB_KIND_INTEGER, .integer = (n)})
#define DB_BOOLEAN(b) ((struct db_param){.kind = DB_KIND_BOOLEAN, .integer = (b) ? 1 : 0})
#define DB_BYTES(p, n) ((struct db_param){.kind = DB_KIND_BYTES, .data = (p), .length = (n)})
#define DB_BINARY(oid, p, n) \
	((struct db_param){.kind = DB_KIND_BINARY, .data = (p), .length = (n), .type = (oid)})
#define DB_PARAMS(...)                          \
	(const struct db_param[]){__VA_ARGS__}, \
	    (sizeof((const struct db_param[]){__VA_ARGS__}) / sizeof(struct db_param))
#define DB_NONE NULL, 0

/* Opens one connection to see that it works; the others follow on demand. */
MUST_CHECK int db_pool_open(const char *url, size_t size, struct db_pool **out,
			    struct error *err);
void db_pool_close(struct db_pool *pool);

MUST_CHECK int db_acquire(struct db_pool *pool, struct db **out, struct error *err);
/* For what may as well be left undone: NULL unless over half of the pool's are free. Does not
 * wait for one. */
struct db *db_spare(struct db_pool *pool);
void db_release(struct db *db); /* undoes an open transaction; NULL is fine */

/* out may be NULL. The result belongs to mem. */
MUST_CHECK int db_exec(struct db *db, TALLOC_CTX *mem, struct db_result **out,
		       struct error *err, const char *sql, const struct db_param *params,
		       size_t count);

/* The first column of the first row, 0 where there is none. */
MUST_CHECK int db_exec_value(struct db *db, int64_t *value, struct error *err, const char *sql,
			     const struct db_param *params, size_t count);
/* How many rows it touched. */
MUST_CHECK int db_exec_count(struct db *db, int64_t *rows, struct error *err, const char *sql,
			     const struct db_param *params, size_t count);

/* Statements without parameters, several at once (migrations). */
MUST_CHECK int db_script(struct db *db, const char *sql, struct error *err);

/* COPY … FROM STDIN: what fill adds to out, until it adds nothing. */
#define DB_COPY_PIECE (64 * 1024) /* as much as it should add at a time */
typedef void db_copy_fill(void *arg, struct buf *out);
MUST_CHECK int db_copy_in(struct db *db, const char *sql, db_copy_fill *fill, void *arg,
			  struct error *err);

/* COPY … TO STDOUT: a row of data at a time; fn returns -1 to stop (its err is given back). */
typedef int db_copy_fn(void *arg, const char *data, size_t length, struct error *err);
MUST_CHECK int db_copy_out(struct db *db, const char *sql, db_copy_fn *fn, void *arg,
			   struct error *err);

/* Row by row, without holding them all; fn returns -1 to stop (its err is given back). */
typedef int db_row_fn(void *arg, const struct db_result *row, struct error *err);
MUST_CHECK int db_stream(struct db *db, struct error *err, db_row_fn *fn, void *arg,
			 const char *sql, const struct db_param *params, size_t count);

/* ---- results; rows and columns from 0 ---- */
size_t db_rows(const struct db_result *result);
size_t db_affected(const struct db_result *result);
bool db_is_null(const struct db_result *result, size_t row, size_t column);
const char *db_text(const struct db_result *result, size_t row,
		    size_t column); /* NULL if null */
int64_t db_integer(const struct db_result *result, size_t row, size_t column); /* 0 if null */
bool db_boolean(const struct db_result *result, size_t row, size_t column);
const void *db_bytes(const struct db_result *result, size_t row, size_t column, size_t *length);
int64_t db_time_ms(const struct db_result *result, size_t row, size_t column); /* Unix epoch */
int64_t db_time_us(const struct db_result *result, size_t row, size_t column);

/* The database was away or busy: that passes, and what was asked for may be repeated. */
bool db_error_may_pass(enum error_code code);

/* ---- transactions ---- */
MUST_CHECK int db_begin(struct db *db, struct error *err);
/* ERR_COMMIT_IN_DOUBT when the connection broke before the answer. */
MUST_CHECK int db_commit(struct db *db, struct error *err);
void db_rollback(struct db *db);

struct db_work {
	/* Runs inside the transaction; may be called again after it was undone. */
	int (*run)(struct db *db, void *arg, struct error *err);
	/*
	 * Did the transaction take effect? Reads its identity row on a new connection after a
	 * COMMIT in doubt. NULL: a COMMIT in doubt is given back as the error it is.
	 */
	int (*resolve)(struct db *db, void *arg, bool *took_effect, struct error *err);
	void *arg;
	const char *begin; /* with settings of this transaction; NULL: BEGIN */
	struct db *begun;  /* the first attempt goes on with this one, and releases it */
};
/* One statement that is its own transaction: a connection that breaks leaves it in doubt. */
MUST_CHECK int db_single(struct db_pool *pool, const struct db_work *work, struct error *err);
/* BEGIN, run, COMMIT, with the retry policy: conflicts and connections lost before COMMIT. */
MUST_CHECK int db_transaction(struct db_pool *pool, const struct db_work *work,
			      struct error *err);

#endif
