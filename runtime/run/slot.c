/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/slot -- a zygote of a build and the runs that came from it: who is forked when, and when
 * another zygote takes its place.
 *
 * All forks of a zygote share one address layout, so a zygote is replaced now and then: the old
 * one ends with its last run. They also share the kernel's lists of who maps its pages, so each
 * fork, and each look of the kernel at such a page, is the dearer the more of them live: hence
 * a limit of those, too.
 */
#include "run/host_internal.h"

#include "base/clock.h"

#include <stdlib.h>

void
slot_free(struct slot *slot)
{
	struct run_host *host = slot->host;
	struct build *build = slot->build;
	struct slot **link = &build->slots;

	while (*link != slot)
		link = &(*link)->next;
	*link = slot->next;
	if (build->current == slot)
		build->current = NULL;
	zygote_free(slot->zygote);
	free(slot);
	if (build->is_forgotten && build->slots == NULL)
		host_build_free(host, build);
}

void
slot_close(struct slot *slot)
{
	if (slot->is_closing)
		return;
	slot->is_closing = true;
	if (slot->build->current == slot)
		slot->build->current = NULL;
	zygote_kill(slot->zygote, cause_text(CAUSE_RUNNER),
		    "the process is not needed any more");
}

static void
slot_retire(struct slot *slot)
{
	slot->is_retired = true;
	if (slot->build->current == slot)
		slot->build->current = NULL;
	if (slot->runs == 0)
		slot_close(slot);
}

void
slot_advance(struct slot *slot)
{
	struct run *run;

	while (slot->is_ready && slot->waiting != NULL &&
	       slot->unanswered < HOST_UNANSWERED_MAX) {
		run = slot->waiting;
		slot->waiting = run->next_waiting;
		if (slot->waiting == NULL)
			slot->waiting_last = &slot->waiting;
		run->next_waiting = NULL;
		run_fork(run);
	}
}

static struct run *
slot_run(const struct slot *slot, uint64_t serial)
{
	struct run *run;

	HASH_FIND(hh, slot->host->runs, &serial, sizeof(serial), run);
	return run != NULL && run->slot == slot ? run : NULL; /* a zygote may lie */
}

static void
on_ready(void *owner)
{
	struct slot *slot = owner;

	slot->is_ready = true;
	slot_advance(slot);
}

/* A run is RUN_FORKING until this answer, however it was stopped meanwhile, or until its zygote
 * is gone. So what fits no such run is a lie, and answers nothing. */
static void
on_started(void *owner, uint64_t serial, pid_t pid)
{
	struct slot *slot = owner;
	struct run *run = slot_run(slot, serial);

	if (run == NULL || run->state != RUN_FORKING)
		return;
	slot->unanswered--;
	run_started(run, pid);
	slot_advance(slot);
}

static void
on_exited(void *owner, uint64_t serial, int status, const struct rusage *usage)
{
	struct run *run = slot_run(owner, serial);

	if (run != NULL)
		run_exited(run, status, usage);
}

static void
on_gone(void *owner, const char *cause, const char *message)
{
	struct slot *slot = owner;
	struct run *run, *next;

	slot->is_closing = true;
	if (slot->build->current == slot)
		slot->build->current = NULL; /* `ended` may start the next run */
	HASH_ITER (hh, slot->host->runs, run, next) {
		if (run->slot == slot)
			run_lost(run, cause, message);
	}
	slot_free(slot);
}

static struct slot *
slot_new(struct run_host *host, struct build *build, struct error *err)
{
	static const struct zygote_events events = {on_ready, on_started, on_exited, on_gone};
	struct zygote_config config = {host->loop, host->runner_path, host->config.mask,
				       host->config.output_fd};
	struct slot *slot = calloc(1, sizeof(*slot));

	if (slot == NULL)
		abort();
	*slot = (struct slot){.host = host, .build = build, .born_ms = clock_monotonic_ms()};
	slot->waiting_last = &slot->waiting;
	if (zygote_new(&slot->zygote, &config, build->fd, &events, slot, err) < 0) {
		free(slot);
		return NULL;
	}
	slot->next = build->slots;
	build->slots = slot;
	build->current = slot;
	return slot;
}

struct slot *
slot_of_build(struct run_host *host, struct build *build, struct error *err)
{
	struct slot *slot = build->current;

	if (slot != NULL && (slot->begun >= host->config.zygote_runs_max ||
			     slot->runs >= RUN_HOST_ZYGOTE_ALIVE_MAX ||
			     clock_monotonic_ms() - slot->born_ms > RUN_HOST_ZYGOTE_AGE_MS)) {
		slot_retire(slot);
		slot = NULL;
	}
	return slot != NULL ? slot : slot_new(host, build, err);
}
