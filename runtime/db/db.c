/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db -- statements and results; pool and transactions are in pool.c and transaction.c.
 */
#include "db/internal.h"
#include "base/fault.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OID_BOOL 16
#define OID_BYTEA 17
#define OID_INT8 20

/* Postgres counts time from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

static int
result_destructor(struct db_result *result)
{
	PQclear(result->pg);
	return 0;
}

/* SQLSTATE (PostgreSQL manual, appendix A) to what a caller can do about it. */
static enum error_code
code_of_state(const char *state)
{
	static const struct {
		const char *prefix;
		enum error_code code;
	} rows[] = {
	    {"40001", ERR_DB_RETRY},	   {"40P01", ERR_DB_RETRY},
	    {"57014", ERR_DB_RETRY}, /* somebody cancelled it, or statement_timeout did */
	    {"23505", ERR_CONFLICT},	   {"55P03", ERR_CONFLICT},
	    {"57P0", ERR_DB_UNAVAILABLE},  {"08", ERR_DB_UNAVAILABLE},
	    {"53300", ERR_DB_UNAVAILABLE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].code;
	return ERR_DATABASE;
}

static void
chomp(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
}

int
db_fail(struct db *db, const PGresult *pg, struct error *err)
{
	const char *state = pg == NULL ? NULL : PQresultErrorField(pg, PG_DIAG_SQLSTATE);

	if (PQstatus(db->pg) != CONNECTION_OK) {
		db->is_broken = true;
		error_set(err, ERR_DB_UNAVAILABLE, "the connection to Postgres broke: %s",
			  PQerrorMessage(db->pg));
	} else if (state == NULL) {
		error_set(err, ERR_DATABASE, "%s", PQerrorMessage(db->pg));
	} else {
		error_set(err, code_of_state(state), "%s (SQLSTATE %s)",
			  PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY), state);
		if (err->code == ERR_DB_UNAVAILABLE)
			db->is_broken = true;
	}
	chomp(err->message);
	return -1;
}

struct bound {
	Oid types[DB_PARAMS_MAX];
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
	uint64_t integers[DB_PARAMS_MAX];
};

static void
bind_one(struct bound *b, size_t i, const struct db_param *param)
{
	b->types[i] = 0;
	b->formats[i] = 1;
	b->values[i] = param->data;
	b->lengths[i] = (int)param->length;
	switch (param->kind) {
	case DB_KIND_NULL:
	case DB_KIND_TEXT:
		b->formats[i] = 0;
		break;
	case DB_KIND_INTEGER:
		b->integers[i] = htobe64((uint64_t)param->integer);
		b->values[i] = (const char *)&b->integers[i];
		b->lengths[i] = 8;
		b->types[i] = OID_INT8;
		break;
	case DB_KIND_BOOLEAN:
		b->integers[i] = param->integer != 0 ? 1 : 0; /* little-endian: first byte */
		b->values[i] = (const char *)&b->integers[i];
		b->lengths[i] = 1;
		b->types[i] = OID_BOOL;
		break;
	case DB_KIND_BYTES:
		b->types[i] = OID_BYTEA;
		break;
	case DB_KIND_BINARY:
		b->types[i] = param->type;
		break;
	}
}

static void
bind_all(struct bound *b, const struct db_param *params, size_t count)
{
	if (count > DB_PARAMS_MAX)
		abort();
	for (size_t i = 0; i < count; i++)
		bind_one(b, i, &params[i]);
}

int
db_exec(struct db *db, TALLOC_CTX *mem, struct db_result **out, struct error *err,
	const char *sql, const struct db_param *params, size_t count)
{
	struct bound bound;
	struct db_result *result;
	ExecStatusType status;
	const char *name;
	PGresult *pg;

	bind_all(&bound, params, count);
	fault_point("before", sql);
	name = prepared_name(db, sql, bound.types, (int)count);
	if (name != NULL)
		pg = PQexecPrepared(db->pg, name, (int)count, bound.values, bound.lengths,
				    bound.formats, 1);
	else
		pg = PQexecParams(db->pg, sql, (int)count, bound.types, bound.values,
				  bound.lengths, bound.formats, 1);
	fault_point("after", sql);
	status = PQresultStatus(pg);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		db_fail(db, pg, err);
		if (name != NULL && prepared_is_stale(pg)) {
			db->is_broken = true;
			err->code = ERR_DB_RETRY;
		}
		PQclear(pg);
		return -1;
	}
	if (out == NULL) {
		PQclear(pg);
		return 0;
	}
	result = talloc(mem, struct db_result);
	if (result == NULL)
		abort();
	result->pg = pg;
	talloc_set_destructor(result, result_destructor);
	*out = result;
	return 0;
}

int
db_script(struct db *db, const char *sql, struct error *err)
{
	ExecStatusType status;
	PGresult *pg;
	int result = 0;

	fault_point("before", sql);
	pg = PQexec(db->pg, sql);
	status = PQresultStatus(pg);
	fault_point("after", sql);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
	    status != PGRES_EMPTY_QUERY)
		result = db_fail(db, pg, err);
	PQclear(pg);
	return result;
}

/* Piece by piece: the server works on one while the next is made. */
static int
put_all(struct db *db, db_copy_fill *fill, void *arg, struct error *err)
{
	struct buf piece;
	int result = 0;

	buf_init(&piece, NULL, DB_COPY_PIECE + 4096);
	while (result == 0) {
		buf_reset(&piece);
		fill(arg, &piece);
		if (piece.length == 0)
			break;
		if (PQputCopyData(db->pg, piece.data, (int)piece.length) != 1)
			result = db_fail(db, NULL, err);
	}
	buf_done(&piece);
	return result;
}

