/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/host -- see host.h: the builds that are at hand, and the runs that are under way.
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

/* ---- builds ----------------------------------------------------------------------------- */

static struct build *
build_find(const struct run_host *host, const char *key)
{
	struct build *build;

	HASH_FIND_STR(host->builds, key, build);
	return build;
}

void
host_build_free(struct run_host *host, struct build *build)
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
build_forget(struct run_host *host, struct build *build)
{
	struct slot *slot, *next;

	HASH_DEL(host->builds, build);
	build->is_forgotten = true;
	build->next_forgotten = host->forgotten;
	host->forgotten = build;
	if (build->slots == NULL) {
		host_build_free(host, build);
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
	slot = slot_of_build(host, build, err);
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
