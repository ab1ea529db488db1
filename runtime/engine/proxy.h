/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy -- an app's request to a provider, passed on with the connection's credentials:
 * on the front loop from its first byte to its last, streamed both ways.
 *
 * A request may be sent more than once (the template's and the caller's rules, credentials that
 * were renewed, redirects) as long as its body is kept: PROXY_KEEP_BYTES, or PROXY_WHOLE_BYTES
 * where retries are asked for or the request is signed.
 */
#ifndef NANGO_ENGINE_PROXY_H
#define NANGO_ENGINE_PROXY_H

#include "engine/node.h"
#include "http/server.h"

#define PROXY_KEEP_BYTES (64 * 1024)
#define PROXY_WHOLE_BYTES (10 * 1024 * 1024)
#define PROXY_TOLD_BYTES                                                             \
	(64 * 1024)	     /* of a refusal that is looked into, or read to its end \
			      */
#define PROXY_DROP_MS 5000   /* for the rest of such an answer */
#define PROXY_HOPS_MAX 5     /* redirects */
#define PROXY_QUEUE_MS 60000 /* for a connection to the provider */
#define PROXY_TURN_MS \
	30000 /* for a turn within the provider's limits; a longer wait is a 429 */
#define PROXY_RETRIES_MAX 20
#define PROXY_STATUSES_MAX 32

struct proxy_options {
	const unsigned char *key_hash; /* copied; CRYPTO_SHA256_BYTES */
	const char *integration_key, *connection_id;
	const char *base_url; /* in place of the template's; NULL: the template's */
	unsigned retries;
	int retry_on[PROXY_STATUSES_MAX + 1]; /* ends with 0 */
	bool decodes;			      /* besides what the template says */
	bool follows_with_all;
};

/* Whether a key with these scopes may do that ("proxy", "connections:read_credentials"). */
typedef bool proxy_may(const char *scopes, const char *scope);

/* On the front loop; answers the request, now or later. Strings live as long as the request. */
void proxy_begin(struct node *node, struct request *req, const struct proxy_options *options,
		 proxy_may *may);

/* The other events of the request's relay. */
void proxy_data(struct request *req, const char *data, size_t length);
void proxy_end(struct request *req);
void proxy_drained(struct request *req);
void proxy_gone(struct request *req);

#endif
