/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/sandbox -- takes the process's rights away, layer by layer, in three stages.
 *
 * sandbox_enter before any byte of the plugin is looked at; sandbox_serve once it is loaded;
 * sandbox_run in the fork that will call it. Each can only take away. seccomp is a must; the
 * other layers are depth, and what is missing is named in the layers text.
 */
#ifndef NANGO_RUNNER_SANDBOX_H
#define NANGO_RUNNER_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SANDBOX_FORK_COOKIE 0x6e616e676f666f72u
#define SANDBOX_LAYERS_MAX 400
#define SANDBOX_ZYGOTE_BYTES (256u << 20) /* address space while the plugin is loaded */
#define SANDBOX_RUN_BYTES_MAX (4ull << 30)

/* mask: enum run_mask of run/host.h, the layers to leave out (tests); parent: must be
 * getppid(). Writes the layers as JSON. Ends the process when seccomp cannot be had. */
void sandbox_enter(unsigned mask, pid_t parent, char layers[SANDBOX_LAYERS_MAX]);

/* The one file that may be opened while the plugin is loaded, by the loader's name for it. */
void sandbox_let_open(const char *path, int fd);

void sandbox_serve(void);
void sandbox_run(pid_t parent, uint64_t memory_bytes, uint64_t cpu_seconds);

/* A child that is a fork of this process; as fork(), but let through by the filter. */
pid_t sandbox_fork(void);

#endif
