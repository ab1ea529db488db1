/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/vault -- see vault.h.
 */
#include "auth/vault.h"
#include "store/environment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define HEADER_BYTES (1 + VAULT_KEY_ID_BYTES + CRYPTO_NONCE_BYTES)

struct master_key {
	unsigned char id[VAULT_KEY_ID_BYTES]; /* first bytes of the key's SHA-256 */
	unsigned char key[CRYPTO_KEY_BYTES];
};

struct vault {
	struct master_key keys[VAULT_KEYS_MAX];
	size_t count;
};

static const char canary_text[] = "nango canary";
static const struct vault_place canary_place = {0, "vault_canary", "canary"};

static int
vault_destructor(struct vault *vault)
{
	crypto_wipe(vault->keys, sizeof(vault->keys));
	return 0;
}

static int
add_key(struct vault *vault, const char *text, struct error *err)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	struct master_key *key = &vault->keys[vault->count];
	size_t length = 0;
	unsigned char *bytes = crypto_unbase64(vault, text, &length);

	if (bytes == NULL || length != CRYPTO_KEY_BYTES)
		return error_set(
		    err, ERR_CONFIG,
		    "NANGO_ENCRYPTION_KEY (number %zu) is not base64 of 32 bytes: make one "
		    "with `head -c 32 /dev/urandom | base64`",
		    vault->count + 1);
	memcpy(key->key, bytes, CRYPTO_KEY_BYTES);
	crypto_wipe(bytes, length);
	talloc_free(bytes);
	crypto_sha256(hash, key->key, CRYPTO_KEY_BYTES);
	memcpy(key->id, hash, VAULT_KEY_ID_BYTES);
	vault->count++;
	return 0;
}

int
vault_open_keys(TALLOC_CTX *mem, const char *keys, struct vault **out, struct error *err)
{
	struct vault *vault = talloc_zero(mem, struct vault);
	char *copy = crypto_secret(vault, keys, strlen(keys)), *rest = copy, *one;

	talloc_set_destructor(vault, vault_destructor);
	while ((one = strsep(&rest, ", \n")) != NULL) {
		if (one[0] == '\0')
			continue;
		if (vault->count == VAULT_KEYS_MAX) {
			talloc_free(vault);
			return error_set(err, ERR_CONFIG,
					 "NANGO_ENCRYPTION_KEY holds over %d keys",
					 VAULT_KEYS_MAX);
		}
		if (add_key(vault, one, err) < 0) {
			talloc_free(vault);
			return -1;
		}
	}
	talloc_free(copy);
	if (vault->count == 0) {
		talloc_free(vault);
		return error_set(err, ERR_CONFIG,
				 "NANGO_ENCRYPTION_KEY is empty: make one with "
				 "`head -c 32 /dev/urandom | base64`");
	}
	*out = vault;
	return 0;
}

static void
environment_key(unsigned char out[CRYPTO_KEY_BYTES], const struct master_key *master,
		int64_t environment_id)
{
	char info[64];

	snprintf(info, sizeof(info), "nango environment %" PRId64, environment_id);
	crypto_derive(out, master->key, info);
}

static char *
place_text(TALLOC_CTX *mem, const struct vault_place *place)
{
	return talloc_asprintf(mem, "%" PRId64 "/%s/%s", place->environment_id, place->table,
			       place->key);
}

void *
vault_seal(TALLOC_CTX *mem, const struct vault *vault, const struct vault_place *place,
	   const void *data, size_t length, size_t *sealed_length)
{
	unsigned char key[CRYPTO_KEY_BYTES], *out;
	char *aad;

	*sealed_length = HEADER_BYTES + length + CRYPTO_TAG_BYTES;
	out = talloc_size(mem, *sealed_length);
	if (out == NULL)
		abort();
	aad = place_text(out, place);
	out[0] = VERSION;
	memcpy(out + 1, vault->keys[0].id, VAULT_KEY_ID_BYTES);
	crypto_random(out + 1 + VAULT_KEY_ID_BYTES, CRYPTO_NONCE_BYTES);
	environment_key(key, &vault->keys[0], place->environment_id);
	crypto_seal(out + HEADER_BYTES, key, out + 1 + VAULT_KEY_ID_BYTES, aad, strlen(aad),
		    data, length);
	crypto_wipe(key, sizeof(key));
	talloc_free(aad);
	return out;
}

