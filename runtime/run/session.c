/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session -- see session.h: the states of a run's conversation, its verdict, its life.
 *
 * The verdict is the first thing that decides how the run ends: DONE, the plugin's own failure,
 * a broken rule, or a stop from outside. Nothing after it changes it. A stop that comes while a
 * page is being committed waits for the store's answer, because that page may be stored
 * already.
 */
#include "run/session.h"

#include "run/session_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- verdict --------------------------------------------------------------------------- */

bool
session_has_verdict(const struct session *s)
{
	return s->state == SESSION_DONE || s->state == SESSION_STOPPED ||
	       s->state == SESSION_STOPPING;
}

static void
verdict_apply(struct session *s)
{
	session_enter(s, SESSION_STOPPED);
	s->owner.stopped(s->owner_arg);
}

void
session_stop(struct session *s, const char *cause, const char *code, const char *message)
{
	if (session_has_verdict(s))
		return;
	snprintf(s->cause, sizeof(s->cause), "%s", cause);
	snprintf(s->code, sizeof(s->code), "%s", code);
	snprintf(s->message, sizeof(s->message), "%s", message);
	page_drop(s);
	iterate_drop(s);
	if (s->committing != NULL)
		session_enter(s, SESSION_STOPPING);
	else
		verdict_apply(s);
}

void
session_stop_because(struct session *s, enum cause_row cause, const char *code, const char *fmt,
		     ...)
{
	char message[sizeof(s->message)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	session_stop(s, cause_text(cause), code, message);
}

void
session_violation(struct session *s, const char *fmt, ...)
{
	char message[sizeof(s->message)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	/* DONE does not stand when something follows it. */
	if (s->state == SESSION_DONE)
		s->state = SESSION_RUNNING;
	session_stop(s, cause_text(CAUSE_PROTOCOL), "protocol_violation", message);
}

/* ---- states ---------------------------------------------------------------------------- */

/* The one door for changes of state. Where the channel has ended it also tells the owner. */
void
session_enter(struct session *s, enum session_state state)
{
	static const bool reads[SESSION_STATES] = {
	    [SESSION_OPENING] = true,
	    [SESSION_RUNNING] = true,
	    [SESSION_DONE] = true,
	    [SESSION_STOPPED] = true,
	};

	s->state = state;
	if (s->is_freed)
		return;
	wire_read(s, reads[state]);
	if (session_is_settled(s) && !s->is_told) {
		s->is_told = true;
		s->owner.settled(s->owner_arg);
	}
}

bool
session_is_settled(const struct session *s)
{
	return s->is_eof && s->committing == NULL && s->preparing == NULL && s->held == NULL &&
	       !s->is_resuming;
}

static enum cause_row
cause_of_store(enum error_code code)
{
	static const struct {
		enum error_code code;
		enum cause_row cause;
	} rows[] = {
	    {ERR_FENCED, CAUSE_LOST_LEASE},
	    {ERR_INVALID_RECORD, CAUSE_RECORD},
	    {ERR_DELETE_GUARD, CAUSE_GUARD},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return rows[i].cause;
	return CAUSE_STORE;
}

/* The store has answered; its page is gone already. */
void
session_committed(struct session *s, const struct error *err)
{
	if (s->state == SESSION_STOPPING) {
		verdict_apply(s);
	} else if (err != NULL) {
		session_stop_because(s, cause_of_store(err->code), error_name(err->code), "%s",
				     err->message);
	} else {
		page_commit_next(s);
		session_enter(s, s->state == SESSION_HOLDING ? SESSION_RUNNING : s->state);
	}
}

bool
session_is_done(const struct session *s)
{
	return s->state == SESSION_DONE;
}

bool
session_is_waiting(const struct session *s)
{
	return s->state == SESSION_WAITING && !s->is_exited;
}

void
session_exited(struct session *s)
{
	s->is_exited = true;
	if (s->state == SESSION_WAITING) {
		iterate_drop(s); /* nobody waits for the answer any more */
		session_enter(s, SESSION_RUNNING);
	}
}

/* ---- life ------------------------------------------------------------------------------ */

struct session *
session_ref(struct session *s)
{
	s->refs++;
	return s;
}

void
session_unref(struct session *s)
{
	if (--s->refs > 0)
		return;
	talloc_free(s);
	frame_pool_close();
}

static void
send_start(struct session *s, const struct run_start *start)
{
	const char *texts[] = {start->function, start->connection_id, start->checkpoint,
			       start->metadata, start->input};
	size_t length = 8;
	char *frame, *at;

	for (size_t i = 0; i < 5; i++)
		length += 4 + (texts[i] == NULL ? 0 : strlen(texts[i]));
	frame = wire_frame(s, RPC_START, length);
	at = rpc_put_u32(frame + RPC_HEADER_BYTES, RPC_VERSION);
	at = rpc_put_u32(at, (uint32_t)start->kind);
	for (size_t i = 0; i < 5; i++)
		at = rpc_put_text(at, texts[i], texts[i] == NULL ? 0 : strlen(texts[i]));
	wire_send(s, frame, length);
}

static void
copy_models(struct session *s, const char *const *models)
{
	size_t count = 0;

	while (models != NULL && models[count] != NULL)
		count++;
	s->models = talloc_zero_array(s, const char *, (unsigned)count + 1);
	for (size_t i = 0; i < count; i++)
		s->models[i] = talloc_strdup(s->models, models[i]);
}

struct session *
session_new(struct loop *loop, int fd, const struct run_start *start,
	    const struct run_backend *backend, void *backend_arg,
	    const struct session_owner *owner, void *owner_arg)
{
	struct session *s = talloc_zero(NULL, struct session);

	if (s == NULL)
		abort();
	s->loop = loop;
	s->fd = fd;
	s->refs = 1;
	s->kind = start->kind;
	s->paginate = start->paginate == NULL ? NULL : talloc_strdup(s, start->paginate);
	copy_models(s, start->models);
	s->backend = *backend;
	s->backend_arg = backend_arg;
	s->owner = *owner;
	s->owner_arg = owner_arg;
	frame_pool_open();
	wire_open(s);
	send_start(s, start);
	wire_read(s, true);
	return s;
}

static bool
is_walk_complete(const struct session *s)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	bool is = s->is_vouched || iterate_unfinished(scratch, s) == NULL;

	talloc_free(scratch);
	return is;
}

void
session_fill(const struct session *s, struct run_end *end)
{
	end->is_done = session_is_done(s);
	snprintf(end->cause, sizeof(end->cause), "%s", s->cause);
	snprintf(end->code, sizeof(end->code), "%s", s->code);
	snprintf(end->message, sizeof(end->message), "%s", s->message);
	end->payload = s->fail_payload;
	end->output = s->output;
	end->pages = s->pages;
	end->requests = s->requests;
	end->is_walk_complete = end->is_done && is_walk_complete(s);
	end->leaves_walk = end->is_done && iterate_leaves(s, true);
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	s->is_freed = true;
	iterate_drop(s);
	wire_close(s);
	session_unref(s);
}
