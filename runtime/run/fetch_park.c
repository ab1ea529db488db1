/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_park -- whether a run does nothing but wait for its provider, and for so long that
 * it rather ends: see fetch_scope_may_park.
 */
#include "base/clock.h"
#include "run/fetch_internal.h"
#include "run/fetch_rules.h"

#include <stdio.h>

#define PARK_LOOK_MS 250    /* between two looks whether a run does nothing but wait */
#define PARK_TICKET_MS 2000 /* a block that was lifted is known by then (BUDGET_LOOK_MS) */

void
fetch_leave_waiting(struct fetch *fetch)
{
	struct fetch **link = &fetch->scope->waiting;

	if (!fetch->is_waiting)
		return;
	while (*link != fetch)
		link = &(*link)->next_waiting;
	*link = fetch->next_waiting;
	fetch->is_waiting = false;
}

void
fetch_enter_waiting(struct fetch *fetch)
{
	fetch->is_waiting = true;
	fetch->next_waiting = fetch->scope->waiting;
	fetch->scope->waiting = fetch;
	loop_timer_set(fetch->scope->parking, PARK_LOOK_MS);
}

/* The plugin asks for nothing new while it waits, so the look comes in a later turn: what is
 * under way beside this request may still bring it to a commit. */
void
fetch_note_long_wait(struct fetch *fetch, const struct http_incoming *answer, const char *told,
		     int64_t wait)
{
	struct fetch_scope *scope = fetch->scope;
	int64_t asked = fetch_asked_ms(fetch->target->retry, answer->status, answer->headers,
				       told, clock_wall_ms());

	if (asked < wait)
		asked = wait;
	if (scope->park_after_ms == 0 || asked <= scope->park_after_ms)
		return;
	fetch->until_ms =
	    clock_monotonic_ms() + (asked > FETCH_PARK_MAX_MS ? FETCH_PARK_MAX_MS : asked);
	fetch->status = answer->status;
	fetch_enter_waiting(fetch);
}

/* How long a call waits for its turn changes with every other; how long for a header does not.
 * The one that waits the longest, when all that is under way does so too long; else NULL. */
static struct fetch *
look_at_waiting(struct fetch_scope *scope, bool *again)
{
	struct fetch *longest = NULL;
	size_t waiting = 0;
	int64_t now = clock_monotonic_ms();

	*again = false;
	for (struct fetch *f = scope->waiting; f != NULL; f = f->next_waiting) {
		if (f->ticket != NULL) {
			f->until_ms = now + budget_wait_ms(scope->fetcher->budget, f->ticket);
			*again = true;
			if (f->until_ms <= now + scope->park_after_ms ||
			    now - f->asked_ms < PARK_TICKET_MS)
				continue;
		}
		waiting++;
		if (longest == NULL || f->until_ms > longest->until_ms)
			longest = f;
	}
	return waiting < scope->active ? NULL : longest;
}

static void
say_why(char *out, size_t size, const struct fetch *fetch, int64_t wait_ms)
{
	long long seconds = (wait_ms + 999) / 1000;

	if (fetch->ticket != NULL)
		snprintf(out, size,
			 "%s %.150s waits %lld s for its turn in the provider's limit",
			 fetch->request.method, fetch->request.path, seconds);
	else
		snprintf(out, size, "%s %.150s answered %d and asks for a wait of %lld s",
			 fetch->request.method, fetch->request.path, fetch->status, seconds);
}

void
fetch_look_to_park(void *arg)
{
	struct fetch_scope *scope = arg;
	char message[256];
	bool again;
	struct fetch *longest;
	int64_t wait;

	if (scope->park_after_ms == 0)
		return;
	longest = look_at_waiting(scope, &again);
	wait = longest == NULL ? 0 : longest->until_ms - clock_monotonic_ms();
	if (wait > 0) {
		say_why(message, sizeof(message), longest, wait);
		again = !scope->park(scope->park_arg, wait, message);
		if (!again)
			scope->park_after_ms = 0;
	}
	if (again)
		loop_timer_set(scope->parking, PARK_LOOK_MS);
}

void
fetch_scope_may_park(struct fetch_scope *scope, int64_t after_ms, fetch_park *park, void *arg)
{
	scope->park_after_ms = after_ms;
	scope->park = park;
	scope->park_arg = arg;
}
