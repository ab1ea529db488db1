/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/access -- who may call: keys and scopes; in `nangod dev`, Host and Origin.
 */
#ifndef NANGO_API_ACCESS_H
#define NANGO_API_ACCESS_H

#include "api/api.h"

/* Finds key and environment of a call and checks the route's scope. */
MUST_CHECK int access_check(struct call *call, const struct api_route *route,
			    struct error *err);

/* The key as the header has it; ERR_MISSING_AUTH, ERR_MALFORMED_AUTH, ERR_KEY_FORMAT. */
MUST_CHECK int access_read_key(struct request *req, const char **key, struct error *err);

/* Do these scopes, separated by spaces, hold this one? */
bool access_scopes_hold(const char *scopes, const char *scope);

/* A connect session's token in the header or the query: call->session and call->env. */
MUST_CHECK int access_session(struct call *call, struct error *err);

#define ACCESS_SESSION_TOKEN_MAX 96
void access_session_token(char out[ACCESS_SESSION_TOKEN_MAX]); /* a new one */

/*
 * On the loop, before a body is read. A page in the developer's browser can send requests to
 * loopback under a name of its own (DNS rebinding): `dev`, which is open without sign-in, takes
 * only its own host names, and only its own pages as Origin.
 */
MUST_CHECK int access_admit(struct request *req, struct node *node, struct error *err);

#endif
