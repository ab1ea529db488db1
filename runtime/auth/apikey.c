/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/apikey -- see apikey.h.
 */
#include "auth/apikey.h"

#include <ctype.h>
#include <string.h>

void
apikey_hash(unsigned char out[CRYPTO_SHA256_BYTES], const char *key)
{
	char lower[ID_UUID_MAX] = "";

	for (size_t i = 0; i + 1 < sizeof(lower) && key[i] != '\0'; i++)
		lower[i] = (char)tolower((unsigned char)key[i]);
	crypto_sha256(out, lower, strlen(lower));
	crypto_wipe(lower, sizeof(lower));
}

int
apikey_create(struct db *db, const struct vault *vault, int64_t account_id,
	      int64_t environment_id, const char *display_name, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	unsigned char hash[CRYPTO_SHA256_BYTES];
	char key[ID_UUID_MAX], hex[2 * CRYPTO_SHA256_BYTES + 1];
	struct vault_place place = {environment_id, "api_key", hex};
	size_t length;
	void *sealed;
	int result;

	id_uuid4(key);
	apikey_hash(hash, key);
	crypto_hex(hex, hash, sizeof(hash));
	sealed = vault_seal(mem, vault, &place, key, strlen(key), &length);
	crypto_wipe(key, sizeof(key));
	result = api_key_insert(db, account_id, environment_id, display_name, hash,
				sizeof(hash), sealed, length, err);
	talloc_free(mem);
	return result;
}

int
apikey_reveal(TALLOC_CTX *mem, const struct vault *vault, const struct api_key *key, char **out,
	      struct error *err)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	struct vault_place place = {key->environment_id, "api_key", hex};
	size_t length;

	crypto_hex(hex, key->hash, sizeof(key->hash));
	return vault_unseal(mem, vault, &place, key->sealed, key->sealed_length, out, &length,
			    err);
}

struct ensuring {
	const struct vault *vault;
};

static int
make_environment(struct db *db, const struct vault *vault, int64_t account_id, const char *name,
		 bool is_production, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct environment env = {
	    .account_id = account_id, .name = name, .is_production = is_production};
	struct vault_place place = {0, "environment", "record_key"};
	unsigned char record_key[CRYPTO_KEY_BYTES];
	int result = environment_reserve_id(db, &env.id, err);

	if (result == 0) {
		place.environment_id = env.id;
		crypto_random(record_key, sizeof(record_key));
		env.record_key = vault_seal(mem, vault, &place, record_key, sizeof(record_key),
					    &env.record_key_length);
		crypto_wipe(record_key, sizeof(record_key));
		result = environment_insert(db, &env, err);
	}
	if (result == 0)
		result = apikey_create(db, vault, account_id, env.id, "Full access", err);
	talloc_free(mem);
	return result;
}

static int
ensure(struct db *db, void *arg, struct error *err)
{
	/* Two nodes that start at once must not make four environments. */
	static const char lock[] = "SELECT pg_advisory_xact_lock(7165412086341921)";
	const struct ensuring *e = arg;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct environment *list;
	int64_t account_id;
	size_t count;
	int result = db_exec(db, NULL, NULL, err, lock, DB_NONE);

	if (result == 0)
		result = environment_list(mem, db, &list, &count, err);
	if (result == 0 && count == 0) {
		result = account_default(db, &account_id, err);
		if (result == 0)
			result = make_environment(db, e->vault, account_id, "dev", false, err);
		if (result == 0)
			result = make_environment(db, e->vault, account_id, "prod", true, err);
	}
	talloc_free(mem);
	return result;
}

int
environments_ensure(struct db_pool *control, const struct vault *vault, struct error *err)
{
	struct ensuring e = {vault};

	return db_transaction(control, &(struct db_work){.run = ensure, .arg = &e}, err);
}
