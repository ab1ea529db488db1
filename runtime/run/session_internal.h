/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_internal -- what the session's files share: session.c (states and verdict),
 * session_message.c (which message when), session_wire.c (bytes), session_frame.c (their
 * memory), session_save.c (the page that is being filled), session_page.c (commits),
 * session_fetch.c (HTTP), session_iterate.c (pages of lists), session_lookup.c (stored
 * records).
 */
#ifndef NANGO_RUN_SESSION_INTERNAL_H
#define NANGO_RUN_SESSION_INTERNAL_H

#include "rpc/frame.h"
#include "run/session.h"

#include <stdint.h>
#include <talloc.h>

struct event;

enum session_state {
	SESSION_OPENING,  /* HELLO is expected */
	SESSION_RUNNING,  /* the plugin works; its messages are carried out */
	SESSION_WAITING,  /* for the provider, or for records; nothing is read meanwhile */
	SESSION_HOLDING,  /* a message waits for the commit under way; nothing is read */
	SESSION_STOPPING, /* there is a verdict, and a commit under way; nothing is read */
	SESSION_DONE,	  /* DONE came; nothing may follow */
	SESSION_STOPPED,  /* there is a verdict; what comes is thrown away */
	SESSION_STATES
};

struct outgoing { /* a frame on its way to the run */
	struct outgoing *next;
	char *data;
	size_t length, sent;
};

/* A page that is being saved or committed: itself the talloc context of all that is in it. */
struct staging {
	struct run_page_model *models;
	size_t *capacities; /* of the models' lists of records */
	size_t models_count, records, bytes;
	struct run_page page;
};

struct frame; /* session_frame.c */
struct pager;

struct session {
	struct loop *loop;
	int fd;
	struct event *readable, *writable;
	struct event *resume; /* a turn for bytes that are here already */
	enum session_state state;
	bool is_eof, is_exited, is_freed, is_reading, is_told;
	unsigned refs; /* 1, and one for each answer that the backend owes */

	/* incoming */
	char head[RPC_HEADER_BYTES];
	size_t head_have;
	bool is_begun; /* the header was taken: the payload is next */
	struct rpc_header header;
	struct frame *payload; /* being filled */
	struct frame *frame;   /* being handled; who keeps it sets this to NULL */
	size_t payload_have;
	char *held; /* read, but not to be handled yet */
	size_t held_length;
	bool is_resuming; /* that turn is coming */

	struct outgoing *out_first, **out_last;
	struct staging *filling;    /* the page that is being saved; NULL: nothing yet */
	struct staging *next;	    /* a whole page, whose commit waits; NULL: none */
	struct staging *committing; /* the page that the store has; NULL: there is no next */
	struct staging *preparing;  /* the backend looks at it before its commit; NULL: none */
	const void *awaited;	    /* the request or lookup that the plugin waits for */
	struct pager *pagers;
	unsigned pagers_count;
	unsigned walks;	      /* iterations that came to their end */
	const char *unwalked; /* what became of the first one that did not; NULL: none */
	bool is_vouched;      /* the plugin says that it went over everything */
	unsigned log_lines;

	/* copies of run_start */
	int kind;
	const char *paginate;
	const char **models;
	struct run_backend backend;
	void *backend_arg;
	struct session_owner owner;
	void *owner_arg;

	/* the end */
	char cause[sizeof(((struct run_end *)0)->cause)];
	char code[sizeof(((struct run_end *)0)->code)];
	char message[sizeof(((struct run_end *)0)->message)];
	char *fail_payload, *output;
	uint64_t pages, requests;
};

typedef void session_handler(struct session *session, struct rpc_in *in);

/* session.c */
void session_violation(struct session *session, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void session_stop_because(struct session *session, enum cause_row cause, const char *code,
			  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void session_enter(struct session *session, enum session_state state);
void session_committed(struct session *session, const struct error *err);
struct session *session_ref(struct session *session);
void session_unref(struct session *session);

/* session_message.c */
void session_frame(struct session *session, enum rpc_type type, struct rpc_in *in);
bool session_may(const struct session *session, enum rpc_type type);
bool session_must_hold(const struct session *session, enum rpc_type type);

/* session_wire.c */
int wire_open(struct session *session);
void wire_read(struct session *session, bool is_wanted);
void wire_send(struct session *session, char *frame, size_t length); /* talloc'ed; taken */
char *wire_frame(struct session *session, enum rpc_type type,
		 size_t length); /* payload at +8 */
void wire_close(struct session *session);

/* session_frame.c */
struct frame *frame_new(struct session *session, size_t length); /* talloc'ed */
char *frame_data(struct frame *frame);
void frame_pool_open(void); /* for each session, and closed again with it */
void frame_pool_close(void);

/* session_save.c */
session_handler save_on_save, save_on_window;
struct staging *save_staging(struct session *session); /* the page that is being filled */
/* May the function name this model? If not, the run has been stopped. */
bool save_may_name(struct session *session, const char *name, size_t length);

/* session_page.c */
session_handler page_on_commit;
bool page_may_wait(const struct session *session); /* while another one is committed */
void page_prepare(struct session *session); /* a COMMIT stands and waits: its page is whole */
void page_commit_next(struct session *session);
void page_drop(struct session *session); /* what the store does not have yet */

/* session_fetch.c */
session_handler fetch_on_http;

/* session_lookup.c */
session_handler lookup_on_lookup;

/* session_iterate.c */
session_handler iterate_on_paginate, iterate_on_next, iterate_on_leave;
void iterate_drop(struct session *session);
/* A list was left before its last page, and the plugin does not say that it saw everything. At
 * the run's end, those that are open were left, too. */
bool iterate_leaves(const struct session *session, bool is_end);
/* NULL when the plugin went through at least one list and left none; else what is missing. */
const char *iterate_unfinished(TALLOC_CTX *mem, const struct session *session);

#endif
