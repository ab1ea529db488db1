/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/ctor_open -- a constructor that opens files; it is told no, and the plugin runs.
 */
#include <nango/plugin.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

__attribute__((constructor)) static void
construct(void)
{
	struct stat st;

	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/proc/self/environ", O_RDONLY) >= 0 ||
	    stat("/etc/passwd", &st) == 0 || open("/tmp/x", O_CREAT | O_WRONLY, 0600) >= 0)
		abort();
}

static void
good(struct nango_run *run)
{
	nango_save(run, "Item", (struct nango_value){run->calls, "{\"id\":1}", 8});
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "good", .run = good)));
