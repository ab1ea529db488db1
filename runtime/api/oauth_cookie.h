/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/oauth_cookie -- the browser that comes back is the one that was sent away. Without that,
 * who began a flow could send its address to somebody else, and get their account.
 */
#ifndef NANGO_API_OAUTH_COOKIE_H
#define NANGO_API_OAUTH_COOKIE_H

#include "api/api.h"

#define OAUTH_COOKIE_MAX 33

/* A secret for a new flow, which the browser keeps for an hour; set with the redirect. */
void oauth_cookie_make(char out[OAUTH_COOKIE_MAX]);
void oauth_cookie_set(struct call *call, struct response *res, const char *state,
		      const char *secret);
/* It came back with it. ERR_FORBIDDEN. */
MUST_CHECK int oauth_cookie_check(struct call *call, const char *state, const char *secret,
				  struct error *err);

#endif
