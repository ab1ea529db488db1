/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_address -- which addresses a request of somebody else's may go to.
 *
 * Refused is what is not the public internet: loopback, private, link-local (and with it the
 * clouds' metadata services), shared, reserved, multicast; also where such an IPv4 address
 * hides in an IPv6 one (mapped, compatible, NAT64, 6to4). Allowed ranges are the operator's
 * exceptions.
 */
#ifndef NANGO_HTTP_CLIENT_ADDRESS_H
#define NANGO_HTTP_CLIENT_ADDRESS_H

#include "base/error.h"
#include <stdbool.h>
#include <sys/socket.h>
#include <talloc.h>

#define ADDRESS_RANGES_MAX 64
#define ADDRESS_WHY_MAX 160 /* bytes */

struct address_rules;

/* allow: "127.0.0.0/8,::1/128", or NULL. ERR_CONFIG names the part that is no range. */
MUST_CHECK int address_rules_parse(TALLOC_CTX *mem, const char *allow,
				   struct address_rules **out, struct error *err);

/* why, unless NULL, says which rule refuses: "10.0.0.1 is private (10.0.0.0/8)". */
bool address_may_connect(const struct address_rules *rules, const struct sockaddr *address,
			 char why[ADDRESS_WHY_MAX]);

/*
 * The same for the host of a URL: an address in any spelling that URLs allow, or a name of this
 * machine. Any other name may turn out to be one when it is connected to.
 */
bool address_may_name(const struct address_rules *rules, const char *host,
		      char why[ADDRESS_WHY_MAX]);

#endif
