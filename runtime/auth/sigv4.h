/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/sigv4 -- requests signed with AWS Signature Version 4 (docs.aws.amazon.com, "Create a
 * signed AWS API request"). Any thread.
 */
#ifndef NANGO_AUTH_SIGV4_H
#define NANGO_AUTH_SIGV4_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define SIGV4_HEADERS_MAX 256
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD" /* s3 takes it for a body that cannot be hashed */

struct sigv4_keys {
	const char *id, *secret;
	const char *session_token; /* NULL: keys that last */
};

struct sigv4_scope {
	const char *region, *service; /* a-z, 0-9 and "-", 64 at most: they may name a host */
	int64_t time_s;
	bool is_bare; /* x-amz-content-sha256 is left out; s3 insists on it */
};

struct sigv4_header {
	const char *name, *value;
};

struct sigv4_request {
	const char *method, *url; /* as it goes over the wire */
	/*
	 * As they go over the wire. What is changed on the way (user-agent, connection …) is
	 * not signed; host is made from the URL when it is not here.
	 */
	const struct sigv4_header *headers;
	size_t header_count;
	const void *body;
	size_t body_length;
	const char
	    *body_sha256; /* in hexadecimal digits or SIGV4_UNSIGNED; NULL: of the body */
};

/* To be set, in place of any of the same name; in the given context, wiped with it. */
struct sigv4_signed {
	struct sigv4_header headers[4];
	size_t count; /* the first is authorization, the second x-amz-date */
};

/* ERR_CREDENTIALS for keys and scope, ERR_BAD_REQUEST for what cannot be signed. */
MUST_CHECK int sigv4_sign(TALLOC_CTX *mem, const struct sigv4_keys *keys,
			  const struct sigv4_scope *scope, const struct sigv4_request *request,
			  struct sigv4_signed *out, struct error *err);

#endif
