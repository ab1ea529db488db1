/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sync -- see sync.h.
 *
 * Slots: a sync's runs fall on phase + n * interval, where the phase is a hash of its id, so
 * that deploying to many connections does not align them for ever. Missed slots collapse into
 * one run.
 */
#include "store/sync.h"

#include <stdlib.h>

/* The first slot after now, in SQL over a row of nango.sync. */
#define NEXT_SLOT                                                                           \
	"to_timestamp(((floor((extract(epoch FROM nango.clock_now()) * 1000 - phase.ms) / " \
	"    s.interval_ms) + 1) * s.interval_ms + phase.ms) / 1000.0)"
#define PHASE                                                                      \
	"LATERAL (SELECT (hashtextextended(s.id::text, 0) & 9223372036854775807) " \
	"    % s.interval_ms AS ms) phase"

int
sync_reconcile(struct db *db, int64_t integration_id, int64_t connection_row,
	       const char *wanted_json, struct error *err)
{
	static const char remove[] =
	    "UPDATE nango.sync SET deleted_at = nango.clock_now() "
	    "WHERE integration_id = $1 AND ($2 = 0 OR connection_id = $2) "
	    "  AND deleted_at IS NULL "
	    "  AND name NOT IN (SELECT w->>'name' FROM json_array_elements($3::json) w)";
	static const char insert[] =
	    "INSERT INTO nango.sync (account_id, environment_id, integration_id, "
	    "connection_id, "
	    "    name, interval_ms, is_paused, next_due_at) "
	    "SELECT c.account_id, c.environment_id, c.integration_id, c.id, w->>'name', "
	    "    (w->>'interval_ms')::int8, NOT (w->>'auto_start')::bool, nango.clock_now() "
	    "FROM nango.connection c, json_array_elements($3::json) w "
	    "WHERE c.integration_id = $1 AND ($2 = 0 OR c.id = $2) AND c.deleted_at IS NULL "
	    "ON CONFLICT (connection_id, name, variant) WHERE deleted_at IS NULL DO UPDATE "
	    "    SET interval_ms = excluded.interval_ms, updated_at = nango.clock_now()";
	const struct db_param params[] = {DB_INTEGER(integration_id),
					  DB_INTEGER(connection_row), DB_TEXT(wanted_json)};

	if (db_exec(db, NULL, NULL, err, remove, params, 3) < 0)
		return -1;
	return db_exec(db, NULL, NULL, err, insert, params, 3);
}

static void
read_identity(struct sync *out, const struct db_result *r, size_t row)
{
	out->id = db_text(r, row, 0);
	out->environment_id = db_integer(r, row, 1);
	out->integration_id = db_integer(r, row, 2);
	out->connection_row = db_integer(r, row, 3);
	out->connection_id = db_text(r, row, 4);
	out->integration_key = db_text(r, row, 5);
	out->name = db_text(r, row, 6);
	out->variant = db_text(r, row, 7);
	out->interval_ms = db_integer(r, row, 8);
	out->is_paused = db_boolean(r, row, 9);
}

static void
read_row(struct sync *out, const struct db_result *r, size_t row)
{
	read_identity(out, r, row);
	out->next_due_ms = db_time_ms(r, row, 10);
	out->run_id = db_integer(r, row, 11);
	out->run_state = db_text(r, row, 12);
	out->run_result = db_text(r, row, 13);
	out->run_cause = db_text(r, row, 14);
	out->run_message = db_text(r, row, 15);
	out->run_created_ms = db_time_ms(r, row, 16);
	out->run_finished_ms = db_time_ms(r, row, 17);
	out->run_code = db_text(r, row, 18);
}

int
sync_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id, const char *integration_key,
	  const char *connection_id, const char *names_json, struct sync **out, size_t *count,
	  struct error *err)
{
	static const char sql[] =
	    "SELECT s.id::text, s.environment_id, s.integration_id, s.connection_id, "
	    "    c.connection_id, i.unique_key, s.name, s.variant, s.interval_ms, s.is_paused, "
	    "    s.next_due_at, r.id, r.state, r.result, r.cause, r.message, r.created_at, "
	    "    r.finished_at, r.code "
	    "FROM nango.sync s "
	    "JOIN nango.connection c ON c.id = s.connection_id "
	    "JOIN nango.integration i ON i.id = s.integration_id "
	    "LEFT JOIN LATERAL (SELECT * FROM nango.run WHERE sync_id = s.id "
	    "                   ORDER BY id DESC LIMIT 1) r ON true "
	    "WHERE s.environment_id = $1 AND s.deleted_at IS NULL "
	    "  AND ($2::text IS NULL OR i.unique_key = $2) "
	    "  AND ($3::text IS NULL OR c.connection_id = $3) "
	    "  AND ($4::text IS NULL OR (s.name, s.variant) IN ("
	    "       SELECT n->>0, n->>1 FROM json_array_elements($4::json) n)) "
	    "ORDER BY i.unique_key, c.connection_id, s.name, s.variant";
	struct db_result *found;
	struct sync *list;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(environment_id), DB_TEXT(integration_key),
			      DB_TEXT(connection_id), DB_TEXT(names_json))) < 0)
		return -1;
	list = talloc_zero_array(mem, struct sync, (unsigned)db_rows(found) + 1);
	if (list == NULL)
		abort();
	for (size_t i = 0; i < db_rows(found); i++)
		read_row(&list[i], found, i);
	*out = list;
	*count = db_rows(found);
	return 0;
}