int
db_copy_in(struct db *db, const char *sql, db_copy_fill *fill, void *arg, struct error *err)
{
	PGresult *pg;
	int result;

	fault_point("before", sql);
	pg = PQexec(db->pg, sql);
	if (PQresultStatus(pg) != PGRES_COPY_IN) {
		db_fail(db, pg, err);
		PQclear(pg);
		return -1;
	}
	PQclear(pg);
	result = put_all(db, fill, arg, err);
	if (result == 0 && PQputCopyEnd(db->pg, NULL) != 1)
		result = db_fail(db, NULL, err);
	while ((pg = PQgetResult(db->pg)) != NULL) {
		if (PQresultStatus(pg) != PGRES_COMMAND_OK && result == 0)
			result = db_fail(db, pg, err);
		PQclear(pg);
	}
	fault_point("after", sql);
	return result;
}

/* Takes what is left of a statement's answer, so that the connection can be used again. */
static void
drain(struct db *db)
{
	PGcancel *cancel = PQgetCancel(db->pg);
	char why[256];
	PGresult *pg;

	if (cancel != NULL) {
		PQcancel(cancel, why, sizeof(why));
		PQfreeCancel(cancel);
	}
	while ((pg = PQgetResult(db->pg)) != NULL) {
		char *row;

		while (PQresultStatus(pg) == PGRES_COPY_OUT &&
		       PQgetCopyData(db->pg, &row, 0) > 0)
			PQfreemem(row);
		PQclear(pg);
	}
}

int
db_copy_out(struct db *db, const char *sql, db_copy_fn *fn, void *arg, struct error *err)
{
	char *row = NULL;
	PGresult *pg;
	int result = 0, length;

	fault_point("before", sql);
	pg = PQexec(db->pg, sql);
	if (PQresultStatus(pg) != PGRES_COPY_OUT) {
		db_fail(db, pg, err);
		PQclear(pg);
		return -1;
	}
	PQclear(pg);
	while (result == 0 && (length = PQgetCopyData(db->pg, &row, 0)) > 0) {
		result = fn(arg, row, (size_t)length, err);
		PQfreemem(row);
	}
	fault_point("after", sql);
	if (result < 0) {
		drain(db);
		return -1;
	}
	while ((pg = PQgetResult(db->pg)) != NULL) {
		if (PQresultStatus(pg) != PGRES_COMMAND_OK && result == 0)
			result = db_fail(db, pg, err);
		PQclear(pg);
	}
	return result;
}

int
db_stream(struct db *db, struct error *err, db_row_fn *fn, void *arg, const char *sql,
	  const struct db_param *params, size_t count)
{
	struct bound bound;
	struct db_result row;
	int result = 0;

	bind_all(&bound, params, count);
	fault_point("before", sql);
	if (!PQsendQueryParams(db->pg, sql, (int)count, bound.types, bound.values,
			       bound.lengths, bound.formats, 1) ||
	    !PQsetSingleRowMode(db->pg))
		return db_fail(db, NULL, err);
	while (result == 0 && (row.pg = PQgetResult(db->pg)) != NULL) {
		ExecStatusType status = PQresultStatus(row.pg);

		if (status == PGRES_SINGLE_TUPLE)
			result = fn(arg, &row, err);
		else if (status != PGRES_TUPLES_OK)
			result = db_fail(db, row.pg, err);
		PQclear(row.pg);
	}
	fault_point("after", sql);
	if (result < 0)
		drain(db);
	return result;
}

size_t
db_rows(const struct db_result *result)
{
	return (size_t)PQntuples(result->pg);
}

size_t
db_affected(const struct db_result *result)
{
	return strtoul(PQcmdTuples(result->pg), NULL, 10);
}

bool
db_is_null(const struct db_result *result, size_t row, size_t column)
{
	return PQgetisnull(result->pg, (int)row, (int)column) != 0;
}

const char *
db_text(const struct db_result *result, size_t row, size_t column)
{
	if (db_is_null(result, row, column))
		return NULL;
	return PQgetvalue(result->pg, (int)row, (int)column);
}

int64_t
db_integer(const struct db_result *result, size_t row, size_t column)
{
	const char *value = db_text(result, row, column);
	uint64_t wide;
	uint32_t four;
	uint16_t two;

	if (value == NULL)
		return 0;
	switch (PQgetlength(result->pg, (int)row, (int)column)) {
	case 8:
		memcpy(&wide, value, 8);
		return (int64_t)be64toh(wide);
	case 4:
		memcpy(&four, value, 4);
		return (int32_t)ntohl(four);
	case 2:
		memcpy(&two, value, 2);
		return (int16_t)ntohs(two);
	default:
		abort(); /* our own statement asked for something that is no integer */
	}
}

bool
db_boolean(const struct db_result *result, size_t row, size_t column)
{
	const char *value = db_text(result, row, column);

	return value != NULL && value[0] != 0;
}

const void *
db_bytes(const struct db_result *result, size_t row, size_t column, size_t *length)
{
	*length = (size_t)PQgetlength(result->pg, (int)row, (int)column);
	return db_text(result, row, column);
}

int64_t
db_time_us(const struct db_result *result, size_t row, size_t column)
{
	return db_is_null(result, row, column)
		   ? 0
		   : db_integer(result, row, column) + EPOCH_2000_US;
}

int64_t
db_time_ms(const struct db_result *result, size_t row, size_t column)
{
	return db_time_us(result, row, column) / 1000;
}
