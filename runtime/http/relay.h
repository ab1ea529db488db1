/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/relay -- requests that stay on the server's loop: their bodies are handed over as they
 * arrive, and their replies are written as they are made (a proxy).
 *
 * All calls on the server's loop. Nothing here blocks or keeps more than what a socket did not
 * take: who writes looks at relay_unsent(), and stops until `drained`. A relay ends by
 * relay_end, relay_reply, relay_refuse or relay_abort, after which the request is gone, or by
 * `gone`.
 */
#ifndef NANGO_HTTP_RELAY_H
#define NANGO_HTTP_RELAY_H

#include "base/buf.h"
#include "http/server.h"

#define RELAY_HIGH (256 * 1024) /* unsent bytes, over which its writer should stop */
#define RELAY_LOW (64 * 1024)	/* and under which `drained` is called */

struct http_relay {
	/* The header is there. May refuse or reply at once; else sets an argument. */
	void (*begin)(struct request *req, const struct http_route *route);
	void (*data)(struct request *req, const char *data, size_t length);
	void (*end)(struct request *req);     /* of the body; not called where there is none */
	void (*drained)(struct request *req); /* unsent bytes fell under RELAY_LOW */
	/* The client went, or is too slow: no call about the request after this one. */
	void (*gone)(struct request *req);
};

void relay_set_arg(struct request *req, void *arg);
void *relay_arg(const struct request *req);

bool relay_has_body(const struct request *req);
bool relay_body_is_over(const struct request *req);
int64_t
relay_body_length(const struct request *req); /* -1: chunked, not known before its end */

/* Adds to what is kept of the body, within the memory that all bodies of a node share
 * (ERR_BUSY); it counts until it is forgotten, or the reply. */
MUST_CHECK int relay_keep(struct request *req, struct buf *body, const char *data,
			  size_t length, struct error *err);
void relay_forget(struct request *req, struct buf *body);

/* Leaves the rest of the body in the socket, or goes on with it (in a later turn). */
void relay_hold(struct request *req, bool is_held);

/*
 * Begins the reply: fields (names, values; ends with a NULL name) but those of the connection
 * and of framing. length: of the body; -1: not known. Bytes are gathered until relay_flush, or
 * until another request writes.
 */
void relay_head(struct request *req, int status, const struct http_field *fields,
		int64_t length);
void relay_write(struct request *req, const void *data, size_t length);
void relay_flush(struct request *req);
size_t relay_unsent(const struct request *req);
void relay_end(struct request *req);

struct response *relay_response(struct request *req); /* for relay_reply */
void relay_reply(struct request *req);		      /* what response_… made, whole */
void relay_refuse(struct request *req, const struct error *err);
void relay_abort(struct request *req); /* by a reset: half a reply is not taken for a whole */

#endif
