/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto -- the few primitives the project uses, all OpenSSL 3; EVP is seen nowhere else.
 * Any thread may call.
 */
#ifndef NANGO_BASE_CRYPTO_H
#define NANGO_BASE_CRYPTO_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define CRYPTO_KEY_BYTES 32
#define CRYPTO_NONCE_BYTES 12
#define CRYPTO_TAG_BYTES 16
#define CRYPTO_SHA256_BYTES 32
#define CRYPTO_HASH_MAX 64	/* bytes of the longest hash */
#define CRYPTO_ED25519_BYTES 64 /* a signature */
#define CRYPTO_KEY_TEXT_MAX 16384

void crypto_random(void *out, size_t length); /* aborts when the system has no entropy */
double crypto_random_part(void);	      /* from 0 on, below 1 */
void crypto_sha256(unsigned char out[CRYPTO_SHA256_BYTES], const void *data, size_t length);
void crypto_hmac_sha256(unsigned char out[CRYPTO_SHA256_BYTES], const void *key,
			size_t key_length, const void *data, size_t length);

/* SHA-1 is for old APIs that ask for it; nothing of ours relies on it. */
enum crypto_hash { CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512 };
/* Both give the number of bytes. */
size_t crypto_digest(unsigned char out[CRYPTO_HASH_MAX], enum crypto_hash hash,
		     const void *data, size_t length);
size_t crypto_hmac(unsigned char out[CRYPTO_HASH_MAX], enum crypto_hash hash, const void *key,
		   size_t key_length, const void *data, size_t length);

/*
 * A private key, wiped when it is freed. Its text is as people paste it: PEM, also on one line
 * or with \n written out, the base64 between the dashes alone (PKCS #8, PKCS #1, SEC 1), or the
 * base64 of the whole PEM. ERR_CREDENTIALS says what is wrong with it, and never shows it.
 */
struct crypto_key;
MUST_CHECK int crypto_key_read(TALLOC_CTX *mem, const char *text, struct crypto_key **out,
			       struct error *err);

/* The numbers of an RSA key, big-endian, in the order of RFC 8017, A.1.2. */
enum {
	CRYPTO_RSA_N,
	CRYPTO_RSA_E,
	CRYPTO_RSA_D,
	CRYPTO_RSA_P,
	CRYPTO_RSA_Q,
	CRYPTO_RSA_DP,
	CRYPTO_RSA_DQ,
	CRYPTO_RSA_QI,
	CRYPTO_RSA_NUMBERS
};
struct crypto_number {
	const unsigned char *data; /* NULL: not given; only P to QI, and all of them */
	size_t length;
};
MUST_CHECK int crypto_key_rsa(TALLOC_CTX *mem,
			      const struct crypto_number numbers[CRYPTO_RSA_NUMBERS],
			      struct crypto_key **out, struct error *err);

/*
 * Signatures in the forms of JOSE (RFC 7518, 8037): of ES256 it is r and s. ERR_CREDENTIALS
 * when the key is of another kind, too small or too large, or its numbers do not fit together.
 */
enum crypto_signature { CRYPTO_RS256, CRYPTO_PS256, CRYPTO_ES256, CRYPTO_EDDSA };
MUST_CHECK int crypto_key_sign(TALLOC_CTX *mem, const struct crypto_key *key,
			       enum crypto_signature kind, const void *data, size_t length,
			       unsigned char **out, size_t *out_length, struct error *err);

/*
 * Is it the signature of somebody whose public key this is: PEM, or of Ed25519 64 hexadecimal
 * digits? kind is CRYPTO_RS256 or CRYPTO_EDDSA.
 */
bool crypto_verify(const char *public_key, enum crypto_signature kind, const void *data,
		   size_t length, const unsigned char *signature, size_t signature_length);

/* With the text of a key, a public one too for the fingerprint. -1 when it is no such key. */
MUST_CHECK int crypto_ed25519_sign(unsigned char out[CRYPTO_ED25519_BYTES],
				   const char *private_key, const void *data, size_t length);
/* SHA-256 of the public half (DER of SubjectPublicKeyInfo). */
MUST_CHECK int crypto_key_fingerprint(unsigned char out[CRYPTO_SHA256_BYTES], const char *key);

/* HKDF-SHA256 (RFC 5869) without salt: a key for one purpose from a master key. */
void crypto_derive(unsigned char out[CRYPTO_KEY_BYTES],
		   const unsigned char key[CRYPTO_KEY_BYTES], const char *info);

/* AES-256-GCM; out has length + CRYPTO_TAG_BYTES bytes, the tag last. */
void crypto_seal(unsigned char *out, const unsigned char key[CRYPTO_KEY_BYTES],
		 const unsigned char nonce[CRYPTO_NONCE_BYTES], const void *aad,
		 size_t aad_length, const void *data, size_t length);

/* The reverse; ERR_DECRYPT when key, nonce, aad or bytes do not belong together. */
MUST_CHECK int crypto_open(unsigned char *out, const unsigned char key[CRYPTO_KEY_BYTES],
			   const unsigned char nonce[CRYPTO_NONCE_BYTES], const void *aad,
			   size_t aad_length, const void *sealed, size_t length,
			   struct error *err);

char *crypto_base64(TALLOC_CTX *mem, const void *data, size_t length);
/* Standard alphabet with padding; NULL when the text is not that. */
unsigned char *crypto_unbase64(TALLOC_CTX *mem, const char *text, size_t *length);
/* The alphabet of URLs without padding (RFC 7515). The text need not end in NUL. */
char *crypto_base64url(TALLOC_CTX *mem, const void *data, size_t length);
unsigned char *crypto_unbase64url(TALLOC_CTX *mem, const char *text, size_t text_length,
				  size_t *length);
void crypto_hex(char *out, const void *data, size_t length); /* 2 * length + 1 bytes */
/* NULL when the text is not pairs of hexadecimal digits; wiped when it is freed. */
unsigned char *crypto_unhex(TALLOC_CTX *mem, const char *text, size_t *length);

int crypto_equal(const void *a, const void *b, size_t length); /* in constant time */
void crypto_wipe(void *data, size_t length);

/* A talloc'ed copy of a secret that is wiped when it is freed. NUL-terminated. */
char *crypto_secret(TALLOC_CTX *mem, const char *text, size_t length);

#endif
