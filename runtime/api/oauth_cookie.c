/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/oauth_cookie -- see oauth_cookie.h.
 */
#include "api/oauth_cookie.h"
#include "base/crypto.h"

#include <string.h>

#define PREFIX "nango_oauth_" /* and the state: several flows may be under way */
#define LIFE "3600"

void
oauth_cookie_make(char out[OAUTH_COOKIE_MAX])
{
	unsigned char bytes[OAUTH_COOKIE_MAX / 2];

	crypto_random(bytes, sizeof(bytes));
	crypto_hex(out, bytes, sizeof(bytes));
}

void
oauth_cookie_set(struct call *call, struct response *res, const char *state, const char *secret)
{
	bool is_https = strncmp(call->node->server_url, "https://", 8) == 0;

	response_header(res, "Set-Cookie",
			talloc_asprintf(call->mem,
					PREFIX "%s=%s; Path=/; HttpOnly; SameSite=Lax; "
					       "Max-Age=" LIFE "%s",
					state, secret, is_https ? "; Secure" : ""));
}

int
oauth_cookie_check(struct call *call, const char *state, const char *secret, struct error *err)
{
	const char *header = request_header(call->req, "cookie");
	char *name = talloc_asprintf(call->mem, PREFIX "%s=", state);
	size_t length = strlen(name);

	while (header != NULL && *header != '\0') {
		header += strspn(header, "; ");
		if (strncmp(header, name, length) == 0 && secret != NULL &&
		    strcspn(header + length, "; ") == strlen(secret) &&
		    crypto_equal(header + length, secret, strlen(secret)))
			return 0;
		header += strcspn(header, ";");
	}
	return error_set(err, ERR_FORBIDDEN,
			 "another browser began to connect this: open the connection's page "
			 "again, and let it keep cookies");
}
