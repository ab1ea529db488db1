/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth1 -- requests signed as RFC 5849 says (OAuth 1.0). Any thread.
 */
#ifndef NANGO_AUTH_OAUTH1_H
#define NANGO_AUTH_OAUTH1_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define OAUTH1_NONCE_MAX 33 /* 32 characters and the NUL */

/* HMAC-SHA256 is no part of the RFC, but what NetSuite wants. */
enum oauth1_method { OAUTH1_HMAC_SHA1, OAUTH1_HMAC_SHA256, OAUTH1_PLAINTEXT };

struct oauth1 {
	enum oauth1_method method;
	const char *consumer_key, *consumer_secret;
	const char *token, *token_secret; /* NULL: none */
	const char *callback;		  /* oauth_callback, of the first request; or NULL */
	const char *verifier;		  /* oauth_verifier, of the second; or NULL */
	const char *realm;		  /* NULL: none */
	const char *nonce;
	int64_t timestamp_s;
	bool is_versionless; /* without oauth_version, which RFC 5849 leaves to the client */
};

struct oauth1_request {
	const char *method, *url; /* as it goes over the wire */
	const char *form; /* a body that is application/x-www-form-urlencoded, or NULL */
	size_t form_length;
};

/* A nonce and the time by this machine's clock. */
void oauth1_fresh(char nonce[OAUTH1_NONCE_MAX], int64_t *timestamp_s);

/* The signature base string (section 3.4.1). It may hold secrets of the form: wiped. */
MUST_CHECK int oauth1_base_string(TALLOC_CTX *mem, const struct oauth1 *oauth,
				  const struct oauth1_request *request, char **out,
				  struct error *err);

/*
 * The Authorization header's value, wiped when it is freed. ERR_CREDENTIALS when there is no
 * consumer key or the realm cannot stand in a header, ERR_BAD_REQUEST for what cannot be
 * signed.
 */
MUST_CHECK int oauth1_header(TALLOC_CTX *mem, const struct oauth1 *oauth,
			     const struct oauth1_request *request, char **out,
			     struct error *err);

#endif
