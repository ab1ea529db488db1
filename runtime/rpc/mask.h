/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc/mask -- the layers of the sandbox that a test may tell the runner to leave out. Only who
 * starts the runner can say so (an argument); without seccomp it refuses to start all the same.
 */
#ifndef NANGO_RPC_MASK_H
#define NANGO_RPC_MASK_H

enum run_mask {
	RUN_MASK_SECCOMP = 1,
	RUN_MASK_LANDLOCK = 2,
	RUN_MASK_LIMITS = 4,	    /* rlimits on memory, files, core dumps */
	RUN_MASK_UNDUMPABLE = 8,    /* no ptrace, no /proc/PID/mem, by the same user */
	RUN_MASK_PARENT_DEATH = 16, /* processes end with the server */
	RUN_MASK_OWN_USER = 32, /* drops root; does not apply where the server is not root */
};

#endif
