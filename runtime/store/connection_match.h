/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connection_match -- connections by something that their provider knows them by.
 */
#ifndef NANGO_STORE_CONNECTION_MATCH_H
#define NANGO_STORE_CONNECTION_MATCH_H

#include "db/db.h"

struct connection_match {
	int64_t id;
	const char *connection_id;
};

/*
 * Of an integration, at most limit, in the order in which they were made. by: connection_id, or
 * the member key of config or metadata, which is the value as a text or number, or a list that
 * holds it.
 */
MUST_CHECK int connection_match(TALLOC_CTX *mem, struct db *db, int64_t integration_id,
				const char *by, const char *key, const char *value,
				size_t limit, struct connection_match **out, size_t *count,
				struct error *err);

#endif
