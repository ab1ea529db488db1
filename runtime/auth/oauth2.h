/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth2 -- what the OAuth modes share.
 */
#ifndef NANGO_AUTH_OAUTH2_H
#define NANGO_AUTH_OAUTH2_H

#include "auth/token.h"

/* The authorization request (RFC 6749 4.1.1) as a URL for a browser. */
MUST_CHECK int oauth2_begin(struct auth_grant *grant, const struct auth_flow *flow, char **url,
			    struct error *err);

/* The template's authorization_url with these parameters, as its options shape it. */
MUST_CHECK int oauth2_page(struct auth_grant *grant, const struct expand_scope *scope,
			   struct json_object *params, char **url, struct error *err);

/* What is asked for, joined as the template says; "" when that is nothing. */
char *oauth2_scopes(struct auth_grant *grant, const struct auth_flow *flow);

/* Credentials from an answer; a refresh token and the app's override stay what they were. */
MUST_CHECK int oauth2_take(struct auth_grant *grant, struct json_object *answer,
			   struct error *err);

#endif
