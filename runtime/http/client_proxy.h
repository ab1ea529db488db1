/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_proxy -- the company's proxy that requests to providers go through, and the hosts
 * that are reached without it.
 *
 * The proxy resolves names and connects, so the address rule cannot be held there: it is held
 * for hosts that are addresses or names of this machine, and the rest is the proxy's own rules.
 */
#ifndef NANGO_HTTP_CLIENT_PROXY_H
#define NANGO_HTTP_CLIENT_PROXY_H

#include "base/error.h"
#include <stdbool.h>
#include <talloc.h>

struct client_proxy;

/*
 * url: "http://[user:password@]host:port", or https; NULL: *out is NULL, there is no proxy.
 * direct: hosts, separated by commas, each with all below it ("example.com", "10.1.2.3");
 * "*": all. ERR_CONFIG.
 */
MUST_CHECK int client_proxy_parse(TALLOC_CTX *mem, const char *url, const char *direct,
				  struct client_proxy **out, struct error *err);

/* "" for a host that is reached without it; host: as in a URL. The proxy may be NULL. */
const char *client_proxy_for(const struct client_proxy *proxy, const char *host);

#endif
