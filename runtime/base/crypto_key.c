/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_key -- keys in text form, as people paste them into forms: with line ends lost, or
 * written as \n, or with nothing but the base64 in the middle. Declared in crypto.h.
 */
#include "base/crypto_key.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static const char pem_begin[] = "-----BEGIN";
static const char private_label[] = "PRIVATE KEY-----";

/* Where the base64 begins. "EC PARAMETERS" may stand before the key in a file of its own. */
static const char *
body_of(const char *text)
{
	const char *begin = strstr(text, pem_begin), *label;

	if (begin == NULL)
		return text;
	label = strstr(begin, private_label);
	if (label != NULL)
		return label + strlen(private_label);
	begin = strstr(begin + strlen(pem_begin), "-----");
	return begin == NULL ? "" : begin + strlen("-----");
}

/* The base64 between the dashes, or all of the text; without what is not of its alphabet. */
static size_t
strip(const char *text, char *out)
{
	const char *at = body_of(text), *end = strstr(at, "-----END");
	size_t n = 0;

	if (end == NULL)
		end = at + strlen(at);
	while (at < end) {
		if (*at == '\\') {
			at += strspn(at, "\\");
			if (*at != 'n' && *at != 'r')
				return 0;
		} else if (isalnum((unsigned char)*at) || strchr("+/=", *at) != NULL) {
			out[n++] = *at;
		} else if (!isspace((unsigned char)*at)) {
			return 0;
		}
		at++;
	}
	out[n] = '\0';
	return n;
}

static void
wiped_free(void *data, size_t length)
{
	if (data != NULL)
		OPENSSL_cleanse(data, length);
	talloc_free(data);
}

/* What the base64 of a key says, to be freed by wiped_free; NULL when there is none. */
static unsigned char *
key_bytes(const char *text, size_t *length)
{
	size_t size = strlen(text) + 1;
	char *stripped = talloc_size(NULL, size);
	unsigned char *bytes;

	if (stripped == NULL)
		abort();
	bytes = strip(text, stripped) == 0 ? NULL : crypto_unbase64(NULL, stripped, length);
	wiped_free(stripped, size);
	return bytes;
}

/* The text itself, or the PEM that it is the base64 of. */
static char *
unwrap(const char *text)
{
	size_t length = 0;
	unsigned char *bytes =
	    strstr(text, pem_begin) != NULL ? NULL : key_bytes(text, &length);
	const char *inner =
	    bytes != NULL && strstr((char *)bytes, pem_begin) != NULL ? (char *)bytes : text;
	char *out = crypto_secret(NULL, inner, strlen(inner));

	wiped_free(bytes, length);
	return out;
}

typedef EVP_PKEY *key_decoder(const unsigned char *der, size_t length);

static EVP_PKEY *
decode_private(const unsigned char *der, size_t length)
{
	return d2i_AutoPrivateKey(NULL, &der, (long)length);
}

static EVP_PKEY *
decode_public(const unsigned char *der, size_t length)
{
	return d2i_PUBKEY(NULL, &der, (long)length);
}

static EVP_PKEY *
key_decode(const char *text, key_decoder *decode)
{
	size_t length;
	unsigned char *der = key_bytes(text, &length);
	EVP_PKEY *key;

	if (der == NULL)
		return NULL;
	key = decode(der, length);
	ERR_clear_error(); /* what stays in the queue would be read as a fault of TLS */
	wiped_free(der, length);
	return key;
}

static const struct {
	const char *mark, *fault;
} foreign_keys[] = {
    {"OPENSSH PRIVATE KEY", "is in OpenSSH's own form: convert a copy of it with "
			    "ssh-keygen -p -m PEM"},
    {"ENCRYPTED", "is encrypted: give it without a passphrase"},
    {private_label, "has PEM lines, but what is between them is damaged or cut off"},
    {"PUBLIC KEY-----", "is a public key: the private key is needed"},
    {"CERTIFICATE-----", "is a certificate: its private key is needed"},
    {pem_begin, "is PEM, but not of a private key"},
};

/* Why the text could not be read; it is unwrapped. */
static const char *
key_fault(const char *text)
{
	EVP_PKEY *key;
	size_t length;
	unsigned char *bytes;

	if (text[strspn(text, " \t\r\n")] == '\0')
		return "is empty";
	for (size_t i = 0; i < sizeof(foreign_keys) / sizeof(foreign_keys[0]); i++)
		if (strstr(text, pem_begin) != NULL &&
		    strstr(text, foreign_keys[i].mark) != NULL)
			return foreign_keys[i].fault;
	key = key_decode(text, decode_public);
	EVP_PKEY_free(key);
	if (key != NULL)
		return "is a public key: the private key is needed";
	bytes = key_bytes(text, &length);
	if (bytes == NULL)
		return "is neither PEM nor base64";
	wiped_free(bytes, length);
	return "is base64, but not of a private key in PKCS #8, PKCS #1 or SEC 1 form";
}

static int
key_destructor(struct crypto_key *key)
{
	EVP_PKEY_free(key->pkey);
	return 0;
}

struct crypto_key *
crypto_key_own(TALLOC_CTX *mem, EVP_PKEY *pkey)
{
	struct crypto_key *key = talloc(mem, struct crypto_key);

	if (key == NULL)
		abort();
	key->pkey = pkey;
	talloc_set_destructor(key, key_destructor);
	return key;
}

int
crypto_key_read(TALLOC_CTX *mem, const char *text, struct crypto_key **out, struct error *err)
{
	char *inner;
	EVP_PKEY *pkey;

	if (strlen(text) > CRYPTO_KEY_TEXT_MAX)
		return error_set(err, ERR_CREDENTIALS, "the private key is over %d characters",
				 CRYPTO_KEY_TEXT_MAX);
	inner = unwrap(text);
	pkey = key_decode(inner, decode_private);
	if (pkey == NULL)
		error_set(err, ERR_CREDENTIALS, "the private key %s", key_fault(inner));
	else
		*out = crypto_key_own(mem, pkey);
	talloc_free(inner);
	return pkey == NULL ? -1 : 0;
}

int
crypto_key_fingerprint(unsigned char out[CRYPTO_SHA256_BYTES], const char *text)
{
	EVP_PKEY *key = NULL;
	unsigned char *der = NULL;
	char *inner;
	int length = -1;

	if (strlen(text) > CRYPTO_KEY_TEXT_MAX)
		return -1;
	inner = unwrap(text);
	key = key_decode(inner, decode_private);
	if (key == NULL)
		key = key_decode(inner, decode_public);
	talloc_free(inner);
	if (key != NULL)
		length = i2d_PUBKEY(key, &der);
	if (length > 0)
		crypto_sha256(out, der, (size_t)length);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	return length > 0 ? 0 : -1;
}
