/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream -- requests that are passed on to providers as they come (the proxy): HTTP/2
 * where TLS agrees on it, else HTTP/1.1; bodies streamed both ways.
 *
 * Connections are kept and used again, TLS sessions too; their number is bounded, in all and a
 * host, and calls wait in front in a fair queue (one turn a group). What may be connected to
 * is http/client's rule, held against each address that a name resolves to. Answers are read
 * strictly, by our parser or nghttp2. All calls on the loop's thread.
 */
#ifndef NANGO_HTTP_UPSTREAM_H
#define NANGO_HTTP_UPSTREAM_H

#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"
#include "http/server.h" /* struct http_field */

#define UPSTREAM_CONNECTIONS_MAX 256 /* descriptors: default */
#define UPSTREAM_PER_HOST_MAX 64     /* default */
#define UPSTREAM_CONNECT_MS 10000    /* name, connection and TLS, until the request may leave */
#define UPSTREAM_ADDRESS_MS 3000     /* for one address, when there are others */
#define UPSTREAM_IDLE_MS 60000	     /* a connection that was idle for longer is not kept */
#define UPSTREAM_STALL_MS 60000	     /* without a byte in either direction, once it answers */
#define UPSTREAM_HIGH (256 * 1024)   /* unsent bytes over which a writer should stop */
#define UPSTREAM_LOW (64 * 1024)     /* and under which `drained` is called */
#define UPSTREAM_STREAMS_MAX 100 /* calls on one connection of HTTP/2, or fewer as it says */
#define UPSTREAM_WINDOW (512 * 1024) /* that HTTP/2 may send of an answer that is held */
#define UPSTREAM_PING_MS 5000	     /* silent HTTP/2 is asked; given up after as long */
#define UPSTREAM_REPEATS_MAX 3 /* of a request that HTTP/2 refused before it was looked at */

struct upstream;
struct upstream_call;
struct upstream_place; /* scheme, host, port and who we are there */

struct upstream_config {
	struct loop *loop;
	const char *egress_allow; /* as http/client has them */
	const char *ca_file;
	const char *proxy, *direct;
	size_t connections_max, per_host_max;  /* 0: the numbers above */
	bool is_h2_off;			       /* HTTP/1.1 only */
	int64_t connect_ms, idle_ms, stall_ms; /* for tests; 0: the numbers above */
};

MUST_CHECK int upstream_new(struct upstream **out, const struct upstream_config *config,
			    struct error *err);
void upstream_free(struct upstream *upstream); /* calls end with ERR_NETWORK; NULL is fine */

/*
 * Of an absolute URL (what is behind the authority does not matter), with PEM texts for mutual
 * TLS or NULL. Any thread. ERR_BAD_REQUEST: no http or https URL, or one that holds a user.
 */
MUST_CHECK int upstream_place_new(TALLOC_CTX *mem, const char *url, const char *certificate,
				  const char *private_key, struct upstream_place **out,
				  struct error *err);
const char *
upstream_place_host(const struct upstream_place *place); /* for Host, with its port */
const char *upstream_place_url(const struct upstream_place *place); /* "https://host:port" */

struct upstream_request {
	const struct upstream_place *place; /* is copied */
	bool has_body;	     /* more follows behind what `make` adds, until upstream_finish */
	int64_t body_length; /* of that, as the head says; -1: upstream_write makes chunks */
	bool is_head;	     /* HEAD: its answer has no body */
	bool may_repeat;     /* sent again when a kept connection turns out to be dead */
	const char *group;   /* who asks, for fairness */
	int64_t queue_ms;    /* may wait so long for its turn */
	int64_t timeout_ms;  /* from its turn to the head of the answer */
};

enum upstream_made { UPSTREAM_MADE, UPSTREAM_MADE_LATER, UPSTREAM_NOT_MADE };

struct upstream_answer {
	int status;
	const struct http_field *fields; /* lower-case names, in order; ends with a NULL name */
	bool has_body;
	int64_t length; /* of the body as the head says; -1: not known */
};

/* Called from the loop, never from within a call below (but make). */
struct upstream_events {
	/* Adds request line, fields, empty line and, where nothing follows, the body: in the
	 * moment in which it leaves, and again when it is sent anew. LATER: until upstream_go;
	 * NOT: the call ends with err. It calls none of the functions below. */
	enum upstream_made (*make)(void *arg, struct buf *out, struct error *err);
	void (*head)(void *arg, const struct upstream_answer *answer);
	void (*data)(void *arg, const char *data, size_t length);
	void (*turn)(void *arg); /* what there was to read is handed over */
	void (*end)(void *arg);	 /* of the answer; the call is over */
	/* There is room for body: what was made is on its way, or unsent bytes fell under
	 * UPSTREAM_LOW. Not for a call without a body that follows. */
	void (*drained)(void *arg);
	/* The call is over: ERR_NETWORK, ERR_GATEWAY_TIMEOUT, ERR_EGRESS, ERR_BUSY. was_sent: a
	 * byte of the request may have arrived there. */
	void (*fail)(void *arg, const struct error *err, bool was_sent);
};

struct upstream_call *upstream_send(struct upstream *upstream,
				    const struct upstream_request *request,
				    const struct upstream_events *events, void *arg);
void upstream_go(struct upstream_call *call); /* make is asked again */
bool upstream_goes_to(const struct upstream_call *call, const struct upstream_place *place);
/* From the first `drained` on. */
void upstream_write(struct upstream_call *call, const void *data, size_t length);
void upstream_finish(struct upstream_call *call); /* the body is complete */
size_t upstream_unsent(const struct upstream_call *call);
/* Reads no more of the answer; over HTTP/2 what is under way still comes, UPSTREAM_WINDOW. */
void upstream_hold(struct upstream_call *call, bool is_held);
void upstream_cancel(struct upstream_call *call); /* no event any more; NULL is fine */

#endif
