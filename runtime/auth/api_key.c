/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/api_key -- one secret; the template says where it goes (header or query).
 */
#include "auth/auth.h"

#define KEY_MAX 1024

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	const char *key;

	/* Both spellings are in use: apiKey in the API's own answers, api_key in its requests.
	 */
	if (json_string(given, "apiKey") != NULL) {
		if (auth_text(given, "apiKey", 1, KEY_MAX, &key, err) < 0)
			return -1;
	} else if (auth_text(given, "api_key", 1, KEY_MAX, &key, err) < 0) {
		return -1;
	}
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "API_KEY");
	json_add(*out, "apiKey", key);
	return auth_fields(template, given, *out, err);
}

const struct auth_scheme auth_api_key = {
    .mode = "API_KEY",
    .doc = "A secret key or token that the provider gave out.",
    .validate = validate,
};
