/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/basic -- user name and password in an Authorization header (RFC 7617).
 */
#include "auth/auth.h"
#include "base/crypto.h"

#include <string.h>

#define PART_MAX 1024

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	const char *username, *password;

	if (auth_text(given, "username", 0, PART_MAX, &username, err) < 0 ||
	    auth_text(given, "password", 0, PART_MAX, &password, err) < 0)
		return -1;
	if (strchr(username, ':') != NULL)
		return error_set_at(
		    err, ERR_INVALID_BODY, "credentials.username",
		    "a user name for Basic authentication may not hold a colon");
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "BASIC");
	json_add(*out, "username", username);
	json_add(*out, "password", password);
	return auth_fields(template, given, *out, err);
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	TALLOC_CTX *scratch = talloc_new(mem);
	char *pair = talloc_asprintf(scratch, "%s:%s", json_string(credentials, "username"),
				     json_string(credentials, "password"));
	char *encoded = crypto_base64(scratch, pair, strlen(pair));
	char *header = talloc_asprintf(scratch, "Basic %s", encoded);
	char *out = crypto_secret(mem, header, strlen(header));

	crypto_wipe(pair, strlen(pair));
	crypto_wipe(encoded, strlen(encoded));
	crypto_wipe(header, strlen(header));
	talloc_free(scratch);
	return out;
}

const struct auth_scheme auth_basic = {
    .mode = "BASIC",
    .doc = "User name and password.",
    .validate = validate,
    .authorization = authorization,
};
