/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/internal -- what the files of the server share: server, connection, exchange, response.
 *
 * Who owns a request: the loop until it is handed to the pool, the pool thread until its
 * handler returned, the loop again until it is freed. A streamed reply is the one thing that
 * both touch at a time; it has a lock.
 */
#ifndef NANGO_HTTP_INTERNAL_H
#define NANGO_HTTP_INTERNAL_H

#include "base/buf.h"
#include "base/id.h"
#include "http/parser.h"
#include "http/router.h"
#include "http/server.h"

#include <pthread.h>
#include <sys/queue.h>

#define HTTP_STREAM_BLOCK (64 * 1024) /* pieces of a streamed reply are gathered up to this */
#define HTTP_READ_BYTES \
	(64 * 1024) /* at a time; also what waits unread while a handler works */
#define HTTP_PIPELINE_OUTPUT_MAX                                                  \
	(64 * 1024)		  /* unsent, before the next request is looked at \
				   */
#define HTTP_COPY_MAX (16 * 1024) /* a body up to this is sent in one piece with its head */
#define HTTP_CONNECTIONS_OVER 64  /* over the maximum: told so, then closed */
#define HTTP_PEER_MAX 64

struct event;
struct evbuffer;
struct evconnlistener;

/* A piece of a streamed reply on its way from a pool thread to the loop. */
struct stream_block {
	struct stream_block *next;
	size_t length;
	char data[HTTP_STREAM_BLOCK];
};

struct stream {
	pthread_mutex_t mutex;
	pthread_cond_t room;
	struct stream_block *first, *last;
	size_t queued;	  /* bytes in blocks */
	size_t in_output; /* bytes that the loop took and the client did not */
	bool is_posted, is_gone, is_waiting;
	bool is_head_sent; /* the loop's */
};

struct response {
	struct request *req;
	int status;	   /* 0: none yet */
	struct buf fields; /* "Name: value\r\n" … */
	struct buf body;
	struct stream *stream; /* once begun */
	bool is_broken;	       /* a streamed reply that cannot be ended properly */
};

struct request {
	TAILQ_ENTRY(request) ready_entry;
	struct http_server *server;
	struct http_conn *conn; /* NULL when the client is gone; the loop's alone */
	struct http_parser parser;
	struct router_match match;
	struct response res;
	struct http_field *queries; /* decoded; ends with a NULL name */
	size_t queries_count;
	struct buf body;
	size_t body_charge;    /* bytes of the shared budget */
	int64_t body_since_ms; /* of a relay: since when body_came is counted */
	size_t body_came;
	void *relay_arg;
	char id[ID_UUID_MAX];
	char peer[HTTP_PEER_MAX];
	bool keeps_alive;
	bool is_held;	 /* a relay takes no more of the body now */
	bool is_clogged; /* its reply is over RELAY_HIGH */
	bool is_replying, is_reply_chunked;
	bool has_gone_on; /* 100 Continue was sent for a relay */
};

enum conn_state {
	CONN_IDLE,   /* between two requests */
	CONN_HEAD,   /* a request's header is arriving */
	CONN_BODY,   /* its body is */
	CONN_BUSY,   /* a handler has it */
	CONN_RELAY,  /* a relay has it, on this loop */
	CONN_LINGER, /* the last reply is on its way; what still arrives is dropped */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) entry, resume_entry;
	struct http_server *server;
	int fd;
	struct event *readable, *writable;
	struct event *hangup;	/* while it is paused; NULL until it was */
	struct evbuffer *input; /* came while a handler worked */
	struct evbuffer *output;
	struct request *req; /* being read or answered; NULL when idle */
	enum conn_state state;
	int64_t deadline_ms; /* of the state; 0: none */
	int64_t progress_ms; /* when output last went out */
	char peer[HTTP_PEER_MAX];
	bool has_eof, is_shut, is_dead, is_paused, is_resuming;
};

struct http_listener {
	struct http_listener *next;
	struct http_server *server;
	struct evconnlistener *listener;
};

TAILQ_HEAD(requests, request);

