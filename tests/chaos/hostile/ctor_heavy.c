/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/ctor_heavy -- a constructor that fills 40 MB: each fork would pay for it.
 */
#include <nango/plugin.h>

#include <stdlib.h>

static char *volatile kept; /* or the compiler leaves it all out */

__attribute__((constructor)) static void
construct(void)
{
	kept = malloc(40 << 20);
	memset(kept, 1, 40 << 20);
}

static void
good(struct nango_run *run)
{
	nango_save(run, "Item", (struct nango_value){run->calls, "{\"id\":1}", 8});
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "good", .run = good)));
