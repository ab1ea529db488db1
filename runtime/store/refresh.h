/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/refresh -- the state of a connection's credentials, and the lease of whoever renews
 * them. All times are the database's.
 */
#ifndef NANGO_STORE_REFRESH_H
#define NANGO_STORE_REFRESH_H

#include "store/connection.h"

struct refresh_state {
	int64_t version;
	bool expires;
	int64_t age_ms;		  /* since they were made */
	int64_t left_ms, life_ms; /* with expires: until then; from the beginning until then */
	int64_t failed_ms; /* since the newest failure; -1: the newest attempt was fine */
	int64_t failed_days;
	const char *error;	     /* of that failure, or NULL */
	const void *app_credentials; /* sealed, of the integration, or NULL */
	size_t app_credentials_length;
};

/* The connection without the errors of its syncs. ERR_NOT_FOUND. */
MUST_CHECK int refresh_find(TALLOC_CTX *mem, struct db *db, int64_t connection_row,
			    struct connection **connection, struct refresh_state *state,
			    struct error *err);

/*
 * Takes the lease if nobody has it and the version is still that one. lease: a number of the
 * taker's own; *taken false: somebody else renews, or has.
 */
MUST_CHECK int refresh_lease(struct db *db, int64_t connection_row, int64_t version,
			     int64_t lease, int64_t lease_ms, bool *taken, struct error *err);

/* Connections behind a row whose credentials are a day old, and that did not fail today: those
 * without an end until refresh_lasting() was told that they cannot be renewed. */
struct refresh_row {
	int64_t connection_row, version;
};
MUST_CHECK int refresh_idle(TALLOC_CTX *mem, struct db *db, int64_t after_row, int64_t limit,
			    struct refresh_row **rows, size_t *count, struct error *err);

/* Of these, looked at without a failure, those of the same version cannot be renewed. */
MUST_CHECK int refresh_lasting(struct db *db, const struct refresh_row *rows, size_t count,
			       struct error *err);

struct refresh_result {
	int64_t connection_row, version, lease;
	const void *credentials; /* sealed */
	size_t credentials_length;
	const char *config; /* JSON object */
	bool expires;
	int64_t left_ms;
};

/* Both give the lease back; nothing is written when it, or the version, moved on. */
MUST_CHECK int refresh_succeed(struct db *db, const struct refresh_result *result, bool *stored,
			       struct error *err);
MUST_CHECK int refresh_give_back(struct db *db, int64_t connection_row, int64_t lease,
				 struct error *err);
/* *is_counted: it is the first of its day. */
MUST_CHECK int refresh_fail(struct db *db, int64_t connection_row, int64_t lease,
			    const char *message, bool *is_counted, struct error *err);

#endif
