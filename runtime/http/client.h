/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client -- HTTP out: libcurl multi on a loop.
 *
 * Upstream connections are pooled and bounded; what does not fit waits in a fair queue (one
 * turn per `group`). Only http and https. An address that is loopback, private or link-local is
 * refused (ERR_EGRESS) unless an allowed range holds it; the check is on the address that is
 * connected to, so a name that resolves differently the second time does not help. With a proxy
 * it is on what the URL says. Redirects
 * are not followed here. All calls on the loop's thread. SIGPIPE is ignored from
 * http_client_new on.
 */
#ifndef NANGO_HTTP_CLIENT_H
#define NANGO_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"
#include "http/server.h" /* struct http_field */

#define HTTP_CLIENT_CONNECTIONS_MAX 256 /* descriptors for upstreams, of a node: default */
#define HTTP_CLIENT_PER_HOST_MAX 64	/* default */
#define HTTP_CLIENT_BODY_MAX (100 * 1024 * 1024)
#define HTTP_CLIENT_CONNECT_MS 10000
#define HTTP_CLIENT_HEADER_MAX (256 * 1024) /* all fields of an answer */
#define HTTP_CLIENT_FIELDS_MAX 512

struct http_client;
struct http_call;

/*
 * All headers of a call whose turn has come: it may have waited for long, and a signature holds
 * the time. *out ends with a NULL name, and is copied. With -1 the call ends with err.
 */
typedef int http_late_fn(void *arg, const struct http_field **out, struct error *err);

struct http_outgoing {
	const char *method, *url;
	const struct http_field *headers; /* ends with a NULL name */
	http_late_fn *late;		  /* asked in place of headers; NULL: nobody is */
	void *late_arg;
	const void *body;
	size_t body_length;
	int64_t timeout_ms; /* whole exchange; 0: 30,000 */
	int64_t queue_ms; /* may wait so long for its turn before that; 0: within timeout_ms */
	size_t response_max; /* bytes; 0: HTTP_CLIENT_BODY_MAX */
	bool head_is_enough; /* it is answered with its head, whatever becomes of the body */
	const char *certificate, *private_key; /* PEM, for mutual TLS; NULL: none */
	const char *group;		       /* who asks, for fairness; NULL: one group */
};

struct http_incoming {
	int status;
	const struct http_field *headers; /* lower-case names; ends with a NULL name */
	const char *body; /* decoded when the server sent gzip; NUL-terminated */
	size_t body_length;
	int was_sent; /* did any byte of the request leave? (may an unsafe verb be repeated) */
};

/*
 * err is NULL when there is an answer, whatever its status. With an error only answer->was_sent
 * says anything. The answer lives until return.
 */
typedef void http_done(void *arg, const struct http_incoming *answer, const struct error *err);

struct http_client_config {
	struct loop *loop;
	const char *egress_allow; /* "127.0.0.0/8,::1/128" or NULL */
	const char *user_agent;
	const char *ca_file;		      /* NULL: the system's */
	const char *proxy, *direct;	      /* see client_proxy.h; NULL: none */
	size_t connections_max, per_host_max; /* 0: the numbers above */
	bool is_h2_off;			      /* HTTP/1.1 only */
};

MUST_CHECK int http_client_new(struct http_client **out,
			       const struct http_client_config *config, struct error *err);
void http_client_free(struct http_client *client); /* calls under way end with ERR_NETWORK */

/* Copies what it needs. done is called once, from the loop, never from within this call. */
struct http_call *http_client_send(struct http_client *client,
				   const struct http_outgoing *request, http_done *done,
				   void *arg);
/* May repeating this method do something twice? (RFC 9110 9.2.2, less TRACE) */
bool http_method_is_unsafe(const char *method);
void http_call_cancel(struct http_call *call); /* done is not called any more */

#endif
