/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/saml -- SAML 2.0 assertions (saml-core-2.0-os), signed as XML Signature says: enveloped,
 * exclusive canonical form, RSA with SHA-256.
 */
#ifndef NANGO_AUTH_SAML_H
#define NANGO_AUTH_SAML_H

#include "base/error.h"
#include "base/json.h"

struct saml_assertion {
	const char *issuer, *name_id, *recipient, *audience, *session_index;
	struct json_object *attributes; /* texts; NULL: none */
	int64_t now_ms, life_ms;
};

/* XML without white space between elements. key: a private RSA key. ERR_CREDENTIALS. */
MUST_CHECK int saml_sign(TALLOC_CTX *mem, const struct saml_assertion *from, const char *key,
			 char **out, struct error *err);

#endif
