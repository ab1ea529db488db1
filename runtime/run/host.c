/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/host -- see host.h: builds, their zygotes, and which run goes to which.
 *
 * All forks of a zygote share one address layout, so a zygote is replaced now and then: the old
 * one ends with its last run. They also share the kernel's lists of who maps its pages, so each
 * fork, and each look of the kernel at such a page, is the dearer the more of them live: hence
 * a limit of those, too.
 */
#include "run/host_internal.h"

#include "base/clock.h"
#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <talloc.h>
#include <unistd.h>

/* ---- slots ------------------------------------------------------------------------------ */

/* Only a build that is off the table. */
static void
build_free(struct run_host *host, struct build *build)
{
	struct build **link = &host->forgotten;

	while (*link != build)
		link = &(*link)->next_forgotten;
	*link = build->next_forgotten;
	if (build->fd >= 0)
		close(build->fd);
	free(build);
}

static void
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
		build_free(host, build);
}

static void
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

/* Forks what waits, as far as the zygote has answered what was asked before. */
static void
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

static struct slot *
build_slot(struct run_host *host, struct build *build, struct error *err)
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

/* ---- builds ----------------------------------------------------------------------------- */

static struct build *
build_find(const struct run_host *host, const char *key)
{
	struct build *build;

	HASH_FIND_STR(host->builds, key, build);
	return build;
}

static void
build_forget(struct run_host *host, struct build *build)
{
	struct slot *slot, *next;

	HASH_DEL(host->builds, build);
	build->is_forgotten = true;
	build->next_forgotten = host->forgotten;
	host->forgotten = build;
	if (build->slots == NULL) {
		build_free(host, build);
		return;
	}
	for (slot = build->slots; slot != NULL; slot = next) {
		next = slot->next;
		slot_close(slot);
	}
}

static void
on_sweep(void *arg)
{
	struct run_host *host = arg;
	struct build *build, *next;
	int64_t now = clock_monotonic_ms();

	HASH_ITER (hh, host->builds, build, next) {
		if (build->runs == 0 && now - build->idle_since_ms >= host->config.idle_ms)
			build_forget(host, build);
	}
	if (host->builds != NULL)
		loop_timer_set(host->sweep, host->config.idle_ms / 2 + 1);
}

/* Sealed: what was checked is what will be loaded, whoever else holds the descriptor. */
static int
sealed_copy(const void *bytes, size_t length, struct error *err)
{
	int fd = memfd_create("nango-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const char *at = bytes;
	ssize_t n;

	if (fd < 0)
		return error_set_errno(err, ERR_SYSTEM, "cannot make a file for a plugin");
	for (size_t left = length; left > 0; left -= (size_t)n, at += n) {
		n = write(fd, at, left);
		if (n <= 0)
			break;
	}
	if (at != (const char *)bytes + length ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
		0) {
		error_set_errno(err, ERR_SYSTEM, "cannot copy a plugin of %zu bytes", length);
		close(fd);
		return -1;
	}
	return fd;
}

bool
run_host_has(struct run_host *host, const char *key)
{
	return build_find(host, key) != NULL;
}

int
run_host_add(struct run_host *host, const char *key, const void *bytes, size_t length,
	     struct error *err)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	char hex[2 * CRYPTO_SHA256_BYTES + 1];
	struct build *build;
	int fd;

	if (run_host_has(host, key))
		return 0;
	if (length == 0 || length > RUN_HOST_PLUGIN_BYTES_MAX)
		return error_set(err, ERR_PLUGIN,
				 "a plugin may have 1 to %d bytes, this one has %zu",
				 RUN_HOST_PLUGIN_BYTES_MAX, length);
	crypto_sha256(digest, bytes, length);
	crypto_hex(hex, digest, sizeof(digest));
	if (strcmp(hex, key) != 0)
		return error_set(err, ERR_PLUGIN,
				 "the plugin's bytes are not those of build %s; they "
				 "are %s: deploy it again",
				 key, hex);
	fd = sealed_copy(bytes, length, err);
	if (fd < 0)
		return -1;
	build = calloc(1, sizeof(*build));
	if (build == NULL)
		abort();
	memcpy(build->key, key, sizeof(build->key));
	build->fd = fd;
	build->idle_since_ms = clock_monotonic_ms();
	if (host->builds == NULL)
		loop_timer_set(host->sweep, host->config.idle_ms / 2 + 1);
	HASH_ADD_STR(host->builds, key, build);
	return 0;
}

