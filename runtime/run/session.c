/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session -- see session.h: the states of a run's conversation, and its verdict.
 *
 * The verdict is the first thing that decides how the run ends: DONE, the plugin's own failure,
 * a broken rule, or a stop from outside. Nothing after it changes it. A stop that comes while a
 * page is being committed waits for the store's answer, because that page may be stored
 * already.
 *
 * The plugin does not wait for its commits: while one is under way the next page is taken in.
 * What an author could tell the difference by (a request to the provider, a lookup, the end)
 * waits for the answer, so a commit that fails ends the run as if it had been waited for.
 */
#include "run/session.h"

#include "base/jsonspan.h"
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
	if (s->state == SESSION_STOPPING)
		verdict_apply(s);
	else if (err != NULL)
		session_stop_because(s, cause_of_store(err->code), error_name(err->code), "%s",
				     err->message);
	else
		session_enter(s, s->state == SESSION_HOLDING ? SESSION_RUNNING : s->state);
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

/* ---- messages -------------------------------------------------------------------------- */

static char *
copy_text(TALLOC_CTX *mem, const char *text, size_t length)
{
	return text == NULL ? NULL : talloc_strndup(mem, text, length);
}

static void
on_hello(struct session *s, struct rpc_in *in)
{
	uint32_t version = rpc_in_u32(in);

	if (version == RPC_VERSION)
		session_enter(s, SESSION_RUNNING);
	else
		session_stop_because(
		    s, CAUSE_RUNNER, "runner_lost",
		    "nango-runner speaks protocol %u, this server %d: install both "
		    "from one build",
		    version, RPC_VERSION);
}

static void
on_log(struct session *s, struct rpc_in *in)
{
	static const char last[] =
	    "there were more lines than a run may log; the rest is dropped";
	uint32_t level = rpc_in_u32(in);
	size_t length = (size_t)(in->end - in->at);

	s->log_lines++;
	if (s->backend.log == NULL || s->log_lines > SESSION_LOG_LINES_MAX)
		return;
	if (s->log_lines == SESSION_LOG_LINES_MAX)
		s->backend.log(s->backend_arg, 2, last, sizeof(last) - 1);
	else
		s->backend.log(s->backend_arg, (int)(level & 3), in->at, length);
}

static void
on_output(struct session *s, struct rpc_in *in)
{
	size_t length = (size_t)(in->end - in->at);
	struct jsonspan_fault fault;

	if (jsonspan_check(in->at, length, &fault) < 0) {
		session_stop_because(s, CAUSE_FAILED, "invalid_output",
				     "the output is no JSON: %s at byte %zu", fault.reason,
				     fault.offset);
		return;
	}
	talloc_free(s->output);
	s->output = copy_text(s, in->at, length);
}

static void
on_fail(struct session *s, struct rpc_in *in)
{
	size_t code_length, message_length, payload_length;
	const char *code = rpc_in_text(in, &code_length);
	const char *message = rpc_in_text(in, &message_length);
	const char *payload = rpc_in_text(in, &payload_length);

	if (code == NULL || message == NULL || !rpc_in_is_over(in)) {
		session_violation(s, "the plugin's process sent a damaged FAIL");
		return;
	}
	if (payload != NULL && jsonspan_check(payload, payload_length, NULL) == 0)
		s->fail_payload = copy_text(s, payload, payload_length);
	session_stop(s, cause_text(CAUSE_FAILED), talloc_strndup(s, code, code_length),
		     talloc_strndup(s, message, message_length));
}

/* What a runner may name as its own end; the other causes are the server's to find. */
static bool
may_be_named(const char *cause)
{
	static const enum cause_row rows[] = {CAUSE_FAILED,   CAUSE_SIGNAL, CAUSE_MEMORY,
					      CAUSE_SANDBOX,  CAUSE_LOAD,   CAUSE_ABI,
					      CAUSE_PROTOCOL, CAUSE_RECORD, CAUSE_RUNNER};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (cause_fits(cause, rows[i]))
			return true;
	}
	return false;
}

static void
on_death(struct session *s, struct rpc_in *in)
{
	size_t cause_length, message_length;
	const char *cause = rpc_in_text(in, &cause_length);
	const char *message = rpc_in_text(in, &message_length);
	char *named = copy_text(s, cause, cause_length);

	if (named == NULL || message == NULL || !rpc_in_is_over(in) || !may_be_named(named))
		session_violation(s, "the plugin's process sent a damaged DEATH");
	else
		session_stop(s, named, "", talloc_strndup(s, message, message_length));
}

static void
on_done(struct session *s, struct rpc_in *in)
{
	(void)in;
	if (s->filling != NULL)
		session_violation(
		    s, "the plugin's process sent DONE before its last page's COMMIT");
	else
		session_enter(s, SESSION_DONE);
}

/*
 * Which message each state takes, and which ones wait while a commit is under way: what the
 * plugin could see, or do, before it is certain that its page is stored. Bytes are handled only
 * in OPENING, RUNNING and DONE (which takes none), so the other states need no column: in them
 * bytes stay in the socket.
 */
static const struct {
	bool in_opening, in_running, waits;
	session_handler *handle;
} messages[RPC_COUNT] = {
    [RPC_HELLO] = {true, false, false, on_hello},
    [RPC_DEATH] = {true, true, true, on_death},
    [RPC_HTTP] = {false, true, true, fetch_on_http},
    [RPC_PAGINATE] = {false, true, false, iterate_on_paginate},
    [RPC_NEXT] = {false, true, false, iterate_on_next},
    [RPC_LEAVE] = {false, true, false, iterate_on_leave},
    [RPC_SAVE] = {false, true, false, save_on_save},
    [RPC_WINDOW] = {false, true, false, save_on_window},
    [RPC_COMMIT] = {false, true, true, page_on_commit},
    [RPC_LOOKUP] = {false, true, true, lookup_on_lookup},
    [RPC_LOG] = {true, true, false, on_log},
    [RPC_OUTPUT] = {false, true, true, on_output},
    [RPC_FAIL] = {false, true, true, on_fail},
    [RPC_DONE] = {false, true, true, on_done},
};

bool
session_may(const struct session *s, enum rpc_type type)
{
	if (s->state == SESSION_OPENING)
		return messages[type].in_opening;
	return s->state == SESSION_RUNNING && messages[type].in_running;
}

bool
session_must_hold(const struct session *s, enum rpc_type type)
{
	return s->committing != NULL && messages[type].waits;
}

void
session_frame(struct session *s, enum rpc_type type, struct rpc_in *in)
{
	/* The state may have changed while the payload came in: a stop from outside. */
	if (session_may(s, type))
		messages[type].handle(s, in);
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
