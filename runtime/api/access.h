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
