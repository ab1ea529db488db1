/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_settings -- see hooks_settings.h.
 */
#include "engine/hooks_settings.h"

#include <stdlib.h>
#include <string.h>

static struct vault_place
key_place(int64_t environment_id)
{
	return (struct vault_place){environment_id, "webhook_settings", "signing_key"};
}

static char *
make_key(TALLOC_CTX *mem)
{
	unsigned char bytes[CRYPTO_KEY_BYTES];
	char *text, *coded;

	crypto_random(bytes, sizeof(bytes));
	coded = crypto_base64(mem, bytes, sizeof(bytes));
	text = talloc_asprintf(mem, "whsec_%s", coded);
	if (text == NULL)
		abort();
	crypto_wipe(bytes, sizeof(bytes));
	crypto_wipe(coded, strlen(coded));
	return text;
}

/* Puts a new key to use by store (an insert or an update); *key is it, when asked for. */
static int
store_key(TALLOC_CTX *mem, const struct vault *vault, struct db *db, int64_t environment_id,
	  int (*store)(struct db *, int64_t, const void *, size_t, struct error *),
	  const char **key, struct error *err)
{
	const struct vault_place place = key_place(environment_id);
	char *text = make_key(mem);
	size_t length;
	void *sealed = vault_seal(mem, vault, &place, text, strlen(text), &length);
	int result = store(db, environment_id, sealed, length, err);

	if (result == 0 && key != NULL)
		*key = crypto_secret(mem, text, strlen(text));
	crypto_wipe(text, strlen(text));
	talloc_free(text);
	return result;
}

static int
find_or_make(TALLOC_CTX *mem, const struct vault *vault, struct db *db, int64_t environment_id,
	     struct webhook_settings **out, struct error *err)
{
	struct error missing; /* callers look whether err was set */

	if (webhook_settings_find(mem, db, environment_id, out, &missing) == 0)
		return 0;
	if (missing.code != ERR_NOT_FOUND) {
		*err = missing;
		return -1;
	}
	if (store_key(mem, vault, db, environment_id, webhook_settings_insert, NULL, err) < 0)
		return -1;
	return webhook_settings_find(mem, db, environment_id, out, err);
}

int
hooks_settings_load(TALLOC_CTX *mem, const struct vault *vault, struct db *db,
		    int64_t environment_id, struct hooks_settings **out, struct error *err)
{
	const struct vault_place place = key_place(environment_id);
	struct hooks_settings *s = talloc_zero(mem, struct hooks_settings);
	const char *urls[2];
	size_t length;
	char *key;

	if (s == NULL)
		abort();
	if (find_or_make(s, vault, db, environment_id, &s->row, err) < 0 ||
	    vault_unseal(s, vault, &place, s->row->signing_key, s->row->signing_key_length,
			 &key, &length, err) < 0) {
		talloc_free(s);
		return -1;
	}
	s->signing_key = key;
	urls[0] = s->row->primary_url;
	urls[1] = s->row->secondary_url;
	for (size_t i = 0; i < 2; i++)
		if (urls[i] != NULL && urls[i][0] != '\0')
			s->urls[s->urls_count++] = urls[i];
	*out = s;
	return 0;
}

int
hooks_settings_rotate(TALLOC_CTX *mem, const struct vault *vault, struct db *db,
		      int64_t environment_id, const char **key, struct error *err)
{
	struct webhook_settings *row;

	if (find_or_make(mem, vault, db, environment_id, &row, err) < 0)
		return -1;
	return store_key(mem, vault, db, environment_id, webhook_settings_set_key, key, err);
}
