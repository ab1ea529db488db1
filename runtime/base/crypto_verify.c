/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_verify -- signatures of others, by their public keys. Declared in crypto.h.
 */
#include "base/crypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define ED25519_HEX 64

/* PEM, or the hexadecimal digits of an Ed25519 key. */
static EVP_PKEY *
read_key(const char *text)
{
	EVP_PKEY *key = NULL;
	unsigned char *raw;
	size_t length;
	BIO *bio;

	if (strlen(text) == ED25519_HEX) {
		raw = crypto_unhex(NULL, text, &length);
		if (raw != NULL)
			key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, length);
		talloc_free(raw);
		return key;
	}
	bio = BIO_new_mem_buf(text, -1);
	if (bio != NULL)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return key;
}

bool
crypto_verify(const char *public_key, enum crypto_signature kind, const void *data,
	      size_t length, const unsigned char *signature, size_t signature_length)
{
	bool is_ed25519 = kind == CRYPTO_EDDSA, is_good = false;
	EVP_PKEY *key = read_key(public_key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (key != NULL && ctx != NULL &&
	    EVP_PKEY_base_id(key) == (is_ed25519 ? EVP_PKEY_ED25519 : EVP_PKEY_RSA) &&
	    EVP_DigestVerifyInit(ctx, NULL, is_ed25519 ? NULL : EVP_sha256(), NULL, key) == 1)
		is_good = EVP_DigestVerify(ctx, signature, signature_length, data, length) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is_good;
}
