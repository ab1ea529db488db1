/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_support -- one conversation of a run with its session, spoken by hand.
 */
#ifndef NANGO_TESTS_SESSION_SUPPORT_H
#define NANGO_TESTS_SESSION_SUPPORT_H

#include "http/server.h"
#include "rpc/frame.h"
#include "run/session.h"

struct talk { /* one conversation */
	struct loop *loop;
	struct session *session;
	int fd; /* the run's end */
	int stopped, settled, commits, fetches, lookups, logs;
	size_t records;
	char ids[128];	   /* of what was committed; with the problem where there is one */
	char windows[128]; /* "Item:open,close,force" */
	char asked[128];   /* of the last lookup */
	run_lookup_done *lookup_done;
	void *lookup_arg;
	bool was_cleared, leaves_walk;
	run_fetch_done *fetch_done;
	void *fetch_arg;
	run_commit_done *commit_done;
	void *commit_arg;
	bool is_slow; /* answers are given by the test */
	const struct run_page *prepared;
	int prepares;
	run_prepare_done *prepare_done;
	void *prepare_arg;
	bool is_slow_to_prepare; /* or it is answered within the call, as by a full pool */
	struct run_end end;
};

extern const struct http_field no_headers[];
extern const struct run_response three_items;

void talk_open(struct talk *talk);
void talk_close(struct talk *talk); /* the run's end is closed; fills talk->end */
void turn(struct talk *talk);	    /* the loop, until nothing happens */

void say_bytes(struct talk *talk, const void *bytes, size_t length);
/* One frame from a pattern: u a number, s a text, n none, b bare text; arguments follow. */
void say(struct talk *talk, enum rpc_type type, const char *pattern, ...);
void say_http(struct talk *talk);
void say_paginate(struct talk *talk, unsigned number);
/* A letter is a message that is in order but for its place; see session_support.c. */
void say_letter(struct talk *talk, char letter);
void say_letters(struct talk *talk, const char *letters);

/* The type of the next message from the server, RPC_NONE when there is none. */
enum rpc_type heard(struct talk *talk);

#endif
