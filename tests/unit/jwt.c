/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/jwt and the keys behind it: vectors of RFC 7515 and 8037, and what must be refused.
 * tests/e2e/auth-signers.test.mjs has every algorithm and every spelling of a key.
 */
#include "auth/jwt.h"
#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define P256                                                                           \
	"MHcCAQEEIAmy/WKPpZkYrzZnSRL0J4b0STtU8v32rjjF0AoLysEUoAoGCCqGSM49AwEHoUQDQgAE" \
	"lrA3kw0tKs9wRrrNRa6bPDnVV9UzNNCCr3CgMpXqSiX4Zaanr+PpA86JC7YsbNTJeViqIn+dPOEq" \
	"JyhH0wiVXA=="
#define P256_PUBLIC                                                                    \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElrA3kw0tKs9wRrrNRa6bPDnVV9UzNNCCr3CgMpXq" \
	"SiX4Zaanr+PpA86JC7YsbNTJeViqIn+dPOEqJyhH0wiVXA=="
#define P384                                                                           \
	"MIGkAgEBBDCsRx6EZxYy5PH9eBpTLGrv6VB1xyhT2vkfMvhY9AOiDSEjze/SWlReIr8EeC1931ig" \
	"BwYFK4EEACKhZANiAAQMiBl9H3Z9IyYXltl3eHQvzO4eNR83fsr+/eVy81Xe0iCfmWlVrTbjx7OJ" \
	"F03oIUvljmqNFyRRs13ZT+KcMr8U4nZLMB4Btwpaiifx5W9ceJj3JdmkWomOen6kL4Kx2kE="
#define RSA_1024                                                                       \
	"MIICXAIBAAKBgQCXqBlPbXnKvrdElyIVbpj1CeJ1D2AQ+OVBs/seZ2WUIxNKyE4H7fzWtNuszkq1" \
	"0cT/kwT5fxvG6gYwt/SMIdGIHgk7c3mOPQi3jLuYUhYVI2ApWlRCsS/kp9cCE+tuKZM5XYYJi8Iv" \
	"KkpDJ7Ne//BEY9Msna7TBEUKGogFGNqfKwIDAQABAoGAZHz08GVI2yeNxfwikHLtFQiMriYW8IgL" \
	"WILKdTXr38FyCg45bhWqgBXsrU8vv9QUJYikNjGcFSyCF4v8lVHfRL4F5tNHTw2g/qyx96Dyw1dJ" \
	"EAuXlDoFsOpSYBb/W698dL92FM/PGmSqx50jmchRABWrVvTCSVTGHV813vCLWbECQQDHmB2tZnrk" \
	"pIUaSvTkcuc5h3b2Auuf8iybkhh7kUd1eMUC3Lrg1vpsZvaaJo+d+adQReRkFWX/cCSaBjdacC8j" \
	"AkEAwoPhtk9VpjI9Oa7TPrKF3S5gRH9e/i0qX7be3pjTPWn8Tek3PZ2wRYYtLFMku/MD35C4o/EZ" \
	"XANwO3j6R56UWQJBAI4lha1CuO8xRCIPlA1Gz+om0dAvEEQfIynAiHMoai39TsHVFbqfIEYnpiTu" \
	"pYWqkUAYJqoomzWqVkbjenSMROUCQGBHlRZ/SF6+KU3++fLjvJzRUrc08JkRVBMSWliF/rE8X7VU" \
	"xZILFnAjTQLOmLUrQXSMlsgXE71WulvFsuR2WukCQDltGJY2hp8ehfH+CKm9UbKjheC9yhffWVDb" \
	"p24B2V6GLCSByjX6QcSDbMpUu2DPXo9kiPAyjbMsvz7FwCZ8Urs="
/* RFC 8032, section 7.1, test 1. */
#define ED25519 "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"

/* RFC 7515, A.2. */
#define A2_N                                                                           \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrc" \
	"S2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGz" \
	"jb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xs" \
	"mtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8" \
	"q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define A2_E "AQAB"
#define A2_D                                                                           \
	"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeX" \
	"Zx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFN" \
	"S3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4e" \
	"hNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS9" \
	"8l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
#define A2_P                                                                           \
	"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3Khoo" \
	"KeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPg" \
	"tldC-KDV5z-y2XDwGUc"
#define A2_Q                                                                           \
	"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zF" \
	"YHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBype" \
	"eF6689rjcJIDEz9RWdc"
#define A2_DP                                                                          \
	"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBf" \
	"pT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5" \
	"Mbr1C1XsmvkxHQAdYo0"
