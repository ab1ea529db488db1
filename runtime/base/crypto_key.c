/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_key -- keys in text form, as people paste them into forms: with line ends lost, or
 * written as \n, or with nothing but the base64 in the middle. Declared in crypto.h.
 */
#include "base/crypto.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* The base64 between the dashes, or all of the text; without what is not of its alphabet. */
static size_t
strip(const char *text, char *out)
{
	const char *begin = strstr(text, "-----BEGIN"), *end;
	size_t n = 0;

	if (begin != NULL) {
		begin = strstr(begin + 10, "-----");
		if (begin == NULL)
			return 0;
		begin += 5;
	} else {
		begin = text;
	}
	end = strstr(begin, "-----END");
	if (end == NULL)
		end = begin + strlen(begin);
	for (; begin < end; begin++) {
		if (begin[0] == '\\' && (begin[1] == 'n' || begin[1] == 'r'))
			begin++;
		else if (isalnum((unsigned char)*begin) || strchr("+/=", *begin) != NULL)
			out[n++] = *begin;
		else if (!isspace((unsigned char)*begin))
			return 0;
	}
	out[n] = '\0';
	return n;
}

static EVP_PKEY *
key_read(const char *text)
{
	char *stripped;
	unsigned char *der;
	const unsigned char *at;
	EVP_PKEY *key = NULL;
	size_t length;

	if (strlen(text) > CRYPTO_KEY_TEXT_MAX)
		return NULL;
	stripped = talloc_size(NULL, strlen(text) + 1);
	if (stripped == NULL)
		abort();
	der = strip(text, stripped) == 0 ? NULL : crypto_unbase64(stripped, stripped, &length);
	if (der != NULL) {
		at = der;
		key = d2i_AutoPrivateKey(NULL, &at, (long)length);
		at = der;
		if (key == NULL)
			key = d2i_PUBKEY(NULL, &at, (long)length);
		OPENSSL_cleanse(der, length);
		ERR_clear_error(); /* what stays in the queue would be read as a fault of TLS */
	}
	OPENSSL_cleanse(stripped, talloc_get_size(stripped));
	talloc_free(stripped);
	return key;
}

int
crypto_ed25519_sign(unsigned char out[CRYPTO_ED25519_BYTES], const char *private_key,
		    const void *data, size_t length)
{
	EVP_PKEY *key = key_read(private_key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = CRYPTO_ED25519_BYTES;
	int ok = ctx != NULL && key != NULL && EVP_PKEY_is_a(key, "ED25519") &&
		 EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		 EVP_DigestSign(ctx, out, &n, data, length) == 1;

	ERR_clear_error();
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : -1;
}

int
crypto_key_fingerprint(unsigned char out[CRYPTO_SHA256_BYTES], const char *text)
{
	EVP_PKEY *key = key_read(text);
	unsigned char *der = NULL;
	int length = key == NULL ? -1 : i2d_PUBKEY(key, &der);

	if (length > 0)
		crypto_sha256(out, der, (size_t)length);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	return length > 0 ? 0 : -1;
}