static const struct master_key *
find_key(const struct vault *vault, const unsigned char *id)
{
	for (size_t i = 0; i < vault->count; i++)
		if (memcmp(vault->keys[i].id, id, VAULT_KEY_ID_BYTES) == 0)
			return &vault->keys[i];
	return NULL;
}

int
vault_unseal(TALLOC_CTX *mem, const struct vault *vault, const struct vault_place *place,
	     const void *sealed, size_t sealed_length, char **out, size_t *length,
	     struct error *err)
{
	const unsigned char *bytes = sealed;
	unsigned char key[CRYPTO_KEY_BYTES];
	const struct master_key *master;
	char *aad, *plain;
	size_t plain_length;
	int result;

	if (sealed_length < HEADER_BYTES + CRYPTO_TAG_BYTES || bytes[0] != VERSION)
		return error_set(err, ERR_DECRYPT, "a sealed %s has an unknown form",
				 place->table);
	master = find_key(vault, bytes + 1);
	if (master == NULL)
		return error_set(
		    err, ERR_DECRYPT,
		    "a %s is sealed with a key that NANGO_ENCRYPTION_KEY does not hold",
		    place->table);
	plain_length = sealed_length - HEADER_BYTES - CRYPTO_TAG_BYTES;
	plain = talloc_zero_size(mem, plain_length + 1);
	aad = place_text(plain, place);
	environment_key(key, master, place->environment_id);
	result =
	    crypto_open((unsigned char *)plain, key, bytes + 1 + VAULT_KEY_ID_BYTES, aad,
			strlen(aad), bytes + HEADER_BYTES, sealed_length - HEADER_BYTES, err);
	crypto_wipe(key, sizeof(key));
	if (result == 0) {
		*out = crypto_secret(mem, plain, plain_length);
		*length = plain_length;
	}
	crypto_wipe(plain, plain_length);
	talloc_free(plain);
	return result;
}

static int
check_one(struct vault *vault, TALLOC_CTX *mem, struct db *db, const struct master_key *key,
	  struct error *err)
{
	char id[2 * VAULT_KEY_ID_BYTES + 1], *plain;
	const void *sealed;
	size_t length, plain_length;

	crypto_hex(id, key->id, VAULT_KEY_ID_BYTES);
	if (vault_canary_find(mem, db, id, &sealed, &length, err) < 0)
		return -1;
	return vault_unseal(mem, vault, &canary_place, sealed, length, &plain, &plain_length,
			    err);
}

static int
check_all(struct vault *vault, TALLOC_CTX *mem, struct db *db, struct error *err)
{
	char id[2 * VAULT_KEY_ID_BYTES + 1];
	size_t known = 0, length;
	int64_t canaries;
	void *sealed;

	for (size_t i = 0; i < vault->count; i++) {
		if (check_one(vault, mem, db, &vault->keys[i], err) == 0)
			known++;
		else if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	if (vault_canary_count(db, &canaries, err) < 0)
		return -1;
	if (canaries > 0 && known == 0)
		return error_set(
		    err, ERR_CONFIG,
		    "NANGO_ENCRYPTION_KEY is not the key of this database: give the one that "
		    "it was first started with (several may be given, separated by commas)");
	crypto_hex(id, vault->keys[0].id, VAULT_KEY_ID_BYTES);
	sealed =
	    vault_seal(mem, vault, &canary_place, canary_text, strlen(canary_text), &length);
	return vault_canary_insert(db, id, sealed, length, err);
}

int
vault_check(struct vault *vault, struct db *db, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	int result = check_all(vault, mem, db, err);

	talloc_free(mem);
	return result;
}

const void *
vault_key_id(const struct vault *vault)
{
	return vault->keys[0].id;
}

int
vault_retire(const struct vault *vault, struct db *db, struct error *err)
{
	char id[2 * VAULT_KEY_ID_BYTES + 1];

	crypto_hex(id, vault->keys[0].id, VAULT_KEY_ID_BYTES);
	return vault_canary_retire(db, id, err);
}
