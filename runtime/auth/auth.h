/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth -- the auth modes behind one interface; a mode is one file and one row in auth.c.
 */
#ifndef NANGO_AUTH_AUTH_H
#define NANGO_AUTH_AUTH_H

#include "base/error.h"
#include "base/json.h"
#include "provider/expand.h"

struct auth_scheme {
	const char *mode; /* as in templates: "API_KEY" */
	const char *doc;
	/*
	 * The credentials of a request body, checked and in the form in which they are sealed:
	 * {"type", …}. *out belongs to mem. ERR_INVALID_BODY at credentials.….
	 */
	int (*validate)(TALLOC_CTX *mem, struct json_object *given, struct json_object **out,
			struct error *err);
	/* The Authorization header unless the template has its own; NULL where a mode has none.
	 */
	char *(*authorization)(TALLOC_CTX *mem, struct json_object *credentials);
};

/* NULL when the mode cannot be connected by this version. */
const struct auth_scheme *auth_scheme_find(const char *mode);
const struct auth_scheme *const *auth_schemes(size_t *count);

extern const struct auth_scheme auth_api_key, auth_basic, auth_none;

/* For validate: a string member within 1..max bytes (min 0: may be empty). */
MUST_CHECK int auth_text(struct json_object *given, const char *key, size_t min, size_t max,
			 const char **out, struct error *err);

#endif
