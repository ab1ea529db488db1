/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_fetch -- a run's requests to the provider: reading them, and the single ones.
 */
#include "run/session_fetch.h"

#include "run/session_internal.h"

#include <stdio.h>
#include <string.h>

struct fetch { /* one that is under way */
	struct session *session;
	struct ask *ask;
};

/* ---- reading a request ------------------------------------------------------------------ */

/* A NUL-terminated copy; NULL for none. A text with a NUL within breaks the protocol. */
char *
ask_take_string(TALLOC_CTX *mem, struct rpc_in *in)
{
	size_t length;
	const char *text = rpc_in_text(in, &length);

	if (text == NULL)
		return NULL;
	if (memchr(text, '\0', length) != NULL)
		in->is_bad = true;
	return talloc_strndup(mem, text, length);
}

static struct http_field *
take_pairs(TALLOC_CTX *mem, struct rpc_in *in)
{
	uint32_t count = rpc_in_u32(in);
	struct http_field *pairs;

	if (count > SESSION_PAIRS_MAX) {
		in->is_bad = true;
		count = 0;
	}
	pairs = talloc_zero_array(mem, struct http_field, count + 1);
	for (uint32_t i = 0; i < count && !in->is_bad; i++) {
		pairs[i].name = ask_take_string(pairs, in);
		pairs[i].value = ask_take_string(pairs, in);
		if (pairs[i].name == NULL || pairs[i].value == NULL)
			in->is_bad = true;
	}
	return pairs;
}

struct ask *
ask_take(TALLOC_CTX *mem, struct rpc_in *in)
{
	struct ask *ask = talloc_zero(mem, struct ask);
	struct run_request *r = &ask->request;
	const char *body;

	r->method = ask_take_string(ask, in);
	r->path = ask_take_string(ask, in);
	r->query = take_pairs(ask, in);
	r->headers = take_pairs(ask, in);
	r->content_type = ask_take_string(ask, in);
	body = rpc_in_text(in, &r->body_length);
	r->body = body == NULL ? NULL : talloc_memdup(ask, body, r->body_length);
	r->retries = rpc_in_u32(in);
	r->timeout_ms = rpc_in_u32(in);
	ask->accept_count = rpc_in_u32(in);
	if (ask->accept_count > SESSION_PAIRS_MAX)
		in->is_bad = true;
	if (in->is_bad || r->method == NULL || r->path == NULL) {
		in->is_bad = true;
		return ask;
	}
	ask->accept = talloc_zero_array(ask, uint16_t, ask->accept_count + 1);
	for (uint32_t i = 0; i < ask->accept_count; i++)
		ask->accept[i] = (uint16_t)rpc_in_u32(in);
	return ask;
}

bool
ask_accepts(const struct ask *ask, int status)
{
	if (status >= 200 && status < 300)
		return true;
	for (uint32_t i = 0; i < ask->accept_count; i++) {
		if (ask->accept[i] == status)
			return true;
	}
	return false;
}

void
ask_describe(char *out, size_t size, const struct ask *ask, const struct run_response *r)
{
	size_t shown = r->body_length > 500 ? 500 : r->body_length;

	snprintf(out, size, "%s %.300s answered %d: %.*s", ask->request.method,
		 ask->request.path, r->status, (int)shown, shown == 0 ? "" : r->body);
}

void
ask_stop(struct session *s, int status, const char *code, const char *message)
{
	char cause[32];

	snprintf(cause, sizeof(cause), "upstream %d", status);
	session_stop(s, cause, code, message);
}

size_t
fields_bytes(const struct http_field *fields)
{
	size_t length = 4;

	for (; fields != NULL && fields->name != NULL; fields++)
		length += 8 + strlen(fields->name) + strlen(fields->value);
	return length;
}

char *
fields_put(char *at, const struct http_field *fields)
{
	char *count = at;
	uint32_t n = 0;

	at += 4;
	for (; fields != NULL && fields->name != NULL; fields++, n++) {
		at = rpc_put_text(at, fields->name, strlen(fields->name));
		at = rpc_put_text(at, fields->value, strlen(fields->value));
	}
	rpc_put_u32(count, n);
	return at;
}

/* ---- single requests -------------------------------------------------------------------- */

static void
send_answer(struct session *s, const struct run_response *r)
{
	size_t length = 4 + fields_bytes(r->headers) + r->body_length;
	char *frame, *at;

	if (length > rpc_max(RPC_ANSWER)) {
		session_stop_because(s, CAUSE_FETCH, "response_too_large",
				     "an answer of %zu bytes is "
				     "larger than a run may get",
				     r->body_length);
		return;
	}
	frame = wire_frame(s, RPC_ANSWER, length);
	at = rpc_put_u32(frame + RPC_HEADER_BYTES, (uint32_t)r->status);
	at = fields_put(at, r->headers);
	if (r->body_length > 0)
		memcpy(at, r->body, r->body_length);
	session_enter(s, SESSION_RUNNING);
	wire_send(s, frame, length);
}

static void
single_answered(struct session *s, const struct ask *ask, const struct run_response *r,
		const struct error *err)
{
	char message[1024];

	if (err != NULL) {
		session_stop_because(s, CAUSE_FETCH, error_name(err->code), "%s %.300s: %s",
				     ask->request.method, ask->request.path, err->message);
	} else if (!ask_accepts(ask, r->status)) {
		ask_describe(message, sizeof(message), ask, r);
		ask_stop(s, r->status, error_name(ERR_UPSTREAM), message);
	} else {
		send_answer(s, r);
	}
}

static void
single_done(void *arg, const struct run_response *r, const struct error *err)
{
	struct fetch *fetch = arg;
	struct session *s = fetch->session;

	/* Another state: the run was stopped, or its process is gone. */
	if (s->state == SESSION_WAITING && s->awaited == fetch && !s->is_freed) {
		s->awaited = NULL;
		single_answered(s, fetch->ask, r, err);
	}
	talloc_free(fetch);
	session_unref(s);
}

void
fetch_on_http(struct session *s, struct rpc_in *in)
{
	struct fetch *fetch = talloc_zero(NULL, struct fetch);

	fetch->session = s;
	fetch->ask = ask_take(fetch, in);
	if (!rpc_in_is_over(in) || s->is_exited) {
		if (!s->is_exited)
			session_violation(s, "the plugin's process sent a damaged HTTP");
		talloc_free(fetch);
		return;
	}
	s->requests++;
	s->awaited = fetch;
	session_ref(s);
	session_enter(s, SESSION_WAITING);
	s->backend.fetch(s->backend_arg, &fetch->ask->request, single_done, fetch);
}
