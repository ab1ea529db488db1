/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/plugin -- see plugin.h.
 */
#include "store/plugin.h"

#include <string.h>

int
plugin_build_insert(struct db *db, const struct plugin_build *build, const void *bytes,
		    size_t length, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO nango.plugin_build (sha256, bytes, spec, provider, version) "
	    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

	return db_exec(db, NULL, NULL, err, sql,
		       DB_PARAMS(DB_BYTES(build->sha256, sizeof(build->sha256)),
				 DB_BYTES(bytes, length), DB_TEXT(build->spec),
				 DB_TEXT(build->provider), DB_TEXT(build->version)));
}

int
plugin_build_bytes(TALLOC_CTX *mem, struct db *db,
		   const unsigned char sha256[CRYPTO_SHA256_BYTES], const void **bytes,
		   size_t *length, struct error *err)
{
	static const char sql[] = "SELECT bytes FROM nango.plugin_build WHERE sha256 = $1";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_BYTES(sha256, CRYPTO_SHA256_BYTES))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the plugin build is gone");
	*bytes = db_bytes(found, 0, 0, length);
	return 0;
}

int
plugin_build_spec(TALLOC_CTX *mem, struct db *db,
		  const unsigned char sha256[CRYPTO_SHA256_BYTES], const char **spec,
		  struct error *err)
{
	static const char sql[] = "SELECT spec FROM nango.plugin_build WHERE sha256 = $1";
	struct db_result *found;

	if (db_exec(db, mem, &found, err, sql,
		    DB_PARAMS(DB_BYTES(sha256, CRYPTO_SHA256_BYTES))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND, "the plugin build is gone");
	*spec = db_text(found, 0, 0);
	return 0;
}

int
deployment_active(TALLOC_CTX *mem, struct db *db, int64_t integration_id,
		  struct deployment **out, struct error *err)
{
	static const char sql[] =
	    "SELECT d.id, d.account_id, d.environment_id, d.integration_id, d.sha256, b.spec, "
	    "       b.provider, b.version "
	    "FROM nango.deployment d JOIN nango.plugin_build b ON b.sha256 = d.sha256 "
	    "WHERE d.integration_id = $1 AND d.is_active";
	struct db_result *found;
	struct deployment *d;
	const void *sha256;
	size_t length;

	if (db_exec(db, mem, &found, err, sql, DB_PARAMS(DB_INTEGER(integration_id))) < 0)
		return -1;
	if (db_rows(found) == 0)
		return error_set(err, ERR_NOT_FOUND,
				 "no plugin is deployed to this integration");
	d = talloc_zero(mem, struct deployment);
	d->id = db_integer(found, 0, 0);
	d->account_id = db_integer(found, 0, 1);
	d->environment_id = db_integer(found, 0, 2);
	d->integration_id = db_integer(found, 0, 3);
	sha256 = db_bytes(found, 0, 4, &length);
	memcpy(d->sha256, sha256, sizeof(d->sha256));
	d->spec = db_text(found, 0, 5);
	d->provider = db_text(found, 0, 6);
	d->version = db_text(found, 0, 7);
	*out = d;
	return 0;
}

int
deployment_activate(struct db *db, struct deployment *d, struct error *err)
{
	static const char retire[] = "UPDATE nango.deployment SET is_active = false WHERE "
				     "integration_id = $1 AND is_active";
	static const char insert[] =
	    "INSERT INTO nango.deployment (account_id, environment_id, integration_id, sha256, "
	    "    is_active) VALUES ($1, $2, $3, $4, true) RETURNING id";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct db_result *made;
	int result =
	    db_exec(db, NULL, NULL, err, retire, DB_PARAMS(DB_INTEGER(d->integration_id)));

	if (result == 0)
		result =
		    db_exec(db, mem, &made, err, insert,
			    DB_PARAMS(DB_INTEGER(d->account_id), DB_INTEGER(d->environment_id),
				      DB_INTEGER(d->integration_id),
				      DB_BYTES(d->sha256, sizeof(d->sha256))));
	if (result == 0)
		d->id = db_integer(made, 0, 0);
	talloc_free(mem);
	return result;
}