int
sync_find(TALLOC_CTX *mem, struct db *db, const char *id, struct sync **out, struct error *err)
{
	static const char sql[] =
	    "SELECT s.id::text, s.environment_id, s.integration_id, s.connection_id, "
	    "    c.connection_id, i.unique_key, s.name, s.variant, s.interval_ms, s.is_paused "
	    "FROM nango.sync s "
	    "JOIN nango.connection c ON c.id = s.connection_id "
	    "JOIN nango.integration i ON i.id = s.integration_id "
	    "WHERE s.id = $1::uuid AND s.deleted_at IS NULL";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_TEXT(id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the sync was deleted");
	*out = talloc_zero(mem, struct sync);
	read_identity(*out, found, 0);
	return 0;
}

int
sync_lock(struct db *db, const char *id, struct error *err)
{
	static const char sql[] = "SELECT 1 FROM nango.sync WHERE id = $1::uuid FOR UPDATE";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(id)));
}

int
sync_pause(struct db *db, const char *id, struct error *err)
{
	static const char sql[] = "UPDATE nango.sync SET is_paused = true, "
				  "updated_at = nango.clock_now() WHERE id = $1::uuid";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(id)));
}

int
sync_start(struct db *db, const char *id, bool *was_paused, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.sync t SET is_paused = false, next_due_at = n.slot, "
	    "    updated_at = nango.clock_now() "
	    "FROM (SELECT s.id, " NEXT_SLOT " AS slot FROM nango.sync s, " PHASE ") n "
	    "WHERE t.id = n.id AND t.id = $1::uuid AND t.is_paused";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql, DB_PARAMS(DB_TEXT(id)));

	if (result == 0)
		*was_paused = db_affected(done) > 0;
	talloc_free(mem);
	return result;
}

/*
 * The queue's unique index decides, not the look before it: a run that was queued meanwhile is
 * seen by the index only. Therefore the queue's row comes first and the run's follows it.
 */
#define ENQUEUE                                                                               \
	"queued AS ("                                                                         \
	"    INSERT INTO nango.queue (run_id, environment_id, sync_id, due_at) "              \
	"    SELECT nextval(pg_get_serial_sequence('nango.run', 'id')), environment_id, id, " \
	"        nango.clock_now() FROM wanted w "                                            \
	"    WHERE NOT EXISTS (SELECT FROM nango.queue q WHERE q.sync_id = w.id) "            \
	"    ON CONFLICT DO NOTHING RETURNING run_id, sync_id) "                              \
	"INSERT INTO nango.run (id, account_id, environment_id, connection_id, sync_id, "     \
	"kind) "                                                                              \
	"OVERRIDING SYSTEM VALUE "                                                            \
	"SELECT q.run_id, w.account_id, w.environment_id, w.connection_id, w.id, 1 "          \
	"FROM queued q JOIN wanted w ON w.id = q.sync_id RETURNING id"

int
sync_enqueue(struct db *db, const char *id, int64_t *run_id, struct error *err)
{
	static const char sql[] = "WITH wanted AS ("
				  "    SELECT * FROM nango.sync WHERE id = $1::uuid AND "
				  "deleted_at IS NULL FOR UPDATE), " ENQUEUE;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result = db_exec(db, mem, &made, err, sql, DB_PARAMS(DB_TEXT(id)));

	if (result == 0)
		*run_id = db_rows(made) > 0 ? db_integer(made, 0, 0) : 0;
	talloc_free(mem);
	return result;
}

int
sync_enqueue_due(struct db *db, int64_t limit, int64_t *queued, struct error *err)
{
	static const char sql[] =
	    "WITH wanted AS ("
	    "    SELECT * FROM nango.sync "
	    "    WHERE next_due_at <= (SELECT nango.clock_now()) AND NOT is_paused "
	    "      AND deleted_at IS NULL "
	    "    ORDER BY next_due_at LIMIT $1 FOR UPDATE SKIP LOCKED), "
	    "moved AS ("
	    "    UPDATE nango.sync t SET next_due_at = n.slot FROM ("
	    "        SELECT s.id, " NEXT_SLOT " AS slot FROM wanted s, " PHASE ") n "
	    "    WHERE t.id = n.id), " ENQUEUE;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result = db_exec(db, mem, &made, err, sql, DB_PARAMS(DB_INTEGER(limit)));

	if (result == 0)
		*queued = (int64_t)db_rows(made);
	talloc_free(mem);
	return result;
}

int
sync_next_due(struct db *db, int64_t *in_ms, struct error *err)
{
	static const char sql[] =
	    "SELECT greatest(0, ceil(extract(epoch FROM min(next_due_at) - "
	    "    (SELECT nango.clock_now())) * 1000))::int8 "
	    "FROM nango.sync WHERE deleted_at IS NULL AND NOT is_paused";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, sql, DB_NONE);

	if (result == 0)
		*in_ms = db_is_null(found, 0, 0) ? -1 : db_integer(found, 0, 0);
	talloc_free(mem);
	return result;
}
