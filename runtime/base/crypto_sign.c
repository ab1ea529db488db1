/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_sign -- signatures by private keys, and RSA keys made of their numbers. Declared in
 * crypto.h.
 */
#include "base/crypto_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 2048 /* RFC 7518, 3.3 */
#define RSA_BITS_MAX 8192 /* a signature takes the cube of it: 60 ms */
#define RSA_NUMBER_BYTES_MAX (RSA_BITS_MAX / 8 + 1) /* a zero may lead */
#define RSA_E_BYTES_MAX 8 /* it is used once a signature, to check it */
#define ES256_NUMBER_BYTES 32

static const char *const rsa_names[CRYPTO_RSA_NUMBERS] = {
    [CRYPTO_RSA_N] = OSSL_PKEY_PARAM_RSA_N,
    [CRYPTO_RSA_E] = OSSL_PKEY_PARAM_RSA_E,
    [CRYPTO_RSA_D] = OSSL_PKEY_PARAM_RSA_D,
    [CRYPTO_RSA_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
    [CRYPTO_RSA_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
    [CRYPTO_RSA_DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
    [CRYPTO_RSA_DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
    [CRYPTO_RSA_QI] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* NULL when OpenSSL will not have the numbers. */
static EVP_PKEY *
rsa_make(OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1)
		abort();
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

int
crypto_key_rsa(TALLOC_CTX *mem, const struct crypto_number numbers[CRYPTO_RSA_NUMBERS],
	       struct crypto_key **out, struct error *err)
{
	OSSL_PARAM_BLD *builder;
	BIGNUM *values[CRYPTO_RSA_NUMBERS] = {NULL};
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	for (size_t i = 0; i < CRYPTO_RSA_NUMBERS; i++)
		if (numbers[i].length > RSA_NUMBER_BYTES_MAX)
			return error_set(err, ERR_CREDENTIALS,
					 "a number of the RSA key is over %d bytes",
					 RSA_NUMBER_BYTES_MAX);
	builder = OSSL_PARAM_BLD_new();
	if (builder == NULL)
		abort();
	for (size_t i = 0; i < CRYPTO_RSA_NUMBERS; i++) {
		if (numbers[i].data == NULL)
			continue;
		values[i] = BN_bin2bn(numbers[i].data, (int)numbers[i].length, BN_secure_new());
		if (values[i] == NULL ||
		    OSSL_PARAM_BLD_push_BN(builder, rsa_names[i], values[i]) != 1)
			abort();
	}
	params = OSSL_PARAM_BLD_to_param(builder);
	if (params == NULL)
		abort();
	key = rsa_make(params);
	OSSL_PARAM_free(params); /* wipes: the numbers are of BN_secure_new */
	for (size_t i = 0; i < CRYPTO_RSA_NUMBERS; i++)
		BN_clear_free(values[i]);
	OSSL_PARAM_BLD_free(builder);
	if (key == NULL)
		return error_set(err, ERR_CREDENTIALS,
				 "the numbers of the RSA key do not make a key");
	*out = crypto_key_own(mem, key);
	return 0;
}

static const struct signature_kind {
	const char *name, *key; /* key: as OpenSSL calls it */
	int padding;
	bool is_hashed;
} signature_kinds[] = {
    [CRYPTO_RS256] = {"RS256", "RSA", RSA_PKCS1_PADDING, true},
    [CRYPTO_PS256] = {"PS256", "RSA", RSA_PKCS1_PSS_PADDING, true},
    [CRYPTO_ES256] = {"ES256", "EC", 0, true},
    [CRYPTO_EDDSA] = {"EdDSA", "ED25519", 0, false},
};

static int
key_check_rsa(EVP_PKEY *pkey, struct error *err)
{
	BIGNUM *e = NULL;
	int bits = EVP_PKEY_get_bits(pkey), e_bytes = 0;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1)
		e_bytes = BN_num_bytes(e);
	BN_free(e);
	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return error_set(err, ERR_CREDENTIALS,
				 "the RSA key has %d bits: %d to %d are allowed", bits,
				 RSA_BITS_MIN, RSA_BITS_MAX);
	if (e_bytes < 1 || e_bytes > RSA_E_BYTES_MAX)
		return error_set(err, ERR_CREDENTIALS,
				 "the public exponent (e) of the RSA key is 0 or over %d bytes",
				 RSA_E_BYTES_MAX);
	return 0;
}

static int
key_check(EVP_PKEY *pkey, const struct signature_kind *kind, struct error *err)
{
	char curve[32] = "";

	if (!EVP_PKEY_is_a(pkey, kind->key))
		return error_set(err, ERR_CREDENTIALS, "%s takes a key of kind %s, this is %s",
				 kind->name, kind->key, EVP_PKEY_get0_type_name(pkey));
	if (strcmp(kind->key, "RSA") == 0)
		return key_check_rsa(pkey, err);
	if (strcmp(kind->key, "EC") == 0 &&
	    (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve,
					    sizeof(curve), NULL) != 1 ||
	     strcmp(curve, "prime256v1") != 0)) {
		ERR_clear_error();
		return error_set(err, ERR_CREDENTIALS,
				 "%s takes an EC key on the curve P-256, this one is on %s",
				 kind->name, curve[0] == '\0' ? "a curve of its own" : curve);
	}
	return 0;
}

static bool
set_padding(EVP_PKEY_CTX *ctx, int padding)
{
	return padding == 0 ||
	       (EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1 &&
		(padding != RSA_PKCS1_PSS_PADDING ||
		 EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1));
}

/* An RSA signature is checked: with numbers that do not fit it is wrong, and tells of them. */
static bool
sign_bytes(EVP_PKEY *pkey, const struct signature_kind *kind, const void *data, size_t length,
	   unsigned char *out, size_t *out_length)
{
	const EVP_MD *md = kind->is_hashed ? EVP_sha256() : NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new(), *check = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options;
	bool ok;

	if (ctx == NULL || check == NULL)
		abort();
	ok = EVP_DigestSignInit(ctx, &options, md, NULL, pkey) == 1 &&
	     set_padding(options, kind->padding) &&
	     EVP_DigestSign(ctx, out, out_length, data, length) == 1;
	if (kind->padding != 0)
		ok = ok && EVP_DigestVerifyInit(check, &options, md, NULL, pkey) == 1 &&
		     set_padding(options, kind->padding) &&
		     EVP_DigestVerify(check, out, *out_length, data, length) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_MD_CTX_free(check);
	ERR_clear_error();
	return ok;
}

/* Of OpenSSL's DER makes r and s, each of the same length (RFC 7518, 3.4). */
static void
raw_signature(unsigned char *signature, size_t *length)
{
	const unsigned char *at = signature;
	ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)*length);

	if (parts == NULL ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, ES256_NUMBER_BYTES) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + ES256_NUMBER_BYTES,
			 ES256_NUMBER_BYTES) < 0)
		abort();
	*length = 2 * (size_t)ES256_NUMBER_BYTES;
	ECDSA_SIG_free(parts);
}

