/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_internal -- what the files of engine/proxy share.
 */
#ifndef NANGO_ENGINE_PROXY_INTERNAL_H
#define NANGO_ENGINE_PROXY_INTERNAL_H

#include "base/buf.h"
#include "engine/cache.h"
#include "engine/proxy.h"
#include "http/inflate.h"
#include "http/relay.h"
#include "http/upstream.h"
#include "run/budget.h"

/* Where an exchange is; each waits for one thing. */
enum proxy_state {
	PROXY_ASKING,	 /* who calls, whose connection */
	PROXY_GATHERING, /* the body, until it is whole or too long to be kept */
	PROXY_TURNING,	 /* its turn within the provider's limits */
	PROXY_SENDING,	 /* its turn, a connection, and the head of the answer */
	PROXY_CHECKING, /* who calls and whose connection, once more, as it is about to leave */
	PROXY_DROPPING, /* the end of an answer that is not passed on */
	PROXY_WAITING,	/* the time of the next try */
	PROXY_RENEWING, /* new credentials */
	PROXY_RELAYING, /* the end of the answer, which is passed on */
};

struct proxy {
	struct node *node;
	struct request *req;
	struct proxy_options options;
	proxy_may *may;
	unsigned char key_hash[CRYPTO_SHA256_BYTES];
	enum proxy_state state;
	struct cache_ask *ask;
	const struct cached_key *key;
	const struct cached_target *target;
	struct budget_call asking; /* of the try that is next, or under way */
	struct budget_ticket *ticket;
	struct upstream_call *call;
	struct loop_timer *timer; /* of the next try; NULL until there is one */
	struct buf body;	  /* what is kept of it, or all of it */
	bool is_body_whole;	  /* it is all there, so that it can be sent again */
	bool is_streaming;	  /* the rest of it goes straight on */
	size_t body_sent;	  /* of what is kept, by this try */
	const char *method;
	/* Where it goes: a place and a path of its own, or those of the target. What a redirect
	 * led to is kept without what was put into its query. */
	const char *led_to;
	const struct upstream_place *place;
	const char *url;   /* absolute; NULL: the target's, of the request's path */
	bool is_elsewhere; /* Base-Url-Override names another host: its limits are not ours */
	bool is_checked;   /* key and connection were asked for anew for this try */
	bool is_gathered;  /* the body: whole, or too long for that */
	bool is_foreign;   /* another host than the connection's: nothing is put in */
	unsigned attempt, hops;
	bool was_renewed;
	bool listens; /* to an answer that is passed on, as if it were dropped */
	/* An answer that is not passed on: what follows its end. */
	int64_t wait_ms;
	int dropped_status;
	struct http_field *dropped_fields;
	struct buf told;
	void (*next)(struct proxy *proxy);
	struct inflate *inflate; /* NULL: as it comes */
	struct buf packed;	 /* what waits to be unpacked */
	bool is_ended;		 /* the answer is; some of it waits */
};

/* proxy_request.c */
bool proxy_needs_whole_body(const struct proxy *proxy);

/* Whether a Connection field names it: it is of that connection only (RFC 9110 7.6.1). */
bool proxy_is_listed(const struct http_field *fields, const char *name);
/* Adds the head of the request; mem is for what it takes to make it. */
MUST_CHECK int proxy_head(struct proxy *proxy, TALLOC_CTX *mem, struct buf *head,
			  struct error *err);
/* The template puts something into it. */
bool proxy_fills_body(const struct proxy *proxy);

/* proxy_place.c */
MUST_CHECK int proxy_place(struct proxy *proxy, struct error *err);
void proxy_add_target(struct proxy *proxy, TALLOC_CTX *mem, struct buf *head); /* its line's */

/* The whole URL, in mem unless there is one. */
const char *proxy_url(struct proxy *proxy, TALLOC_CTX *mem);

/* With what the target puts into queries; NULL: no URL comes out. */
char *proxy_put_in_query(struct proxy *proxy, const char *url);

/* proxy_body.c */
void proxy_body_gather(struct proxy *proxy);  /* then sends it */
void proxy_body_go_on(struct proxy *proxy);   /* there is room for it */
void proxy_body_is_done(struct proxy *proxy); /* it is not needed any more */

/* proxy_answer.c */
extern const struct upstream_events proxy_events;

/* proxy_again.c */
/* True: the answer is not passed on; what came of it goes to proxy_drop_data. */
bool proxy_again(struct proxy *proxy, const struct upstream_answer *answer);
void proxy_drop_data(struct proxy *proxy, const char *data, size_t length);
void proxy_note_told(struct proxy *proxy, const char *told);
/* Of one that is passed on, unpacked; and its end. */
void proxy_hear(struct proxy *proxy, const char *data, size_t length);
void proxy_heard(struct proxy *proxy);
bool proxy_again_after(struct proxy *proxy, const struct error *err, bool was_sent);

/* proxy.c */
void proxy_send(struct proxy *proxy);		       /* a try */
void proxy_leave_drop(struct proxy *proxy);	       /* goes on with what follows */
void proxy_set_timer(struct proxy *proxy, int64_t ms); /* of the state */
void proxy_send_at(struct proxy *proxy, int64_t wait_ms);
void proxy_renew(struct proxy *proxy);
enum upstream_made proxy_make(void *arg, struct buf *out, struct error *err);
void proxy_refuse(struct proxy *proxy, const struct error *err);
void proxy_free(struct proxy *proxy); /* the request is answered */
bool proxy_may_repeat_method(const struct proxy *proxy);

#endif
