/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/dataset -- see dataset.h.
 */
#include "store/dataset.h"
#include "store/pgbinary.h"

#include <endian.h>
#include <string.h>

#define HEAD_COLUMNS                                                                \
	"id, epoch, seq, live, window_id, window_seq, window_run_id, quarantined, " \
	"model_hash, pruned_seq, greatest(nango_data.clock_now(), modified_at), "   \
	"window_partial, window_live, window_model"

static void
read_head(struct dataset *out, int64_t connection_row, const struct db_result *r, size_t row)
{
	*out = (struct dataset){
	    .connection_row = connection_row,
	    .id = db_integer(r, row, 0),
	    .epoch = db_integer(r, row, 1),
	    .seq = db_integer(r, row, 2),
	    .live = db_integer(r, row, 3),
	    .window_id = db_integer(r, row, 4),
	    .window_seq = db_integer(r, row, 5),
	    .window_run_id = db_integer(r, row, 6),
	    .quarantined = db_integer(r, row, 7),
	    .model_hash = db_integer(r, row, 8),
	    .pruned_seq = db_integer(r, row, 9),
	    .now_us2000 = db_integer(r, row, 10),
	    .window_is_partial = db_boolean(r, row, 11),
	    .window_live = db_integer(r, row, 12),
	    .window_model = db_integer(r, row, 13),
	};
}

int
dataset_heads(struct db *db, int64_t connection_row, const char *variant,
	      const char *const *models, size_t count, bool is_locked, struct dataset *out,
	      struct error *err)
{
	static const char select[] = "SELECT " HEAD_COLUMNS " FROM nango_data.dataset "
				     "WHERE connection_id = $1 AND variant = $2 "
				     "  AND model = ANY ($3) ORDER BY model";
	static const char lock[] = "SELECT " HEAD_COLUMNS " FROM nango_data.dataset "
				   "WHERE connection_id = $1 AND variant = $2 "
				   "  AND model = ANY ($3) ORDER BY model FOR UPDATE";
	static const char make[] =
	    "INSERT INTO nango_data.dataset (connection_id, variant, model) "
	    "SELECT $1, $2, m FROM unnest($3::text[]) m ORDER BY m ON CONFLICT DO NOTHING";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	struct buf list;
	int result = 0;

	buf_init(&list, mem, 256);
	pg_array_begin(&list, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(&list, models[i], strlen(models[i]));
	for (int attempt = 0; attempt < 2; attempt++) {
		const struct db_param params[] = {
		    DB_INTEGER(connection_row), DB_TEXT(variant),
		    DB_BINARY(PG_OID_TEXT_ARRAY, list.data, list.length)};

		result = db_exec(db, mem, &found, err, is_locked ? lock : select, params, 3);
		if (result < 0 || db_rows(found) == count)
			break;
		result = attempt == 0 ? db_exec(db, NULL, NULL, err, make, params, 3)
				      : error_set(err, ERR_DB_RETRY,
						  "a dataset went away while it was opened");
		if (result < 0)
			break;
	}
	for (size_t i = 0; result == 0 && i < count; i++)
		read_head(&out[i], connection_row, found, i);
	talloc_free(mem);
	return result;
}

int
dataset_lock(struct db *db, struct dataset *head, struct error *err)
{
	static const char sql[] = "SELECT " HEAD_COLUMNS " FROM nango_data.dataset "
				  "WHERE connection_id = $1 AND id = $2 FOR UPDATE";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result = db_exec(db, mem, &found, err, sql,
			     DB_PARAMS(DB_INTEGER(head->connection_row), DB_INTEGER(head->id)));

	if (result == 0 && db_rows(found) == 0)
		result = error_set(err, ERR_NOT_FOUND, "the dataset was removed");
	else if (result == 0)
		read_head(head, head->connection_row, found, 0);
	talloc_free(mem);
	return result;
}

int
dataset_now(struct db *db, int64_t *us2000, struct error *err)
{
	return db_exec_value(db, us2000, err, "SELECT nango_data.clock_now()", DB_NONE);
}

int
dataset_find(struct db *db, int64_t connection_row, const char *model, const char *variant,
	     struct dataset *out, struct error *err)
{
	static const char sql[] = "SELECT " HEAD_COLUMNS " FROM nango_data.dataset "
				  "WHERE connection_id = $1 AND model = $2 AND variant = $3";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	int result =
	    db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(model), DB_TEXT(variant)));

	if (result == 0 && db_rows(found) == 0)
		result = error_set(err, ERR_NOT_FOUND, "no record of %s was ever saved", model);
	else if (result == 0)
		read_head(out, connection_row, found, 0);
	talloc_free(mem);
	return result;
}

