/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_internal -- what the files of http/upstream share.
 *
 * A call waits for its turn, then holds one link (a connection) until its answer is complete; a
 * link without a call is idle, in its origin's list.
 */
#ifndef NANGO_HTTP_UPSTREAM_INTERNAL_H
#define NANGO_HTTP_UPSTREAM_INTERNAL_H

#include "base/buf.h"
#include "http/client_address.h"
#include "http/client_group.h"
#include "http/client_proxy.h"
#include "http/parser.h"
#include "http/resolver.h"
#include "http/upstream.h"

#include <openssl/ssl.h>
#include <sys/queue.h>
#include <uthash.h>

#define UPSTREAM_READ_BYTES (128 * 1024) /* at a time */

struct event;
struct evbuffer;

struct upstream_place {
	char *key;		/* "https://api.github.com:443", and of whose certificate */
	char *host, *authority; /* without and with a port that is not the usual one */
	char *url;		/* "https://api.github.com:443" */
	int port;
	bool is_tls;
	char *certificate, *private_key;
};

struct via { /* the company's proxy */
	char *host;
	int port;
	char *authorization; /* a header line, or NULL */
};

struct origin {
	UT_hash_handle hh;
	struct upstream *upstream;
	struct upstream_place *place;
	SSL_CTX *ssl; /* of its own, with a certificate; NULL: everybody's */
	SSL_SESSION *session;
	struct via *via;	 /* NULL: it is reached without one */
	TAILQ_HEAD(, link) idle; /* newest first */
	size_t links;
	size_t calls;	 /* that name it */
	int64_t used_ms; /* when it last had any of both */
};

enum link_state {
	LINK_RESOLVING,
	LINK_CONNECTING,
	LINK_TUNNELING, /* the company's proxy is asked for a way */
	LINK_SHAKING,	/* TLS */
	LINK_READY,
};

struct link {
	TAILQ_ENTRY(link) entry; /* of its origin's idle ones */
	/* Of all idle ones, oldest first; or of those that are to begin. */
	TAILQ_ENTRY(link) old_entry;
	struct upstream *upstream;
	struct origin *origin;
	struct upstream_call *call; /* NULL: idle */
	enum link_state state;
	struct resolver_ask *ask;
	struct resolver_list *addresses;
	size_t next_address;
	int fd;
	struct event *readable, *writable;
	struct evbuffer *output;
	SSL *ssl;
	int64_t deadline_ms; /* of the connection, or of being kept */
	int64_t address_ms;  /* of this address */
	bool is_reused;	     /* it has answered before */
	bool is_new;	     /* in the upstream's list of those that are to begin */
	bool is_cut;	     /* it ended without saying so */
	bool wants_read_to_write;
	bool is_closing;	    /* after this answer */
	struct http_parser *tunnel; /* of what the proxy answers */
	char why[ADDRESS_WHY_MAX];
};

struct upstream_call {
	struct queued_call queued; /* first: the queue's part */
	TAILQ_ENTRY(upstream_call) entry;
	struct upstream *upstream;
	struct origin *origin;
	struct link *link; /* NULL: it waits */
	const struct upstream_events *events;
	void *arg;
	struct buf out; /* what was made, until it is answered or may not be sent anew */
	struct http_parser *parser;
	TALLOC_CTX *answer; /* of the parser */
	int64_t deadline_ms, timeout_ms, progress_ms;
	int64_t body_left; /* of its body, as its head says */
	bool is_head, is_chunked, is_finished, may_repeat;
	bool is_out_sent; /* out went to the link */
	bool was_sent, has_answer, is_held, is_clogged;
	bool is_telling, is_cancelled; /* an event runs; and ended the call */
	struct error err;	       /* found before there was a link */
	uint64_t round;		       /* of the sweep that looked at it */
};

struct upstream {
	struct upstream_config config;
	struct address_rules *rules;
	struct client_proxy *proxy;
	struct via *via; /* NULL: not needed yet */
	struct resolver *resolver;
	struct call_queue *queue;
	struct origin *origins;
	TAILQ_HEAD(, upstream_call) calls; /* all of them */
	TAILQ_HEAD(link_list, link) idle;  /* oldest first */
	struct link_list fresh;		   /* to begin, in a turn of their own */
	size_t links;
	uint64_t round;
	SSL_CTX *ssl;
	struct loop_timer *sweep, *kick;
	bool is_freed;
	struct buf chunk; /* of a body, while it is sent */
	char scratch[UPSTREAM_READ_BYTES];
};

/* upstream_call.c */
/* What is sent, in out; there is nothing in it unless it was MADE. */
enum upstream_made call_make(struct upstream_call *call);
void call_take_turn(struct upstream_call *call); /* its turn has come */
void call_fail(struct upstream_call *call, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void call_link_ready(struct upstream_call *call);
void call_link_lost(struct upstream_call *call, const struct error *err);
/* Whether the call goes on: otherwise neither it nor its link may be touched. */
bool call_received(struct upstream_call *call, const char *data, size_t length);
void call_turn(struct upstream_call *call); /* there is no more to read just now */
void call_eof(struct upstream_call *call);
void call_free(struct upstream_call *call); /* what it held is given up */

/* upstream_body.c */
void call_sent(struct upstream_call *call); /* the link took bytes */
void call_tell_drained(struct upstream_call *call);

/* upstream_place.c */
struct upstream_place *place_copy(const struct upstream_place *from);

/* upstream_via.c */
/* *out NULL: the place is reached without a proxy. ERR_UNSUPPORTED. */
MUST_CHECK int via_find(struct upstream *up, const struct upstream_place *place,
			struct via **out, struct error *err);
void via_ask(const struct link *link, struct buf *out); /* for a tunnel */
void via_add_head(const struct origin *origin, struct buf *out, const char *head,
		  size_t length); /* a request for a host without TLS */

/* upstream_link.c */
void link_begin(struct link *link); /* may fail, and tell the call so, before it returns */
void link_open(struct origin *origin, struct upstream_call *call);
/* An idle one; false: it was dead, or had something to say, and is closed. */
bool link_give(struct link *link, struct upstream_call *call);
void link_rest(struct link *link); /* it is idle now */
void link_close(struct link *link);
void link_send(struct link *link, const void *data, size_t length);
void link_hold(struct link *link, bool is_held);
void link_check(struct link *link, int64_t now_ms);
size_t link_unsent(const struct link *link);

/* between upstream_link.c and upstream_open.c */
void link_lost(struct link *link, const struct error *err);
void link_close_socket(struct link *link);
void link_want_write(struct link *link);
void link_flush(struct link *link);
void link_read_idle(struct link *link);
void link_read_answer(struct link *link);
/* What came, into the upstream's scratch: 0, or -1 at the end of the connection. */
MUST_CHECK int link_receive(struct link *link, size_t *length);
/* The next address that may be connected to; errno is that of the one before. */
void link_connect_next(struct link *link);

/* upstream_tls.c */
MUST_CHECK int tls_context(SSL_CTX **out, const char *ca_file, const char *certificate,
			   const char *private_key, struct error *err);
MUST_CHECK int tls_begin(struct link *link, struct error *err);
enum tls_result { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_EOF, TLS_FAILED };
enum tls_result tls_shake(struct link *link, struct error *err);
bool tls_is_quiet(struct link *link); /* nothing is there to be read */
enum tls_result tls_read(struct link *link, void *out, size_t size, size_t *length);
enum tls_result tls_write(struct link *link, const void *data, size_t length, size_t *written);

#endif