#define A2_DQ                                                                          \
	"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrm" \
	"I2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLB" \
	"Sp3nssTdlqvd0tIiTHU"
#define A2_QI                                                                          \
	"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7" \
	"fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2" \
	"-ZQwVK0JKSHuLFkuQ3U"
#define A2_SIGNATURE                                                                   \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Q" \
	"c_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTy" \
	"WzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu" \
	"sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A" \
	"XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define JWK_OF(n, d) "{\"kty\":\"RSA\",\"n\":\"" n "\",\"e\":\"AQAB\",\"d\":\"" d "\""
#define JWK JWK_OF(A2_N, A2_D)
#define JWK_PRIMES                                                                    \
	",\"p\":\"" A2_P "\",\"q\":\"" A2_Q "\",\"dp\":\"" A2_DP "\",\"dq\":\"" A2_DQ \
	"\",\"qi\":\"" A2_QI "\""

static struct json_object *
tree(TALLOC_CTX *mem, const char *text)
{
	struct json_object *out;
	struct error err;

	if (json_parse(mem, text, strlen(text), &out, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return out;
}

static void
test_rfc_7515_rsa(void **state)
{
	static const char *const texts[CRYPTO_RSA_NUMBERS] = {A2_N, A2_E,  A2_D,  A2_P,
							      A2_Q, A2_DP, A2_DQ, A2_QI};
	static const char input[] =
	    "eyJhbGciOiJSUzI1NiJ9."
	    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
	    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct crypto_number numbers[CRYPTO_RSA_NUMBERS];
	struct crypto_key *key;
	unsigned char *signature;
	size_t length;
	struct error err;

	(void)state;
	for (size_t i = 0; i < CRYPTO_RSA_NUMBERS; i++)
		numbers[i].data =
		    crypto_unbase64url(mem, texts[i], strlen(texts[i]), &numbers[i].length);
	assert_int_equal(crypto_key_rsa(mem, numbers, &key, &err), 0);
	assert_int_equal(crypto_key_sign(mem, key, CRYPTO_RS256, input, strlen(input),
					 &signature, &length, &err),
			 0);
	assert_string_equal(crypto_base64url(mem, signature, length), A2_SIGNATURE);
	talloc_free(mem);
}

/* RFC 8037, A.4. */
static void
test_rfc_8037(void **state)
{
	static const char input[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct crypto_key *key;
	unsigned char *signature;
	size_t length;
	struct error err;

	(void)state;
	assert_int_equal(crypto_key_read(mem, ED25519, &key, &err), 0);
	assert_int_equal(crypto_key_sign(mem, key, CRYPTO_EDDSA, input, strlen(input),
					 &signature, &length, &err),
			 0);
	assert_string_equal(
	    crypto_base64url(mem, signature, length),
	    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
	    "9g7sVvpAr_MuM0KAg");
	talloc_free(mem);
}

static const struct {
	const char *why, *header, *payload, *secret;
	bool is_hex;
	const char *token;
} hmac_cases[] = {
    {"the order of members is kept", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
     "{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"iat\":1516239022}", "your-256-bit-secret",
     false,
     "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lI"
     "iwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"},
    {"the same secret in hexadecimal digits, of both cases",
     "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
     "{\"sub\":\"1234567890\",\"name\":\"John Doe\",\"iat\":1516239022}",
     "796f75722d3235362d6269742D736563726574", true,
     "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lI"
     "iwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"},
};

static void
test_hmac(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hmac_cases) / sizeof(hmac_cases[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct jwt_key key = {.text = hmac_cases[i].secret,
				      .is_hex = hmac_cases[i].is_hex};
		struct error err = {0};
		char *token = NULL;

		if (jwt_sign(mem, tree(mem, hmac_cases[i].header),
			     tree(mem, hmac_cases[i].payload), &key, &token, &err) < 0 ||
		    strcmp(token, hmac_cases[i].token) != 0)
			fail_msg("%s: %s %s", hmac_cases[i].why, err.message, token);
		talloc_free(mem);
	}
}

#define PEM(label, body) "-----BEGIN " label "-----\n" body "\n-----END " label "-----\n"

static const struct {
	const char *why, *algorithm, *key, *message; /* NULL: it signs */
} key_cases[] = {
    {"SEC 1 alone", "ES256", P256, NULL},
    {"PKCS #8 alone", "EdDSA", ED25519, NULL},
    {"parameters stand before the key", "ES256",
     PEM("EC PARAMETERS", "BggqhkjOPQMBBw==") PEM("EC PRIVATE KEY", P256), NULL},
    {"its public key stands before it", "ES256",
     PEM("PUBLIC KEY", P256_PUBLIC) PEM("EC PRIVATE KEY", P256), NULL},
    {"line ends escaped twice", "ES256",
     "-----BEGIN EC PRIVATE KEY-----\\\\n" P256 "\\\\n-----END EC PRIVATE KEY-----", NULL},
    {"out of a JSON file, with its quotes and comma", "ES256",
     "\"-----BEGIN EC PRIVATE KEY-----\\n" P256 "\\n-----END EC PRIVATE KEY-----\\n\",", NULL},
    {"no key", "ES256", "", "the private key is empty"},
    {"white space", "RS256", " \r\n\t", "the private key is empty"},
    {"text", "RS256", "hunter2 is no key!", "the private key is neither PEM nor base64"},
    {"text that is base64", "RS256", "aHVudGVyMiBpcyBubyBrZXk=",
     "the private key is base64, but not of a private key in PKCS #8, PKCS #1 or SEC 1 form"},
    {"the public key, bare", "ES256", P256_PUBLIC,
     "the private key is a public key: the private key is needed"},
    {"the public key, PEM", "ES256", PEM("PUBLIC KEY", P256_PUBLIC),
     "the private key is a public key: the private key is needed"},
    {"a certificate", "RS256", PEM("CERTIFICATE", "MIIB"),
     "the private key is a certificate: its private key is needed"},
    {"OpenSSH", "EdDSA", PEM("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEA"),
     "the private key is in OpenSSH's own form: convert a copy of it with ssh-keygen -p -m "
     "PEM"},
    {"a passphrase", "RS256", PEM("ENCRYPTED PRIVATE KEY", "MIIB"),
     "the private key is encrypted: give it without a passphrase"},
    {"a passphrase of old", "RS256",
     PEM("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB"),
     "the private key is encrypted: give it without a passphrase"},
    {"a passphrase, PEM in base64", "RS256",
     "LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJVkFURSBLRVktLS0tLQo=",
     "the private key is encrypted: give it without a passphrase"},
    {"another thing in PEM", "RS256", PEM("X509 CRL", "MIIB"),
     "the private key is PEM, but not of a private key"},
    {"cut off", "ES256", PEM("EC PRIVATE KEY", "MHcCAQEEIAmy"),
     "the private key has PEM lines, but what is between them is damaged or cut off"},
    {"characters of no base64", "ES256", PEM("EC PRIVATE KEY", "#" P256),
     "the private key has PEM lines, but what is between them is damaged or cut off"},
    {"a backslash of no escape", "ES256", PEM("EC PRIVATE KEY", "\\x" P256),
     "the private key has PEM lines, but what is between them is damaged or cut off"},
    {"dashes without end", "RS256", "-----BEGIN",
     "the private key is PEM, but not of a private key"},
    {"an EC key for RS256", "RS256", P256, "RS256 takes a key of kind RSA, this is EC"},
    {"an EC key for EdDSA", "EdDSA", P256, "EdDSA takes a key of kind ED25519, this is EC"},
    {"an RSA key for ES256", "ES256", RSA_1024, "ES256 takes a key of kind EC, this is RSA"},
    {"another curve", "ES256", P384,
     "ES256 takes an EC key on the curve P-256, this one is on secp384r1"},
    {"a weak key", "RS256", RSA_1024, "the RSA key has 1024 bits: 2048 to 8192 are allowed"},
    {"an empty secret", "HS256", "", "the secret of HS256 is empty"},
    {"no algorithm", "none", "x",
     "the algorithm of a JWT is HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA"},
    {"the case of letters counts", "hs256", "x",
     "the algorithm of a JWT is HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA"},
};

static void
expect(const char *why, const char *algorithm, const struct jwt_key *key, const char *message)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *header = json_own(mem, json_object_new_object());
	struct error err = {0};
	char *token = NULL;
	int result;

	json_add(header, "alg", algorithm);
	result = jwt_sign(mem, header, tree(mem, "{\"iss\":\"i\"}"), key, &token, &err);
	if ((result == 0) != (message == NULL) || (result < 0 && token != NULL) ||
	    (result < 0 && (err.code != ERR_CREDENTIALS || strcmp(err.message, message) != 0)))
		fail_msg("%s: %d %s", why, result, err.message);
	talloc_free(mem);
}

static void
test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(key_cases) / sizeof(key_cases[0]); i++)
		expect(key_cases[i].why, key_cases[i].algorithm,
		       &(struct jwt_key){.text = key_cases[i].key}, key_cases[i].message);
	expect("half a pair", "HS256", &(struct jwt_key){.text = "abc", .is_hex = true},
	       "the secret of HS256 must be pairs of hexadecimal digits");
	expect("no digit", "HS512", &(struct jwt_key){.text = "0x00", .is_hex = true},
	       "the secret of HS512 must be pairs of hexadecimal digits");
}

static void
test_long_keys(void **state)
{
	char *text = malloc(CRYPTO_KEY_TEXT_MAX + 2);

	(void)state;
	assert_non_null(text);
	memset(text, 'A', CRYPTO_KEY_TEXT_MAX + 1);
	text[CRYPTO_KEY_TEXT_MAX + 1] = '\0';
	expect("too long", "RS256", &(struct jwt_key){.text = text},
	       "the private key is over 16384 characters");
	expect("too long", "HS256", &(struct jwt_key){.text = text},
	       "the secret of HS256 is too long");
	text[CRYPTO_KEY_TEXT_MAX] = '\0';
	expect("as long as may be", "HS256", &(struct jwt_key){.text = text}, NULL);
	expect("as long as may be", "RS256", &(struct jwt_key){.text = text},
	       "the private key is base64, but not of a private key in PKCS #8, PKCS #1 or SEC "
	       "1 form");
	free(text);
}

static const struct {
	const char *why, *jwk, *message;
} jwk_cases[] = {
    {"n, e and d will do", JWK "}", NULL},
    {"all numbers", JWK JWK_PRIMES "}", NULL},
    {"other members are nobody's", JWK ",\"kid\":\"1\",\"alg\":\"PS512\"}", NULL},
    {"no kind", "{}", "kty of the JWK must be RSA"},
    {"a list", "[]", "kty of the JWK must be RSA"},
    {"another kind", "{\"kty\":\"oct\",\"k\":\"AAAA\"}", "kty of the JWK must be RSA"},
    {"the public half", "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
     "the JWK has no d: it is a public key"},
    {"no n", "{\"kty\":\"RSA\"}", "the JWK has no n"},
    {"a number", "{\"kty\":\"RSA\",\"n\":5}", "n of the JWK must be a text"},
    {"nothing", "{\"kty\":\"RSA\",\"n\":\"\"}", "n of the JWK must be base64url"},
    {"base64 of the other alphabet", "{\"kty\":\"RSA\",\"n\":\"ab+/\"}",
     "n of the JWK must be base64url"},
    {"some of the primes", JWK ",\"p\":\"AQAB\"}",
     "a JWK has all of p, q, dp, dq and qi or none"},
    {"three primes", JWK JWK_PRIMES ",\"oth\":[]}",
     "RSA keys of more than two primes (oth) are not taken"},
    {"a small n", JWK_OF("AQAB", "AQAB") "}",
     "the RSA key has 17 bits: 2048 to 8192 are allowed"},
    {"n is 0", JWK_OF("AA", "AQAB") "}", "the RSA key has 0 bits: 2048 to 8192 are allowed"},
    {"d of another key", JWK_OF(A2_N, "AQAB") "}",
     "the numbers of the private key do not fit together"},
    {"primes of another key",
     JWK ",\"p\":\"" A2_Q "\",\"q\":\"" A2_Q
	 "\",\"dp\":\"AQAB\",\"dq\":\"AQAB\",\"qi\":\"AA\"}",
     NULL},
    {"e is 0", "{\"kty\":\"RSA\",\"n\":\"" A2_N "\",\"e\":\"AA\",\"d\":\"" A2_D "\"}",
     "the public exponent (e) of the RSA key is 0 or over 8 bytes"},
    {"e is long",
     "{\"kty\":\"RSA\",\"n\":\"" A2_N "\",\"e\":\"AQAAAAAAAAAB\",\"d\":\"" A2_D "\"}",
     "the public exponent (e) of the RSA key is 0 or over 8 bytes"},
};

static void
test_jwk(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct jwt_key key;
	char *n;

	(void)state;
	for (size_t i = 0; i < sizeof(jwk_cases) / sizeof(jwk_cases[0]); i++) {
		key = (struct jwt_key){.jwk = tree(mem, jwk_cases[i].jwk)};
		expect(jwk_cases[i].why, i % 2 ? "RS256" : "PS256", &key, jwk_cases[i].message);
	}
	expect("a JWK for HMAC", "HS256", &key, "HS256 takes a secret, not a JWK");
	expect("a JWK for ES256", "ES256", &(struct jwt_key){.jwk = tree(mem, JWK "}")},
	       "ES256 takes a key of kind EC, this is RSA");
	expect("nothing at all", "RS256", &(struct jwt_key){0}, "kty of the JWK must be RSA");
	n = talloc_strndup(mem, A2_N A2_N A2_N A2_N A2_N, 1368); /* 1026 bytes */
	key.jwk = tree(mem, talloc_asprintf(mem, JWK_OF("%s", "AQAB") "}", n));
	expect("a longer n", "RS256", &key, "a number of the RSA key is over 1025 bytes");
	n[1366] = 'w';
	n[1367] = '\0';
	key.jwk = tree(mem, talloc_asprintf(mem, JWK_OF("%s", "AQAB") "}", n));
	expect("a long n", "RS256", &key,
	       "the RSA key has 8200 bits: 2048 to 8192 are allowed");
	talloc_free(mem);
}

#define BODY "eyJleHAiOjE3fQ" /* {"exp":17} */

static const struct {
	const char *why, *token, *message; /* NULL: exp is 17 */
} claim_cases[] = {
    {"signed", "eyJhbGciOiJub25lIn0." BODY ".AAAA", NULL},
    {"without a signature", "e30." BODY ".", NULL},
    {"nothing", "", "it does not have three parts"},
    {"opaque", "gho_16C7e42F292c6912E7710c838347Ae178B4a", "it does not have three parts"},
    {"two parts", "e30." BODY, "it does not have three parts"},
    {"an encrypted one", "e30." BODY ".a.b.c", "it does not have three parts"},
    {"no header", "." BODY ".AAAA", "it does not have three parts"},
    {"no payload", "e30..AAAA", "its payload is not base64url"},
    {"padding", "e30.eyJleHAiOjE3fQ==.AAAA", "it has characters that base64url has not"},
    {"the other alphabet", "e30.ab+/.AAAA", "it has characters that base64url has not"},
    {"a space", "e30." BODY ".AA AA", "it has characters that base64url has not"},
    {"a length that no bytes have", "e30.eyJle.AAAA", "its payload is not base64url"},
    {"bits behind the last byte", "e30.eyJleHAiOjE3fR.AAAA", "its payload is not base64url"},
    {"not JSON", "e30.aGVsbG8.AAAA", "its payload is not JSON"},
    {"a byte 0 behind the JSON", "e30.e30A.AAAA", "its payload is not JSON"},
    {"a list", "e30.W10.AAAA", "its payload is not an object"},
    {"null", "e30.bnVsbA.AAAA", "its payload is not an object"},
};

static void
test_claims(void **state)
{
	static const char prefix[] = "the token is not a signed JWT: ";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *claims = NULL;
	struct error err = {0};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(claim_cases) / sizeof(claim_cases[0]); i++) {
		const char *message = claim_cases[i].message;
		int result = jwt_claims(mem, claim_cases[i].token, &claims, &err);

		if ((result == 0) != (message == NULL) ||
		    (result == 0 && json_integer(claims, "exp", 0) != 17) ||
		    (result < 0 && (err.code != ERR_CREDENTIALS ||
				    strcmp(err.message + strlen(prefix), message) != 0)))
			fail_msg("%s: %d %s", claim_cases[i].why, result, err.message);
	}
	text = talloc_zero_size(mem, JWT_TEXT_MAX + 2);
	memset(text, 'A', JWT_TEXT_MAX + 1);
	memcpy(text, "e30." BODY ".", strlen("e30." BODY "."));
	assert_int_equal(jwt_claims(mem, text, &claims, &err), -1);
	text[JWT_TEXT_MAX] = '\0';
	assert_int_equal(jwt_claims(mem, text, &claims, &err), 0);
	talloc_free(mem);
}

static void
test_size(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *payload = json_own(mem, json_object_new_object());
	char *text = talloc_zero_size(mem, JWT_TEXT_MAX), *token = NULL;
	struct error err;

	(void)state;
	memset(text, 'x', JWT_TEXT_MAX / 2);
	json_add(payload, "x", text);
	assert_int_equal(jwt_sign(mem, tree(mem, "{\"alg\":\"HS256\"}"), payload,
				  &(struct jwt_key){.text = "k"}, &token, &err),
			 -1);
	assert_int_equal(err.code, ERR_CREDENTIALS);
	assert_int_equal(jwt_sign(mem, tree(mem, "{}"), payload, &(struct jwt_key){.text = "k"},
				  &token, &err),
			 -1);
	assert_string_equal(err.at, "alg");
	assert_null(token);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc_7515_rsa), cmocka_unit_test(test_rfc_8037),
	    cmocka_unit_test(test_hmac),	 cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_long_keys),	 cmocka_unit_test(test_jwk),
	    cmocka_unit_test(test_claims),	 cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