/*
 * A statement behind the locks of a connection's heads. Two, because what deletes has to see
 * what those who held the heads had written when they let go of them.
 */
static int
change_locked(struct db *db, int64_t connection_row, const char *models_json,
	      const char *variant, const char *change, struct error *err)
{
	static const char lock[] =
	    "SELECT id FROM nango_data.dataset WHERE connection_id = $1 AND variant = $3 "
	    "  AND model IN (SELECT json_array_elements_text($2::json)) "
	    "ORDER BY model FOR UPDATE";
	const struct db_param params[] = {DB_INTEGER(connection_row), DB_TEXT(models_json),
					  DB_TEXT(variant)};

	if (db_begin(db, err) < 0)
		return -1;
	if (db_exec(db, NULL, NULL, err, lock, params, 3) == 0 &&
	    db_exec(db, NULL, NULL, err, change, params, 3) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

int
dataset_empty(struct db *db, int64_t connection_row, const char *models_json,
	      const char *variant, struct error *err)
{
	static const char empty[] =
	    "WITH old AS MATERIALIZED ("
	    "    SELECT id, window_id FROM nango_data.dataset "
	    "    WHERE connection_id = $1 AND variant = $3 "
	    "      AND model IN (SELECT json_array_elements_text($2::json))), "
	    "heads AS ("
	    "    UPDATE nango_data.dataset d SET epoch = epoch + 1, seq = 0, live = 0, "
	    "        window_id = 0, window_seq = 0, window_run_id = 0, window_opened_at = "
	    "NULL, "
	    "        window_partial = false, quarantined = 0, pruned_seq = 0 "
	    "    FROM old WHERE d.connection_id = $1 AND d.id = old.id), "
	    "seen AS ("
	    "    DELETE FROM nango_data.seen WHERE connection_id = $1 "
	    "      AND window_id IN (SELECT window_id FROM old)), "
	    "bad AS ("
	    "    DELETE FROM nango_data.quarantine WHERE connection_id = $1 "
	    "      AND dataset_id IN (SELECT id FROM old)) "
	    "DELETE FROM nango_data.record "
	    "WHERE connection_id = $1 AND dataset_id IN (SELECT id FROM old)";

	return change_locked(db, connection_row, models_json, variant, empty, err);
}

int
dataset_counts(TALLOC_CTX *mem, struct db *db, int64_t connection_row, const char **json,
	       struct error *err)
{
	static const char sql[] =
	    "SELECT coalesce(json_agg(json_build_object('model', model, 'variant', variant, "
	    "    'records', live, 'quarantined', quarantined) ORDER BY model, variant), "
	    "    '[]')::text "
	    "FROM nango_data.dataset WHERE connection_id = $1";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(connection_row))) < 0)
		return -1;
	*json = db_text(found, 0, 0);
	return 0;
}

int
window_drop(struct db *db, int64_t connection_row, const char *models_json, const char *variant,
	    struct error *err)
{
	static const char drop[] =
	    "WITH old AS MATERIALIZED ("
	    "    SELECT id, window_id FROM nango_data.dataset "
	    "    WHERE connection_id = $1 AND variant = $3 AND window_id <> 0 "
	    "      AND model IN (SELECT json_array_elements_text($2::json))), "
	    "heads AS ("
	    "    UPDATE nango_data.dataset d SET window_id = 0, window_seq = 0, "
	    "        window_run_id = 0, window_opened_at = NULL, window_partial = false "
	    "    FROM old WHERE d.connection_id = $1 AND d.id = old.id) "
	    "DELETE FROM nango_data.seen WHERE connection_id = $1 "
	    "  AND window_id IN (SELECT window_id FROM old)";

