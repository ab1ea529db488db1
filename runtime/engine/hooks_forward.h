/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_forward -- a provider's webhook on its way to the app: what is stored of it, and
 * what is sent.
 */
#ifndef NANGO_ENGINE_HOOKS_FORWARD_H
#define NANGO_ENGINE_HOOKS_FORWARD_H

#include "base/json.h"
#include "http/server.h" /* struct http_field */
#include "store/outbox.h"

#define HOOKS_FORWARD_HEADERS_MAX 32
#define HOOKS_FORWARD_HEADER_MAX 2048 /* bytes of one; longer ones are left out */

struct hooks_forward {
	const char *provider, *integration_key;
	const char *connection_id; /* NULL: it is about none that we know */
	const char *payload;	   /* JSON, as it came */
	const struct http_field *headers;
	const char *secret_header; /* the one that is the secret itself, or NULL */
};
char *hooks_forward_facts(TALLOC_CTX *mem, const struct hooks_forward *forward);

/* The payload in its envelope, or without one when it is about no connection. */
MUST_CHECK int hooks_forward_body(TALLOC_CTX *mem, const struct outbox_event *event, char **out,
				  struct error *err);

/*
 * The provider's own headers of such an event: out has HOOKS_FORWARD_HEADERS_MAX + 1 places and
 * ends with a NULL name. None for events of another kind.
 */
void hooks_forward_headers(TALLOC_CTX *mem, const struct outbox_event *event,
			   struct http_field *out);

#endif
