/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/apikey -- environments' secret keys: UUID v4, found by hash, sealed so that they can be
 * shown again; and the two environments that every account begins with.
 */
#ifndef NANGO_AUTH_APIKEY_H
#define NANGO_AUTH_APIKEY_H

#include "auth/vault.h"
#include "base/id.h"
#include "store/environment.h"

/* SHA-256 of the key in lower case. It has 122 random bits: no salt is needed. */
void apikey_hash(unsigned char out[CRYPTO_SHA256_BYTES], const char *key);

MUST_CHECK int apikey_create(struct db *db, const struct vault *vault, int64_t account_id,
			     int64_t environment_id, const char *display_name,
			     struct error *err);
MUST_CHECK int apikey_reveal(TALLOC_CTX *mem, const struct vault *vault,
			     const struct api_key *key, char **out, struct error *err);

/* Makes the environments dev and prod, each with a key, when there are none. */
MUST_CHECK int environments_ensure(struct db_pool *control, const struct vault *vault,
				   struct error *err);

#endif
