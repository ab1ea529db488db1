/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_internal -- what the files of http/upstream share.
 *
 * A call waits for its turn, then has a link (a connection) until its answer is complete. A
 * link of HTTP/1.1 has one call at a time, one of HTTP/2 many; those that may take one are in
 * their origin's list, those without any also in the upstream's, to be closed one day.
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

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <sys/queue.h>
#include <uthash.h>

#define UPSTREAM_READ_BYTES (128 * 1024)  /* at a time */
#define UPSTREAM_FRAMES_BYTES (64 * 1024) /* of HTTP/2, in one write */
#define UPSTREAM_READS_A_TURN 8		  /* of one link, before others have theirs */

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

TAILQ_HEAD(link_list, link);
TAILQ_HEAD(call_list, upstream_call);

struct origin {
	UT_hash_handle hh;
	struct upstream *upstream;
	struct upstream_place *place;
	SSL_CTX *ssl; /* of its own, with a certificate; NULL: everybody's */
	SSL_SESSION *session;
	struct error no_way;   /* why it is not reached, whatever it leads to; or ERR_NONE */
	struct via *via;       /* NULL: it is reached without one */
	struct link_list free; /* that may take a call: newest first */
	struct link *opening;  /* that calls may wait for, or NULL */
	bool speaks_h2, wants_old; /* the last time; it refuses HTTP/2 */
	size_t streams_max;	   /* as it said the last time; 0: not known */
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
	TAILQ_ENTRY(link) all_entry;
	TAILQ_ENTRY(link) entry; /* of its origin's free ones */
	/* Of all idle ones, oldest first; or of those that are to begin. */
	TAILQ_ENTRY(link) old_entry;
	struct upstream *upstream;
	struct origin *origin;
	struct call_list calls;
	size_t calls_count;
	enum link_state state;
	struct h2 *h2; /* NULL: it speaks HTTP/1.1, or not yet */
	struct resolver_ask *ask;
	struct resolver_list *addresses;
	size_t next_address;
	int fd;
	struct event *readable, *writable;
	struct evbuffer *output;
	SSL *ssl;
	int64_t deadline_ms;	       /* of the connection, or of being kept */
	int64_t address_ms;	       /* of this address */
	bool is_free, is_idle, is_new; /* in the list of those */
	bool is_cut;		       /* it ended without saying so */
	bool wants_read_to_write;
	bool is_closing;	    /* takes no call any more */
	struct http_parser *tunnel; /* of what the proxy answers */
	char why[ADDRESS_WHY_MAX];
};

struct h2 {
	struct link *link;
	nghttp2_session *session;
	struct call_list touched;      /* calls to be told of what was read, or sent */
	int64_t received_ms, asked_ms; /* when bytes came; it was asked (PING); 0: not since */
	char why[128];		       /* it is over, or "" */
};

struct h2_stream {
	int32_t id;	       /* 0: it is over, or never was */
	struct evbuffer *body; /* of the request, unsent; NULL: it has none */
	size_t unread; /* bytes of a held answer that the window is not given back for */
	struct http_field fields[HTTP_HEADER_FIELDS_MAX + 1];
	size_t fields_count, fields_bytes;
	int status;
	unsigned interims;
	int64_t length;
	bool was_read, was_written; /* it is touched */
	bool is_answered;	    /* to its end */
	const char *why;	    /* it was broken off by us, or NULL */
};

struct upstream_call {
	struct queued_call queued; /* first: the queue's part */
	/* Of all; of its link's; of those whose stream is touched. */
	TAILQ_ENTRY(upstream_call) entry, link_entry, stream_entry;
	struct upstream *upstream;
	struct origin *origin;
	struct link *link; /* NULL: it waits */
	const struct upstream_events *events;
	void *arg;
	struct buf out;		    /* what was made, until it is sent */
	struct http_parser *parser; /* of the answer in HTTP/1.1 */
	struct h2_stream *stream;   /* its part of HTTP/2 */
	int64_t deadline_ms, timeout_ms, progress_ms;
	int64_t body_left; /* of its body, as its head says */
	bool is_head, is_chunked, is_finished, may_repeat;
	bool is_on_kept;   /* its link had served others before */
	bool is_out_sent;  /* what was made went to the link */
	bool is_out_whole; /* and no body follows */
	bool was_sent, has_begun, has_answer, is_held, is_clogged;
	unsigned repeats;
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
	struct call_list calls;	    /* all of them */
	struct link_list all, idle; /* idle: without a call, oldest first */
	struct link_list fresh;	    /* to begin, in a turn of their own */
	size_t links;
	uint64_t round;
	SSL_CTX *ssl;
	struct loop_timer *sweep, *kick;
	bool is_freed;
	struct buf chunk; /* of a body, while it is sent */
	char scratch[UPSTREAM_READ_BYTES];
	char frames[UPSTREAM_FRAMES_BYTES];
};

