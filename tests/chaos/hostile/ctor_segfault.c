/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/ctor_segfault -- a constructor that crashes.
 */
#include <nango/plugin.h>

static int *volatile nowhere;

__attribute__((constructor)) static void
construct(void)
{
	*nowhere = 1;
}

static void
good(struct nango_run *run)
{
	nango_save(run, "Item", (struct nango_value){run->calls, "{\"id\":1}", 8});
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "good", .run = good)));
