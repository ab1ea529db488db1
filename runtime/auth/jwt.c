/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/jwt -- see jwt.h.
 */
#include "auth/jwt.h"
#include "base/crypto.h"

#include <string.h>

static const struct algorithm {
	const char *name;
	bool is_hmac;
	enum crypto_hash hash;		 /* of HMAC */
	enum crypto_signature signature; /* of the others */
} algorithms[] = {
    {.name = "HS256", .is_hmac = true, .hash = CRYPTO_SHA256},
    {.name = "HS384", .is_hmac = true, .hash = CRYPTO_SHA384},
    {.name = "HS512", .is_hmac = true, .hash = CRYPTO_SHA512},
    {.name = "RS256", .signature = CRYPTO_RS256},
    {.name = "PS256", .signature = CRYPTO_PS256},
    {.name = "ES256", .signature = CRYPTO_ES256},
    {.name = "EdDSA", .signature = CRYPTO_EDDSA},
};

static int
algorithm_of(struct json_object *header, const struct algorithm **out, struct error *err)
{
	const char *name = json_string(header, "alg");

	if (name == NULL)
		return error_set_at(err, ERR_CREDENTIALS, "alg",
				    "the header of a JWT needs a text alg");
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (strcmp(algorithms[i].name, name) == 0) {
			*out = &algorithms[i];
			return 0;
		}
	}
	return error_set_at(
	    err, ERR_CREDENTIALS, "alg",
	    "the algorithm of a JWT is HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA");
}

static int
sign_hmac(TALLOC_CTX *mem, const struct algorithm *algorithm, const struct jwt_key *key,
	  const char *input, char **signature, struct error *err)
{
	unsigned char digest[CRYPTO_HASH_MAX];
	const unsigned char *secret = (const unsigned char *)key->text;
	size_t length;

	if (key->text == NULL)
		return error_set(err, ERR_CREDENTIALS, "%s takes a secret, not a JWK",
				 algorithm->name);
	length = strlen(key->text);
	if (length == 0 || length > CRYPTO_KEY_TEXT_MAX)
		return error_set(err, ERR_CREDENTIALS, "the secret of %s is %s",
				 algorithm->name, length == 0 ? "empty" : "too long");
	if (key->is_hex) {
		secret = crypto_unhex(mem, key->text, &length);
		if (secret == NULL)
			return error_set(err, ERR_CREDENTIALS,
					 "the secret of %s must be pairs of hexadecimal digits",
					 algorithm->name);
	}
	length = crypto_hmac(digest, algorithm->hash, secret, length, input, strlen(input));
	*signature = crypto_base64url(mem, digest, length);
	return 0;
}

/* RFC 7518, 6.3. */
static const char *const jwk_members[CRYPTO_RSA_NUMBERS] = {
    [CRYPTO_RSA_N] = "n",   [CRYPTO_RSA_E] = "e",   [CRYPTO_RSA_D] = "d",
    [CRYPTO_RSA_P] = "p",   [CRYPTO_RSA_Q] = "q",   [CRYPTO_RSA_DP] = "dp",
    [CRYPTO_RSA_DQ] = "dq", [CRYPTO_RSA_QI] = "qi",
};

static int
jwk_number(TALLOC_CTX *mem, struct json_object *jwk, const char *member,
	   struct crypto_number *out, struct error *err)
{
	struct json_object *value = json_member(jwk, member);
	unsigned char *bytes;
	size_t length;

	if (value == NULL)
		return 0;
	if (!json_object_is_type(value, json_type_string) ||
	    json_object_get_string_len(value) > CRYPTO_KEY_TEXT_MAX)
		return error_set(err, ERR_CREDENTIALS, "%s of the JWK must be a text", member);
	bytes = crypto_unbase64url(mem, json_object_get_string(value),
				   (size_t)json_object_get_string_len(value), &length);
	if (bytes == NULL)
		return error_set(err, ERR_CREDENTIALS, "%s of the JWK must be base64url",
				 member);
	out->data = (unsigned char *)crypto_secret(mem, (char *)bytes, length);
	out->length = length;
	crypto_wipe(bytes, length);
	return 0;
}

