/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/none -- an API that asks for no credentials.
 */
#include "auth/auth.h"

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	(void)template;
	(void)given;
	(void)err;
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "NONE");
	return 0;
}

const struct auth_scheme auth_none = {
    .mode = "NONE",
    .doc = "No credentials.",
    .validate = validate,
};
