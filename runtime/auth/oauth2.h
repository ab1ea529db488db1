/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth2 -- what the OAuth 2.0 modes share.
 */
#ifndef NANGO_AUTH_OAUTH2_H
#define NANGO_AUTH_OAUTH2_H

#include "auth/token.h"

/* The authorization request (RFC 6749 4.1.1) as a URL for a browser. */
MUST_CHECK int oauth2_begin(struct auth_grant *grant, const struct auth_flow *flow, char **url,
			    struct error *err);

/* Credentials from an answer; a refresh token and the app's override stay what they were. */
MUST_CHECK int oauth2_take(struct auth_grant *grant, struct json_object *answer,
			   struct error *err);

#endif
