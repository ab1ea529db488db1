/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/spawn -- starts nango-runner: exec()ed with an empty environment, descriptors 0 to 3
 * only, as the leader of a process group. Inner to run/.
 */
#ifndef NANGO_RUN_SPAWN_H
#define NANGO_RUN_SPAWN_H

#include "base/error.h"
#include "rpc/frame.h"
#include "run/zygote.h"

#define SPAWN_PACKET_MAX (RPC_HEADER_BYTES + 4096) /* on the control socket */

/* A control socket: fds[0] stays here, fds[1] is the runner's. Both close on exec. */
MUST_CHECK int spawn_control(int fds[2], struct error *err);

/* mode: "zygote" or "probe". control_fd becomes the runner's descriptor 3. */
MUST_CHECK int spawn_runner(const struct zygote_config *config, const char *mode,
			    int control_fd, pid_t *pid, struct error *err);

#endif
