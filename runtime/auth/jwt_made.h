/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/jwt_made -- a JWT as a template's `token` and `signature` describe it.
 */
#ifndef NANGO_AUTH_JWT_MADE_H
#define NANGO_AUTH_JWT_MADE_H

#include "auth/token.h"

/* The token, with iat and exp; *expires_ms is its end. */
MUST_CHECK int jwt_made(struct auth_grant *grant, const struct expand_scope *scope, char **out,
			int64_t *expires_ms, struct error *err);

#endif
