/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sync -- see sync.h. Moving schedules is sync_due.c.
 */
#include "store/queue.h"
#include "store/sync_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* The schedule's row is the sync's lock, so it goes first. */
int
sync_delete_all(struct db *db, int64_t integration_id, int64_t connection_row,
		const char *kept_json, struct error *err)
{
	static const char sql[] =
	    "WITH gone AS ("
	    "    DELETE FROM nango.schedule t USING nango.sync s "
	    "    WHERE t.sync_id = s.id AND s.deleted_at IS NULL "
	    "      AND ($1 = 0 OR s.integration_id = $1) AND ($2 = 0 OR s.connection_id = $2) "
	    "      AND s.name NOT IN (SELECT w->>'name' FROM json_array_elements($3::json) w) "
	    "    RETURNING t.sync_id) "
	    "UPDATE nango.sync s SET deleted_at = nango.clock_now() FROM gone "
	    "WHERE s.id = gone.sync_id";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(integration_id), DB_INTEGER(connection_row),
				 DB_TEXT(kept_json)));
}

int
sync_reconcile(struct db *db, int64_t integration_id, int64_t connection_row,
	       const char *wanted_json, struct error *err)
{
	/* 'infinity' marks what sync_replan moves to the first slot of its new timing. */
	static const char change[] =
	    "UPDATE nango.schedule t SET interval_ms = w.interval_ms, cron = w.cron, "
	    "    time_zone = w.time_zone, "
	    "    due_at = CASE "
	    "        WHEN t.due_at > nango.clock_now() AND NOT t.is_paused "
	    "         AND (t.interval_ms, t.cron, t.time_zone) "
	    "           IS DISTINCT FROM (w.interval_ms, w.cron, w.time_zone) "
	    "        THEN 'infinity' ELSE t.due_at END "
	    "FROM nango.sync s JOIN json_to_recordset($3::json) AS w(name text, "
	    "    interval_ms int8, cron text, time_zone text) ON w.name = s.name "
	    "WHERE t.sync_id = s.id AND s.integration_id = $1 "
	    "  AND ($2 = 0 OR s.connection_id = $2) AND s.deleted_at IS NULL "
	    "  AND NOT t.is_overridden "
	    "  AND (t.interval_ms, t.cron, t.time_zone) "
	    "    IS DISTINCT FROM (w.interval_ms, w.cron, w.time_zone)";
	/* The plugin's always: an override is of the timing. */
	static const char policy[] =
	    "UPDATE nango.schedule t SET missed = w.missed "
	    "FROM nango.sync s JOIN json_to_recordset($3::json) AS w(name text, missed int2) "
	    "    ON w.name = s.name "
	    "WHERE t.sync_id = s.id AND s.integration_id = $1 "
	    "  AND ($2 = 0 OR s.connection_id = $2) AND s.deleted_at IS NULL "
	    "  AND t.missed <> w.missed";
	static const char insert[] =
	    "WITH w AS (SELECT * FROM json_to_recordset($3::json) AS w(name text, "
	    "    interval_ms int8, cron text, time_zone text, missed int2, auto_start bool)), "
	    "made AS ("
	    "    INSERT INTO nango.sync (account_id, environment_id, integration_id, "
	    "        connection_id, name) "
	    "    SELECT c.account_id, c.environment_id, c.integration_id, c.id, w.name "
	    "    FROM nango.connection c, w WHERE c.integration_id = $1 "
	    "      AND ($2 = 0 OR c.id = $2) AND c.deleted_at IS NULL "
	    "    ON CONFLICT (connection_id, name, variant) WHERE deleted_at IS NULL DO "
	    "NOTHING "
	    "    RETURNING id, name) "
	    "INSERT INTO nango.schedule (sync_id, interval_ms, cron, time_zone, missed, "
	    "    is_paused, due_at) "
	    "SELECT made.id, w.interval_ms, w.cron, w.time_zone, w.missed, NOT w.auto_start, "
	    "    nango.clock_now() "
	    "FROM made JOIN w ON w.name = made.name";
	const struct db_param params[] = {DB_INTEGER(integration_id),
					  DB_INTEGER(connection_row), DB_TEXT(wanted_json)};

	if (sync_delete_all(db, integration_id, connection_row, wanted_json, err) < 0 ||
	    db_exec(db, NULL, NULL, err, change, params, 3) < 0 ||
	    db_exec(db, NULL, NULL, err, policy, params, 3) < 0 ||
	    db_exec(db, NULL, NULL, err, insert, params, 3) < 0)
		return -1;
	return sync_replan(db, integration_id, connection_row, err);
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
	out->cron = db_text(r, row, 10);
	out->time_zone = db_text(r, row, 11);
	out->is_overridden = db_boolean(r, row, 12);
	out->failures = db_integer(r, row, 13);
	out->next_due_ms = db_time_ms(r, row, 14);
}

