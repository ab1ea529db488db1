/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth1_mode -- what the modes share whose requests are signed as OAuth 1.0 says.
 */
#ifndef NANGO_AUTH_OAUTH1_MODE_H
#define NANGO_AUTH_OAUTH1_MODE_H

#include "auth/client.h"
#include "auth/oauth1.h"

/* The consumer of the integration, or of the connection. ERR_CREDENTIALS: there is none. */
MUST_CHECK int oauth1_consumer(struct auth_grant *grant, struct oauth1 *out, struct error *err);

/* Signs a request with a new nonce, at the present time. A form in the body is signed, too. */
MUST_CHECK int oauth1_sign(TALLOC_CTX *mem, struct oauth1 *oauth,
			   const struct auth_wire *request,
			   struct auth_field out[AUTH_SIGNED_MAX + 1], struct error *err);

#endif
