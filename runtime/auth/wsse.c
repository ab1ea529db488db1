/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/wsse -- see wsse.h.
 */
#include "auth/wsse.h"
#include "auth/canonical.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <string.h>

static int
check_part(const char *name, const char *text, struct error *err)
{
	if (text == NULL || text[0] == '\0' || strlen(text) > WSSE_PART_MAX)
		return error_set(err, ERR_CREDENTIALS, "the %s is empty or over %d bytes", name,
				 WSSE_PART_MAX);
	return 0;
}

/* The base64 of the digits of the digest. */
static char *
password_digest(TALLOC_CTX *scratch, const char *nonce, const char *created,
		const char *password)
{
	char *input = talloc_asprintf(scratch, "%s%s%s", nonce, created, password);
	unsigned char digest[CRYPTO_HASH_MAX];
	char hex[2 * CRYPTO_HASH_MAX + 1];

	crypto_hex(hex, digest, crypto_digest(digest, CRYPTO_SHA1, input, strlen(input)));
	crypto_wipe(input, strlen(input));
	return crypto_base64(scratch, hex, strlen(hex));
}

int
wsse_header(TALLOC_CTX *mem, const char *username, const char *password,
	    const unsigned char nonce[WSSE_NONCE_BYTES], int64_t created_ms, char **out,
	    struct error *err)
{
	unsigned char made[WSSE_NONCE_BYTES];
	char hex[2 * WSSE_NONCE_BYTES + 1], created[CLOCK_ISO_MAX];
	TALLOC_CTX *scratch;
	char *text;

	if (check_part("user name", username, err) < 0 ||
	    check_part("password", password, err) < 0)
		return -1;
	if (!canonical_is_quotable(username))
		return error_set(
		    err, ERR_CREDENTIALS,
		    "the user name may hold no quotes, backslashes or control characters");
	crypto_random(made, sizeof(made));
	crypto_hex(hex, nonce == NULL ? made : nonce, WSSE_NONCE_BYTES);
	clock_iso(created, created_ms < 0 ? clock_wall_ms() : created_ms);
	scratch = talloc_new(NULL);
	text = talloc_asprintf(scratch,
			       "UsernameToken Username=\"%s\", PasswordDigest=\"%s\", "
			       "Nonce=\"%s\", Created=\"%s\"",
			       username, password_digest(scratch, hex, created, password), hex,
			       created);
	*out = crypto_secret(mem, text, strlen(text));
	crypto_wipe(text, strlen(text));
	talloc_free(scratch);
	return 0;
}