static void
read_row(struct sync *out, const struct db_result *r, size_t row)
{
	read_identity(out, r, row);
	out->run_id = db_integer(r, row, 15);
	out->run_state = db_text(r, row, 16);
	out->run_result = db_text(r, row, 17);
	out->run_cause = db_text(r, row, 18);
	out->run_message = db_text(r, row, 19);
	out->run_created_ms = db_time_ms(r, row, 20);
	out->run_finished_ms = db_time_ms(r, row, 21);
	out->run_code = db_text(r, row, 22);
}

#define COLUMNS                                                                              \
	"SELECT s.id::text, s.environment_id, s.integration_id, s.connection_id, "           \
	"    c.connection_id, i.unique_key, s.name, s.variant, t.interval_ms, t.is_paused, " \
	"    t.cron, t.time_zone, t.is_overridden, t.failures, t.due_at"
#define TABLES                                                         \
	"FROM nango.sync s JOIN nango.schedule t ON t.sync_id = s.id " \
	"JOIN nango.connection c ON c.id = s.connection_id "           \
	"JOIN nango.integration i ON i.id = s.integration_id "

int
sync_list(TALLOC_CTX *mem, struct db *db, int64_t environment_id, const char *integration_key,
	  const char *connection_id, const char *names_json, struct sync **out, size_t *count,
	  struct error *err)
{
	static const char sql[] =
	    COLUMNS ", r.id, r.state, r.result, r.cause, r.message, r.created_at, "
		    "    r.finished_at, r.code " TABLES
		    "LEFT JOIN LATERAL (SELECT * FROM nango.any_run r WHERE r.sync_id = s.id "
		    "                   ORDER BY r.id DESC LIMIT 1) r ON true "
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
	    COLUMNS " " TABLES "WHERE s.id = $1::uuid AND s.deleted_at IS NULL";
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
	static const char sql[] =
	    "SELECT 1 FROM nango.schedule WHERE sync_id = $1::uuid FOR UPDATE";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(id)));
}

int
sync_pause(struct db *db, const char *id, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.schedule SET is_paused = true WHERE sync_id = $1::uuid";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(id)));
}

static int
next_slot(const struct sync *sync, const struct sync_timing *t, int64_t now_ms,
	  int64_t *next_ms, struct error *err)
{
	struct schedule schedule;

	if (schedule_init(&schedule, t->interval_ms, t->cron, t->time_zone, sync->id, err) < 0)
		return -1;
	*next_ms = schedule_next(&schedule, now_ms);
	return 0;
}

static int
database_now(struct db *db, int64_t *now_ms, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, "SELECT nango.clock_now()", DB_NONE);

	if (result == 0)
		*now_ms = db_time_ms(found, 0, 0);
	talloc_free(mem);
	return result;
}

int
sync_start(struct db *db, const struct sync *sync, bool *was_paused, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.schedule SET is_paused = false, failures = 0, owed = 0, "
	    "    due_at = to_timestamp($2 / 1000.0) WHERE sync_id = $1::uuid AND is_paused";
	const struct sync_timing timing = {
	    .interval_ms = sync->interval_ms, .cron = sync->cron, .time_zone = sync->time_zone};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int64_t now_ms, next_ms;
	int result = database_now(db, &now_ms, err);

	if (result == 0)
		result = next_slot(sync, &timing, now_ms, &next_ms, err);
	if (result == 0)
		result = db_exec(db, mem, &done, err, sql,
				 DB_PARAMS(DB_TEXT(sync->id), DB_INTEGER(next_ms)));
	if (result == 0)
		*was_paused = db_affected(done) > 0;
	talloc_free(mem);
	return result;
}

int
sync_set_timing(struct db *db, const struct sync *sync, const struct sync_timing *t,
		struct error *err)
{
	static const char sql[] =
	    "UPDATE nango.schedule SET interval_ms = $2, cron = $3, time_zone = $4, "
	    "    is_overridden = $5, due_at = to_timestamp($6 / 1000.0), "
	    "    missed = CASE WHEN $5 THEN missed ELSE $7::int2 END "
	    "WHERE sync_id = $1::uuid";
	int64_t now_ms, next_ms;

	if (database_now(db, &now_ms, err) < 0 || next_slot(sync, t, now_ms, &next_ms, err) < 0)
		return -1;
	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_TEXT(sync->id), DB_INTEGER(t->interval_ms),
				 DB_TEXT(t->cron), DB_TEXT(t->time_zone),
				 DB_BOOLEAN(t->is_overridden), DB_INTEGER(next_ms),
				 DB_INTEGER(t->missed)));
}