/* upstream_call.c */
/* What is sent, in out; there is nothing in it unless it was MADE. */
enum upstream_made call_make(struct upstream_call *call);
void call_take_turn(struct upstream_call *call); /* its turn has come */
void call_fail(struct upstream_call *call, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void call_link_ready(struct upstream_call *call);
void call_link_lost(struct upstream_call *call, const struct error *err);
void call_repeat(struct upstream_call *call); /* back to the queue: nothing came of it */
/* The same, but not for ever: false, and nothing was done. */
bool call_try_again(struct upstream_call *call);
void call_release(struct upstream_call *call, bool is_link_good); /* its place and its link */
void call_free(struct upstream_call *call);			  /* what it held is given up */

/* upstream_answer.c; those that tell: whether the call goes on. If not, it may not be touched.
 */
void answer_expect(struct upstream_call *call); /* in HTTP/1.1, of a link */
bool call_received(struct upstream_call *call, const char *data, size_t length);
void call_eof(struct upstream_call *call);
bool call_tell_head(struct upstream_call *call, const struct upstream_answer *answer);
bool call_tell_data(struct upstream_call *call, const char *data, size_t length);
bool call_turn(struct upstream_call *call); /* there is no more to read just now */
void call_end(struct upstream_call *call, bool is_link_good); /* the answer is complete */
void call_cut(struct upstream_call *call); /* the connection ended, the answer did not */

/* upstream_body.c */
void call_sent(struct upstream_call *call); /* the link took bytes */
void call_tell_drained(struct upstream_call *call);

/* upstream_h2.c: a link that speaks HTTP/2 */
void h2_begin(struct link *link);
void h2_free(struct h2 *h2);
size_t h2_streams_max(const struct h2 *h2);
void h2_read(struct link *link);
void h2_flush(struct link *link);		  /* of the loop; never within another call */
void h2_schedule(struct link *link);		  /* so that it is */
void h2_check(struct link *link, int64_t now_ms); /* does the other side live? */
void h2_left(struct link *link);		  /* by a call */

/* upstream_stream.c: a call's part of it */
MUST_CHECK bool stream_begin(struct upstream_call *call); /* false: not on this link */
void stream_leave(struct upstream_call *call);
void stream_free(struct upstream_call *call);
void stream_put(struct upstream_call *call, const void *data, size_t length);
void stream_resume(struct upstream_call *call);	     /* there is more, or it is finished */
bool stream_waits(const struct upstream_call *call); /* its request has not left yet */
size_t stream_unsent(const struct upstream_call *call);
void stream_hold(struct upstream_call *call, bool is_held);
void stream_touch(struct upstream_call *call, bool was_read); /* or sent */
void stream_untouch(struct upstream_call *call);
void stream_tell(struct h2 *h2); /* those that were touched */

/* upstream_frames.c */
void frames_set_callbacks(nghttp2_session_callbacks *callbacks);

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
bool link_wait(struct upstream_call *call); /* for one that is being opened; false: none */
/* A free one; false: it was dead, or had something to say, and is closed. */
bool link_give(struct link *link, struct upstream_call *call);
/* The call has it no more; of HTTP/1.1 it is closed unless it is good. */
void link_leave(struct upstream_call *call, bool is_good);
void link_rest(struct link *link);  /* it is idle now */
void link_sort(struct link *link);  /* into its origin's free ones, or out of them */
void link_close(struct link *link); /* has no calls */
void link_lost(struct link *link, const struct error *err); /* its calls hear of it */
void link_close_socket(struct link *link);
void link_open(struct origin *origin, struct upstream_call *call);
void link_check(struct link *link, int64_t now_ms); /* while it is opened */

/* upstream_open.c */
void link_begin(struct link *link); /* may fail, and tell the call so, before it returns */
/* The next address that may be connected to; errno is that of the one before. */
void link_connect_next(struct link *link);

/* upstream_bytes.c */
void link_send(struct link *link, const void *data, size_t length);
size_t link_unsent(const struct link *link);
void link_want_write(struct link *link);
void link_write(struct link *link); /* what is in its output, as far as the socket takes it */
void link_flush(struct link *link); /* the same, and its call hears of it */
/* What came, into the upstream's scratch: 0, or -1 at the end of the connection. */
MUST_CHECK int link_receive(struct link *link, size_t *length);
void link_read_idle(struct link *link);
void link_read_answer(struct link *link);
void link_hold(struct link *link, bool is_held);
void link_wake(struct link *link);     /* to read what TLS has taken in already */
bool link_is_quiet(struct link *link); /* nothing that an answer could be mistaken for */

/* upstream_tls.c */
MUST_CHECK int tls_context(SSL_CTX **out, const char *ca_file, const char *certificate,
			   const char *private_key, struct error *err);
MUST_CHECK int tls_begin(struct link *link, struct error *err);
enum tls_result { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_EOF, TLS_FAILED };
enum tls_result tls_shake(struct link *link, struct error *err);
bool tls_is_quiet(struct link *link); /* nothing is there to be read */
bool tls_is_over(struct link *link);  /* its end is */
bool tls_speaks_h2(const struct link *link);
enum tls_result tls_read(struct link *link, void *out, size_t size, size_t *length);
enum tls_result tls_write(struct link *link, const void *data, size_t length, size_t *written);

#endif
