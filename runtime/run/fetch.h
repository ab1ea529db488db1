/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch -- a plugin's request becomes HTTP: base URL, credentials, retries, redaction.
 *
 * The target is made once for a run, by whoever knows the connection (engine/target in nangod).
 * What it injects or signs with wins over what the plugin sends, and never goes back to it:
 * set-cookie, authorization, www-authenticate and their like are taken out of answers. An
 * absolute URL (a pagination link) must have the base URL's scheme, host and port, else
 * ERR_EGRESS. All calls on the loop's thread.
 */
#ifndef NANGO_RUN_FETCH_H
#define NANGO_RUN_FETCH_H

#include "base/json.h"
#include "http/client.h"
#include "run/backend.h"
#include "run/budget.h"

#define FETCH_RETRIES_MAX 20
#define FETCH_BACKOFF_MS 3000	   /* doubles with each try, with jitter */
#define FETCH_WAIT_MAX_MS 600000   /* of the back-off, and of what a header asks for */
#define FETCH_PARK_MAX_MS 86400000 /* of a wait without a process */
#define FETCH_TIMEOUT_MS 30000	   /* of one try, when the request names none */
#define FETCH_TIMEOUT_MAX_MS 300000
#define FETCH_QUEUE_MS 1800000		      /* for a connection, before the time-out begins */
#define FETCH_RESPONSE_MAX (32 * 1024 * 1024) /* bytes of an answer, decoded */
#define FETCH_HOPS_MAX 5		      /* redirects of a GET or HEAD on the same host */

/*
 * Signs one try of a request that is otherwise final: fields, ending with a NULL name, that
 * take the place of those of the same name. In mem, which lives until the next try. On the
 * loop's thread; blocks for nothing.
 */
typedef int fetch_sign_fn(void *arg, TALLOC_CTX *mem, const struct http_outgoing *request,
			  const struct http_field **out, struct error *err);

struct fetcher;
struct fetch_scope; /* the calls of one run; freeing it ends them without an answer */

struct fetch_target {
	const char *base_url;
	const struct http_field *headers;  /* put in; ends with a NULL name */
	const struct http_field *defaults; /* likewise, where the request has none of its own */
	const struct http_field *query;	   /* put in; ends with a NULL name, or NULL */
	const char *certificate, *private_key; /* PEM, for mutual TLS; NULL: none */
	fetch_sign_fn *sign;		       /* NULL: requests are not signed */
	void *sign_arg;
	const char *body; /* JSON object that is put into bodies, or NULL */
	/* A header by which the provider knows a request that came before; NULL: none. */
	const char *idempotency_header;
	struct json_object *retry; /* the template's proxy.retry, or NULL */
	bool is_renewable;	   /* its credentials can be made anew */
	bool decodes;		   /* answers are wanted without their content coding */
	bool follows_with_all;	   /* what is put in goes along to another host */
	const char *group;	   /* for the fair queue of upstream connections */
	const struct budget_scopes *budget; /* whose limits its calls count in; NULL: none */
};

struct fetcher *fetcher_new(TALLOC_CTX *mem, struct loop *loop, struct http_client *client);

/* Asked before every try, and told of every answer; NULL (as at first): no limits. */
void fetcher_set_budget(struct fetcher *fetcher, struct budget *budget);

/* For tests: waits between tries are this many times shorter. */
void fetcher_hurry(struct fetcher *fetcher, int64_t divisor);

struct fetch_scope *fetch_scope_new(struct fetcher *fetcher);
void fetch_scope_free(struct fetch_scope *scope); /* NULL is fine */

/*
 * A run that would rather end than wait for longer than after_ms. park is called when every
 * request of the run that is under way waits for the provider so long; message says why. It
 * returns whether the run is ending; when the plugin still works on what it got before, so that
 * a commit may come, it returns false and is asked again.
 */
typedef bool fetch_park(void *arg, int64_t wait_ms, const char *message);
void fetch_scope_may_park(struct fetch_scope *scope, int64_t after_ms, fetch_park *park,
			  void *arg);

/* Bodies so far, all tries counted. */
void fetch_scope_bytes(const struct fetch_scope *scope, uint64_t *sent, uint64_t *received);

/*
 * done is called once, from the loop, with an answer of any status, or an error: ERR_NETWORK,
 * ERR_EGRESS, ERR_BAD_REQUEST (a header with a line break, a URL of another host …).
 * target and its members must outlive the scope.
 */
void fetch_send(struct fetcher *fetcher, struct fetch_scope *scope,
		const struct fetch_target *target, const struct run_request *request,
		run_fetch_done *done, void *arg);

#endif