/* The connection's row is locked, so that two at a time cannot both be the hundredth. */
static int
count_variants(struct db *db, int64_t connection_row, struct error *err)
{
	static const char lock[] = "SELECT 1 FROM nango.connection WHERE id = $1 FOR UPDATE";
	static const char sql[] = "SELECT count(*) FROM nango.sync WHERE connection_id = $1 "
				  "AND variant <> 'base' AND deleted_at IS NULL";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, NULL, NULL, err, lock, DB_PARAMS(DB_INTEGER(connection_row)));

	if (result == 0)
		result =
		    db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(connection_row)));
	if (result == 0 && db_integer(found, 0, 0) >= SYNC_VARIANTS_MAX)
		result = error_set(err, ERR_CAPPED, "the connection has %d variants already",
				   SYNC_VARIANTS_MAX);
	talloc_free(mem);
	return result;
}

int
sync_create_variant(TALLOC_CTX *mem, struct db *db, const struct sync *base,
		    const char *variant, const char **id, struct error *err)
{
	static const char sql[] =
	    "WITH base AS (SELECT s.account_id, s.environment_id, s.integration_id, "
	    "    s.connection_id, s.name, t.* "
	    "    FROM nango.sync s JOIN nango.schedule t ON t.sync_id = s.id "
	    "    WHERE s.id = $1::uuid), "
	    "made AS ("
	    "    INSERT INTO nango.sync (account_id, environment_id, integration_id, "
	    "        connection_id, name, variant) "
	    "    SELECT account_id, environment_id, integration_id, connection_id, name, $2 "
	    "    FROM base "
	    "    ON CONFLICT (connection_id, name, variant) WHERE deleted_at IS NULL DO "
	    "NOTHING "
	    "    RETURNING id) "
	    "INSERT INTO nango.schedule (sync_id, interval_ms, cron, time_zone, missed, "
	    "    is_overridden, due_at) "
	    "SELECT made.id, interval_ms, cron, time_zone, missed, is_overridden, "
	    "    nango.clock_now() FROM made, base RETURNING sync_id::text";
	struct db_result *made;

	if (count_variants(db, base->connection_row, err) < 0 ||
	    db_exec(db, mem, &made, err, sql, DB_PARAMS(DB_TEXT(base->id), DB_TEXT(variant))) <
		0)
		return -1;
	if (db_rows(made) == 0)
		return error_set(
		    err, ERR_VARIANT_EXISTS,
		    "sync \"%s\" of connection \"%s\" has a variant \"%s\" already", base->name,
		    base->connection_id, variant);
	*id = db_text(made, 0, 0);
	return 0;
}

int
sync_delete(struct db *db, const char *id, struct error *err)
{
	static const char sql[] =
	    "WITH gone AS (DELETE FROM nango.schedule WHERE sync_id = $1::uuid RETURNING "
	    "sync_id) "
	    "UPDATE nango.sync s SET deleted_at = nango.clock_now() FROM gone "
	    "WHERE s.id = gone.sync_id";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_TEXT(id)));
}

#define WAKE                                                                                  \
	"UPDATE nango.schedule t SET failures = 0, "                                          \
	"    due_at = CASE WHEN t.is_paused THEN t.due_at ELSE nango.clock_now() END "        \
	"FROM nango.sync s WHERE s.deleted_at IS NULL AND t.sync_id = s.id AND t.failures > " \
	"0 "

int
sync_wake(struct db *db, int64_t connection_row, struct error *err)
{
	static const char sql[] = WAKE "AND s.connection_id = $1";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_INTEGER(connection_row)));
}

int
sync_wake_all(struct db *db, int64_t integration_id, struct error *err)
{
	static const char sql[] = WAKE "AND s.integration_id = $1";

	return db_exec(db, NULL, NULL, err, sql, DB_PARAMS(DB_INTEGER(integration_id)));
}

/* A run that waits already takes it over; one that is under way cannot any more. */
static int
force_queued(struct db *db, const char *id, struct error *err)
{
	static const char sql[] = "UPDATE nango.queue SET force_deletes = true "
				  "WHERE sync_id = $1::uuid AND NOT is_claimed";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql, DB_PARAMS(DB_TEXT(id)));

	if (result == 0 && db_affected(done) == 0)
		result = error_set_at(err, ERR_CONFLICT, "opts.force_deletes",
				      "a run of the sync is under way and does not force "
				      "deletions: trigger it again once that has ended");
	talloc_free(mem);
	return result;
}

int
sync_enqueue(struct db *db, const char *id, bool force_deletes, int64_t *run_id,
	     struct error *err)
{
	const struct queue_request request = {
	    .syncs = &id, .count = 1, .is_forced = force_deletes};
	int64_t queued;
	int result = queue_enqueue(db, &request, run_id, &queued, err);

	if (result == 0 && *run_id == 0 && force_deletes)
		result = force_queued(db, id, err);
	return result;
}
