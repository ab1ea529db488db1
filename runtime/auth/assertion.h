/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/assertion -- a template's assertion: a statement that is signed here and traded for a
 * token, as a JWT (RFC 7523) or as SAML 2.0 (RFC 7522).
 */
#ifndef NANGO_AUTH_ASSERTION_H
#define NANGO_AUTH_ASSERTION_H

#include "auth/auth.h"

/*
 * credentials.assertion, and assertion_expires_at, unless what is there lasts for another
 * minute. A key that came as an option is not kept: once the assertion is over it is
 * ERR_CREDENTIALS. Without the key in the template there is nothing to do.
 */
MUST_CHECK int assertion_made(struct auth_grant *grant, const struct expand_scope *scope,
			      struct error *err);

#endif
