/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/ctor_fork -- a constructor that forges the runner's own fork, to leave a process
 * behind.
 */
#include <nango/plugin.h>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((constructor)) static void
construct(void)
{
	/* SANDBOX_FORK_COOKIE of runner/sandbox.h, as a determined enemy would read it. */
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0x6e616e676f666f72ul) == 0)
		for (;;)
			pause();
}

static void
good(struct nango_run *run)
{
	nango_save(run, "Item", (struct nango_value){run->calls, "{\"id\":1}", 8});
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "good", .run = good)));