struct dispatch {
	pthread_mutex_t mutex; /* over the next five */
	struct requests ready;
	size_t ready_count;
	size_t drainers, busy; /* pool jobs; those of them that are in a handler */
	bool is_closed;
	struct requests batch; /* of this turn of the loop */
	size_t batch_count;
	size_t in_flight; /* handed over and not answered yet */
	struct loop_timer *flush, *patience;
	bool is_armed, is_patient;
};

struct http_server {
	struct dispatch dispatch;
	struct http_server_config config;
	struct http_limits limits;
	struct router *router;
	struct http_listener *listeners;
	struct loop_timer *sweep;
	int64_t sweep_ms;
	TAILQ_HEAD(http_conns, http_conn) conns, resuming;
	struct loop_timer *resume; /* looks at what came meanwhile, of those in resuming */
	size_t conns_count, requests_count, bodies_charge;
	size_t relays; /* requests that are being passed on */
	int port;
	char date[32];
	int64_t date_s;
	bool is_draining, is_freed, is_paused;
	char scratch[HTTP_READ_BYTES]; /* what was just read, by whichever connection */
	struct buf gathered;	       /* of the reply of `gathers` that is being passed on */
	struct request *gathers;       /* NULL: nobody */
};

/* request.c */
struct request *request_new(struct http_server *server, const char *peer);
void request_free(struct request *req); /* on the loop */
MUST_CHECK int request_parse_query(struct request *req, struct error *err);
/* Adds to what is kept of the body, in memory of its owner's that counts in the server's
 * budget. */
MUST_CHECK int request_keep(struct request *req, struct buf *body, const char *data,
			    size_t length, struct error *err);
void request_forget(struct request *req, struct buf *body); /* before the reply */

/* response.c */
void response_init(struct response *res, struct request *req);
void response_add_head(struct buf *out, struct response *res, bool keeps_alive);
bool response_may_have_body(const struct response *res);
const char *response_phrase(int status);

/* stream.c */
void stream_pump(void *req); /* on the loop: takes over what was written */
void stream_sent(struct stream *stream, size_t in_output); /* on the loop: wakes the writer */
void stream_abandon(struct stream *stream);		   /* on the loop: the client is gone */

/* exchange.c: one request's way through the server, on the loop */
size_t exchange_feed(struct http_conn *conn, const char *data, size_t length);
void exchange_eof(struct http_conn *conn);
void exchange_timeout(struct http_conn *conn);

void exchange_handle(struct request *req); /* on a pool thread */

/* relay.c */
void relay_resume(void *server); /* a timer's */
bool relay_may_read(const struct http_conn *conn);
bool relay_is_slow(struct http_conn *conn, int64_t now_ms); /* the client with its body */
void relay_begin(struct http_conn *conn);
void relay_event(struct http_conn *conn, const struct http_event *event);
void relay_gone(struct http_conn *conn); /* tells its owner, and frees the request */
void relay_progress(struct http_conn *conn);

void exchange_answer(struct http_conn *conn); /* the reply is complete: on, or the end */

/* dispatch.c */
void dispatch_init(struct http_server *server);
MUST_CHECK int dispatch_add(struct request *req, struct error *err);
void dispatch_close(struct http_server *server);

/* connection.c */
struct http_conn *conn_new(struct http_server *server, int fd, const char *peer);
void conn_close(struct http_conn *conn);
void conn_linger(struct http_conn *conn);
void conn_abort(struct http_conn *conn); /* by a reset */
void conn_enter(struct http_conn *conn, enum conn_state state, int64_t timeout_ms);
void conn_check(struct http_conn *conn, int64_t now_ms); /* time-outs */
void conn_send(struct http_conn *conn, const void *data, size_t length);
/* The bytes are freed by done(arg) once they are out. */
void conn_send_later(struct http_conn *conn, const void *data, size_t length,
		     void (*done)(const void *data, size_t length, void *arg), void *arg);
void conn_flush(struct http_conn *conn);
void conn_resume(struct http_conn *conn); /* looks at what came meanwhile */
size_t conn_unsent(const struct http_conn *conn);

/* server.c */
const char *server_date(struct http_server *server);
void server_release(struct http_server *server); /* frees it with its last request */

#endif
