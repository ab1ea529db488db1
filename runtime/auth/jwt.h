/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/jwt -- JSON Web Tokens (RFC 7519) in the compact form of RFC 7515: signed with a
 * customer's key, and read without a check of who signed. Any thread.
 */
#ifndef NANGO_AUTH_JWT_H
#define NANGO_AUTH_JWT_H

#include "base/error.h"
#include "base/json.h"

#define JWT_TEXT_MAX (64 * 1024)

/* A text or a JWK. */
struct jwt_key {
	/* The secret of HS…; else a private key in any form that crypto_key_read takes. */
	const char *text;
	bool is_hex;		 /* the secret of HS… is written in hexadecimal digits */
	struct json_object *jwk; /* a private RSA key (RFC 7518, 6.3) */
};

/*
 * The token, wiped when it is freed. What signs is header.alg: HS256, HS384, HS512, RS256,
 * PS256, ES256 or EdDSA (Ed25519). Members stay in their order, none are added.
 * ERR_CREDENTIALS, which never shows the key, when algorithm and key do not fit.
 */
MUST_CHECK int jwt_sign(TALLOC_CTX *mem, struct json_object *header,
			struct json_object *payload, const struct jwt_key *key, char **out,
			struct error *err);

/*
 * The payload of a signed JWT, an object, NOT verified: to look at exp or tid of a token that
 * came from its issuer over TLS, never to believe what somebody brings. ERR_CREDENTIALS when
 * it is no such token; encrypted ones (five parts) are none.
 */
MUST_CHECK int jwt_claims(TALLOC_CTX *mem, const char *token, struct json_object **out,
			  struct error *err);

#endif
