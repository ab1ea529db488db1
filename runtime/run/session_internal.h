/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_internal -- what the session's files share: session.c (states and verdict),
 * session_wire.c (bytes), session_page.c (saves and commits), session_fetch.c (HTTP and pages).
 */
#ifndef NANGO_RUN_SESSION_INTERNAL_H
#define NANGO_RUN_SESSION_INTERNAL_H

#include "rpc/frame.h"
#include "run/session.h"

#include <stdint.h>
#include <talloc.h>

struct event;

enum session_state {
	SESSION_OPENING,    /* HELLO is expected */
	SESSION_RUNNING,    /* the plugin works; its messages are carried out */
	SESSION_WAITING,    /* for the provider; nothing is read meanwhile */
	SESSION_COMMITTING, /* for the store; nothing is read meanwhile */
	SESSION_DONE,	    /* DONE came; nothing may follow */
	SESSION_STOPPED,    /* there is a verdict; what comes is thrown away */
	SESSION_STATES
};

struct outgoing { /* a frame on its way to the run */
	struct outgoing *next;
	char *data;
	size_t length, sent;
};

struct staged_model {
	const char *model;
	struct run_record *records;
	size_t count, capacity;
};

struct staging {	 /* the page that is being saved */
	TALLOC_CTX *mem; /* NULL: nothing saved yet */
	struct staged_model models[SESSION_MODELS_MAX];
	struct run_page_model view[SESSION_MODELS_MAX]; /* as the backend sees them */
	struct run_page page;
	size_t models_count, records, bytes;
};

struct fetch;
struct pager;

struct session {
	struct loop *loop;
	int fd;
	struct event *readable, *writable;
	enum session_state state;
	bool is_eof, is_exited, is_freed, is_reading, is_told;
	bool is_stopping; /* a verdict that came during a commit */
	unsigned refs;	  /* 1, and one for each answer that the backend owes */

	/* incoming */
	char head[RPC_HEADER_BYTES];
	size_t head_have;
	struct rpc_header header;
	char *payload; /* being filled */
	char *frame;   /* being handled; who keeps it sets this to NULL */
	size_t payload_have;
	char *held; /* read, but not to be handled yet */
	size_t held_length;

	struct outgoing *out_first, **out_last;
	struct staging staging;
	struct fetch *single; /* the request that the plugin waits for */
	struct pager *pagers;
	unsigned pagers_count;
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
void session_frame(struct session *session, enum rpc_type type, struct rpc_in *in);
bool session_may(const struct session *session, enum rpc_type type);
struct session *session_ref(struct session *session);
void session_unref(struct session *session);

/* session_wire.c */
int wire_open(struct session *session);
void wire_read(struct session *session, bool is_wanted);
void wire_send(struct session *session, char *frame, size_t length); /* talloc'ed; taken */
char *wire_frame(struct session *session, enum rpc_type type,
		 size_t length); /* payload at +8 */
void wire_close(struct session *session);

/* session_page.c */
session_handler page_on_save, page_on_commit;
void page_drop(struct session *session);

/* session_fetch.c */
session_handler fetch_on_http;

/* session_iterate.c */
session_handler iterate_on_paginate, iterate_on_next, iterate_on_leave;
void iterate_drop(struct session *session);

#endif
