/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_message -- what a webhook says: from the facts that were stored with the event
 * to the signed request. Any thread.
 *
 * Bodies are compact JSON with sorted keys, as the official clients' types have them; what is
 * not known is absent, not null.
 */
#ifndef NANGO_ENGINE_HOOKS_MESSAGE_H
#define NANGO_ENGINE_HOOKS_MESSAGE_H

#include "base/json.h"
#include "engine/hooks_settings.h"
#include "http/server.h" /* struct http_field */
#include "store/connection.h"
#include "store/outbox.h"

#define HOOKS_HEADERS_MAX 8 /* of ours */

/* ---- written with the event ---- */

/* Of a run, for outbox_page and outbox_release. */
struct hooks_run {
	const char *connection_id, *integration_key, *sync, *variant;
	const char *checkpoint; /* at its beginning, JSON or NULL */
	int64_t started_ms;
};
char *hooks_run_facts(TALLOC_CTX *mem, const struct hooks_run *run);

/* Of its end. Checkpoints are JSON or NULL; error_type NULL: it did not fail. */
struct hooks_run_end {
	const char *from, *to;
	int64_t failed_ms;
	const char *error_type, *error_description;
	const char *error_payload; /* JSON or NULL */
};
char *hooks_run_outcome(TALLOC_CTX *mem, const struct hooks_run_end *end);

/* What happened to a connection's authorisation, for outbox_auth. */
struct hooks_auth {
	const char *operation; /* creation, override, refresh */
	const char *connection_id, *integration_key, *provider, *auth_mode, *environment;
	const char *tags;	/* JSON object or NULL */
	const char *end_user;	/* JSON object as it is stored, or NULL */
	const char *error_type; /* NULL: it succeeded */
	const char *error_description;
};
char *hooks_auth_facts(TALLOC_CTX *mem, const struct hooks_auth *auth);

/* ---- read when it is delivered ---- */

/* Does the environment want this event, by its switches? */
bool hooks_is_wanted(const struct webhook_settings *settings, const struct outbox_event *event);

/* ERR_INVALID_JSON when what was stored cannot be read. */
MUST_CHECK int hooks_body(TALLOC_CTX *mem, const struct outbox_event *event, char **out,
			  struct error *err);

/*
 * Content type, both signatures of the reference, and those of Standard Webhooks 1.0.0 at a
 * time in seconds. headers has HOOKS_HEADERS_MAX places; the last is a NULL name.
 */
void hooks_sign(TALLOC_CTX *mem, const char *signing_key, const char *event_id,
		const char *body, int64_t now_s, struct http_field *headers);

#endif
