/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto -- see crypto.h. OpenSSL calls that cannot fail on valid input abort when they do:
 * going on without encryption is never an option.
 */
#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void
must(int ok, const char *what)
{
	if (ok == 1)
		return;
	fprintf(stderr, "crypto: %s failed\n", what);
	abort();
}

void
crypto_random(void *out, size_t length)
{
	unsigned char *at = out;

	while (length > 0) {
		ssize_t n = getrandom(at, length, 0);

		if (n < 0)
			must(0, "getrandom");
		at += n;
		length -= (size_t)n;
	}
}

double
crypto_random_part(void)
{
	uint32_t bits;

	crypto_random(&bits, sizeof(bits));
	return bits / 4294967296.0;
}

/* Found once: OpenSSL looks for what EVP_sha256() names each time, which takes as long as a
 * short hash. It is never given back. */
static EVP_MD *fetched_sha256;

static void
fetch_sha256(void)
{
	fetched_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(fetched_sha256 != NULL, "sha256");
}

void
crypto_sha256(unsigned char out[CRYPTO_SHA256_BYTES], const void *data, size_t length)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned int n = 0;

	pthread_once(&once, fetch_sha256);
	must(EVP_Digest(data, length, out, &n, fetched_sha256, NULL), "sha256");
}

static const EVP_MD *
digest_of(enum crypto_hash hash)
{
	static const EVP_MD *(*const digests[])(void) = {
	    [CRYPTO_SHA1] = EVP_sha1,
	    [CRYPTO_SHA256] = EVP_sha256,
	    [CRYPTO_SHA384] = EVP_sha384,
	    [CRYPTO_SHA512] = EVP_sha512,
	};

	return digests[hash]();
}

size_t
crypto_digest(unsigned char out[CRYPTO_HASH_MAX], enum crypto_hash hash, const void *data,
	      size_t length)
{
	unsigned int n = 0;

	must(EVP_Digest(data, length, out, &n, digest_of(hash), NULL), "digest");
	return n;
}

size_t
crypto_hmac(unsigned char out[CRYPTO_HASH_MAX], enum crypto_hash hash, const void *key,
	    size_t key_length, const void *data, size_t length)
{
	unsigned int n = 0;

	must(HMAC(digest_of(hash), key, (int)key_length, data, length, out, &n) != NULL,
	     "hmac");
	return n;
}

void
crypto_hmac_sha256(unsigned char out[CRYPTO_SHA256_BYTES], const void *key, size_t key_length,
		   const void *data, size_t length)
{
	unsigned int n = 0;

	must(HMAC(EVP_sha256(), key, (int)key_length, data, length, out, &n) != NULL, "hmac");
}

void
crypto_derive(unsigned char out[CRYPTO_KEY_BYTES], const unsigned char key[CRYPTO_KEY_BYTES],
	      const char *info)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t length = CRYPTO_KEY_BYTES;

	must(ctx != NULL && EVP_PKEY_derive_init(ctx) == 1, "hkdf");
	must(EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()), "hkdf digest");
	must(EVP_PKEY_CTX_set1_hkdf_key(ctx, key, CRYPTO_KEY_BYTES), "hkdf key");
	must(EVP_PKEY_CTX_add1_hkdf_info(ctx, (const unsigned char *)info, (int)strlen(info)),
	     "hkdf info");
	must(EVP_PKEY_derive(ctx, out, &length), "hkdf derive");
	EVP_PKEY_CTX_free(ctx);
}

void
crypto_seal(unsigned char *out, const unsigned char key[CRYPTO_KEY_BYTES],
	    const unsigned char nonce[CRYPTO_NONCE_BYTES], const void *aad, size_t aad_length,
	    const void *data, size_t length)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	must(ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1,
	     "gcm");
	must(EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_length), "gcm aad");
	must(EVP_EncryptUpdate(ctx, out, &n, data, (int)length), "gcm data");
	must(EVP_EncryptFinal_ex(ctx, out + n, &n), "gcm end");
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_BYTES, out + length),
	     "gcm tag");
	EVP_CIPHER_CTX_free(ctx);
}