static int
key_of_jwk(TALLOC_CTX *mem, struct json_object *jwk, struct crypto_key **out, struct error *err)
{
	struct crypto_number numbers[CRYPTO_RSA_NUMBERS] = {0};
	const char *kind = json_string(jwk, "kty");
	size_t given = 0;

	if (kind == NULL || strcmp(kind, "RSA") != 0)
		return error_set(err, ERR_CREDENTIALS, "kty of the JWK must be RSA");
	if (json_member(jwk, "oth") != NULL)
		return error_set(err, ERR_CREDENTIALS,
				 "RSA keys of more than two primes (oth) are not taken");
	for (size_t i = 0; i < CRYPTO_RSA_NUMBERS; i++) {
		if (jwk_number(mem, jwk, jwk_members[i], &numbers[i], err) < 0)
			return -1;
		if (numbers[i].data != NULL)
			given++;
		else if (i <= CRYPTO_RSA_D)
			return error_set(err, ERR_CREDENTIALS, "the JWK has no %s%s",
					 jwk_members[i],
					 i == CRYPTO_RSA_D ? ": it is a public key" : "");
	}
	if (given != CRYPTO_RSA_D + 1 && given != CRYPTO_RSA_NUMBERS)
		return error_set(err, ERR_CREDENTIALS,
				 "a JWK has all of p, q, dp, dq and qi or none");
	return crypto_key_rsa(mem, numbers, out, err);
}

static int
sign_key(TALLOC_CTX *mem, const struct algorithm *algorithm, const struct jwt_key *key,
	 const char *input, char **signature, struct error *err)
{
	struct crypto_key *private_key;
	unsigned char *bytes;
	size_t length;

	if ((key->text != NULL ? crypto_key_read(mem, key->text, &private_key, err)
			       : key_of_jwk(mem, key->jwk, &private_key, err)) < 0 ||
	    crypto_key_sign(mem, private_key, algorithm->signature, input, strlen(input),
			    &bytes, &length, err) < 0)
		return -1;
	*signature = crypto_base64url(mem, bytes, length);
	return 0;
}

int
jwt_sign(TALLOC_CTX *mem, struct json_object *header, struct json_object *payload,
	 const struct jwt_key *key, char **out, struct error *err)
{
	const struct algorithm *algorithm = NULL;
	TALLOC_CTX *scratch;
	char *head, *body, *input = NULL, *signature = NULL, *token;
	int result = -1;

	if (algorithm_of(header, &algorithm, err) < 0)
		return -1;
	scratch = talloc_new(NULL);
	head = json_text(scratch, header);
	body = json_text(scratch, payload);
	if (strlen(head) + strlen(body) > JWT_TEXT_MAX / 2) {
		error_set(err, ERR_CREDENTIALS, "a JWT of over %d bytes is not signed",
			  JWT_TEXT_MAX / 2);
	} else {
		input = talloc_asprintf(scratch, "%s.%s",
					crypto_base64url(scratch, head, strlen(head)),
					crypto_base64url(scratch, body, strlen(body)));
		result = algorithm->is_hmac
			     ? sign_hmac(scratch, algorithm, key, input, &signature, err)
			     : sign_key(scratch, algorithm, key, input, &signature, err);
	}
	if (result == 0) {
		token = talloc_asprintf(scratch, "%s.%s", input, signature);
		*out = crypto_secret(mem, token, strlen(token));
		crypto_wipe(token, strlen(token));
		crypto_wipe(signature, strlen(signature));
	}
	talloc_free(scratch);
	return result;
}

static int
no_jwt(struct error *err, const char *why)
{
	return error_set(err, ERR_CREDENTIALS, "the token is not a signed JWT: %s", why);
}

int
jwt_claims(TALLOC_CTX *mem, const char *token, struct json_object **out, struct error *err)
{
	const char *payload = strchr(token, '.');
	const char *signature = payload == NULL ? NULL : strchr(payload + 1, '.');
	struct json_object *claims;
	char *text;
	size_t length;
	int result;

	if (strlen(token) > JWT_TEXT_MAX)
		return no_jwt(err, "it is over 65536 bytes");
	if (signature == NULL || strchr(signature + 1, '.') != NULL || payload == token)
		return no_jwt(err, "it does not have three parts");
	if (strspn(token,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") !=
	    strlen(token))
		return no_jwt(err, "it has characters that base64url has not");
	text = (char *)crypto_unbase64url(mem, payload + 1, (size_t)(signature - payload) - 1,
					  &length);
	if (text == NULL)
		return no_jwt(err, "its payload is not base64url");
	result = json_parse(mem, text, length, &claims, err);
	talloc_free(text);
	if (result < 0)
		return no_jwt(err, "its payload is not JSON");
	if (!json_object_is_type(claims, json_type_object))
		return no_jwt(err, "its payload is not an object");
	*out = claims;
	return 0;
}
