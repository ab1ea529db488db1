/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/outbox -- what people list and replay: see outbox.h.
 */
#include "store/outbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIST(schema)                                                                       \
	"SELECT connection_id, id, run_id, destination, attempts, http_status, ready_at, " \
	"    created_at, due_at, finished_at, event_id::text, kind, state, model, facts, " \
	"    error "                                                                       \
	"FROM " schema ".outbox "                                                          \
	"WHERE environment_id = $1 AND ready_at IS NOT NULL "                              \
	"    AND ($2::text IS NULL OR state = $2) "                                        \
	"    AND ($3 = 9223372036854775807 OR (ready_at, id) < "                           \
	"        (timestamptz 'epoch' + $3 * interval '1 microsecond', $4)) "              \
	"ORDER BY ready_at DESC, id DESC LIMIT $5"

static void
read_row(struct outbox_row *out, const struct db_result *r, size_t row)
{
	out->connection_row = db_integer(r, row, 0);
	out->id = db_integer(r, row, 1);
	out->run_id = db_integer(r, row, 2);
	out->destination = db_integer(r, row, 3);
	out->attempts = db_integer(r, row, 4);
	out->http_status = db_integer(r, row, 5);
	out->ready_us = db_time_us(r, row, 6);
	out->created_ms = db_time_ms(r, row, 7);
	out->due_ms = db_time_ms(r, row, 8);
	out->finished_ms = db_time_ms(r, row, 9);
	out->event_id = db_text(r, row, 10);
	out->kind = db_text(r, row, 11);
	out->state = db_text(r, row, 12);
	out->model = db_text(r, row, 13);
	out->facts = db_text(r, row, 14);
	out->error = db_text(r, row, 15);
}

int
outbox_list(TALLOC_CTX *mem, struct db *db, enum outbox_family family,
	    const struct outbox_filter *f, struct outbox_row **out, size_t *count,
	    struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = LIST("nango"), [OUTBOX_DATA] = LIST("nango_data")};
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql[family],
		    DB_PARAMS(DB_INTEGER(f->environment_id), DB_TEXT(f->state),
			      DB_INTEGER(f->before_us), DB_INTEGER(f->before_id),
			      DB_INTEGER(f->limit))) < 0)
		return -1;
	*count = db_rows(found);
	*out = talloc_zero_array(mem, struct outbox_row, (unsigned)*count + 1);
	if (*out == NULL)
		abort();
	for (size_t i = 0; i < *count; i++)
		read_row(&(*out)[i], found, i);
	return 0;
}

/* The token rises: a node that still holds an expired lease settles nothing any more. */
#define RETRY_SET(schema)                                                                 \
	"UPDATE " schema ".outbox SET state = 'due', ready_at = " schema ".clock_now(), " \
	"    due_at = " schema ".clock_now(), token = token + 1, attempts = 0, "          \
	"    finished_at = NULL "
#define RETRY_ONE(schema)                                                                    \
	"WITH one AS (SELECT state FROM " schema ".outbox WHERE connection_id = $2 "         \
	"        AND id = $3 AND environment_id = $1 AND state <> 'held'), "                 \
	"again AS (" RETRY_SET(                                                              \
	    schema) "WHERE connection_id = $2 AND id = $3 "                                  \
		    "        AND environment_id = $1 AND state NOT IN ('held', 'sending')) " \
		    "SELECT state FROM one"

int
outbox_retry(struct db *db, enum outbox_family family, int64_t environment_id,
	     int64_t connection_row, int64_t id, struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = RETRY_ONE("nango"), [OUTBOX_DATA] = RETRY_ONE("nango_data")};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(
	    db, mem, &found, err, sql[family],
	    DB_PARAMS(DB_INTEGER(environment_id), DB_INTEGER(connection_row), DB_INTEGER(id)));

	if (result == 0 && db_rows(found) == 0)
		result = error_set(err, ERR_NOT_FOUND, "there is no such delivery");
	else if (result == 0 && strcmp(db_text(found, 0, 0), "sending") == 0)
		result = error_set(err, ERR_CONFLICT, "the delivery is being sent right now");
	talloc_free(mem);
	return result;
}

#define RETRY_DEAD(schema) RETRY_SET(schema) "WHERE environment_id = $1 AND state = 'dead'"

int
outbox_retry_dead(struct db *db, enum outbox_family family, int64_t environment_id,
		  int64_t *count, struct error *err)
{
	static const char *const sql[] = {
	    [OUTBOX_CONTROL] = RETRY_DEAD("nango"), [OUTBOX_DATA] = RETRY_DEAD("nango_data")};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result =
	    db_exec(db, mem, &done, err, sql[family], DB_PARAMS(DB_INTEGER(environment_id)));

	if (result == 0)
		*count = (int64_t)db_affected(done);
	talloc_free(mem);
	return result;
}