int
crypto_open(unsigned char *out, const unsigned char key[CRYPTO_KEY_BYTES],
	    const unsigned char nonce[CRYPTO_NONCE_BYTES], const void *aad, size_t aad_length,
	    const void *sealed, size_t length, struct error *err)
{
	EVP_CIPHER_CTX *ctx;
	unsigned char tag[CRYPTO_TAG_BYTES];
	int n = 0, ok;

	if (length < CRYPTO_TAG_BYTES)
		return error_set(err, ERR_DECRYPT, "a sealed value is too short");
	length -= CRYPTO_TAG_BYTES;
	memcpy(tag, (const unsigned char *)sealed + length, sizeof(tag));
	ctx = EVP_CIPHER_CTX_new();
	must(ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1,
	     "gcm");
	must(EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_length), "gcm aad");
	must(EVP_DecryptUpdate(ctx, out, &n, sealed, (int)length), "gcm data");
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_BYTES, tag), "gcm tag");
	ok = EVP_DecryptFinal_ex(ctx, out + n, &n);
	EVP_CIPHER_CTX_free(ctx);
	if (ok != 1) {
		crypto_wipe(out, length);
		return error_set(err, ERR_DECRYPT,
				 "a sealed value does not open with this key");
	}
	return 0;
}

char *
crypto_base64(TALLOC_CTX *mem, const void *data, size_t length)
{
	char *out = talloc_size(mem, (length + 2) / 3 * 4 + 1);

	if (out == NULL)
		abort();
	EVP_EncodeBlock((unsigned char *)out, data, (int)length);
	return out;
}

unsigned char *
crypto_unbase64(TALLOC_CTX *mem, const char *text, size_t *length)
{
	size_t n = strlen(text), padding = 0;
	unsigned char *out;
	int decoded;

	if (n == 0 || n % 4 != 0 ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789+/=") != n)
		return NULL;
	while (padding < 2 && text[n - 1 - padding] == '=')
		padding++;
	if (strcspn(text, "=") != n - padding)
		return NULL;
	out = talloc_size(mem, n / 4 * 3 + 1);
	if (out == NULL)
		abort();
	decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
	if (decoded < 0) {
		talloc_free(out);
		return NULL;
	}
	*length = (size_t)decoded - padding;
	out[*length] = '\0';
	return out;
}

char *
crypto_base64url(TALLOC_CTX *mem, const void *data, size_t length)
{
	char *out = crypto_base64(mem, data, length);
	size_t n = strcspn(out, "=");

	out[n] = '\0';
	for (size_t i = 0; i < n; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	return out;
}

/* Bits of the last character that no byte takes up: they are zero, so a text has one form. */
static bool
has_stray_bits(char last, size_t length)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	unsigned value = (unsigned)(strchr(alphabet, last) - alphabet);

	return (value & (length % 4 == 2 ? 15u : length % 4 == 3 ? 3u : 0u)) != 0;
}

unsigned char *
crypto_unbase64url(TALLOC_CTX *mem, const char *text, size_t text_length, size_t *length)
{
	char *standard = talloc_size(mem, text_length + 4);
	unsigned char *out = NULL;
	size_t n = 0;

	if (standard == NULL)
		abort();
	while (n < text_length && strchr("+/=", text[n]) == NULL) {
		standard[n] = text[n] == '-' ? '+' : text[n] == '_' ? '/' : text[n];
		n++;
	}
	if (n == text_length && n % 4 != 1) {
		while (n % 4 != 0)
			standard[n++] = '=';
		standard[n] = '\0';
		out = crypto_unbase64(mem, standard, length);
	}
	if (out != NULL && has_stray_bits(standard[text_length - 1], text_length)) {
		talloc_free(out);
		out = NULL;
	}
	OPENSSL_cleanse(standard, text_length);
	talloc_free(standard);
	return out;
}

void
crypto_hex(char *out, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < length; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	out[2 * length] = '\0';
}

int
crypto_equal(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}

void
crypto_wipe(void *data, size_t length)
{
	OPENSSL_cleanse(data, length);
}

static int
secret_destructor(char *secret)
{
	OPENSSL_cleanse(secret, talloc_get_size(secret));
	return 0;
}

char *
crypto_secret(TALLOC_CTX *mem, const char *text, size_t length)
{
	char *out = talloc_size(mem, length + 1);

	if (out == NULL)
		abort();
	memcpy(out, text, length);
	out[length] = '\0';
	talloc_set_destructor(out, secret_destructor);
	return out;
}

static int
digit_of(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

unsigned char *
crypto_unhex(TALLOC_CTX *mem, const char *text, size_t *length)
{
	size_t n = strlen(text);
	unsigned char *out;

	if (n % 2 != 0 || strspn(text, "0123456789abcdefABCDEF") != n)
		return NULL;
	out = (unsigned char *)crypto_secret(mem, text, n / 2);
	for (size_t i = 0; i < n / 2; i++)
		out[i] =
		    (unsigned char)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
	*length = n / 2;
	return out;
}