	return change_locked(db, connection_row, models_json, variant, drop, err);
}

int
dataset_advance(struct db *db, const struct dataset *d, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.dataset SET seq = $3, live = $4, quarantined = $5, "
	    "    window_id = $6, window_seq = $7, window_run_id = $8, "
	    "    window_opened_at = CASE WHEN $6 = 0 THEN NULL ELSE window_opened_at END, "
	    "    window_partial = window_partial AND $6 <> 0, model_hash = $10, "
	    "    modified_at = CASE WHEN $3 > seq THEN $9 ELSE modified_at END, "
	    "    unpruned_at = CASE WHEN $3 > seq THEN coalesce(unpruned_at, $9) "
	    "        ELSE unpruned_at END "
	    "WHERE connection_id = $1 AND id = $2";
	const uint64_t now = htobe64((uint64_t)d->now_us2000);

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_INTEGER(d->connection_row), DB_INTEGER(d->id),
				 DB_INTEGER(d->seq), DB_INTEGER(d->live),
				 DB_INTEGER(d->quarantined), DB_INTEGER(d->window_id),
				 DB_INTEGER(d->window_seq), DB_INTEGER(d->window_run_id),
				 DB_BINARY(PG_OID_TIMESTAMPTZ, &now, sizeof(now)),
				 DB_INTEGER(d->model_hash)));
}

/* A statement whose $2 and $3 are a variant and a list of models. */
static struct db_param
names_of(TALLOC_CTX *mem, const char *const *models)
{
	size_t count = 0;
	struct buf list;

	while (models[count] != NULL)
		count++;
	buf_init(&list, mem, 256);
	pg_array_begin(&list, PG_OID_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_field(&list, models[i], strlen(models[i]));
	return DB_BINARY(PG_OID_TEXT_ARRAY, list.data, list.length);
}

int
dataset_touch(struct db *db, int64_t connection_row, const char *variant,
	      const char *const *models, const char *checkpoint_key, struct error *err)
{
	static const char sql[] =
	    "WITH checkpoint AS ("
	    "    UPDATE nango_data.checkpoint SET used_at = nango_data.clock_now() "
	    "    WHERE connection_id = $1 AND key = $4 AND coalesce(used_at, updated_at) < "
	    "        (SELECT nango_data.clock_now()) - interval '1 hour') "
	    "UPDATE nango_data.dataset SET used_at = nango_data.clock_now() "
	    "WHERE connection_id = $1 AND id IN ("
	    "    SELECT id FROM nango_data.dataset WHERE connection_id = $1 AND variant = $2 "
	    "      AND model = ANY ($3) "
	    "      AND used_at < (SELECT nango_data.clock_now()) - interval '1 hour' "
	    "    ORDER BY model FOR UPDATE)";
	TALLOC_CTX *mem = talloc_new(NULL);
	int result = db_exec(db, NULL, NULL, err, sql,
			     DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(variant),
				       names_of(mem, models), DB_TEXT(checkpoint_key)));

	talloc_free(mem);
	return result;
}

int
window_set_partial(struct db *db, int64_t connection_row, const char *variant,
		   const char *const *models, struct error *err)
{
	static const char sql[] =
	    "UPDATE nango_data.dataset SET window_partial = true "
	    "WHERE connection_id = $1 AND id IN ("
	    "    SELECT id FROM nango_data.dataset WHERE connection_id = $1 AND variant = $2 "
	    "      AND model = ANY ($3) AND window_id <> 0 AND NOT window_partial "
	    "    ORDER BY model FOR UPDATE)";
	TALLOC_CTX *mem = talloc_new(NULL);
	int result = db_exec(
	    db, NULL, NULL, err, sql,
	    DB_PARAMS(DB_INTEGER(connection_row), DB_TEXT(variant), names_of(mem, models)));

	talloc_free(mem);
	return result;
}

int
dataset_bump_epochs(struct db *db, int64_t *count, struct error *err)
{
	static const char sql[] = "UPDATE nango_data.dataset SET epoch = epoch + 1";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *done;
	int result = db_exec(db, mem, &done, err, sql, DB_NONE);

	if (result == 0)
		*count = (int64_t)db_affected(done);
	talloc_free(mem);
	return result;
}
