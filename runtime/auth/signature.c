/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/signature -- the mode SIGNATURE: a WSSE UsernameToken, made anew every five minutes.
 */
#include "auth/auth.h"
#include "auth/wsse.h"
#include "base/clock.h"

#define LIFE_MS (5 * 60 * 1000)

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	const char *username, *password;

	if (auth_text(given, "username", 1, WSSE_PART_MAX, &username, err) < 0 ||
	    auth_text(given, "password", 1, WSSE_PART_MAX, &password, err) < 0)
		return -1;
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "SIGNATURE");
	json_add(*out, "username", username);
	json_add(*out, "password", password);
	return auth_fields(template, given, *out, err);
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	char iso[CLOCK_ISO_MAX], *token;

	if (wsse_header(grant->mem, json_string(grant->credentials, "username"),
			json_string(grant->credentials, "password"), NULL, grant->now_ms,
			&token, err) < 0)
		return -1;
	grant->expires_ms = grant->now_ms + LIFE_MS;
	json_add(made, "type", "SIGNATURE");
	json_add(made, "token", token);
	clock_iso(iso, grant->expires_ms);
	json_add(made, "expires_at", iso);
	auth_keep(made, grant->credentials);
	grant->credentials = made;
	return 0;
}

const struct auth_scheme auth_signature = {
    .mode = "SIGNATURE",
    .doc = "User name and password as a WSSE token in a header of the template's.",
    .validate = validate,
    .obtain = obtain,
    .renew = obtain,
};
