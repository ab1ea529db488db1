/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto -- the few primitives the project uses, all OpenSSL 3; EVP is seen nowhere else.
 * Any thread may call.
 */
#ifndef NANGO_BASE_CRYPTO_H
#define NANGO_BASE_CRYPTO_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define CRYPTO_KEY_BYTES 32
#define CRYPTO_NONCE_BYTES 12
#define CRYPTO_TAG_BYTES 16
#define CRYPTO_SHA256_BYTES 32
#define CRYPTO_SHA1_BYTES 20
#define CRYPTO_ED25519_BYTES 64 /* a signature */
#define CRYPTO_KEY_TEXT_MAX 16384

void crypto_random(void *out, size_t length); /* aborts when the system has no entropy */
void crypto_sha256(unsigned char out[CRYPTO_SHA256_BYTES], const void *data, size_t length);
void crypto_hmac_sha256(unsigned char out[CRYPTO_SHA256_BYTES], const void *key,
			size_t key_length, const void *data, size_t length);

/* For old APIs that ask for it; nothing of ours relies on SHA-1. */
void crypto_hmac_sha1(unsigned char out[CRYPTO_SHA1_BYTES], const void *key, size_t key_length,
		      const void *data, size_t length);

/*
 * With keys as people paste them: PEM, also on one line or with \n written out, or the base64
 * of a PKCS #8 or public key alone. -1 when the text is no such key.
 */
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
void crypto_hex(char *out, const void *data, size_t length); /* 2 * length + 1 bytes */

int crypto_equal(const void *a, const void *b, size_t length); /* in constant time */
void crypto_wipe(void *data, size_t length);

/* A talloc'ed copy of a secret that is wiped when it is freed. NUL-terminated. */
char *crypto_secret(TALLOC_CTX *mem, const char *text, size_t length);

#endif
