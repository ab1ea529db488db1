/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/host -- runs plugin functions, each in a sandboxed process of its own.
 *
 * For every plugin build that is in use the host keeps one zygote: an exec()ed nango-runner
 * that has sandboxed itself and then loaded the plugin from a sealed memfd. A run is a fork of
 * it. The host owns the processes, their descriptors (one a run, two a zygote, one a build) and
 * their deaths; what a run asks for goes through its session to the backend of run/backend.h.
 *
 * Everything here is called on the loop's thread, and that thread must live as long as the
 * host: zygotes die with the thread that made them (PR_SET_PDEATHSIG). Nothing blocks, except
 * run_host_new, which starts the runner once to learn what the sandbox can do here.
 */
#ifndef NANGO_RUN_HOST_H
#define NANGO_RUN_HOST_H

#include "base/error.h"
#include "base/loop.h"
#include "rpc/mask.h"
#include "run/backend.h"
#include <stdbool.h>
#include <stddef.h>

#define RUN_HOST_RUNS_MAX 10000 /* default of runs_max */
#define RUN_HOST_PLUGIN_BYTES_MAX (16 * 1024 * 1024)
#define RUN_HOST_ZYGOTE_RUNS_MAX 10000 /* then a fresh zygote, with a fresh address layout */
#define RUN_HOST_ZYGOTE_ALIVE_MAX 256  /* runs of one zygote at a time, see slot.c */
#define RUN_HOST_ZYGOTE_AGE_MS (60 * 60 * 1000)
#define RUN_HOST_IDLE_MS (5 * 60 * 1000) /* a build without runs is forgotten after this */

struct run_host;
struct run;

struct run_host_config {
	struct loop *loop;
	const char *runner_path; /* nango-runner */
	size_t runs_max;	 /* at one time; 0: RUN_HOST_RUNS_MAX */
	unsigned mask;		 /* enum run_mask; 0 but in tests */
	int output_fd; /* what plugins print goes there (a pipe or terminal, not a file,
			* since plugins may not grow files); 0: thrown away */
	size_t zygote_runs_max; /* 0: RUN_HOST_ZYGOTE_RUNS_MAX */
	int64_t idle_ms;	/* 0: RUN_HOST_IDLE_MS */
};

/* ERR_SYSTEM when the runner cannot be started or has no seccomp; the message says which. */
MUST_CHECK int run_host_new(struct run_host **out, const struct run_host_config *config,
			    struct error *err);

/* Kills what still runs; their `ended` is called (cause "cancelled") before this returns. */
void run_host_free(struct run_host *host);

/* {"seccomp":true,"landlock":7,"limits":true,"undumpable":true,"parent_death":true,
 *  "own_user":true,"missing":["landlock",…]}; lives as long as the host. */
const char *run_host_layers(const struct run_host *host);

/* Is the build at hand? It may be forgotten again RUN_HOST_IDLE_MS after its last run. */
bool run_host_has(struct run_host *host, const char *key);

/*
 * Takes a copy of a plugin's bytes. key is their SHA-256 in hex, and is checked: ERR_PLUGIN.
 * Adding what is there already does nothing.
 */
MUST_CHECK int run_host_add(struct run_host *host, const char *key, const void *bytes,
			    size_t length, struct error *err);

/*
 * Starts a run of a build that is at hand (else ERR_NOT_FOUND); ERR_BUSY at runs_max. From here
 * on backend->ended is called exactly once, from the loop and never from within this call, also
 * when the plugin cannot be loaded. *out is valid until then; it may be NULL.
 */
MUST_CHECK int run_host_start(struct run_host *host, const char *key,
			      const struct run_start *start, const struct run_backend *backend,
			      void *backend_arg, struct run **out, struct error *err);

/*
 * Kills a run. A commit that is under way is waited for; nothing else of the run is carried
 * out. ended follows, with this cause (such as cause_text(CAUSE_LOST_LEASE)) unless the run had
 * ended by itself before.
 */
void run_cancel(struct run *run, const char *cause);

/* Does the plugin do nothing but wait for its provider? */
bool run_is_waiting(const struct run *run);

size_t run_host_count(const struct run_host *host); /* runs under way */

#endif
