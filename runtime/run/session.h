/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session -- the server's side of one run's channel: what the plugin asks for, checked, and
 * passed to the backend. What comes in is an enemy's; session.c has the table of which message
 * is allowed in which state, and the quotas are below.
 *
 * Inner to run/: the host makes a session for each run, and decides with it how the run ended.
 * On the loop's thread.
 */
#ifndef NANGO_RUN_SESSION_H
#define NANGO_RUN_SESSION_H

#include "base/loop.h"
#include "run/backend.h"
#include "run/cause.h"
#include <stdbool.h>

#define SESSION_PAGE_BYTES_MAX (100 * 1024 * 1024) /* what a run may save before it commits */
#define SESSION_PAGE_RECORDS_MAX 1000000
#define SESSION_AHEAD_BYTES_MAX (8 * 1024 * 1024) /* of a page that waits for its commit */
#define SESSION_RECORD_BYTES_MAX (10 * 1024 * 1024)
#define SESSION_FRAME_RECORDS_MAX 1000
#define SESSION_ID_BYTES_MAX 255  /* of a record's id */
#define SESSION_LOOKUP_MAX 1000	  /* records of one lookup */
#define SESSION_ITERATIONS_MAX 16 /* at one time */
#define SESSION_PAIRS_MAX 256	  /* query or headers of a request */
#define SESSION_CHECKPOINT_FIELDS_MAX 16
#define SESSION_CHECKPOINT_KEY_MAX 255	 /* characters of a member's name */
#define SESSION_CHECKPOINT_TEXT_MAX 4000 /* characters of a text */
#define SESSION_LOG_LINES_MAX 10000 /* of a run; more are dropped, which the last line says */

struct session;

struct session_owner {
	void (*stopped)(void *owner); /* the verdict is reached: kill the process */
	void (*settled)(void *owner); /* the channel is at its end and no commit is under way */
};

/* Takes fd; sends START. start and backend are copied, calls to owner never come from here. */
struct session *session_new(struct loop *loop, int fd, const struct run_start *start,
			    const struct run_backend *backend, void *backend_arg,
			    const struct session_owner *owner, void *owner_arg);

/* Nothing more is carried out, except that a commit under way is waited for. The first verdict
 * stands: this does nothing after DONE or another stop. */
void session_stop(struct session *session, const char *cause, const char *code,
		  const char *message);

void session_exited(struct session *session); /* the process is gone: read what it left */
bool session_is_settled(const struct session *session);
bool session_is_done(const struct session *session); /* DONE came, all commits succeeded */
bool
session_is_waiting(const struct session *session); /* for the provider, and for nothing else */
bool session_has_verdict(const struct session *session); /* DONE, or stopped with a cause */
void session_fill(const struct session *session, struct run_end *end); /* all but usage */
void session_free(struct session *session); /* late answers of the backend are dropped */

#endif