int
crypto_key_sign(TALLOC_CTX *mem, const struct crypto_key *key, enum crypto_signature kind,
		const void *data, size_t length, unsigned char **out, size_t *out_length,
		struct error *err)
{
	const struct signature_kind *row = &signature_kinds[kind];
	unsigned char *signature;
	size_t n;

	if (key_check(key->pkey, row, err) < 0)
		return -1;
	n = (size_t)EVP_PKEY_get_size(key->pkey);
	signature = talloc_size(mem, n);
	if (signature == NULL)
		abort();
	if (!sign_bytes(key->pkey, row, data, length, signature, &n)) {
		talloc_free(signature);
		return error_set(err, ERR_CREDENTIALS,
				 "the numbers of the private key do not fit together");
	}
	if (kind == CRYPTO_ES256)
		raw_signature(signature, &n);
	*out = signature;
	*out_length = n;
	return 0;
}

int
crypto_ed25519_sign(unsigned char out[CRYPTO_ED25519_BYTES], const char *private_key,
		    const void *data, size_t length)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	struct crypto_key *key;
	unsigned char *signature;
	struct error err;
	size_t n;
	int result = -1;

	if (crypto_key_read(scratch, private_key, &key, &err) == 0 &&
	    crypto_key_sign(scratch, key, CRYPTO_EDDSA, data, length, &signature, &n, &err) ==
		0) {
		memcpy(out, signature, CRYPTO_ED25519_BYTES);
		result = 0;
	}
	talloc_free(scratch);
	return result;
}
