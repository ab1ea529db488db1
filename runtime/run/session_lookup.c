/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_lookup -- stored records that the plugin asks for. A lookup waits for the commit
 * in front of it, so a run sees what it has committed itself.
 */
#include "run/session_internal.h"

#include "base/jsonspan.h"
#include "run/session_fetch.h"

#include <stdlib.h>
#include <string.h>

#define TOO_LARGE "response_too_large" /* as of an answer of the provider */

struct lookup { /* one that is under way */
	struct session *session;
	struct run_lookup asked;
};

static void
send_records(struct session *s, const char *json, size_t length)
{
	char *frame;

	if (length > rpc_max(RPC_RECORDS)) {
		session_stop_because(s, CAUSE_STORE, TOO_LARGE,
				     "the records that were asked for have %zu bytes: ask for "
				     "fewer at once",
				     length);
		return;
	}
	frame = wire_frame(s, RPC_RECORDS, length);
	memcpy(frame + RPC_HEADER_BYTES, json, length);
	session_enter(s, SESSION_RUNNING);
	wire_send(s, frame, length);
}

static void
on_found(void *arg, const char *json, size_t length, const struct error *err)
{
	struct lookup *lookup = arg;
	struct session *s = lookup->session;

	/* Another state: the run was stopped, or its process is gone. */
	if (s->state == SESSION_WAITING && s->awaited == lookup && !s->is_freed) {
		s->awaited = NULL;
		if (err != NULL)
			session_stop_because(s, CAUSE_STORE,
					     err->code == ERR_TOO_LARGE ? TOO_LARGE
									: error_name(err->code),
					     "records of %s could not be read: %s",
					     lookup->asked.model, err->message);
		else
			send_records(s, json, length);
	}
	talloc_free(lookup);
	session_unref(s);
}

/* A list of texts, of 1,000 at most. */
static bool
ids_are_fine(const char *ids)
{
	struct jsonspan list, id;
	size_t cursor = 0, count = 0;

	if (jsonspan_check(ids, strlen(ids), NULL) < 0)
		return false;
	list = jsonspan_trim(ids, strlen(ids));
	if (jsonspan_type(list) != JSONSPAN_ARRAY)
		return false;
	while (jsonspan_next_item(list, &cursor, &id)) {
		if (jsonspan_type(id) != JSONSPAN_STRING || ++count > SESSION_LOOKUP_MAX)
			return false;
	}
	return true;
}

static bool
lookup_take(struct lookup *lookup, struct rpc_in *in)
{
	struct run_lookup *asked = &lookup->asked;

	asked->model = ask_take_string(lookup, in);
	asked->ids = ask_take_string(lookup, in);
	asked->cursor = ask_take_string(lookup, in);
	asked->limit = rpc_in_u32(in);
	return rpc_in_is_over(in) && asked->model != NULL && asked->limit >= 1 &&
	       asked->limit <= SESSION_LOOKUP_MAX &&
	       (asked->ids == NULL || ids_are_fine(asked->ids));
}

void
lookup_on_lookup(struct session *s, struct rpc_in *in)
{
	struct lookup *lookup = talloc_zero(NULL, struct lookup);

	if (lookup == NULL)
		abort();
	lookup->session = s;
	if (!lookup_take(lookup, in))
		session_violation(s,
				  "the plugin's process sent a damaged LOOKUP; one asks for 1 "
				  "to %d records",
				  SESSION_LOOKUP_MAX);
	else if (s->backend.lookup == NULL)
		session_stop_because(s, CAUSE_FAILED, "no_records",
				     "records cannot be read here: nothing is stored");
	if (session_has_verdict(s) || s->is_exited ||
	    !save_may_name(s, lookup->asked.model, strlen(lookup->asked.model))) {
		talloc_free(lookup);
		return;
	}
	s->awaited = lookup;
	session_ref(s);
	session_enter(s, SESSION_WAITING);
	s->backend.lookup(s->backend_arg, &lookup->asked, on_found, lookup);
}
