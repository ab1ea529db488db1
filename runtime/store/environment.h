/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/environment -- environments and their API keys.
 */
#ifndef NANGO_STORE_ENVIRONMENT_H
#define NANGO_STORE_ENVIRONMENT_H

#include "db/db.h"

struct environment {
	int64_t id, account_id;
	const char *uuid, *name;
	bool is_production;
	const void *record_key; /* sealed */
	size_t record_key_length;
};

struct api_key {
	int64_t id, environment_id;
	const char *display_name;
	const char *scopes; /* separated by spaces */
	const void *sealed;
	size_t sealed_length;
	unsigned char hash[32];
};

/* The default account's id. */
MUST_CHECK int account_default(struct db *db, int64_t *id, struct error *err);

MUST_CHECK int environment_list(TALLOC_CTX *mem, struct db *db, struct environment **out,
				size_t *count, struct error *err);
MUST_CHECK int environment_find(TALLOC_CTX *mem, struct db *db, int64_t id,
				struct environment **out, struct error *err);

MUST_CHECK int environment_find_uuid(TALLOC_CTX *mem, struct db *db, const char *uuid,
				     struct environment **out, struct error *err);

/* Two steps, because the seal binds the id: reserve an id, seal with it, insert. */
MUST_CHECK int environment_reserve_id(struct db *db, int64_t *id, struct error *err);
MUST_CHECK int environment_insert(struct db *db, const struct environment *env,
				  struct error *err);

MUST_CHECK int api_key_insert(struct db *db, int64_t account_id, int64_t environment_id,
			      const char *display_name, const void *hash, size_t hash_length,
			      const void *sealed, size_t sealed_length, struct error *err);
/* ERR_UNKNOWN_KEY when there is none. */
MUST_CHECK int api_key_find(TALLOC_CTX *mem, struct db *db, const void *hash,
			    size_t hash_length, struct api_key **key, struct environment **env,
			    struct error *err);
/* The first key of an environment that was not deleted. */
MUST_CHECK int api_key_first(TALLOC_CTX *mem, struct db *db, int64_t environment_id,
			     struct api_key **out, struct error *err);

/* The vault's canaries. */
MUST_CHECK int vault_canary_find(TALLOC_CTX *mem, struct db *db, const char *key_id,
				 const void **sealed, size_t *length, struct error *err);
MUST_CHECK int vault_canary_insert(struct db *db, const char *key_id, const void *sealed,
				   size_t length, struct error *err);
MUST_CHECK int vault_canary_retire(struct db *db, const char *but_key_id, struct error *err);
MUST_CHECK int vault_canary_count(struct db *db, int64_t *count, struct error *err);

#endif
