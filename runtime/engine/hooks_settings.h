/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_settings -- an environment's webhook settings with its signing key opened.
 *
 * The key is the text "whsec_" and base64 of 32 random bytes: as a whole it keys the two
 * X-Nango signatures, its bytes key the Standard Webhooks one. Any thread with a connection to
 * the control database.
 */
#ifndef NANGO_ENGINE_HOOKS_SETTINGS_H
#define NANGO_ENGINE_HOOKS_SETTINGS_H

#include "auth/vault.h"
#include "store/webhook.h"

struct hooks_settings {
	struct webhook_settings *row;
	const char *signing_key; /* wiped with mem */
	const char *urls[2];	 /* those that are set, the primary first */
	size_t urls_count;
};

/* Makes the settings and their key when the environment has none yet. */
MUST_CHECK int hooks_settings_load(TALLOC_CTX *mem, const struct vault *vault, struct db *db,
				   int64_t environment_id, struct hooks_settings **out,
				   struct error *err);

/* From now on deliveries are signed with another key, which is given back. */
MUST_CHECK int hooks_settings_rotate(TALLOC_CTX *mem, const struct vault *vault, struct db *db,
				     int64_t environment_id, const char **key,
				     struct error *err);

#endif
