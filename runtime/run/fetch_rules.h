/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_rules -- may a request be sent again, and when. Pure: the time is given.
 *
 * rules is a template's proxy.retry, or NULL:
 *   error_code  statuses that may be repeated ("403", "5xx", "500-502"; one or a list), instead
 * of 401, 429 and 500 up remaining   a header; "0" in it makes any status of 400 up repeatable
 *   after       headers that hold seconds to wait, or a date
 *   at          headers that hold the time to wait for: epoch seconds or milliseconds, or a
 * date
 *   in_body     of a refusal that is JSON: a dotted path, and a pattern for the text there
 * whose group is such a time
 */
#ifndef NANGO_RUN_FETCH_RULES_H
#define NANGO_RUN_FETCH_RULES_H

#include "base/json.h"
#include "http/server.h" /* struct http_field */
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

/* A status by its word in templates: "403", "5xx" or "500-502". */
bool fetch_status_matches(const char *code, int status);

bool fetch_may_repeat(struct json_object *rules, int status, const struct http_field *headers);

/* Do the `remaining` headers say that the provider's limit is used up? */
bool fetch_is_used_up(struct json_object *rules, const struct http_field *headers);

/* Was this request refused for a limit: 429, a refusal with the limit used up, or a 403 or 503
 * that `error_code` names and an `after` header goes with. */
bool fetch_is_refused(struct json_object *rules, int status, const struct http_field *headers);

/* The time that in_body finds in an answer's body, as text; NULL: none. */
char *fetch_told(TALLOC_CTX *mem, struct json_object *rules, const char *body, size_t length);

/*
 * Milliseconds to wait before try number `attempt` + 1 (from 0). A header's word goes before
 * the back-off; of several headers the longest wait. `at` is not looked at for 500, 502 and
 * 504: a provider that tells its limit's reset with every answer did not ask us to wait an hour
 * for it. random (0..1) spreads equal waits. At most FETCH_WAIT_MAX_MS. told: of
 * fetch_told(), or NULL.
 */
int64_t fetch_wait_ms(struct json_object *rules, int status, const struct http_field *headers,
		      const char *told, unsigned attempt, int64_t now_wall_ms, double random);

/* What the headers and the body ask for, without bound or jitter; -1: they ask for nothing. */
int64_t fetch_asked_ms(struct json_object *rules, int status, const struct http_field *headers,
		       const char *told, int64_t now_wall_ms);

#endif
