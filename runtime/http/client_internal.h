/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_internal -- what client.c (the loop's side) and client_call.c (one call) share.
 */
#ifndef NANGO_HTTP_CLIENT_INTERNAL_H
#define NANGO_HTTP_CLIENT_INTERNAL_H

#include "base/buf.h"
#include "http/client.h"
#include "http/client_address.h"
#include "http/client_group.h"
#include "http/client_proxy.h"

#include <curl/curl.h>
#include <sys/queue.h>

TAILQ_HEAD(http_calls, http_call);

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer; /* curl's */
	struct loop_timer *kick;  /* ours: starts what waits, ends what failed at once */
	struct address_rules *rules;
	struct client_proxy *proxy; /* NULL: none */
	struct call_queue *queue;
	char *user_agent, *ca_file;
	struct http_calls calls; /* all of them */
	struct http_calls over;	 /* ended before curl saw them */
	size_t connections_max, per_host_max;
	long http_version;
	int64_t checked_ms; /* when those that wait were last looked at */
	bool is_freed;
};

struct http_call {
	struct queued_call queued; /* first: the queue's part */
	TAILQ_ENTRY(http_call) entry, over_entry;
	struct http_client *client;
	http_done *done;
	void *arg;
	http_late_fn *late; /* NULL: the headers are there already */
	void *late_arg;
	CURL *easy; /* NULL until its turn */
	struct curl_slist *headers;
	char *method, *url, *body;
	const char *proxy;		 /* "": none for this host */
	char *certificate, *private_key; /* PEM, or NULL */
	size_t body_length, response_max;
	int64_t deadline_ms, timeout_ms;
	bool waits_apart; /* for its turn: the time-out begins with it */
	bool head_is_enough, has_head;
	bool is_over, is_refused, is_too_large, is_repeat;
	char why[ADDRESS_WHY_MAX]; /* it is refused */
	int attempts;
	struct error err;
	struct buf answer, head;
	size_t head_fields;
};

int call_check(struct http_call *call, const struct http_outgoing *request);
void call_start(struct http_call *call); /* or it is over, with an error */
int call_destructor(struct http_call *call);
/* Frees the call, then tells its sender. */
void call_finish(struct http_call *call, const struct http_incoming *answer,
		 const struct error *err);
void call_ended(struct http_call *call, CURLcode code);

#endif
