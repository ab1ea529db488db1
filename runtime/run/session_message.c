/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_message -- which message of a run is taken when; and those that are no more than
 * a line or two: hello, log, output, the ways to end.
 *
 * The plugin does not wait for its commits: while one is under way the next page is taken in.
 * What an author could tell the difference by (a request to the provider, a lookup, the end)
 * waits for the answer, so a commit that fails ends the run as if it had been waited for.
 */
#include "run/session_internal.h"

#include "base/jsonspan.h"

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
	if (s->committing == NULL || (type == RPC_COMMIT && page_may_wait(s)))
		return false;
	return messages[type].waits;
}

void
session_frame(struct session *s, enum rpc_type type, struct rpc_in *in)
{
	/* The state may have changed while the payload came in: a stop from outside. */
	if (session_may(s, type))
		messages[type].handle(s, in);
}
