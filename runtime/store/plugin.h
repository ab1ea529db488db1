/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/plugin -- plugin builds by their SHA-256, and which one an integration runs.
 */
#ifndef NANGO_STORE_PLUGIN_H
#define NANGO_STORE_PLUGIN_H

#include "base/crypto.h"
#include "db/db.h"

struct plugin_build {
	unsigned char sha256[CRYPTO_SHA256_BYTES];
	const char *spec; /* canonical JSON */
	const char *provider, *version;
};

struct deployment {
	int64_t id, account_id, environment_id, integration_id;
	unsigned char sha256[CRYPTO_SHA256_BYTES];
	const char *spec, *provider, *version;
};

/* Nothing happens when the build is there already: a SHA-256 names one content for ever. */
MUST_CHECK int plugin_build_insert(struct db *db, const struct plugin_build *build,
				   const void *bytes, size_t length, struct error *err);
/* The build's spec. */
MUST_CHECK int plugin_build_spec(TALLOC_CTX *mem, struct db *db,
				 const unsigned char sha256[CRYPTO_SHA256_BYTES],
				 const char **spec, struct error *err);
MUST_CHECK int plugin_build_bytes(TALLOC_CTX *mem, struct db *db,
				  const unsigned char sha256[CRYPTO_SHA256_BYTES],
				  const void **bytes, size_t *length, struct error *err);

/* ERR_NOT_FOUND when nothing is deployed. */
MUST_CHECK int deployment_active(TALLOC_CTX *mem, struct db *db, int64_t integration_id,
				 struct deployment **out, struct error *err);
/* Makes it the active one; sets id. */
MUST_CHECK int deployment_activate(struct db *db, struct deployment *deployment,
				   struct error *err);

#endif
