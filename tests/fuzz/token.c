/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz what comes from providers and from people who paste keys: answers as forms, the claims
 * of tokens, private keys. The first byte says which.
 */
#include "auth/jwt.h"
#include "auth/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_form(TALLOC_CTX *mem, const char *text)
{
	struct json_object *tree;

	if (token_from_form(mem, text, &tree) < 0)
		return;
	if (!json_object_is_type(tree, json_type_object))
		abort();
	(void)token_text_at(mem, tree, "a.b");
	json_object_object_foreach (tree, key, value) {
		(void)key;
		if (!json_object_is_type(value, json_type_string))
			abort();
		if (token_moment(value) < 0)
			abort();
	}
}

static void
try_claims(TALLOC_CTX *mem, const char *text)
{
	struct json_object *claims;
	struct error err;

	if (jwt_claims(mem, text, &claims, &err) == 0 &&
	    !json_object_is_type(claims, json_type_object))
		abort();
}

static void
try_key(TALLOC_CTX *mem, const char *text)
{
	struct json_object *header = json_own(mem, json_object_new_object());
	const struct jwt_key key = {.text = text};
	struct error err;
	char *out;

	json_add(header, "alg", "RS256");
	(void)!jwt_sign(mem, header, json_own(mem, json_object_new_object()), &key, &out, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *text;

	if (size == 0 || size > 4096) {
		talloc_free(mem);
		return 0;
	}
	text = talloc_strndup(mem, (const char *)data + 1, size - 1);
	if (data[0] % 3 == 0)
		try_form(mem, text);
	else if (data[0] % 3 == 1)
		try_claims(mem, text);
	else
		try_key(mem, text);
	talloc_free(mem);
	return 0;
}
