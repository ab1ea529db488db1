/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out_flight -- one delivery, on the loop: sent, answered, and judged. Its result
 * is put with those that wait to be written.
 */
#include "engine/hooks_out_internal.h"
#include "engine/hooks_retry.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "http/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX \
	65536 /* bytes of a receiver's answer, which nobody reads: then it is cut off */
#define HOUR_MS INT64_C(3600000)

void
hooks_flight_result(struct hooks_delivery *d, const char *state, int64_t wait_ms,
		    int64_t attempts, int status, const char *why)
{
	const struct hooks_result result = {.connection_row = d->connection_row,
					    .id = d->id,
					    .token = d->token,
					    .attempts = attempts,
					    .wait_ms = wait_ms,
					    .state = state,
					    .error = why,
					    .status = status};

	hooks_result_add(&d->hooks->results[d->family], &result);
}

static const char *
header_of(const struct http_incoming *answer, const char *name)
{
	for (const struct http_field *f = answer->headers; f != NULL && f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f->value;
	return NULL;
}

void
hooks_flight_end(struct hooks_delivery *d)
{
	TAILQ_REMOVE(&d->hooks->flying, d, entry);
	d->hooks->flying_count--;
	talloc_free(d);
}

static void
report(const struct hooks_delivery *d, const struct hooks_verdict *verdict, const char *why)
{
	if (strcmp(verdict->state, "dead") == 0)
		log_warn("webhooks",
			 "event %s was given up after attempt %" PRId64 " (environment %" PRId64
			 "): %s",
			 d->event_id, d->attempts, d->environment_id, why);
	else if (why == NULL)
		log_debug("webhooks", "delivered event %s, attempt %" PRId64, d->event_id,
			  d->attempts);
	else
		log_debug("webhooks",
			  "event %s, attempt %" PRId64 ": %s; again in %" PRId64 " ms",
			  d->event_id, d->attempts, why, verdict->wait_ms);
}

static void
on_answer(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct hooks_delivery *d = arg;
	struct hooks_out *hooks = d->hooks;
	struct hooks_attempt attempt = {.number = d->attempts, .age_ms = d->age_ms};
	struct hooks_verdict verdict;
	char text[64];
	const char *why = text;
	uint16_t jitter;

	if (err != NULL) {
		attempt.code = err->code;
		why = err->message;
	} else {
		attempt.status = answer->status;
		attempt.retry_after = header_of(answer, "retry-after");
		snprintf(text, sizeof(text), "the receiver answered with status %d",
			 answer->status);
	}
	crypto_random(&jitter, sizeof(jitter));
	verdict = hooks_decide(&attempt, hooks->node->config->webhook_retry_hours * HOUR_MS,
			       jitter, clock_wall_ms());
	if (strcmp(verdict.state, "delivered") == 0)
		why = NULL;
	report(d, &verdict, why);
	hooks_flight_result(d, verdict.state, verdict.wait_ms, d->attempts, attempt.status,
			    why);
	hooks_flight_end(d);
	hooks_settle(hooks);
}

void
hooks_flight_begin(struct hooks_out *hooks, struct hooks_delivery *d)
{
	const struct config *config = hooks->node->config;
	char *group = talloc_asprintf(d, "webhooks %" PRId64, d->environment_id);
	const struct http_outgoing request = {.method = "POST",
					      .url = d->url,
					      .headers = d->headers,
					      .body = d->body,
					      .body_length = strlen(d->body),
					      .timeout_ms = config->webhook_timeout_ms,
					      .response_max = ANSWER_MAX,
					      .head_is_enough = true,
					      .group = group};

	if (hooks->is_stopping) {
		hooks_flight_result(d, "due", 0, d->attempts - 1, 0, NULL);
		return;
	}
	talloc_steal(NULL, d);
	d->sent_ms = clock_monotonic_ms();
	TAILQ_INSERT_TAIL(&hooks->flying, d, entry);
	hooks->flying_count++;
	d->call = http_client_send(hooks->node->http, &request, on_answer, d);
}
