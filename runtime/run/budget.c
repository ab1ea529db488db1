/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/budget -- see budget.h. Here: what an answer says of its provider's limit.
 *
 * A refusal may name its end in any of the usual headers. An answer that is none says something
 * only where the template names the header: elsewhere a count of 0 may be that of one endpoint,
 * or of a limit that nobody else has.
 */
#include "run/budget.h"
#include "base/clock.h"
#include "run/fetch_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EPOCH_FROM 1000000000.0	     /* a reset over this is a time, not a delay: seconds */
#define EPOCH_MS_FROM 100000000000.0 /* the same in milliseconds */
#define TOLD_MAX_MS (7 * 86400000LL) /* more is no limit's wait */

static int64_t
plain_ms(const char *text, int64_t now_wall_ms)
{
	char *end;
	double number;
	int64_t when;

	if (*text < '0' || *text > '9' || strlen(text) > 24)
		return clock_parse(text, &when) < 0 ? -1 : when - now_wall_ms;
	number = strtod(text, &end);
	if (*end != '\0')
		return clock_parse(text, &when) < 0 ? -1 : when - now_wall_ms;
	if (number >= EPOCH_MS_FROM)
		return (int64_t)number - now_wall_ms;
	if (number >= EPOCH_FROM)
		return (int64_t)(number * 1000) - now_wall_ms;
	return (int64_t)(number * 1000);
}

/* `"default";r=0;t=30` of the IETF's draft, or `limit=10, remaining=0, reset=30` of an older
 * one; the longest wait of several policies. */
static int64_t
draft_ms(const char *text, int64_t now_wall_ms)
{
	int64_t longest = -1;

	(void)now_wall_ms;
	for (const char *at = text; *at != '\0'; at += strcspn(at, ";, ")) {
		at += strspn(at, ";, ");
		for (size_t n = 2; n <= 6; n += 4)
			if (strncasecmp(at, n == 2 ? "t=" : "reset=", n) == 0 && at[n] >= '0' &&
			    at[n] <= '9') {
				long long seconds = strtoll(at + n, NULL, 10);

				if (seconds * 1000 > longest && seconds < TOLD_MAX_MS / 1000)
					longest = seconds * 1000;
			}
	}
	return longest;
}

static const struct {
	const char *name;
	int64_t (*read)(const char *text, int64_t now_wall_ms);
} usual[] = {
    {"retry-after", plain_ms},	      {"ratelimit", draft_ms},
    {"ratelimit-reset", plain_ms},    {"x-ratelimit-reset", plain_ms},
    {"x-rate-limit-reset", plain_ms},
};

int64_t
budget_told_ms(const struct http_field *headers, int64_t now_wall_ms)
{
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		for (const struct http_field *h = headers; h != NULL && h->name != NULL; h++) {
			int64_t wait = -1;

			if (strcasecmp(h->name, usual[i].name) == 0)
				wait = usual[i].read(h->value, now_wall_ms);
			if (wait > 0 && wait < TOLD_MAX_MS)
				return wait;
		}
	return -1;
}

void
budget_note(struct budget *budget, const struct budget_call *call, int status,
	    const struct http_field *headers, int64_t asked_ms)
{
	struct json_object *retry;
	int64_t now = clock_wall_ms();

	if (budget == NULL || call->scopes == NULL)
		return;
	retry = call->scopes->retry;
	if (status < 400) {
		if (fetch_is_used_up(retry, headers)) {
			asked_ms = fetch_asked_ms(retry, status, headers, NULL, now);
			if (asked_ms > 0)
				budget->ops->note(budget, call, asked_ms);
		}
		return;
	}
	if (!fetch_is_refused(retry, status, headers))
		return;
	if (asked_ms < 0)
		asked_ms = budget_told_ms(headers, now);
	if (asked_ms == 0) /* "Retry-After: 0": at once, it says */
		return;
	budget->ops->note(budget, call, asked_ms);
}
