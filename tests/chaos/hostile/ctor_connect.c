/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/ctor_connect -- a constructor that makes a socket.
 */
#include <nango/plugin.h>

#include <sys/socket.h>

__attribute__((constructor)) static void
construct(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

static void
good(struct nango_run *run)
{
	nango_save(run, "Item", (struct nango_value){run->calls, "{\"id\":1}", 8});
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "good", .run = good)));
