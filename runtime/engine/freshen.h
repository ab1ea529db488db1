/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/freshen -- credentials that still work: renewed before they expire, once for all who
 * ask at the same time, in all nodes.
 *
 * Of a process one thread takes the row's lease and asks the provider; the others wait for it.
 * Of several processes one has the lease; the others look at the row until it moved. No
 * connection to Postgres is held meanwhile. A call may take as long as the provider does: it
 * belongs on the auth pool.
 */
#ifndef NANGO_ENGINE_FRESHEN_H
#define NANGO_ENGINE_FRESHEN_H

#include "engine/node.h"
#include "store/refresh.h"

#define FRESHEN_MARGIN_MS                                                          \
	(15 * 60 * 1000)	 /* before they expire; at most half of their life \
				  */
#define FRESHEN_BACKOFF_MS 30000 /* between two attempts, after one failed */
#define FRESHEN_AGAIN_MS 30000	 /* credentials younger than this are not made anew for a 401 */
#define FRESHEN_FAILED_DAYS_MAX 4
#define FRESHEN_IDLE_MS (24 * 3600 * 1000)

enum freshen_why {
	FRESHEN_DUE,	/* if they are about to expire */
	FRESHEN_FORCED, /* in any case, once for all who ask at the same time */
	FRESHEN_IDLE,	/* if they are older than FRESHEN_IDLE_MS, however long they last */
};

/* Milliseconds until freshen() would ask the provider, 0 or less: now; INT64_MAX: never. */
MUST_CHECK int freshen_due_ms(struct node *node, TALLOC_CTX *mem, const struct connection *c,
			      const struct refresh_state *state, int64_t *out,
			      struct error *err);

/*
 * The connection, its credentials renewed if there is reason to. With the provider failing they
 * are given out as long as they have not expired. ERR_REFRESH, ERR_REFRESH_BACKOFF,
 * ERR_REFRESH_EXHAUSTED, ERR_NOT_FOUND.
 */
MUST_CHECK int freshen(struct node *node, TALLOC_CTX *mem, int64_t connection_row,
		       enum freshen_why why, struct connection **out, struct error *err);

#endif
