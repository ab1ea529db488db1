/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/migrate -- see migrate.h. Nodes that start together queue on a transaction-level advisory
 * lock (session locks leak behind a pooler); each migration is one transaction with its mark.
 */
#include "db/migrate.h"
#include "base/crypto.h"

#include <string.h>

struct step {
	const struct migration *migration;
	char hash[2 * CRYPTO_SHA256_BYTES + 1];
	bool is_applied;
};

static int
take_lock(struct db *db, struct error *err)
{
	static const char sql[] = "SELECT pg_advisory_xact_lock(7165412086341920)";

	return db_exec(db, NULL, NULL, err, sql, DB_NONE);
}

static int
create_table(struct db *db, void *arg, struct error *err)
{
	static const char sql[] =
	    "CREATE SCHEMA IF NOT EXISTS nango_meta;"
	    "CREATE TABLE IF NOT EXISTS nango_meta.migration ("
	    "    family text COLLATE \"C\" NOT NULL,"
	    "    number int4 NOT NULL,"
	    "    name text NOT NULL,"
	    "    sha256 text NOT NULL,"
	    "    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	    "    PRIMARY KEY (family, number))";

	(void)arg;
	if (take_lock(db, err) < 0)
		return -1;
	return db_script(db, sql, err);
}

static int
apply_step(struct db *db, void *arg, struct error *err)
{
	static const char find[] = "SELECT sha256 FROM nango_meta.migration "
				   "WHERE family = $1 AND number = $2::int8";
	static const char mark[] =
	    "INSERT INTO nango_meta.migration (family, number, name, sha256) "
	    "VALUES ($1, $2::int8, $3, $4)";
	struct step *step = arg;
	const struct migration *m = step->migration;
	struct db_result *found;
	TALLOC_CTX *mem = talloc_new(NULL);
	int result = -1;

	step->is_applied = false;
	if (take_lock(db, err) < 0 ||
	    db_exec(db, mem, &found, err, find,
		    DB_PARAMS(DB_TEXT(m->family), DB_INTEGER(m->number))) < 0) {
		talloc_free(mem);
		return -1;
	}
	if (db_rows(found) > 0) {
		result =
		    strcmp(db_text(found, 0, 0), step->hash) == 0
			? 0
			: error_set(err, ERR_CONFIG,
				    "migration %s/%04d was applied with another text: this "
				    "database belongs to another build of nangod",
				    m->family, m->number);
	} else if (db_script(db, m->sql, err) == 0 &&
		   db_exec(db, NULL, NULL, err, mark,
			   DB_PARAMS(DB_TEXT(m->family), DB_INTEGER(m->number),
				     DB_TEXT(m->name), DB_TEXT(step->hash))) == 0) {
		step->is_applied = true;
		result = 0;
	} else {
		error_prefix(err, "migration %s/%04d_%s: ", m->family, m->number, m->name);
	}
	talloc_free(mem);
	return result;
}

static int
refuse_newer(struct db_pool *pool, const char *family, int known, struct error *err)
{
	static const char sql[] =
	    "SELECT coalesce(max(number), 0)::int8 FROM nango_meta.migration "
	    "WHERE family = $1";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *found;
	struct db *db;
	int result;

	if (db_acquire(pool, &db, err) < 0) {
		talloc_free(mem);
		return -1;
	}
	result = db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_TEXT(family)));
	if (result == 0 && db_integer(found, 0, 0) > known)
		result =
		    error_set(err, ERR_CONFIG,
			      "the database has %s migration %d, this nangod knows up to %d: "
			      "start a newer nangod",
			      family, (int)db_integer(found, 0, 0), known);
	db_release(db);
	talloc_free(mem);
	return result;
}

int
migrate_run(struct db_pool *pool, const char *family, int *applied, struct error *err)
{
	int known = 0;

	*applied = 0;
	if (db_transaction(pool, &(struct db_work){.run = create_table}, err) < 0)
		return -1;
	for (const struct migration *m = migrations; m->family != NULL; m++)
		if (strcmp(m->family, family) == 0)
			known = m->number;
	if (refuse_newer(pool, family, known, err) < 0)
		return -1;
	for (const struct migration *m = migrations; m->family != NULL; m++) {
		struct step step = {.migration = m};
		unsigned char hash[CRYPTO_SHA256_BYTES];

		if (strcmp(m->family, family) != 0)
			continue;
		crypto_sha256(hash, m->sql, strlen(m->sql));
		crypto_hex(step.hash, hash, sizeof(hash));
		if (db_transaction(pool, &(struct db_work){.run = apply_step, .arg = &step},
				   err) < 0)
			return -1;
		*applied += step.is_applied;
	}
	return 0;
}