/* ---- runs ------------------------------------------------------------------------------- */

void
host_waiting_remove(struct run *run)
{
	struct run **link;

	if (run->slot == NULL)
		return;
	for (link = &run->slot->waiting; *link != NULL; link = &(*link)->next_waiting) {
		if (*link != run)
			continue;
		*link = run->next_waiting;
		if (run->slot->waiting_last == &run->next_waiting)
			run->slot->waiting_last = link;
		return;
	}
}

void
host_run_ended(struct run *run)
{
	struct slot *slot = run->slot;

	HASH_DEL(run->host->runs, run);
	if (--run->build->runs == 0)
		run->build->idle_since_ms = clock_monotonic_ms();
	if (slot == NULL)
		return;
	run->slot = NULL;
	if (--slot->runs == 0 && slot->is_retired && !run->host->is_ending)
		slot_close(slot);
}

int
run_host_start(struct run_host *host, const char *key, const struct run_start *start,
	       const struct run_backend *backend, void *backend_arg, struct run **out,
	       struct error *err)
{
	struct build *build = build_find(host, key);
	struct slot *slot;
	struct run *run;

	if (build == NULL)
		return error_set(err, ERR_NOT_FOUND, "the build %s is not at hand", key);
	if (HASH_COUNT(host->runs) >= host->config.runs_max)
		return error_set(err, ERR_BUSY, "%zu runs are under way, which is the most",
				 host->config.runs_max);
	slot = build_slot(host, build, err);
	if (slot == NULL)
		return -1;
	run = run_new(host, slot, start, backend, backend_arg);
	HASH_ADD(hh, host->runs, serial, sizeof(run->serial), run);
	build->runs++;
	slot->runs++;
	slot->begun++;
	*slot->waiting_last = run;
	slot->waiting_last = &run->next_waiting;
	slot_advance(slot);
	if (out != NULL)
		*out = run;
	return 0;
}

size_t
run_host_count(const struct run_host *host)
{
	return HASH_COUNT(host->runs);
}

/* ---- the host --------------------------------------------------------------------------- */

const char *
run_host_layers(const struct run_host *host)
{
	return host->layers;
}

int
run_host_new(struct run_host **out, const struct run_host_config *config, struct error *err)
{
	struct zygote_config probe = {config->loop, config->runner_path, config->mask, 0};
	struct run_host *host;
	char *layers;

	if (zygote_probe(&probe, &layers, err) < 0)
		return -1;
	host = calloc(1, sizeof(*host));
	if (host == NULL)
		abort();
	host->loop = config->loop;
	host->config = *config;
	host->layers = layers;
	host->runner_path = strdup(config->runner_path);
	if (host->config.runs_max == 0)
		host->config.runs_max = RUN_HOST_RUNS_MAX;
	if (host->config.zygote_runs_max == 0)
		host->config.zygote_runs_max = RUN_HOST_ZYGOTE_RUNS_MAX;
	if (host->config.idle_ms == 0)
		host->config.idle_ms = RUN_HOST_IDLE_MS;
	host->sweep = loop_timer_new(host->loop, on_sweep, host);
	*out = host;
	return 0;
}

void
run_host_free(struct run_host *host)
{
	struct build *build, *next_build;
	struct run *run, *next_run;

	if (host == NULL)
		return;
	host->is_ending = true;
	HASH_ITER (hh, host->runs, run, next_run)
		run_end_now(run, CAUSE_CANCELLED);
	HASH_ITER (hh, host->builds, build, next_build)
		build_forget(host, build);
	while (host->forgotten != NULL)
		slot_free(host->forgotten->slots);
	loop_timer_free(host->sweep);
	free(host->runner_path);
	free(host->layers);
	free(host);
}
