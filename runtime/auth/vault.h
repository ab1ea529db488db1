/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/vault -- seals secrets: AES-256-GCM under a key per environment, made from a master key
 * by HKDF, bound to where the value belongs (environment + table + key). Opening a value in
 * another row, table or environment fails.
 *
 * Sealed bytes: version 1 (1 byte), master key id (4), nonce (12), ciphertext, tag (16).
 * Any thread may call once the vault is open.
 */
#ifndef NANGO_AUTH_VAULT_H
#define NANGO_AUTH_VAULT_H

#include "base/crypto.h"
#include "db/db.h"

#define VAULT_KEYS_MAX 8
#define VAULT_KEY_ID_BYTES 4

struct vault;

/* keys: base64 of 32 bytes each, separated by commas; the first seals, all open. */
MUST_CHECK int vault_open_keys(TALLOC_CTX *mem, const char *keys, struct vault **out,
			       struct error *err);

/* Refuses keys that do not belong to this database; leaves a canary for a new one. */
MUST_CHECK int vault_check(struct vault *vault, struct db *db, struct error *err);

const void *vault_key_id(const struct vault *vault); /* of the first: VAULT_KEY_ID_BYTES */
/* Nothing is sealed with another key any more: who has only others is refused from now on. */
MUST_CHECK int vault_retire(const struct vault *vault, struct db *db, struct error *err);

struct vault_place {
	int64_t environment_id;
	const char *table, *key; /* "connection", "12:customer-1" */
};

void *vault_seal(TALLOC_CTX *mem, const struct vault *vault, const struct vault_place *place,
		 const void *data, size_t length, size_t *sealed_length);

/* The result is wiped when it is freed, and NUL-terminated. */
MUST_CHECK int vault_unseal(TALLOC_CTX *mem, const struct vault *vault,
			    const struct vault_place *place, const void *sealed,
			    size_t sealed_length, char **out, size_t *length,
			    struct error *err);

#endif
