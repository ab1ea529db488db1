/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/zygote -- the server's side of one zygote: starting nango-runner, its control socket, its
 * end. Inner to run/; the host decides when to start, retire and kill one.
 *
 * The zygote leads a process group that nothing in the sandbox can leave, so killing the group
 * kills whatever there is. On the loop's thread; callbacks never come from within these calls.
 */
#ifndef NANGO_RUN_ZYGOTE_H
#define NANGO_RUN_ZYGOTE_H

#include "base/error.h"
#include "base/loop.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define ZYGOTE_RUN_NICE 10   /* of a run: the server and its database come first */
#define ZYGOTE_LOAD_MS 10000 /* from its start until the plugin is loaded */

struct zygote;

struct zygote_events {
	void (*ready)(void *owner);
	void (*started)(void *owner, uint64_t serial,
			pid_t pid); /* 0: it could not be forked */
	void (*exited)(void *owner, uint64_t serial, int status, const struct rusage *usage);
	/* Once, last: it has been reaped. cause and message say why, as for a run. */
	void (*gone)(void *owner, const char *cause, const char *message);
};

struct zygote_config {
	struct loop *loop;
	const char *runner_path;
	unsigned mask;
	int output_fd; /* 0: thrown away */
};

/* plugin_fd: a sealed memfd, stays the caller's. */
MUST_CHECK int zygote_new(struct zygote **out, const struct zygote_config *config,
			  int plugin_fd, const struct zygote_events *events, void *owner,
			  struct error *err);

/* Takes channel_fd. Before `ready` and with any number unanswered; the caller keeps that low.
 */
void zygote_fork(struct zygote *zygote, uint64_t serial, uint64_t memory_bytes,
		 uint64_t cpu_seconds, int channel_fd);

/* Kills a process that `started` named, if it is of this zygote's group: that may be a lie. */
void zygote_kill_run(struct zygote *zygote, pid_t pid);

/* The same process runs when nothing more urgent does. */
void zygote_yield_run(struct zygote *zygote, pid_t pid);

/* Kills the zygote and all its runs; gone follows, with this cause and message. */
void zygote_kill(struct zygote *zygote, const char *cause, const char *message);

/* After gone; or before, then it is killed and reaped here, and gone is not called. */
void zygote_free(struct zygote *zygote);

/* Starts the runner once to ask for its layers; blocks for some milliseconds. Caller frees. */
MUST_CHECK int zygote_probe(const struct zygote_config *config, char **layers,
			    struct error *err);

#endif
