/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_wait -- a call of http/client from a pool thread, which waits for the answer.
 */
#ifndef NANGO_HTTP_CLIENT_WAIT_H
#define NANGO_HTTP_CLIENT_WAIT_H

#include "http/client.h"

struct http_waits;

/* On the loop's thread; lives as long as threads may wait. */
struct http_waits *http_waits_new(TALLOC_CTX *mem, struct loop *loop,
				  struct http_client *client);

/*
 * Any thread but the loop's; hold no transaction meanwhile. The answer belongs to mem.
 * ERR_NETWORK, ERR_EGRESS, ERR_BAD_REQUEST; out->was_sent is right with an error, too.
 */
MUST_CHECK int http_wait(struct http_waits *waits, TALLOC_CTX *mem,
			 const struct http_outgoing *request, struct http_incoming *out,
			 struct error *err);

/* Whoever waits, or will, gets ERR_NETWORK: the loop is about to end. Any thread. */
void http_waits_end(struct http_waits *waits);

bool http_waits_ended(struct http_waits *waits);

#endif
