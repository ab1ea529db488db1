/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand_function -- the functions of ${…}; a new one is a row.
 */
#include "base/crypto.h"
#include "provider/expand_parts.h"

#include <string.h>

static int
fn_base64(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	(void)count;
	buf_adds(out, crypto_base64(x->mem, arguments[0], strlen(arguments[0])));
	return 0;
}

static int
fn_sha256_hex(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	(void)x;
	(void)count;
	crypto_sha256(digest, arguments[0], strlen(arguments[0]));
	crypto_hex(hex, digest, sizeof(digest));
	buf_adds(out, hex);
	return 0;
}

static int
fn_sha256_base64(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];

	(void)count;
	crypto_sha256(digest, arguments[0], strlen(arguments[0]));
	buf_adds(out, crypto_base64(x->mem, digest, sizeof(digest)));
	return 0;
}

static int
fn_hmac_sha1_hex(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	unsigned char digest[CRYPTO_HASH_MAX];
	char hex[2 * CRYPTO_HASH_MAX + 1];

	(void)x;
	(void)count;
	crypto_hex(hex, digest,
		   crypto_hmac(digest, CRYPTO_SHA1, arguments[1], strlen(arguments[1]),
			       arguments[0], strlen(arguments[0])));
	buf_adds(out, hex);
	return 0;
}

static int
fn_ed25519_sign(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	unsigned char signature[CRYPTO_ED25519_BYTES];

	(void)count;
	if (crypto_ed25519_sign(signature, arguments[1], arguments[0], strlen(arguments[0])) <
	    0)
		return error_set(
		    x->err, ERR_TEMPLATE,
		    "the key of ed25519Sign is no Ed25519 private key in PEM form");
	buf_adds(out, crypto_base64(x->mem, signature, sizeof(signature)));
	return 0;
}

/* As Snowflake and OpenSSH write the fingerprint of a public key. */
static int
fn_fingerprint(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];

	(void)count;
	if (crypto_key_fingerprint(digest, arguments[0]) < 0)
		return error_set(x->err, ERR_TEMPLATE,
				 "the key of fingerprint is no key in PEM form");
	buf_addf(out, "SHA256:%s", crypto_base64(x->mem, digest, sizeof(digest)));
	return 0;
}

static int
fn_aws_sigv4(struct expansion *x, char *const *arguments, size_t count, struct buf *out)
{
	char *text;

	if (x->scope->sign == NULL)
		return error_set_at(x->err, ERR_NOT_FOUND, "awsSigV4",
				    "${awsSigV4(…)} needs a request to sign");
	if (x->scope->sign(x->scope->sign_arg, x->mem, arguments, count, &text, x->err) < 0)
		return -1;
	buf_adds(out, text);
	return 0;
}

static const struct expand_function functions[] = {
    {"base64", 1, 1, fn_base64},
    {"sha256Hex", 1, 1, fn_sha256_hex},
    {"sha256Base64", 1, 1, fn_sha256_base64},
    {"hmacSha1Hex", 2, 2, fn_hmac_sha1_hex},
    {"ed25519Sign", 2, 2, fn_ed25519_sign},
    {"fingerprint", 1, 1, fn_fingerprint},
    {"awsSigV4", 4, 5, fn_aws_sigv4},
};

const struct expand_function *
expand_function_find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strlen(functions[i].name) == length &&
		    strncmp(functions[i].name, name, length) == 0)
			return &functions[i];
	return NULL;
}
